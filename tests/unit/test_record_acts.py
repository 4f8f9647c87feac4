"""How acts and lines read, and what belongs to what on the record clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from hearing import events as law
from hearing.ledger import Recorded
from hearing.model import (
    CameraReason,
    CourtId,
    Difficulty,
    ExhibitId,
    HandReason,
    Hearing,
    HearingId,
    Participant,
    ParticipantId,
    Procedure,
    Role,
    SittingId,
    Stage,
)
from record.acts import act_text
from record.lines import Line, line_of_entry, transcript_vtt
from record.links import exhibits_of_line, moments

AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
A, AGENT, WITNESS, CLERK = (ParticipantId(name) for name in ("part_a", "part_l", "part_w", "part_c"))
HEARING = Hearing(
    HearingId("hear_1"), CourtId("court_1"), "1", "", "", Procedure.ORDINARY, True, "", AT,
    (
        Participant(A, Role.PLAINTIFF, "张伟", "原"), Participant(AGENT, Role.AGENT, "孙晓梅", "原代", represents=A),
        Participant(WITNESS, Role.WITNESS, "王芳", "证"), Participant(CLERK, Role.CLERK, "赵琳", "书"),
    ),
)  # fmt: skip
IOU = ExhibitId("exh_1")
MARKS = {IOU: "原告证据1《借条》"}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (law.SittingOpened(AT), "（审判长宣布开庭）"),
        (law.SittingAdjourned(AT, None), "（审判长宣布休庭）"),
        (law.SittingAdjourned(AT, AT), "（审判长宣布休庭，预计2026年11月20日 09:00:00恢复庭审）"),
        (law.SittingClosed(AT), "（审判长宣布闭庭）"),
        (law.SittingSuspended(AT, "x"), "（技术中断，暂停庭审）"),
        (law.FaultBegan(AT, "disk_full", "part_a-audio", "errno 28"), "（录音录像发生故障）"),
        (law.FaultEnded(AT, "disk_full"), "（录音录像恢复正常）"),
        (law.StatementSigned(AT, "stat_1", "course", "0" * 64), None),
        (law.StageEntered(AT, Stage.DEBATE, Stage.EVIDENCE), "（进入法庭辩论阶段）"),
        (law.StageEntered(AT, Stage.INVESTIGATION, Stage.DEBATE), "（恢复法庭调查）"),
        (law.StageEntered(AT, Stage.OPENING, Stage.PREPARATION), None),
        (law.ExhibitShown(AT, IOU, 1, A), "（出示原告证据1《借条》第1页）"),
        (law.ExhibitWithdrawn(AT, IOU, 1), "（收回出示原告证据1《借条》）"),
        (law.WitnessCalled(AT, WITNESS), "（传证人王芳到庭）"),
        (law.WitnessDismissed(AT, WITNESS), "（证人王芳退庭）"),
        (law.FloorGiven(AT, AGENT), "（准许原告诉讼代理人孙晓梅发言）"),
        (law.ParticipantMuted(AT, A), "（原告张伟被法庭静音）"),
        (law.ParticipantLeft(AT, A, "lost"), "（原告张伟连接中断）"),
        (law.ParticipantLeft(AT, A, "left"), None),
        (law.HandRaised(AT, A, HandReason.OBJECTION), "（原告张伟提出异议）"),
        (law.HandRaised(AT, A, HandReason.SPEAK), None),
        (law.CameraSet(AT, A, on=False), None),
        (law.CameraLeaveRequested(AT, A, CameraReason.HEALTH), "（原告张伟申请关闭摄像头）"),
        (law.CameraLeaveRuled(AT, A, allowed=True), "（准许原告张伟关闭摄像头）"),
        (law.CameraLeaveRuled(AT, A, allowed=False), "（要求原告张伟保持出镜）"),
        (law.CameraRequestWithdrawn(AT, A), None),
        (law.DifficultyReported(AT, A, Difficulty.CAMERA, on=True), "（原告张伟的摄像头发生故障）"),
        (law.DifficultyReported(AT, A, Difficulty.MICROPHONE, on=False), "（原告张伟的麦克风恢复正常）"),
        (law.DifficultyReported(AT, A, Difficulty.BACKGROUND, on=True), None),
        (law.ScreenStarted(AT, AGENT), "（原告诉讼代理人孙晓梅共享屏幕）"),
        (law.ScreenStopped(AT, AGENT), "（原告诉讼代理人孙晓梅停止共享屏幕）"),
    ],
)
def test_acts_read_as_a_transcript_does(event: law.Event, text: str | None) -> None:
    assert act_text(event, HEARING, MARKS) == text


def test_a_note_is_the_clerks_line() -> None:
    note = law.NoteAdded(AT + timedelta(seconds=5), "双方无异议。")
    line = line_of_entry(
        Recorded(7, SittingId("sit_1"), note.at, 5000, CLERK, Role.CLERK, note, None), "sit_1", AT, HEARING, MARKS
    )
    assert line == Line("sit_1#7", "note", CLERK, "书", "赵琳", 5000, 5000, "双方无异议。", None, None, "clerk")


def test_webvtt_escapes_what_would_be_markup() -> None:
    line = Line("u1", "speech", A, "原", "张伟", 3_723_004, 3_724_000, "甲<b>&乙\n丙", 0.9, "e", "live")
    assert (
        transcript_vtt([line], HEARING).decode().endswith("01:02:03.004 --> 01:02:04.000\n<v 原告张伟>甲&lt;b&gt;&amp;乙 丙\n")
    )


@dataclass(frozen=True)
class Shown:
    exhibit_id: str
    page: int
    t0_ms: int
    t1_ms: int


def spoken(line_id: str, t0_ms: int, t1_ms: int) -> Line:
    return Line(line_id, "speech", A, "原", "张伟", t0_ms, t1_ms, "", None, None, "live")


def test_the_triangle_of_exhibit_time_and_line() -> None:
    shown = [Shown("exh_1", 2, 2000, 3000), Shown("exh_1", 1, 1000, 2000)]
    lines = [spoken("before", 0, 1000), spoken("over", 1900, 2100), spoken("act", 3000, 3000), spoken("first", 1000, 1000)]
    assert [(m.page, m.line_ids) for m in moments(shown, lines)] == [(1, ("over", "first")), (2, ("over",))]
    assert exhibits_of_line(lines[1], shown) == [("exh_1", 2), ("exh_1", 1)]
    assert exhibits_of_line(lines[0], shown) == []
