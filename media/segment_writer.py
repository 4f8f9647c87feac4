"""The writer thread: muxing, syncing and hashing away from the media loop, behind a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import structlog

from hearing.access import AccessClass
from media.aiortc_bridge import now_ms
from media.audio_line import Fill
from media.spool import SegmentContent, SegmentName, Spool, title_of
from media.webm import Codec, WebmWriter

SYNC_MS = 1_000  # of media: what a power cut may take beside what is not yet certain
BUSY_ITEMS = 512
QUEUE_ITEMS = 4_096  # tens of seconds of a full courtroom; beyond that the disk is stuck, and the gap is declared
_log = structlog.get_logger()


@dataclass(slots=True)
class OpenSegment:
    """A segment being written. The loop only passes it along; `failed` is the one thing it reads."""

    name: SegmentName
    codec: Codec
    failed: bool = False
    part: Path | None = None
    file: BinaryIO | None = field(default=None, repr=False)
    webm: WebmWriter | None = field(default=None, repr=False)
    packets: int = 0
    filled_ms: float = 0.0
    muted_ms: float = 0.0
    synced_t_ms: int = 0
    saved_until_ms: int = 0  # of a failed segment: what is kept of it, on the record clock
    ends_ms: int | None = None  # of one that was being closed, on the record clock


@dataclass(frozen=True, slots=True)
class Closing:
    """Why and where a segment ends."""

    t1_ms: int
    lost_packets: int
    closed_by: str


Failed = Callable[[OpenSegment, OSError], None]


class SegmentWriter:
    """Owned by the worker: start() and stop(). Everything else may be called from the loop without blocking."""

    def __init__(self, spool: Spool, on_failed: Failed) -> None:
        self.spool = spool
        self._on_failed = on_failed
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="segment-writer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._step_since_ms: float | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Write everything that is queued, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def is_full(self) -> bool:
        """True when the disk does not keep up: the caller declares a gap instead of queueing more media."""
        return self._queue.qsize() >= QUEUE_ITEMS

    def busy_ms(self) -> float:
        """How long the thread has been at its present step; 0 between steps. A disk that does not answer shows here."""
        since_ms = self._step_since_ms
        return 0.0 if since_ms is None else now_ms() - since_ms

    def open(self, name: SegmentName, codec: Codec) -> OpenSegment:
        """Begin a segment; its index is given by the thread, so that a failed one leaves no hole."""
        segment = OpenSegment(name, codec)
        self._queue.put(lambda: self._open(segment))
        return segment

    def add(self, segment: OpenSegment, t_ms: int, data: bytes, *, keyframe: bool, fill: Fill | None, length_ms: float) -> None:
        """Append a block at `t_ms` from the segment's start."""
        self._queue.put(lambda: self._add(segment, t_ms, data, keyframe, fill, length_ms))

    def reclass(self, segment: OpenSegment, access: AccessClass) -> None:
        """The open segment is of a stricter class than was known when it was begun."""
        self._queue.put(lambda: self._reclass(segment, access))

    def close(self, segment: OpenSegment, closing: Closing) -> None:
        self._queue.put(lambda: self._close(segment, closing))

    async def drain(self) -> None:
        """Return when everything queued so far is on the disk."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        self._queue.put(lambda: _tell(loop, done.set))
        await done.wait()

    # --- in the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while (step := self._queue.get()) is not None:
            self._step_since_ms = now_ms()
            step()
            self._step_since_ms = None

    def _open(self, segment: OpenSegment) -> None:
        try:
            self.spool.repair_parts(segment.name.sitting_id, segment.name.track_id)
            head = self.spool.head(segment.name.sitting_id, segment.name.track_id)
            segment.name = replace(segment.name, index=head.index + 1 if head else 0)
            segment.part = self.spool.begin(segment.name)
            segment.file = segment.part.open("wb", buffering=0)
            segment.webm = WebmWriter(segment.file, segment.codec, title_of(segment.name))
            self.spool.show(segment.part)
        except OSError as error:
            self._fail(segment, error)

    def _add(self, segment: OpenSegment, t_ms: int, data: bytes, keyframe: bool, fill: Fill | None, length_ms: float) -> None:
        if segment.webm is None or segment.failed:
            return
        try:
            segment.webm.add(t_ms, data, keyframe)
            self._sync(segment, t_ms)
        except OSError as error:
            self._fail(segment, error)
            return
        if fill is Fill.LOST:
            segment.filled_ms += length_ms
        elif fill is Fill.MUTED:
            segment.muted_ms += length_ms
        elif fill is None:
            segment.packets += 1

    def _sync(self, segment: OpenSegment, t_ms: int) -> None:
        """Once a second what is written reaches the disk; a disk that does not keep up is given time for the writing itself."""
        if segment.webm is None or segment.file is None or t_ms - segment.synced_t_ms < SYNC_MS:
            return
        segment.synced_t_ms = t_ms
        if self._queue.qsize() < BUSY_ITEMS:
            segment.webm.flush()
            os.fdatasync(segment.file.fileno())

    def _reclass(self, segment: OpenSegment, access: AccessClass) -> None:
        if segment.part is None or segment.failed:
            return
        try:
            segment.name = replace(segment.name, access=access)
            self.spool.begin(segment.name)
        except OSError as error:
            self._fail(segment, error)

    def _close(self, segment: OpenSegment, closing: Closing) -> None:
        if segment.webm is None or segment.file is None or segment.part is None or segment.failed:
            return
        segment.ends_ms = closing.t1_ms
        content = SegmentContent(
            t1_ms=closing.t1_ms,
            packets=segment.packets,
            lost_packets=closing.lost_packets,
            filled_ms=round(segment.filled_ms),
            muted_ms=round(segment.muted_ms),
            closed_by=closing.closed_by,
        )
        try:
            segment.webm.close(closing.t1_ms - segment.name.t0_ms)
            segment.file.close()
            self.spool.commit(segment.name, content, segment.part)
        except OSError as error:
            self._fail(segment, error)

    def _fail(self, segment: OpenSegment, error: OSError) -> None:
        """Save what is readable of the segment. The track goes on with a new one, which first repairs what is still open."""
        segment.failed, segment.saved_until_ms = True, segment.name.t0_ms
        _log.error("segment_write_failed", track_id=segment.name.track_id, index=segment.name.index, errno=error.errno)
        if segment.file is not None:
            with contextlib.suppress(OSError):
                segment.file.close()
        if segment.part is not None:
            with contextlib.suppress(OSError):
                segment.saved_until_ms = self.spool.readable_until_ms(segment.name, segment.part)
                self.spool.repair_part(segment.part)
        if self._loop is not None:
            _tell(self._loop, lambda: self._on_failed(segment, error))


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Run `call` on the loop, unless the loop has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
