"""What endangers the record, in words for the bench: what is wrong and what to do (S5, AV-4). Pure.

`fault`: something is not being recorded now. `warning`: it is recorded, and something has failed behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

Severity = Literal["fault", "warning"]


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing for the bench. `tracks`: ids of the tracks concerned, () means the whole sitting."""

    code: str
    severity: Severity
    title: str
    advice: str
    tracks: tuple[str, ...] = ()
    since_at: datetime | None = field(default=None, compare=False)
    evidence: str = field(default="", compare=False)


_ALL_STOP = "建议休庭，请技术人员处理；恢复前的庭审没有录音录像。"
_THIS_TRACK = "其他人员照常录制。请暂缓其发言，请技术人员处理；未录到的时段会写入故障说明。"
FAULTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "recorder_silent": ("录音录像服务没有回应", _ALL_STOP),
        "disk_full": ("录制磁盘已满", "建议休庭，请技术人员立即清理录制磁盘；恢复前的庭审没有录音录像。"),
        "io_error": ("录制磁盘读写失败", _ALL_STOP),
        "writer_stuck": ("录制磁盘没有反应，写入停住了", _ALL_STOP),
        "overflow": ("录制磁盘太慢，跟不上庭审", _ALL_STOP),
        "stalled": ("录制停顿，磁盘上没有新内容", _ALL_STOP),
        "file_changed": (
            "录制文件被替换、截断或删除",
            "建议休庭，请技术人员立即查明录制服务器上的操作；受影响的时段会写入故障说明。",
        ),
        "track_silent": ("部分人员的声音或图像没有录上", _THIS_TRACK),
    }
)
_ONE_PERSON = frozenset({"disk_full", "io_error", "file_changed", "track_silent"})
"""Faults that may concern single tracks: others go on being recorded."""


def fault(code: str, tracks: Iterable[str] = (), since_at: datetime | None = None, evidence: str = "") -> Alarm:
    """The alarm of a fault; a code that is new to us is a failure of writing."""
    title, advice = FAULTS.get(code, FAULTS["io_error"])
    return Alarm(code, "fault", title, advice, tuple(sorted(tracks)), since_at, evidence)


def warning(code: str, words: str) -> Alarm:
    """The alarm of a trouble behind the recording: `words` are "what is wrong；what to do"."""
    title, _, advice = words.partition("；")
    return Alarm(
        code, "warning", title, f"{advice}。可继续开庭，请通知技术人员。" if advice else "可继续开庭，请通知技术人员。"
    )


def names_single_tracks(code: str) -> bool:
    """Whether it helps the bench to be told whose tracks these are."""
    return code in _ONE_PERSON
