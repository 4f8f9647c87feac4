"""What the court is told about its recording (S5): judged by the recorder's own health reports, never by hope."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from hearing.model import Sitting, SittingId, SittingState
from hearing.states import OVER
from hearing.timeline import Clock
from media.control import RecorderHealth
from signaling.views import Recording


@dataclass(slots=True)
class _Watched:
    since_s: float  # monotonic: in session as seen from here
    health: RecorderHealth | None = None
    heard_s: float = 0.0


class RecordingWatch:
    """Recorder health per sitting; `silence_s` without a report is a fault."""

    def __init__(self, clock: Clock, silence_s: float) -> None:
        self._clock = clock
        self._silence_s = silence_s
        self._watched: dict[SittingId, _Watched] = {}
        self._shown: dict[SittingId, tuple[Sitting, Recording]] = {}

    def heard(self, report: RecorderHealth) -> None:
        watched = self._watched.setdefault(report.sitting_id, _Watched(self._clock.monotonic()))
        watched.health, watched.heard_s = report, self._clock.monotonic()

    def state(self, sitting: Sitting) -> Recording:
        """What to show for this sitting now."""
        shown = self._judge(sitting)
        if sitting.state in OVER:
            self._shown.pop(sitting.id, None)
        else:
            self._shown[sitting.id] = (sitting, shown)
        return shown

    def _judge(self, sitting: Sitting) -> Recording:
        if sitting.state is not SittingState.IN_SESSION:
            self._watched.pop(sitting.id, None)
            if sitting.opened_at is None:
                return Recording("off")
            return Recording(
                "stopped", "闭庭" if sitting.state in OVER else "休庭" if sitting.state is SittingState.RECESS else "技术中断"
            )
        now = self._clock.monotonic()
        watched = self._watched.setdefault(sitting.id, _Watched(now))
        if watched.health is None:
            late = now - watched.since_s > self._silence_s
            return Recording("fault", "录制服务没有回应") if late else Recording("starting")
        if now - watched.heard_s > self._silence_s:
            return Recording("fault", "录制服务没有回应")
        return Recording("on") if watched.health.ok else Recording("fault", _in_words(watched.health.detail))

    def stale(self) -> list[SittingId]:
        """Sittings whose viewers were last shown something else than what holds now."""
        return [id_ for id_, (sitting, shown) in self._shown.items() if self._judge(sitting) != shown]


def _in_words(detail: str) -> str:
    """What the recorder's report of a fault means for the bench."""
    if detail == f"errno {errno.ENOSPC}":
        return "录制磁盘已满"
    return "录制停顿，没有新内容写入" if detail == "stalled" else "录制磁盘写入失败"
