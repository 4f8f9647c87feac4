"""Estimate, probe, deal and viewer by themselves, and together on a simulated path."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.allocation import BANDWIDTH, CROWD, FULL_SIZE_PX, HIDDEN, Demand, Layer, allocate, cost_bps, next_step_bps, useful
from media.estimate import DownEstimate, LossMeter, Probe
from media.viewer import Costs, Viewer
from tests.unit.simulated_path import Room

CAMERA = (Layer("l", 100_000), Layer("m", 300_000), Layer("h", 800_000))

# --- the deal ------------------------------------------------------------------------------------

layer_rates = st.lists(st.integers(10_000, 2_000_000), min_size=0, max_size=3).map(sorted)
budgets = st.integers(0, 6_000_000)


@st.composite
def rooms(draw: st.DrawFn) -> tuple[list[Demand], dict[str, str]]:
    demands, current = [], {}
    for n in range(draw(st.integers(0, 8))):
        rates = draw(layer_rates)
        layers = tuple(Layer(name, bps) for name, bps in zip(("l", "m", "h"), rates, strict=False))
        refused = draw(st.sampled_from(["", "", "", HIDDEN, CROWD]))
        demands.append(Demand(f"t{n}", layers, draw(st.integers(0, 3)), refused))
        held = draw(st.sampled_from([None, "l", "m", "h", "single"]))
        if held:
            current[f"t{n}"] = held
    return demands, current


@given(rooms(), budgets, budgets)
def test_the_deal_never_costs_more_than_may_be_kept(
    room: tuple[list[Demand], dict[str, str]], keep_bps: int, raise_bps: int
) -> None:
    demands, current = room
    chosen = allocate(demands, current, keep_bps, raise_bps)
    assert cost_bps(chosen) <= keep_bps
    assert [choice.track_id for choice in chosen] == [demand.track_id for demand in demands]
    for demand, choice in zip(demands, chosen, strict=True):
        if demand.refused:
            assert (choice.layer, choice.reason) == (None, demand.refused)
        elif choice.layer is None:
            assert choice.reason == (BANDWIDTH if demand.layers else "")
        else:
            assert choice.layer in demand.layers


@given(rooms(), budgets)
def test_nothing_less_important_takes_what_someone_more_important_lacks(
    room: tuple[list[Demand], dict[str, str]], budget_bps: int
) -> None:
    """Without memory: who lacks a step could not have it, even if nobody less important had as much."""
    demands, _ = room
    chosen = {choice.track_id: choice.layer for choice in allocate(demands, {}, budget_bps, budget_bps)}
    for demand in demands:
        if demand.refused or not demand.layers:
            continue
        layer = chosen[demand.track_id]
        lacking = 0 if layer is None else demand.layers.index(layer) + 1
        if lacking == len(demand.layers):
            continue
        step_bps = demand.layers[lacking].bps - (layer.bps if layer is not None else 0)
        spent = 0.0
        for other in demands:
            got = chosen[other.track_id]
            if got is None or other.refused:
                continue
            at = other.layers.index(got)
            allowed = min(at, lacking if other.rank <= demand.rank and other is not demand else lacking - 1)
            spent += other.layers[allowed].bps if allowed >= 0 else 0.0
        assert spent + step_bps > budget_bps


@given(rooms(), budgets)
def test_what_is_sent_stays_while_it_may_be_kept_and_nothing_is_added_in_a_dip(
    room: tuple[list[Demand], dict[str, str]], slack_bps: int
) -> None:
    demands, current = room
    before = allocate(demands, current, math.inf, math.inf)
    held = {choice.track_id: choice.layer.name for choice in before if choice.layer is not None}
    after = allocate(demands, held, cost_bps(before) + slack_bps, 0.0)
    assert after == before


def test_someone_more_important_takes_the_place_of_someone_less_important_even_in_a_dip() -> None:
    screen, camera = Demand("screen", (Layer("single", 90_000),), rank=0), Demand("camera", CAMERA[:1], rank=5)
    chosen = {c.track_id: c.layer for c in allocate([screen, camera], {"camera": "l"}, 120_000, 0.0)}
    assert chosen["screen"] is not None
    assert chosen["camera"] is None


def test_of_equals_the_one_that_is_sent_stays() -> None:
    one, other = Demand("one", CAMERA), Demand("other", (Layer("l", 60_000),))
    chosen = {c.track_id: c.layer for c in allocate([one, other], {"other": "l"}, 130_000, 110_000)}
    assert chosen["other"] is not None
    assert chosen["one"] is None


@pytest.mark.parametrize(
    ("tile_px", "names"), [(1, "l"), (180, "l"), (300, "lm"), (480, "lm"), (700, "lmh"), (FULL_SIZE_PX, "lmh")]
)
def test_a_tile_gets_no_more_than_it_can_show(tile_px: int, names: str) -> None:
    assert "".join(layer.name for layer in useful(CAMERA, tile_px)) == names


def test_a_single_or_only_large_layer_is_useful_at_any_size() -> None:
    assert useful((Layer("single", 1.0),), 100) == (Layer("single", 1.0),)
    assert useful(CAMERA[2:], 100) == CAMERA[2:]


def test_the_next_step_is_the_cheapest_improvement() -> None:
    demands = [Demand("one", CAMERA), Demand("two", CAMERA), Demand("hidden", CAMERA, refused=HIDDEN)]
    chosen = allocate(demands, {}, 450_000, 450_000)
    assert cost_bps(chosen) == 400_000
    assert next_step_bps(demands, chosen) == 600_000
    everything = allocate(demands, {}, math.inf, math.inf)
    assert next_step_bps(demands, everything) is None


# --- estimate ------------------------------------------------------------------------------------


def test_without_a_word_from_the_client_nothing_is_known() -> None:
    assert DownEstimate().bps is None


def test_the_lower_of_remb_and_loss_holds() -> None:
    estimate = DownEstimate()
    estimate.on_remb(900_000)
    assert estimate.bps == 900_000
    estimate.on_loss(0.5, 800_000, 1_000)
    assert estimate.bps == 400_000
    assert estimate.lossy


def test_loss_between_the_marks_changes_nothing_and_no_loss_lets_it_grow_slowly() -> None:
    estimate = DownEstimate()
    estimate.on_loss(0.5, 800_000, 1_000)
    estimate.on_loss(0.05, 380_000, 2_000)
    assert estimate.bps == 400_000
    estimate.on_loss(0.0, 380_000, 3_000)
    assert estimate.bps == pytest.approx(432_000, rel=0.01)


def test_reports_of_what_was_sent_before_a_cut_do_not_cut_again() -> None:
    estimate = DownEstimate()
    estimate.on_loss(0.5, 800_000, 1_000)
    estimate.on_loss(0.6, 800_000, 1_500)
    assert estimate.bps == 400_000


def test_loss_that_does_not_fall_with_the_rate_is_not_congestion() -> None:
    estimate = DownEstimate()
    for n in range(40):
        estimate.on_loss(0.12, min(800_000, estimate.bps or 800_000), 1_000.0 * (n + 1))
    assert estimate.bps is not None
    assert estimate.bps > 400_000


def test_what_was_lost_before_us_is_not_lost_behind_us() -> None:
    meter = LossMeter()
    meter.add(1, 0, 1_000, 0.0)
    assert meter.add(1, 12, 1_100, 600.0, lambda numbers: len([n for n in numbers if n % 10 == 0]))  # ten came to us with holes
    assert meter.share == pytest.approx(2 / 90)


# --- one viewer ----------------------------------------------------------------------------------


def known(bps: int) -> DownEstimate:
    estimate = DownEstimate()
    estimate.on_remb(bps)
    return estimate


def watch(viewer: Viewer, demand: Demand, bps: int, sent_bps: float, from_s: float, to_s: float) -> list[str | None]:
    """The layers a viewer chooses, twice a second."""
    chosen: list[str | None] = []
    for step in range(int(from_s * 2), int(to_s * 2)):
        viewer.choose([demand], known(bps), sent_bps, sent_bps, step * 500.0)
        chosen.append(viewer.current.get(demand.track_id))
    return chosen


def test_a_modest_estimate_says_nothing_against_a_camera_that_sends_less() -> None:
    """A still camera's 36 kbit/s let REMB rise to 90 only, and a camera is taken to cost 400 until it is measured."""
    viewer = Viewer(0.0)
    viewer.choose([Demand("t", (Layer("single", 400_000),))], DownEstimate(), math.inf, 0.0, 0.0)
    assert set(watch(viewer, Demand("t", (Layer("single", 300_000),)), 90_000, 36_000, 0.5, 30)) == {"single"}


def test_an_estimate_below_what_is_sent_lets_it_fall() -> None:
    viewer = Viewer(0.0)
    viewer.choose([Demand("t", CAMERA)], DownEstimate(), math.inf, 0.0, 0.0)
    assert watch(viewer, Demand("t", CAMERA), 150_000, 790_000, 0.5, 12)[-1] == "l"


def test_a_tile_made_small_and_large_again_has_its_picture_back_at_once() -> None:
    viewer, large, small = Viewer(0.0), Demand("t", CAMERA), Demand("t", CAMERA[:1])
    viewer.choose([large], DownEstimate(), math.inf, 0.0, 0.0)
    assert watch(viewer, large, 3_000_000, 800_000, 0.5, 20)[-1] == "h"
    assert watch(viewer, small, 3_000_000, 100_000, 20, 40)[-1] == "l"
    assert watch(viewer, large, 3_000_000, 100_000, 40, 40.5) == ["h"]
    hidden = Demand("t", CAMERA, refused=HIDDEN)
    watch(viewer, hidden, 3_000_000, 0, 41, 60)
    assert watch(viewer, large, 3_000_000, 0, 60, 60.5) == ["h"]


def test_loss_is_weighed_by_packets_over_all_streams() -> None:
    meter = LossMeter()
    for ssrc in (1, 2):
        meter.add(ssrc, 0, 1_000, 0.0)
    assert not meter.add(1, 0, 1_015, 600.0)
    assert meter.add(2, 20, 1_085, 700.0)
    assert meter.share == pytest.approx(0.2)


def test_absurd_reports_neither_crash_nor_fill_memory() -> None:
    meter = LossMeter()
    for ssrc in range(5_000):
        meter.add(ssrc, -8_000_000, 0xFFFFFFFF, float(ssrc))
        meter.add(ssrc, 8_000_000, 0, float(ssrc))
    assert 0.0 <= meter.share <= 1.0
    assert len(meter._totals) <= 256


# --- probe ---------------------------------------------------------------------------------------


def test_nothing_is_probed_when_nothing_is_wanted_or_known() -> None:
    estimate = DownEstimate()
    assert Probe().bps(1_000_000, estimate, 100_000, 0.0) == 0.0
    estimate.on_remb(500_000)
    assert Probe().bps(None, estimate, 100_000, 0.0) == 0.0


def test_a_probe_rises_slowly_and_stays_below_the_estimate() -> None:
    estimate, probe = DownEstimate(), Probe()
    estimate.on_remb(500_000)
    seen = [probe.bps(2_000_000, estimate, 100_000, 100.0 * n) for n in range(150)]
    assert seen == sorted(seen)
    assert seen[10] < 40_000
    assert 300_000 < seen[-1] <= 350_000


def test_a_probe_that_meets_the_limit_rests_longer_each_time() -> None:
    estimate, probe = DownEstimate(), Probe()
    rests, resting_since = [], None
    for n in range(3_000):
        now_ms = 100.0 * n
        estimate.on_remb(500_000)
        sent = probe.bps(2_000_000, estimate, 300_000, now_ms)
        if sent > 20_000:  # the path's limit
            estimate.on_remb(400_000)
            probe.bps(2_000_000, estimate, 300_000, now_ms + 50)
        if sent == 0.0 and resting_since is None:
            resting_since = now_ms
        elif sent > 0.0 and resting_since is not None:
            rests.append(now_ms - resting_since)
            resting_since = None
    waits = [rest for rest in rests if rest > 1_000]
    assert waits == sorted(waits)
    assert waits[-1] >= 3 * waits[0]


def test_costs_do_not_jump() -> None:
    costs = Costs()
    for n in range(40):
        costs.update({("t", "m"): 400_000.0}, 500.0 * n)
    costs.update({("t", "m"): 1_200_000.0}, 20_000.0)
    assert costs.of("t", "m") < 520_000
    assert costs.of("t", "unheard of") == 0.0


# --- all together --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stepped() -> list[Room]:
    """2 Mbit/s, 200 kbit/s, 2 Mbit/s, two minutes each; the cameras' rates wander by a third all the time."""
    return [Room([(0, 2e6), (120, 200e3), (240, 2e6)], seed=seed).run(480) for seed in range(5)]


def test_on_the_narrow_path_sound_is_whole_and_pictures_are_small(stepped: list[Room]) -> None:
    for room in stepped:
        harmed = [at_s for at_s, share in room.audio_lost if share > 0.02 and 122 < at_s < 238]
        assert len(harmed) <= 5, "two seconds after the fall, with at most a few stumbles at probes"
        narrow = room.layers_at(124)
        assert set(narrow.values()) <= {"l"}
        assert len(narrow) <= 1


def test_every_picture_comes_back(stepped: list[Room]) -> None:
    for room in stepped:
        assert len(room.layers_at(400)) == room.cameras


def test_settled_paths_see_hardly_a_change(stepped: list[Room]) -> None:
    """One in 30 s, or an attempt that fails at once (two changes), after which the next waits longer."""
    for from_s, to_s in ((60, 120), (165, 240), (345, 480)):
        most = [room.most_changes(from_s, to_s) for room in stepped]
        assert max(most) <= 2
        assert sum(most) <= len(most)


def test_a_client_that_says_nothing_gets_everything() -> None:
    room = Room([(0, 50e6)], sends_remb=False, padding=False).run(30)
    assert set(room.layers_at(30).values()) == {"h"}


def test_on_a_wide_path_even_the_last_of_many_pictures_is_proven() -> None:
    """One more of many is more than the smallest probe carries: the probe grows with what is sent."""
    room = Room([(0, 50e6)], cameras=11).run(150)
    assert room.layers_at(150) == {f"t{n}": "h" for n in range(11)}


def test_a_wide_path_is_found_wide() -> None:
    room = Room([(0, 20e6)], cameras=3).run(90)
    assert set(room.layers_at(90).values()) == {"h"}


def test_ten_percent_of_random_loss_leaves_small_pictures() -> None:
    room = Room([(0, 20e6)], cameras=2, random_loss=0.10).run(120)
    assert len(room.layers_at(120)) == 2
