"""What is said of the stores: fail closed, the worst of all hosts, codes that an operator can look up, and no sitting without disk."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from hearing.model import SittingId
from media.control import PlaceState, StoreHealth, WorkerAlive
from signaling.error_codes import Refused
from signaling.metrics import Metrics
from signaling.store_watch import _WORDS, GONE_S, LATE_S, LOST_S, STORE_WORDS, StoreWatch
from tests.courts import NINE, SetClock

GIB = 1024**3
MANUAL = (Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def watch(clock: SetClock) -> StoreWatch:
    return StoreWatch(clock, warn_bytes=20 * GIB, stop_bytes=5 * GIB)


def health(host: str = "shipper", a: str = "ok", b: str = "ok", **changes: object) -> StoreHealth:
    values: dict[str, object] = {
        "shipping": PlaceState("ok", NINE), "backlog_segments": 2, "backlog_bytes": 4000, "oldest_age_s": 3.0,
        "spool_free_bytes": 50 * GIB, **changes,
    }  # fmt: skip
    return StoreHealth(host, PlaceState(a, NINE), PlaceState(b, NINE), **values)  # type: ignore[arg-type]


def codes(watch: StoreWatch) -> list[str]:
    return [trouble.code for trouble in watch.state().troubles]


def test_silence_is_trouble_before_the_first_word_and_after_fifteen_seconds(watch: StoreWatch, clock: SetClock) -> None:
    assert codes(watch) == ["shipper_silent"]
    watch.heard(health())
    assert (codes(watch), watch.state().ok) == ([], True)
    clock.advance(14)
    assert watch.state().ok
    clock.advance(2)
    assert codes(watch) == ["shipper_silent"]
    watch.heard(health())
    assert watch.state().ok


def test_of_several_hosts_the_worst_counts(watch: StoreWatch, clock: SetClock) -> None:
    watch.heard(health("one", b="timeout", spool_free_bytes=50 * GIB))
    watch.heard(health("two", oldest_age_s=LATE_S + 1, spool_free_bytes=10 * GIB))
    state = watch.state()
    assert codes(watch) == ["store_b_timeout", "backlog_late", "spool_low"]
    assert (state.backlog_segments, state.free_bytes, state.space) == (4, 10 * GIB, "low")
    clock.advance(16)
    watch.heard(health("one"))
    assert "shipper_silent" in codes(watch)  # the other one


def test_what_lies_between_and_what_is_held_is_said(watch: StoreWatch) -> None:
    watch.heard(health(shipping=PlaceState("database", NINE), held={"sha256_differs": 1}))
    assert codes(watch) == ["shipping_database", "segments_held"]


@pytest.mark.parametrize(
    ("free", "space", "refused"), [(30, "enough", False), (20, "enough", False), (19, "low", False), (4, "exhausted", True)]
)
def test_without_disk_no_sitting_is_opened(watch: StoreWatch, free: int, space: str, refused: bool) -> None:
    watch.refuse_when_full()  # nothing is known yet: the pre-flight says so, this does not guess
    watch.heard_worker(WorkerAlive((SittingId("s"),), free * GIB, "http://worker"))  # also while the shipper is away
    assert watch.state().space == space
    if refused:
        with pytest.raises(Refused) as caught:
            watch.refuse_when_full()
        assert caught.value.code == "spool_full"
    else:
        watch.refuse_when_full()


def test_troubles_can_be_compared_while_numbers_change(watch: StoreWatch, clock: SetClock) -> None:
    watch.heard(health(a="unreachable", backlog_segments=1))
    before = watch.state().troubles
    clock.advance(3)
    watch.heard(health(a="unreachable", backlog_segments=9, oldest_age_s=5.0))
    assert watch.state().troubles == before


def test_every_code_speaks_chinese_and_stands_in_the_manual(watch: StoreWatch) -> None:
    for code in STORE_WORDS:
        watch.heard(health(a=code))
        [trouble] = watch.state().troubles
        assert trouble.words.startswith("第一份存储")
        assert f"`store_x_{code}`" in MANUAL
    for code in _WORDS:
        assert f"`{code}`" in MANUAL


def test_the_metrics_say_what_holds_at_this_scrape(watch: StoreWatch, clock: SetClock) -> None:
    metrics = Metrics()
    metrics.set_stores(watch.state(), watch.silence_s())
    watch.heard(health(b="disk_full"))
    clock.at += timedelta(seconds=1)
    metrics.set_stores(watch.state(), watch.silence_s())
    text = metrics.text(()).decode()
    assert 'court_store_up{store="a"} 1.0' in text
    assert 'court_store_up{store="b"} 0.0' in text
    assert 'court_store_trouble{code="store_b_disk_full"} 1.0' in text
    assert "shipper_silent" not in text
    assert f"court_spool_free_bytes {50 * GIB / 10**10}" in text


def test_a_host_that_was_taken_away_leaves_the_list_and_the_last_one_never_does(watch: StoreWatch, clock: SetClock) -> None:
    watch.heard(health("old", backlog_segments=0, spool_free_bytes=1 * GIB))
    watch.heard(health("broken", spool_free_bytes=90 * GIB))  # two segments wait in its spool
    clock.advance(GONE_S - 1)
    watch.heard(health("new"))
    assert codes(watch) == ["spool_full", "shipper_silent"], "its disk and its silence still count"
    clock.advance(2)
    watch.heard(health("new"))
    assert (codes(watch), watch.state().free_bytes) == (["shipper_silent"], 50 * GIB), "what waits in a spool is not forgotten"
    clock.advance(LOST_S)
    watch.heard(health("new"))
    assert watch.state().ok
    clock.advance(2 * LOST_S)
    assert codes(watch) == ["shipper_silent"]
