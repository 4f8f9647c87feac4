"""What a film shows when, where everybody stands in its picture, and that its sound never clips."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise

import numpy as np
import pytest

from hearing import events as law
from hearing.access import AccessClass
from hearing.ledger import Recorded
from hearing.model import CourtId, Hearing, HearingId, Keeping, Part, Participant, ParticipantId, Procedure, Role, SittingId
from record.access import Classes
from record.course import Course, course_of
from record.film_layout import FOOTER_TOP, HEADER, WIDTH, Box, layout_of
from record.film_plan import CARD_MS, Scene, Steps, card_length, scenes_of
from record.film_sound import CEILING, Limiter
from record.model import AccessOrder

ZERO = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
JUDGE = ParticipantId("part_j")


def at(ms: int) -> datetime:
    return ZERO + timedelta(milliseconds=ms)


def course(*events: law.Event) -> Course:
    whole = (law.SittingOpened(at(0)), *events)
    entries = [Recorded(n, SittingId("sit_1"), e.at, None, None, None, e, None) for n, e in enumerate(whole, start=1)]
    found = course_of(entries, at(0))
    assert found is not None
    return found


def scenes(*events: law.Event, orders: tuple[AccessOrder, ...] = (), fps: int = 12) -> list[Scene]:
    return scenes_of(Classes(course(*events), orders), fps)


def test_steps_hold_their_value_from_their_moment_on() -> None:
    steps = Steps([(100, "b"), (50, "a")], "none")
    assert [steps.at(t) for t in (0, 49, 50, 99, 100, 1000)] == ["none", "none", "a", "a", "b", "b"]


def test_what_is_not_recorded_is_a_card_and_the_clock_jumps() -> None:
    found = scenes(
        law.SittingAdjourned(at(60_000), None), law.SittingResumed(at(360_000)),
        law.PartBegan(at(400_000), Part.CLOSED, Keeping.SEALED, "r"), law.PartEnded(at(460_000), Part.CLOSED),
        law.PartBegan(at(500_000), Part.MEDIATION, Keeping.NONE, "r"), law.PartEnded(at(502_000), Part.MEDIATION),
        law.SittingClosed(at(600_000)),
    )  # fmt: skip
    assert [(s.t0_ms, s.t1_ms, s.card.title if s.card else "") for s in found] == [
        (0, 60_000, ""), (60_000, 360_000, "休庭"), (360_000, 400_000, ""), (400_000, 460_000, "不公开审理"),
        (460_000, 500_000, ""), (500_000, 502_000, "调解"), (502_000, 600_000, ""),
    ]  # fmt: skip
    assert [s.frames for s in found] == [60 * 12, CARD_MS * 12 // 1000, 40 * 12, 60, 40 * 12, 24, 98 * 12]
    assert all(one.first + one.frames == other.first and one.t1_ms == other.t0_ms for one, other in pairwise(found))
    assert found[3].card is not None
    assert "封存" in found[3].card.cause


def test_an_order_afterwards_cuts_its_stretch_out_and_one_on_a_single_track_does_not() -> None:
    orders = tuple(
        AccessOrder(track, t0, t1, access, "r", JUDGE, ZERO)
        for track, t0, t1, access in (
            ("", 10_000, 30_000, AccessClass.SEALED), ("", 40_000, 41_000, AccessClass.PARTIES), ("a-video", 0, 5000, AccessClass.SEALED),
        )
    )  # fmt: skip
    found = scenes(law.SittingClosed(at(60_000)), orders=orders)
    assert [(s.t0_ms, s.t1_ms, s.card is not None) for s in found] == [
        (0, 10_000, False),
        (10_000, 30_000, True),
        (30_000, 60_000, False),
    ]


@pytest.mark.parametrize("fps", [10, 12, 15])
def test_scenes_stay_on_the_record_clock_however_odd_their_lengths(fps: int) -> None:
    edges = [law.SittingAdjourned(at(n * 7777), None) if n % 2 else law.SittingResumed(at(n * 7777)) for n in range(1, 40)]
    found = scenes(*edges, law.SittingClosed(at(400_000)), fps=fps)
    for scene in found:
        shown_ms = min(scene.t1_ms - scene.t0_ms, CARD_MS) if scene.card else scene.t1_ms - scene.t0_ms
        assert abs(scene.frames * 1000 / fps - shown_ms) <= 500 / fps + 1


@pytest.mark.parametrize(
    ("panel", "left", "right", "other"), [(1, 0, 0, 0), (1, 1, 1, 1), (3, 2, 1, 1), (7, 8, 6, 4), (5, 10, 10, 0)]
)
def test_nobody_stands_on_anybody(panel: int, left: int, right: int, other: int) -> None:
    roles = [Role.PRESIDING_JUDGE, *[Role.ASSESSOR] * (panel - 1), Role.CLERK]
    roles += [Role.PLAINTIFF] * left + [Role.DEFENDANT] * right + [Role.WITNESS] * other + [Role.OBSERVER] * 3
    people = tuple(Participant(ParticipantId(f"p{n}"), role, "张伟", "") for n, role in enumerate(roles))
    layout = layout_of(Hearing(HearingId("h"), CourtId("c"), "", "", "", Procedure.ORDINARY, True, "", ZERO, people))
    assert {tile.participant_id for tile in layout.tiles} == {p.id for p in people if p.role is not Role.OBSERVER}
    boxes = [box for tile in layout.tiles for box in (tile.picture, tile.plate)] + [layout.centre, layout.caption]
    for box in boxes:
        assert all(value % 2 == 0 for value in box)
        assert box.x >= 0 and box.x + box.width <= WIDTH and box.y >= HEADER and box.y + box.height <= FOOTER_TOP  # noqa: PT018
    assert not [pair for pair in combinations(boxes, 2) if _overlap(*pair)]


def _overlap(one: Box, other: Box) -> bool:
    across = one.x < other.x + other.width and other.x < one.x + one.width
    return across and one.y < other.y + other.height and other.y < one.y + one.height


def test_the_presiding_judge_sits_in_the_middle_and_the_clerk_apart() -> None:
    roles = (Role.PRESIDING_JUDGE, Role.JUDGE, Role.ASSESSOR, Role.CLERK)
    people = tuple(Participant(ParticipantId(role.value), role, "", "") for role in roles)
    layout = layout_of(Hearing(HearingId("h"), CourtId("c"), "", "", "", Procedure.ORDINARY, True, "", ZERO, people))
    row = sorted(layout.tiles, key=lambda tile: tile.picture.x)
    assert [tile.participant_id for tile in row] == ["judge", "presiding_judge", "assessor", "clerk"]
    steps = [b.picture.x - a.picture.x for a, b in pairwise(row)]
    assert steps[0] == steps[1] < steps[2]


def test_many_voices_at_once_are_held_below_full_scale_and_one_voice_is_left_alone() -> None:
    limiter, voice = Limiter(), np.sin(np.arange(4000, dtype=np.float32) / 20)
    quiet = voice * np.float32(0.3)
    assert limiter.limit(quiet) is quiet
    loud = [limiter.limit(voice * np.float32(3)) for _ in range(3)]
    assert max(float(np.max(np.abs(block))) for block in loud) <= CEILING + 1e-6
    after = limiter.limit(quiet)
    assert 0.2 * 0.3 < float(np.max(np.abs(after))) < 0.3


def test_lengths_are_told_in_words() -> None:
    assert [card_length(ms) for ms in (400, 59_000, 250_000, 3_600_000)] == ["1 秒", "59 秒", "4 分 10 秒", "1 小时"]
