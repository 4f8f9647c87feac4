"""Which class each piece of a record has: parts, what it was recorded as, orders after the fact (S21)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hearing import events as law
from hearing.access import AccessClass, may_have
from hearing.ledger import Recorded
from hearing.model import ExhibitId, Keeping, Part, ParticipantId, SittingId, Stage
from record.access import SLACK_MS, Classes
from record.course import ShownPage
from record.lines import Line
from record.model import AccessOrder, Segment
from tests.unit.test_record_course import JUDGE, A, at, course

PUBLIC, PARTIES, PANEL, SEALED = AccessClass
PARTS = (
    law.PartBegan(at(10_000), Part.CLOSED, Keeping.SEALED, "涉及个人隐私"),
    law.ExhibitShown(at(12_000), ExhibitId("exh"), 1, A),
    law.NoteAdded(at(13_000), "记一行"),
    law.StageEntered(at(14_000), Stage.DEBATE, Stage.EVIDENCE),
    law.ExhibitWithdrawn(at(20_000), ExhibitId("exh"), 1),
    law.PartEnded(at(20_000), Part.CLOSED),
    law.NoteAdded(at(20_000), "公开后记一行"),
    law.PartBegan(at(30_000), Part.DELIBERATION, Keeping.NONE, "合议"),
    law.FloorOpened(at(31_000)),
    law.PartEnded(at(40_000), Part.DELIBERATION),
    law.SittingClosed(at(60_000)),
)
COURSE = course(*PARTS)


def order(t0_ms: int, t1_ms: int, track_id: str = "", access: AccessClass = SEALED) -> AccessOrder:
    return AccessOrder(track_id, t0_ms, t1_ms, access, "裁定", JUDGE, at(99_000))


def segment(t0_ms: int, t1_ms: int, access: AccessClass = PARTIES, track_id: str = f"{A}-audio") -> Segment:
    return Segment(
        track_id, ParticipantId(track_id.rpartition("-")[0]), "audio", "opus", 0, t0_ms, t1_ms, at(t0_ms), 10, "a" * 64, "b" * 64, "", "k",
        1, 0, 0, 0, "rotate", access,
    )  # fmt: skip


def speech(t0_ms: int, t1_ms: int, who: ParticipantId = A) -> Line:
    return Line("utt_1", "speech", who, "原", "张伟", t0_ms, t1_ms, "……", 0.9, None, "live")


@pytest.mark.parametrize(
    ("t0_ms", "t1_ms", "access"),
    [
        (0, 10_000, PARTIES), (10_000, 20_000, SEALED), (0, 10_000 + SLACK_MS, PARTIES), (0, 10_000 + SLACK_MS + 1, SEALED),
        (20_000 - SLACK_MS, 30_000, PARTIES), (19_000, 21_000, SEALED), (0, 60_000, SEALED), (9_990, 10_030, PARTIES),
    ],
)  # fmt: skip
def test_a_segment_is_as_strict_as_the_part_it_lies_in(t0_ms: int, t1_ms: int, access: AccessClass) -> None:
    assert Classes(COURSE).of_segment(segment(t0_ms, t1_ms)) is access


def test_what_was_recorded_as_sealed_stays_sealed_wherever_it_lies() -> None:
    assert Classes(COURSE).of_segment(segment(0, 1000, SEALED)) is SEALED


def test_an_order_makes_stricter_what_it_touches_of_its_track_and_nothing_else() -> None:
    classes = Classes(COURSE, [order(5_000, 6_000, f"{A}-audio"), order(50_000, 51_000, access=PANEL)])
    assert classes.of_segment(segment(0, 5_000)) is PARTIES
    assert classes.of_segment(segment(0, 5_001)) is SEALED
    assert classes.of_segment(segment(6_000, 9_000)) is PARTIES
    assert classes.of_segment(segment(5_000, 6_000, track_id=f"{JUDGE}-audio")) is PARTIES
    assert classes.of_segment(segment(50_500, 50_600, track_id=f"{JUDGE}-audio")) is PANEL
    assert classes.of_line(speech(5_500, 5_600)) is SEALED
    assert classes.of_line(speech(5_500, 5_600, JUDGE)) is PARTIES
    assert classes.of_stretch(5_000, 6_000) is PARTIES
    assert classes.of_stretch(50_999, 52_000) is PANEL
    assert classes.of_made(PARTIES) is SEALED


@given(st.lists(st.tuples(st.integers(0, 60_000), st.integers(1, 9_000), st.sampled_from([PANEL, SEALED])), max_size=4))
def test_orders_only_ever_make_stricter(orders: list[tuple[int, int, AccessClass]]) -> None:
    without, under = Classes(COURSE), Classes(COURSE, [order(t0, t0 + length, access=a) for t0, length, a in orders])
    for t0_ms in range(0, 60_000, 1_700):
        for piece in ("of_segment", "of_line", "of_showing"):
            thing = {
                "of_segment": segment(t0_ms, t0_ms + 900),
                "of_line": speech(t0_ms, t0_ms + 900),
                "of_showing": ShownPage(ExhibitId("exh"), 1, A, t0_ms, t0_ms + 900),
            }[piece]
            assert may_have(getattr(under, piece)(thing), getattr(without, piece)(thing))


def test_entries_belong_to_the_part_in_which_they_were_written_and_the_frame_is_told_to_all() -> None:
    classes = Classes(COURSE)
    found = [(type(entry.event).__name__, classes.of_entry(entry)) for entry in COURSE.entries]
    assert [access for name, access in found if name in {"PartBegan", "PartEnded", "StageEntered", "SittingOpened"}] == [
        PARTIES
    ] * 6
    assert dict(found) | {"NoteAdded": SEALED} == dict(found) | {
        "ExhibitShown": SEALED, "ExhibitWithdrawn": SEALED, "FloorOpened": PANEL, "NoteAdded": SEALED,
    }  # fmt: skip
    notes = [access for name, access in found if name == "NoteAdded"]
    assert notes == [SEALED, PARTIES], "the second stands at the very millisecond at which the part ended, but after its end"


def test_notes_and_acts_follow_their_entries() -> None:
    classes = Classes(COURSE)
    note = next(entry for entry in COURSE.entries if isinstance(entry.event, law.NoteAdded))
    line = replace(speech(13_000, 13_000), id=f"sit_1#{note.number}", kind="note")
    assert classes.of_line(line) is SEALED
    assert isinstance(note, Recorded)
    assert note.sitting_id == SittingId("sit_1")


@pytest.mark.parametrize("holder", AccessClass)
def test_what_is_withheld_is_all_that_a_holder_may_not_have(holder: AccessClass) -> None:
    classes = Classes(COURSE, [order(50_000, 51_000, access=PANEL)])
    segments = [segment(t, t + 2_000) for t in range(0, 60_000, 2_000)] + [segment(44_000, 46_000, SEALED, f"{JUDGE}-audio")]
    withheld = classes.withheld_from(holder, segments)
    for one in segments:
        hidden = any(w.track_id in ("", one.track_id) and w.t0_ms < one.t1_ms and w.t1_ms > one.t0_ms for w in withheld)
        assert hidden == (not may_have(holder, classes.of_segment(one))), one
    assert all(not may_have(holder, w.access) for w in withheld)
