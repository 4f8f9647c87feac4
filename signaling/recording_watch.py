"""What the court is told about its recording (S5): judged by the recorder's own health reports, never by hope."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hearing.model import Keeping, Sitting, SittingId, SittingState
from hearing.parts import PART_NAMES, kept
from hearing.states import OVER
from hearing.timeline import Clock
from media.control import RecorderHealth
from signaling.alarms import Alarm, fault, warning
from signaling.caption_watch import CaptionWatch
from signaling.store_watch import StoreWatch
from signaling.views import Recording, RecordingState

GRAVEST_FIRST = ("writer_stuck", "disk_full", "io_error", "overflow", "stalled", "file_changed", "track_silent")


@dataclass(slots=True)
class _Watched:
    since_s: float  # monotonic: in session as seen from here
    health: RecorderHealth | None = None
    heard_s: float = 0.0


class RecordingWatch:
    """Recorder health per sitting; `silence_s` without a report is a fault. What ails the stores is a warning beside it.

    How captions do stands beside it too, since the same people are told at the same moments.
    """

    def __init__(self, clock: Clock, silence_s: float, stores: StoreWatch, captions: CaptionWatch) -> None:
        self._clock = clock
        self._silence_s = silence_s
        self._stores = stores
        self._captions = captions
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

    def stale(self) -> list[SittingId]:
        """Sittings whose viewers were last shown something else than what holds now."""
        return [id_ for id_, (sitting, shown) in self._shown.items() if self._judge(sitting) != shown]

    def unheard(self, after_s: float) -> list[SittingId]:
        """Sittings that are to be recorded now and of whose recorder nothing was heard here for so long."""
        now = self._clock.monotonic()
        watched = {id_: (one.since_s if one.health is None else one.heard_s) for id_, one in self._watched.items()}
        return [id_ for id_, heard_s in watched.items() if now - heard_s > after_s]

    def faults(self) -> list[tuple[Sitting, tuple[Alarm, ...]]]:
        """Of every sitting that is being watched: what is not being recorded now."""
        return [
            (sitting, tuple(alarm for alarm in self._judge(sitting).alarms if alarm.severity == "fault"))
            for sitting, _ in self._shown.values()
        ]

    def _judge(self, sitting: Sitting) -> Recording:
        return replace(self._of_recorder(sitting), captions=self._captions.state())

    def _of_recorder(self, sitting: Sitting) -> Recording:
        if sitting.state in OVER:
            self._watched.pop(sitting.id, None)
            return Recording("stopped", "闭庭") if sitting.opened_at else Recording("off")
        warnings = tuple(warning(trouble.code, trouble.words) for trouble in self._stores.state().troubles)
        if kept(sitting) is Keeping.NONE:
            self._watched.pop(sitting.id, None)
            return Recording(*_at_rest(sitting), alarms=warnings)
        now = self._clock.monotonic()
        watched = self._watched.setdefault(sitting.id, _Watched(now))
        heard_s = watched.since_s if watched.health is None else watched.heard_s
        if now - heard_s > self._silence_s:
            faults: tuple[Alarm, ...] = (fault("recorder_silent", evidence=f"no report for {self._silence_s:.0f} s"),)
        elif watched.health is None:
            return Recording("starting", alarms=warnings)
        else:
            faults = tuple(_faults(watched.health))
        if faults:
            return Recording("fault", faults[0].title, (*faults, *warnings))
        return Recording("on", alarms=warnings)


def _at_rest(sitting: Sitting) -> tuple[RecordingState, str]:
    """State and cause where nothing is to be recorded."""
    if sitting.opened_at is None:
        return "off", ""
    if sitting.state is SittingState.IN_SESSION:
        return "stopped", PART_NAMES[sitting.part]
    return "stopped", "休庭" if sitting.state is SittingState.RECESS else "技术中断"


def _faults(health: RecorderHealth) -> Iterable[Alarm]:
    """One alarm per code, with the tracks it concerns, gravest first."""
    codes = {found.code for found in health.faults}
    for code in sorted(codes, key=lambda code: GRAVEST_FIRST.index(code) if code in GRAVEST_FIRST else -1):
        found = [one for one in health.faults if one.code == code]
        evidence = "; ".join(f"{one.track_id}: {one.evidence}, read back until {one.until_ms} ms" for one in found)
        yield fault(code, [one.track_id for one in found], evidence=evidence)
    if not health.ok and not health.faults:
        yield fault("disk_full" if health.detail == f"errno {errno.ENOSPC}" else health.detail, evidence=health.detail)
