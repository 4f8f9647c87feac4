"""What came of a rehearsal: measured, compared with the script's expectations, and written as JSON or for people.

The JSON Schema in docs/rehearsal-report.schema.json is generated from Report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from pydantic import BaseModel, ConfigDict

from court.rehearsal.script import Expectations
from hearing.model import Role
from record.verify import BENIGN

WORST_ONSETS = 3  # named in the report for people; the JSON holds all


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParticipantRow(Row):
    participant: str
    role: Role
    reconnects: int
    heard: dict[str, int]
    """Audio packets received by source (the key of the script)."""
    isolated_packets: int
    """Media packets at this person's sockets while outside the courtroom (witnesses, experts)."""
    stood_still_ms: int
    """Sound that the robot did not send because its machine was too busy."""


class Gap(Row):
    t0_ms: int
    t1_ms: int
    cause: str


class TrackRow(Row):
    participant: str
    kind: str
    recorded_ms: int
    wall_ms: int
    """Time in session during which this person was in the courtroom."""
    gaps: list[Gap]


class CaptionRow(Row):
    """One line said in session. `text` is empty when nobody captioned it; times are on the record clock."""

    role: Role
    t_ms: int | None
    said_t_ms: int
    words_t_ms: int
    """When the packet with the first word really left the robot."""
    onset_ms: int | None
    """How much later the line begins than that; a line begins up to 0.2 s before its first sound."""
    moved_ms: int
    """Sound within the line came so much late, because the robot's machine was too busy."""
    delay_ms: int | None
    """From the end of the line to the caption on the participants' screens."""
    text: str
    reference: str
    cer: float

    @property
    def onset_apart_ms(self) -> int | None:
        """How far the line begins from its first word, less what the robot itself moved its sound."""
        return None if self.onset_ms is None else max(0, abs(self.onset_ms) - self.moved_ms)


class ExhibitRow(Row):
    number: str
    shown: int
    """How many intervals this exhibit was shown."""


class CommandsRow(Row):
    sent: int
    acknowledged: int
    refused: int
    refusals: dict[str, int]
    """How often which command was refused with which code."""
    unanswered: list[str]


class VerifyRow(Row):
    complete: bool
    problems: list[str]


class ExpectationRow(Row):
    name: str
    expected: str
    actual: str
    met: bool


class Report(Row):
    """The JSON report of `court rehearse --json`."""

    title: str
    synthetic: bool
    started_at: datetime
    duration_s: float
    participants: list[ParticipantRow]
    tracks: list[TrackRow]
    captions: list[CaptionRow]
    stray_captions: int
    """Captions of people who said nothing at that time."""
    cer: float | None
    exhibits: list[ExhibitRow]
    commands: CommandsRow
    verify: VerifyRow
    expectations: list[ExpectationRow]
    problems: list[str]
    """Steps that did not go as the script says."""

    @property
    def passed(self) -> bool:
        return not self.problems and all(row.met for row in self.expectations)


@dataclass(frozen=True, slots=True)
class Measured:
    """The parts of a report that the expectations judge."""

    participants: list[ParticipantRow]
    tracks: list[TrackRow]
    captions: list[CaptionRow]
    stray_captions: int
    cer: float | None
    exhibits: list[ExhibitRow]
    commands: CommandsRow
    verify: VerifyRow
    silent_pairs: list[str]
    """ "listener←source" who shared the courtroom without one packet coming through."""


def judge(expect: Expectations, measured: Measured) -> Iterator[ExpectationRow]:
    """Compare what was measured with every expectation that is set."""
    yield from _judge_captions(expect, measured)
    if expect.exhibits_shown is not None:
        shown = sum(row.shown > 0 for row in measured.exhibits)
        yield _row("exhibits_shown", expect.exhibits_shown, shown, shown == expect.exhibits_shown)
    yield from _judge_proof(expect, measured)
    yield from _judge_media(expect, measured)


def _judge_captions(expect: Expectations, measured: Measured) -> Iterator[ExpectationRow]:
    captioned = sum(bool(row.text) for row in measured.captions)
    if expect.captioned_lines_at_least is not None:
        yield _row(
            "captioned_lines_at_least", expect.captioned_lines_at_least, captioned, captioned >= expect.captioned_lines_at_least
        )
    if expect.cer_at_most is not None:
        met = measured.cer is not None and measured.cer <= expect.cer_at_most
        yield _row("cer_at_most", expect.cer_at_most, "none" if measured.cer is None else f"{measured.cer:.3f}", met)
    if expect.caption_delay_p50_ms_at_most is not None:
        delays = [row.delay_ms for row in measured.captions if row.delay_ms is not None]
        met = bool(delays) and median(delays) <= expect.caption_delay_p50_ms_at_most
        yield _row(
            "caption_delay_p50_ms_at_most", expect.caption_delay_p50_ms_at_most, median(delays) if delays else "none", met
        )
    if expect.onset_ms_at_most is not None:
        apart = (row.onset_apart_ms for row in measured.captions)
        worst = max((apart_ms for apart_ms in apart if apart_ms is not None), default=None)
        met = worst is not None and worst <= expect.onset_ms_at_most
        yield _row("onset_ms_at_most", expect.onset_ms_at_most, "none" if worst is None else worst, met)
    if expect.stray_captions_at_most is not None:
        stray = measured.stray_captions
        yield _row("stray_captions_at_most", expect.stray_captions_at_most, stray, stray <= expect.stray_captions_at_most)


def _judge_proof(expect: Expectations, measured: Measured) -> Iterator[ExpectationRow]:
    commands = measured.commands
    if expect.every_command_acknowledged:
        yield _row("every_command_acknowledged", commands.sent, commands.acknowledged, commands.sent == commands.acknowledged)
    if expect.complete:
        yield _row("complete", "true", str(measured.verify.complete).lower(), measured.verify.complete)


def _judge_media(expect: Expectations, measured: Measured) -> Iterator[ExpectationRow]:
    leaked = sum(row.isolated_packets for row in measured.participants)
    yield _row("isolated_packets_at_most", expect.isolated_packets_at_most, leaked, leaked <= expect.isolated_packets_at_most)
    if expect.heard_pairs:
        silent = measured.silent_pairs
        yield _row("heard_pairs", "all", f"{len(silent)} silent: {', '.join(silent)}" if silent else "all", not silent)
    if expect.gaps_at_most is not None:
        gaps = sum(gap.cause not in BENIGN for row in measured.tracks for gap in row.gaps)
        yield _row("gaps_at_most", expect.gaps_at_most, gaps, gaps <= expect.gaps_at_most)
    audio = [row for row in measured.tracks if row.kind == "audio" and row.wall_ms > 0]
    least = min((row.recorded_ms / row.wall_ms for row in audio), default=0.0)
    yield _row(
        "recorded_share_at_least", expect.recorded_share_at_least, f"{least:.3f}", least >= expect.recorded_share_at_least
    )


def _row(name: str, expected: object, actual: object, met: bool) -> ExpectationRow:
    return ExpectationRow(name=name, expected=str(expected), actual=str(actual), met=met)


def summary(report: Report) -> str:
    """The report for people."""
    delays = [row.delay_ms for row in report.captions if row.delay_ms is not None]
    onsets = sorted((row for row in report.captions if row.onset_ms is not None), key=lambda row: -abs(row.onset_ms or 0))
    lines = [
        f"演练：{report.title}{'（合成语音）' if report.synthetic else ''}，用时 {report.duration_s:.0f} 秒",
        f"  参与人 {len(report.participants)}，媒体重连 {sum(row.reconnects for row in report.participants)} 次",
        f"  音视频轨道 {len(report.tracks)}，录制中断 {sum(gap.cause not in BENIGN for row in report.tracks for gap in row.gaps)} 处",
        f"  识别 {sum(bool(row.text) for row in report.captions)}/{len(report.captions)} 句"
        + (f"，字错率 {report.cer:.1%}" if report.cer is not None else "")
        + (f"，延迟中位数 {median(delays) / 1000:.1f} 秒" if delays else ""),
        "  句首与机器人实际开口相差 "
        + ("、".join(f"{row.onset_ms}（{row.reference[:6]}）" for row in onsets[:WORST_ONSETS]) or "无")
        + f" 毫秒（最大的 {WORST_ONSETS} 句），无主字幕 {report.stray_captions} 条",
        f"  证据 {'、'.join(f'{row.number}（出示 {row.shown} 次）' for row in report.exhibits) or '无'}",
        f"  命令 发出 {report.commands.sent}，应答 {report.commands.acknowledged}，拒绝 {report.commands.refused}",
        f"  记录核验：{'完整' if report.verify.complete else '不完整'}",
        *(f"    {problem}" for problem in report.verify.problems),
        *(f"  未按脚本进行：{problem}" for problem in report.problems),
        *(
            f"  {'达到' if row.met else '未达到'} {row.name}：期望 {row.expected}，实际 {row.actual}"
            for row in report.expectations
        ),
        "演练通过" if report.passed else "演练未通过",
    ]
    return "\n".join(lines)


def report_schema() -> str:
    """The text of docs/rehearsal-report.schema.json."""
    return json.dumps(Report.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
