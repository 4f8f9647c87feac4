"""Which tracks of a sitting are not being recorded, and why: judged by what was read back from the disk (S5).

A track is due when it is granted and its packets come in. What is due and not on the disk after STALLED_AFTER_MS is a fault;
with a look every two seconds it is reported within ten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hearing.audience import Kind
from media.aiortc_bridge import now_ms
from media.control import TrackFault
from media.hear_back import OnDisk
from media.read_back import OpenFile, ReadBack, Seen, fault_of
from media.segment_writer import OpenSegment, SegmentWriter
from media.track_recorder import TrackRecorder

STALLED_AFTER_MS = 6_000.0  # held back for repairs, for the law and for a whole cluster: two seconds at most; see PATIENCE_MS
STUCK_AFTER_MS = 4_000.0  # one step of the writer thread
LOOK_S = 4.0  # a look that takes longer says itself that the disk is stuck
SENDING_MS = 2_000.0  # a packet within this: the source sends
FAILURE_SHOWN_MS = 10_000.0  # a fault that passes in a blink is still seen by a person
BEHIND_MS = 8_000.0  # media duration against wall time: twice what a silent stream may wait for what was held up
_RTP_HEADER_BYTES = 12


@dataclass(slots=True)
class _Failed:
    """A write that the system refused."""

    code: str
    evidence: str
    at_ms: float


class HealthWatch:
    """Belongs to one Recorder; everything runs on the media loop but the reading itself."""

    def __init__(self, writer: SegmentWriter) -> None:
        self.read_bytes = 0  # in all, from the disk
        self._writer = writer
        self._read_back = ReadBack()
        self._looking: asyncio.Task[Mapping[str, Seen]] | None = None
        self._looking_since_ms = 0.0
        self._heard_ms: dict[str, float] = {}
        self._due_since_ms: dict[str, float] = {}
        self._failed: dict[str, _Failed] = {}

    def heard(self, track_id: str, packet: bytes, arrival_ms: float) -> None:
        """A packet of the track came in; one of padding alone (RFC 3550, 5.1) carries nothing to record."""
        if not (packet[0] & 0x20 and len(packet) - packet[-1] <= _RTP_HEADER_BYTES):
            self._heard_ms[track_id] = arrival_ms

    def failed(self, segment: OpenSegment, error: OSError, now_ms: float) -> None:
        """The writer could not go on with a segment."""
        self._failed[segment.name.track_id] = _Failed(fault_of(error), f"errno {error.errno} on writing", now_ms)

    async def judge(
        self, tracks: Mapping[str, TrackRecorder], is_granted: Callable[[TrackRecorder], bool], zero_ms: float
    ) -> tuple[TrackFault, ...]:
        """Read back, then say what is wrong, by track. `zero_ms` is record time 0 on the arrival clock."""
        segments = {id_: r.segment for id_, r in tracks.items() if r.segment is not None}
        seen = await self._look(segments)
        self._forget(tracks)
        for track_id, recorder in tracks.items():
            self._note_due(track_id, is_granted(recorder))
        common, faults = self._common_fault(seen), []
        for track_id, recorder in tracks.items():
            looked_at = segments.get(track_id)
            current = looked_at is not None and recorder.segment is looked_at and not looked_at.failed
            own = (seen or {}).get(track_id) if current else None  # else it was closed or given up while it was looked at
            found = common or self._own_fault(track_id, own) or self._silence(track_id, recorder, zero_ms)
            if found is not None:
                faults.append(TrackFault(track_id, *found, until_ms=self._read_back.until_ms(track_id)))
        return _told_apart(faults, len(tracks))

    def on_disk(self, tracks: Mapping[str, TrackRecorder], zero_ms: float) -> list[OnDisk]:
        """What the last look found of each track that is recorded now (C35)."""
        return [self._on_disk(recorder, zero_ms) for recorder in tracks.values()]

    def _on_disk(self, recorder: TrackRecorder, zero_ms: float) -> OnDisk:
        track_id = recorder.track.track_id
        until_ms = self._read_back.until_ms(track_id)
        age_ms = None if until_ms is None else max(0, round(now_ms() - zero_ms - until_ms))
        stands_still = age_ms is None or age_ms > STALLED_AFTER_MS
        is_due = track_id in self._due_since_ms or recorder.track.kind is Kind.AUDIO
        state = "written" if not stands_still else "not_written" if is_due else "not_sent"
        return OnDisk(recorder.track.source, recorder.track.kind, state, until_ms, age_ms, self._read_back.kept(track_id))

    def let_go(self) -> None:
        """Nothing is recorded any more: nothing of it is kept here, and no file open."""
        if self._looking is None:
            self._read_back.forget(())

    def _note_due(self, track_id: str, granted: bool) -> None:
        sending = now_ms() - self._heard_ms.get(track_id, -SENDING_MS) < SENDING_MS
        if granted and sending:
            self._due_since_ms.setdefault(track_id, now_ms())
        else:
            self._due_since_ms.pop(track_id, None)

    async def _look(self, segments: Mapping[str, OpenSegment]) -> Mapping[str, Seen] | None:
        """None: the disk does not answer. A look that hangs is waited for, never doubled."""
        if self._looking is None:
            files = [_open_file(id_, segment.part, segment) for id_, segment in segments.items() if segment.part is not None]
            self._looking = asyncio.create_task(asyncio.to_thread(self._read_back.look, files))
            self._looking_since_ms = now_ms()
        look = self._looking
        done, _ = await asyncio.wait({look}, timeout=LOOK_S)
        if not done:
            return None
        if self._looking is look:
            self._looking = None
            self.read_bytes += sum(one.new_bytes for one in look.result().values())
        return look.result()

    def _common_fault(self, seen: Mapping[str, Seen] | None) -> tuple[str, str] | None:
        """What holds for every track: a writer or a disk that does not answer, a queue that overflows."""
        busy_ms = self._writer.busy_ms()
        if busy_ms > STUCK_AFTER_MS:
            return "writer_stuck", f"one step of the writer takes {busy_ms / 1000:.0f} s"
        if seen is None:
            return "writer_stuck", f"reading back takes {(now_ms() - self._looking_since_ms) / 1000:.0f} s"
        return ("overflow", "the disk is slower than the recording") if self._writer.is_full else None

    def _own_fault(self, track_id: str, seen: Seen | None) -> tuple[str, str] | None:
        """What the system refused, or what is wrong with the file itself."""
        failed = self._failed.get(track_id)
        if failed is not None and now_ms() - failed.at_ms < FAILURE_SHOWN_MS:
            return failed.code, failed.evidence
        return (seen.code, seen.evidence) if seen is not None and seen.code else None

    def _silence(self, track_id: str, recorder: TrackRecorder, zero_ms: float) -> tuple[str, str] | None:
        """A track that is due, and nothing new of it on the disk."""
        due_ms, until_ms = self._due_since_ms.get(track_id), self._read_back.until_ms(track_id)
        if due_ms is not None:
            silent_ms = now_ms() - (due_ms if until_ms is None else max(due_ms, until_ms + zero_ms))
            if silent_ms > STALLED_AFTER_MS:
                return "track_silent", f"nothing new on the disk for {silent_ms / 1000:.0f} s"
        behind_ms = recorder.behind_ms
        return ("track_silent", f"{behind_ms / 1000:.0f} s behind the clock") if behind_ms > BEHIND_MS else None

    def _forget(self, tracks: Mapping[str, TrackRecorder]) -> None:
        self._read_back.forget(tracks)
        for memory in (self._heard_ms, self._due_since_ms, self._failed):
            for track_id in [id_ for id_ in memory if id_ not in tracks]:
                del memory[track_id]


def _open_file(track_id: str, part: Path, segment: OpenSegment) -> OpenFile:
    name = segment.name
    return OpenFile(track_id, part, name.t0_ms, name.access, heard_back=name.kind is Kind.AUDIO)


def _told_apart(faults: list[TrackFault], tracks: int) -> tuple[TrackFault, ...]:
    """When no track at all is written, it is the recorder that stands still, not this or that person's track."""
    silent = [fault for fault in faults if fault.code == "track_silent"]
    if silent and len(silent) == tracks > 1:
        return tuple(TrackFault(f.track_id, "stalled", f.evidence, f.until_ms) for f in silent)
    return tuple(faults)
