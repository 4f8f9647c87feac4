"""Recorded tracks played along the record clock for the film: one segment of each in memory, what is broken is passed over."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from media.opus import LOST_SILENCE, MUTED_SILENCE, SILENCE_MS, UNSENT_SILENCE
from record.model import Segment

RATE_HZ = 48_000
PER_MS = RATE_HZ // 1000
HELD_MS = 1000  # between two segments the last picture stands for so long
JOIN_SAMPLES = 20 * PER_MS  # blocks are stored to the millisecond; a larger step is a real one
_SILENT = {LOST_SILENCE, MUTED_SILENCE, UNSENT_SILENCE}

Fetch = Callable[[Segment], bytes | None]
"""The bytes of a segment as the manifest lists them; None: no copy has them."""
Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Packet:
    """One coded picture or piece of sound, milliseconds from the start of its segment."""

    t_ms: int
    data: bytes


def packets_of(data: bytes) -> list[Packet]:
    """What can be read of a segment, also of one that is cut; nothing of what is no media file."""
    packets: list[Packet] = []
    with suppress(av.FFmpegError), av.open(io.BytesIO(data), mode="r", format="matroska") as container:
        timed = (packet for packet in container.demux() if packet.pts is not None and packet.size)
        packets.extend(Packet(round((packet.pts or 0) * packet.time_base * 1000), bytes(packet)) for packet in timed)
    return packets


@dataclass
class _Playing:
    """Goes through the segments of one track; `blocks` are what is left of the one in hand."""

    segments: Sequence[Segment]
    fetch: Fetch
    next: int = 0
    current: Segment | None = None
    blocks: deque[Packet] = field(default_factory=deque)
    broken: bool = False
    wanted_ms: int = 0  # nothing before it is needed any more

    def open_next(self, until_ms: int) -> bool:
        """Take the next segment that begins before `until_ms`; those that are over are passed unread."""
        while self.next < len(self.segments) and self.segments[self.next].t0_ms < until_ms:
            self.current = self.segments[self.next]
            self.next += 1
            if self.current.t1_ms <= self.wanted_ms:
                continue
            data = self.fetch(self.current)
            self.blocks = deque(packets_of(data) if data is not None else ())
            self.broken = not self.blocks and self.current.packets > 0
            return True
        return False

    def take(self, until_ms: int) -> tuple[int, Packet] | None:
        """The next block that stands before `until_ms`, with its place on the record clock."""
        while not self.blocks:
            if not self.open_next(until_ms):
                return None
        segment = self.current
        if segment is None or segment.t0_ms + self.blocks[0].t_ms >= until_ms:
            return None
        block = self.blocks.popleft()
        return segment.t0_ms + block.t_ms, block


class VideoFeed:
    """The picture of one video track at any later and later moment."""

    def __init__(self, segments: Sequence[Segment], fetch: Fetch) -> None:
        self._playing = _Playing(segments, fetch)
        self._picture: av.VideoFrame | None = None
        self._decoder: VideoCodecContext | None = None
        self._segment: Segment | None = None
        self.undecodable = 0

    def broken_at(self, t_ms: int) -> bool:
        """Whether a segment stands here that cannot be read."""
        current = self._playing.current
        return self._playing.broken and current is not None and t_ms < current.t1_ms

    def at(self, t_ms: int) -> av.VideoFrame | None:
        """The newest picture; the same object while nothing changed, None where nothing is recorded (or readable)."""
        playing = self._playing
        playing.wanted_ms = t_ms
        while taken := playing.take(t_ms + 1):
            if playing.current is not self._segment:
                self._begin(playing.current)
            self._decode(taken[1])
        over_ms = playing.current.t1_ms + HELD_MS if playing.current else 0
        if t_ms >= over_ms or playing.broken:
            self._picture = None
        return self._picture

    def _begin(self, segment: Segment | None) -> None:
        """A segment begins with a keyframe: nothing of the one before is needed."""
        self._segment = segment
        self._decoder = VideoCodecContext.create("vp8", "r")
        self._decoder.thread_count = 1  # more would hold pictures back

    def _decode(self, block: Packet) -> None:
        if self._decoder is None:
            return
        try:
            for frame in self._decoder.decode(av.Packet(block.data)):
                self._picture = frame
        except av.FFmpegError:
            self.undecodable += 1


class AudioFeed:
    """The sound of one audio track on the record clock; a hole, or what cannot be decoded, is silence of its length."""

    def __init__(self, segments: Sequence[Segment], fetch: Fetch) -> None:
        self._playing = _Playing(segments, fetch)
        self._decoder = AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate, self._decoder.layout = RATE_HZ, "mono"
        self._resampler = AudioResampler("flt", "mono", RATE_HZ)
        self._chunks: deque[tuple[int, Sound]] = deque()
        self._end: int | None = None
        self.undecodable = 0

    def read(self, start: int, count: int) -> Sound | None:
        """Samples [start, start + count) of the record clock, later and later; None: all silent."""
        self._playing.wanted_ms = start // PER_MS
        while taken := self._playing.take(-(-(start + count) // PER_MS)):
            self._add(*taken)
        out: Sound | None = None
        for at, samples in self._chunks:
            t0, t1 = max(at, start), min(at + len(samples), start + count)
            if t0 < t1:
                out = np.zeros(count, np.float32) if out is None else out
                out[t0 - start : t1 - start] = samples[t0 - at : t1 - at]
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][1]) <= start + count:
            self._chunks.popleft()
        return out

    def _add(self, t_ms: int, block: Packet) -> None:
        due = t_ms * PER_MS
        at = self._end if self._end is not None and abs(due - self._end) <= JOIN_SAMPLES else due
        if block.data in _SILENT:
            self._end = at + int(SILENCE_MS) * PER_MS
            return
        samples = self._decode(block)
        self._end = at + len(samples)
        self._chunks.append((at, samples))

    def _decode(self, block: Packet) -> Sound:
        try:
            frames = self._decoder.decode(av.Packet(block.data))
        except av.FFmpegError:
            self.undecodable += 1
            return np.zeros(int(SILENCE_MS) * PER_MS, np.float32)
        parts = [
            part.to_ndarray().astype(np.float32, copy=False).reshape(-1) for f in frames for part in self._resampler.resample(f)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)
