"""Intervals, stages, showings and gaps as they follow from the ledger alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hearing import events as law
from hearing.ledger import Recorded
from hearing.model import (
    CourtId,
    Difficulty,
    ExhibitId,
    Hearing,
    HearingId,
    Keeping,
    Part,
    Participant,
    ParticipantId,
    Procedure,
    Role,
    SittingId,
    SittingState,
    Stage,
)
from record.course import Course, course_of, intervals, screens, showings, stages
from record.gaps import TrackCover, gaps_of, owed_tracks
from record.verify import BENIGN, COVER_MS, subtract

ZERO = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
A, JUDGE, WITNESS = ParticipantId("part_a"), ParticipantId("part_j"), ParticipantId("part_w")
HEARING = Hearing(
    HearingId("hear_1"), CourtId("court_1"), "1", "", "", Procedure.ORDINARY, True, "", ZERO,
    (Participant(A, Role.PLAINTIFF, "张伟", "原"), Participant(JUDGE, Role.PRESIDING_JUDGE, "陈静", "审"), Participant(WITNESS, Role.WITNESS, "王芳", "证")),
)  # fmt: skip


def at(ms: int) -> datetime:
    return ZERO + timedelta(milliseconds=ms)


def course(*events: law.Event) -> Course:
    whole = (law.ParticipantEntered(at(-500), A), law.SittingOpened(at(0)), *events)
    entries = [Recorded(n, SittingId("sit_1"), e.at, None, None, None, e, None) for n, e in enumerate(whole, start=1)]
    found = course_of(entries, at(100_000))
    assert found is not None
    return found


def track(*covers: tuple[int, int], kind: str = "audio", who: ParticipantId = A, finished: bool = True) -> TrackCover:
    return TrackCover(f"{who}-{kind}", who, kind, covers, finished)


def causes(found: Course, cover: TrackCover) -> list[tuple[str, int, int]]:
    return [(gap.cause, gap.t0_ms, gap.t1_ms) for gap in gaps_of(found, HEARING, cover)]


def test_before_the_opening_there_is_no_course() -> None:
    lobby = law.LobbyOpened(at(-9))
    assert course_of([Recorded(1, SittingId("sit_1"), lobby.at, None, None, None, lobby, None)], at(0)) is None


def test_intervals_carry_state_cause_and_what_is_recorded() -> None:
    found = intervals(
        course(
            law.SittingAdjourned(at(1000), None), law.SittingResumed(at(3000)), law.SittingSuspended(at(4000), "媒体服务中断"),
            law.SittingResumed(at(6000)), law.SittingClosed(at(9000)),
        )
    )  # fmt: skip
    assert [(i.state, i.t0_ms, i.t1_ms, i.recorded, i.cause) for i in found] == [
        (SittingState.IN_SESSION, 0, 1000, "full", ""),
        (SittingState.RECESS, 1000, 3000, "none", "休庭"),
        (SittingState.IN_SESSION, 3000, 4000, "full", ""),
        (SittingState.TECH_SUSPENDED, 4000, 6000, "none", "媒体服务中断"),
        (SittingState.IN_SESSION, 6000, 9000, "full", ""),
    ]


@given(st.lists(st.integers(0, 5000), max_size=8), st.integers(5000, 9000))
def test_intervals_never_leave_a_hole(breaks: list[int], end: int) -> None:
    moves: list[law.Event] = [
        law.SittingAdjourned(at(ms), None) if index % 2 == 0 else law.SittingResumed(at(ms))
        for index, ms in enumerate(sorted(breaks))
    ]
    found = intervals(course(*moves, law.SittingClosed(at(end))))
    assert found[0].t0_ms == 0
    assert found[-1].t1_ms == end
    assert all(one.t1_ms == other.t0_ms for one, other in pairwise(found))


def test_a_stage_held_twice_gives_two_spans() -> None:
    found = stages(
        course(
            law.StageEntered(at(100), Stage.INVESTIGATION, Stage.OPENING), law.StageEntered(at(500), Stage.DEBATE, Stage.INVESTIGATION),
            law.StageEntered(at(700), Stage.INVESTIGATION, Stage.DEBATE), law.SittingClosed(at(900)),
        )
    )  # fmt: skip
    assert [(s.stage, s.t0_ms, s.t1_ms) for s in found] == [
        (Stage.OPENING, 0, 100), (Stage.INVESTIGATION, 100, 500), (Stage.DEBATE, 500, 700), (Stage.INVESTIGATION, 700, 900),
    ]  # fmt: skip


def test_a_page_is_shown_until_the_next_or_the_break() -> None:
    exhibit = ExhibitId("exh_1")
    found = showings(
        course(
            law.ExhibitShown(at(100), exhibit, 1, A), law.ExhibitShown(at(300), exhibit, 2, A),
            law.SittingAdjourned(at(400), None), law.SittingResumed(at(800)), law.SittingClosed(at(900)),
        )
    )  # fmt: skip
    assert [(s.page, s.t0_ms, s.t1_ms) for s in found] == [(1, 100, 300), (2, 300, 400)]


def test_holes_are_explained_by_the_ledger() -> None:
    found = course(
        law.CameraSet(at(2000), A, on=False), law.CameraSet(at(4000), A, on=True),
        law.ParticipantLeft(at(6000), A, "left"), law.ParticipantEntered(at(8000), A), law.SittingClosed(at(9000)),
    )  # fmt: skip
    assert causes(found, track((0, 2000), (4000, 6000), (8000, 9000), kind="video")) == [
        ("camera_off", 2000, 4000), ("absent", 6000, 8000),
    ]  # fmt: skip


def test_a_shared_screen_is_an_interval_and_the_rest_of_its_track_was_not_to_be_recorded() -> None:
    found = course(
        law.ScreenStarted(at(2000), A), law.ScreenStopped(at(4000), A), law.ScreenStarted(at(6000), JUDGE), law.SittingClosed(at(9000)),
    )  # fmt: skip
    assert [(s.participant_id, s.t0_ms, s.t1_ms) for s in screens(found)] == [(A, 2000, 4000), (JUDGE, 6000, 9000)]
    assert causes(found, track((2300, 4000), kind="screen")) == [
        ("not_shared", 0, 2000), ("joining", 2000, 2300), ("not_shared", 4000, 9000),
    ]  # fmt: skip
    reported = course(
        law.ScreenStarted(at(2000), A), law.ScreenStopped(at(4000), A), law.GapRecorded(at(5000), A, "screen", 3000, 5000, "leave"),
        law.SittingClosed(at(9000)),
    )  # fmt: skip
    assert causes(reported, track((2000, 3000), kind="screen")) == [
        ("not_shared", 0, 2000), ("leave", 3000, 4000), ("not_shared", 4000, 9000),
    ]  # fmt: skip
    assert "not_shared" in BENIGN
    assert causes(found, track((0, 9000), kind="audio")) == []


def test_what_a_page_reported_explains_a_hole_and_stays_a_technical_gap() -> None:
    found = course(
        law.DifficultyReported(at(2000), A, Difficulty.CAMERA, on=True), law.DifficultyReported(at(4000), A, Difficulty.CAMERA, on=False),
        law.DifficultyReported(at(6000), A, Difficulty.BACKGROUND, on=True), law.ParticipantLeft(at(8000), A, "lost"),
        law.SittingClosed(at(9000)),
    )  # fmt: skip
    assert causes(found, track((0, 2000), (4000, 6000), kind="video")) == [
        ("camera_failed", 2000, 4000), ("in_background", 6000, 8000), ("absent", 8000, 9000),
    ]  # fmt: skip
    assert causes(found, track((0, 6000))) == [("in_background", 6000, 8000), ("absent", 8000, 9000)]
    assert not {"camera_failed", "microphone_failed", "in_background"} & BENIGN


def test_a_reported_gap_keeps_its_cause_and_what_it_leaves_open_is_named() -> None:
    found = course(law.GapRecorded(at(5000), A, "audio", 2000, 3000, "media_restart"), law.SittingClosed(at(9000)))
    assert causes(found, track((0, 2000), (4000, 9000))) == [("media_restart", 2000, 3000), ("no_media", 3000, 4000)]


def test_a_reported_gap_is_named_although_silence_was_written_for_it() -> None:
    found = course(law.GapRecorded(at(5000), A, "audio", 2000, 4500, "no_media"), law.SittingClosed(at(9000)))
    assert causes(found, track((0, 9000))) == [("no_media", 2000, 4500)]


def test_a_lost_connection_is_not_called_an_absence_before_the_ledger_knew_it() -> None:
    found = course(law.ParticipantLeft(at(6000), A, "lost"), law.ParticipantEntered(at(7000), A), law.SittingClosed(at(9000)))
    assert causes(found, track((0, 4000), (7000, 9000))) == [("connection_lost", 4000, 6000), ("absent", 6000, 7000)]


def test_a_witness_is_outside_until_called_and_after() -> None:
    found = course(
        law.ParticipantEntered(at(1), WITNESS), law.WitnessCalled(at(3000), WITNESS), law.WitnessDismissed(at(6000), WITNESS),
        law.SittingClosed(at(9000)),
    )  # fmt: skip
    assert [c for c in causes(found, track((3000, 6000), who=WITNESS)) if c[0] != "absent"] == [
        ("outside", 1, 3000), ("outside", 6000, 9000),
    ]  # fmt: skip


def test_the_floor_of_another_explains_silence_of_a_party_not_of_the_bench() -> None:
    found = course(
        law.ParticipantEntered(at(0), JUDGE),
        law.FloorGiven(at(2000), WITNESS),
        law.FloorOpened(at(4000)),
        law.SittingClosed(at(9000)),
    )
    assert causes(found, track((0, 2000), (4000, 9000))) == [("muted", 2000, 4000)]
    assert causes(found, track((0, 2000), (4000, 9000), who=JUDGE)) == [("no_media", 2000, 4000)]


def test_an_unfinished_recording_is_said_to_be_one() -> None:
    found = course(law.SittingClosed(at(9000)))
    assert causes(found, track((0, 5000), finished=False)) == [("recording_unfinished", 5000, 9000)]
    assert not {"recording_unfinished", "no_media", "connection_lost", "media_restart"} & BENIGN


def test_what_a_crash_cut_off_is_not_called_a_leaving_although_it_is_short() -> None:
    found = course(law.SittingClosed(at(9000)))
    cut = TrackCover(f"{A}-audio", A, "audio", ((0, 8100),), finished=True, cut_at=(8100,))
    assert causes(found, cut) == [("media_restart", 8100, 9000)]
    assert causes(found, track((0, 8100))) == [("leaving", 8100, 9000)]


def test_sound_is_owed_of_those_who_were_in_the_courtroom_and_of_no_others() -> None:
    found = course(law.ParticipantEntered(at(1000), WITNESS), law.SittingAdjourned(at(5000), None),
                   law.ParticipantEntered(at(6000), JUDGE), law.SittingClosed(at(9000)))  # fmt: skip
    assert owed_tracks(found, HEARING) == [f"{A}-audio"]  # the witness was not called, the judge came in recess
    called = course(
        law.ParticipantEntered(at(1000), WITNESS), law.WitnessCalled(at(5000), WITNESS), law.SittingClosed(at(9000))
    )
    assert owed_tracks(called, HEARING) == [f"{A}-audio", f"{WITNESS}-audio"]
    assert causes(called, track(who=JUDGE)) == [("absent", 0, 9000)]
    assert causes(called, track()) == [("no_media", 0, 9000)]


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000)), max_size=5), st.lists(st.integers(1, 8999), max_size=6))
def test_whatever_is_missing_is_declared(pairs: list[tuple[int, int]], marks: list[int]) -> None:
    moves: list[law.Event] = [
        [law.ParticipantLeft(at(ms), A, "left"), law.ParticipantEntered(at(ms), A), law.MicrophoneSet(at(ms), A, on=False)][
            index % 3
        ]
        for index, ms in enumerate(sorted(marks))
    ]
    found, covers = course(*moves, law.SittingClosed(at(9000))), [(min(p), max(p)) for p in pairs]
    declared = [(gap.t0_ms, gap.t1_ms) for gap in gaps_of(found, HEARING, track(*covers))]
    assert all(t1 - t0 <= COVER_MS for t0, t1 in subtract((0, 9000), [*covers, *declared]))


def test_parts_are_intervals_with_cause_author_and_ruling() -> None:
    found = course(
        law.PartBegan(at(1000), Part.CLOSED, Keeping.SEALED, "涉及个人隐私"), law.SittingSuspended(at(2000), "媒体服务中断"),
        law.SittingResumed(at(3000)), law.PartEnded(at(4000), Part.CLOSED), law.PartBegan(at(5000), Part.MEDIATION, Keeping.NONE, "双方同意"),
        law.PartEnded(at(6000), Part.MEDIATION), law.SittingAdjourned(at(6000), None), law.SittingResumed(at(7000)),
        law.PartBegan(at(8000), Part.DELIBERATION, Keeping.NONE, "合议"), law.PartEnded(at(9000), Part.DELIBERATION), law.SittingClosed(at(9000)),
    )  # fmt: skip
    told = [(i.t0_ms, i.t1_ms, i.state, i.part, i.recorded, i.cause, i.ruling) for i in intervals(found)]
    session, full, none = SittingState.IN_SESSION, Keeping.FULL, Keeping.NONE
    assert told == [
        (0, 1000, session, Part.OPEN, full, "", ""),
        (1000, 2000, session, Part.CLOSED, Keeping.SEALED, "不公开审理", "涉及个人隐私"),
        (2000, 3000, SittingState.TECH_SUSPENDED, Part.CLOSED, none, "媒体服务中断", "涉及个人隐私"),
        (3000, 4000, session, Part.CLOSED, Keeping.SEALED, "不公开审理", "涉及个人隐私"),
        (4000, 5000, session, Part.OPEN, full, "", ""),
        (5000, 6000, session, Part.MEDIATION, none, "调解", "双方同意"),
        (6000, 7000, SittingState.RECESS, Part.OPEN, none, "休庭", ""),
        (7000, 8000, session, Part.OPEN, full, "", ""),
        (8000, 9000, session, Part.DELIBERATION, none, "合议", "合议"),
    ]
    assert found.recorded() == [(0, 1000), (1000, 2000), (3000, 4000), (4000, 5000), (7000, 8000)]


_MOVES = [
    lambda now: law.PartBegan(now, Part.CLOSED, Keeping.SEALED, "裁定"),
    lambda now: law.PartBegan(now, Part.DELIBERATION, Keeping.NONE, "裁定"),
    lambda now: law.PartEnded(now, Part.CLOSED),
    lambda now: law.SittingAdjourned(now, None),
    lambda now: law.SittingSuspended(now, "故障"),
    law.SittingResumed,
]


@given(st.lists(st.tuples(st.integers(0, 3000), st.sampled_from(_MOVES)), max_size=12), st.integers(1, 3000))
def test_intervals_cover_the_sitting_whatever_happened(
    steps: list[tuple[int, Callable[[datetime], law.Event]]], last: int
) -> None:
    now, events = 0, []
    for later, event in steps:
        now += later
        events.append(event(at(now)))
    found = course(*events, law.SittingClosed(at(now + last)))
    spans = intervals(found)
    assert spans[0].t0_ms == 0
    assert spans[-1].t1_ms == found.end_ms
    assert all(one.t1_ms == following.t0_ms for one, following in pairwise(spans))
    assert all(one.recorded is Keeping.NONE for one in spans if one.state is not SittingState.IN_SESSION)


def test_who_had_to_leave_for_a_part_comes_back_without_a_gap_that_counts() -> None:
    found = course(
        law.PartBegan(at(10_000), Part.DELIBERATION, Keeping.NONE, "合议"), law.PartEnded(at(20_000), Part.DELIBERATION),
        law.SittingClosed(at(40_000)),
    )  # fmt: skip
    assert found.recorded() == [(0, 10_000), (20_000, 40_000)]
    back_late = track((0, 10_000), (23_500, 40_000))  # the page connects camera and microphone again
    assert causes(found, back_late) == [("joining", 20_000, 23_500)]
    judge = law.ParticipantEntered(at(-400), JUDGE)
    stayed = course(*(judge,), *(entry.event for entry in found.entries[2:]))
    assert causes(stayed, track((0, 10_000), (23_500, 40_000), who=JUDGE)) == [("no_media", 20_000, 23_500)]
