"""The tap of the live transcriber: granted sound as Opus packets on the record clock, from a ring that a reader can resume.

Binary message: sequence u64, t_ms i64, lengths of sitting and track id u16, flags u8, the two ids, Opus payload.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from hearing.audience import TAP, GrantTable, Kind
from hearing.model import ParticipantId, SittingId
from media.aiortc_bridge import now_ms
from media.audio_line import AudioLine, Block, Permission
from media.depacketizer import Depacketizer, Frame, is_again
from media.sfu import grants_to
from media.tracks import UpTrack

HEADER = struct.Struct("!QqHHB")
SILENCE_FLAG, END_FLAG = 1, 2
RING_MS = 120_000.0
SPAN_MS = 10_000  # overflowed spans are told in pieces of about this length
MAX_SPANS = 20_000
HOLD_MS = 400.0  # of a hole, for its repair, as the record does; where nothing is missing nobody waits
IDLE_MS = 500.0


@dataclass(slots=True)
class LostSpan:
    """What a reader that fell behind has missed of one track."""

    last_seq: int
    sitting_id: SittingId
    track_id: str
    t0_ms: int
    t1_ms: int


@dataclass(frozen=True, slots=True)
class _Entry:
    seq: int
    at_ms: float
    sitting_id: SittingId
    track_id: str
    t_ms: int
    message: bytes


class TapRing:
    """The last two minutes of all sittings of this worker; numbers go on growing over restarts (they start at UTC ms)."""

    def __init__(self, first_seq: int) -> None:
        self.next_seq = first_seq
        self._entries: deque[_Entry] = deque()
        self._lost: deque[LostSpan] = deque(maxlen=MAX_SPANS)
        self._open_spans: dict[str, LostSpan] = {}
        self._arrived = asyncio.Event()

    @property
    def first_seq(self) -> int:
        """The oldest number still in the ring; next_seq when it is empty."""
        return self._entries[0].seq if self._entries else self.next_seq

    def put(self, sitting_id: SittingId, track_id: str, t_ms: int, flags: int, payload: bytes) -> None:
        sitting, track = sitting_id.encode(), track_id.encode()
        head = HEADER.pack(self.next_seq, t_ms, len(sitting), len(track), flags)
        now = now_ms()
        self._entries.append(_Entry(self.next_seq, now, sitting_id, track_id, t_ms, head + sitting + track + payload))
        self.next_seq += 1
        while now - self._entries[0].at_ms > RING_MS:
            self._forget(self._entries.popleft())
        self._arrived.set()

    def _forget(self, entry: _Entry) -> None:
        """Note what leaves the ring, so that a late reader can be told which spans to read from the record."""
        span = self._open_spans.get(entry.track_id)
        joined = span is not None and 0 <= entry.t_ms - span.t1_ms <= 20 and span.t1_ms - span.t0_ms < SPAN_MS
        if span is None or not joined:
            span = LostSpan(entry.seq, entry.sitting_id, entry.track_id, entry.t_ms, entry.t_ms + 20)
            self._open_spans[entry.track_id] = span
            self._lost.append(span)
        span.last_seq, span.t1_ms = entry.seq, entry.t_ms + 20

    def lost_since(self, seq: int) -> list[LostSpan]:
        """Spans that left the ring with numbers from `seq` on."""
        return [span for span in self._lost if span.last_seq >= seq]

    def after(self, seq: int, limit: int = 500) -> list[tuple[int, bytes]]:
        """(number, message) of what follows `seq`, oldest first."""
        if not self._entries:
            return []
        start = max(0, seq + 1 - self._entries[0].seq)
        stop = min(len(self._entries), start + limit)
        return [(self._entries[n].seq, self._entries[n].message) for n in range(start, stop)]

    async def wait(self) -> None:
        """Until something may have come."""
        self._arrived.clear()
        await self._arrived.wait()


class _TapTrack:
    """One track on its way into the ring."""

    def __init__(self, track: UpTrack, start_ms: float, granted: bool) -> None:
        self.track = track
        self.permission = Permission(start_ms, granted)
        self.line = AudioLine(round(start_ms), self.permission)
        self.depacketizer = Depacketizer(Kind.AUDIO, HOLD_MS)
        self.newest: Frame | None = None
        self.start_ms = start_ms

    def blocks(self, now: float, zero_ms: float) -> Iterable[Block]:
        for frame in self.depacketizer.pop(now):
            if self.newest is not None and is_again(frame, self.newest):
                continue
            self.newest = frame
            t_ms = self.track.clock.server_ms(frame.timestamp, frame.arrival_ms) - zero_ms
            if t_ms >= self.start_ms - 10:
                yield from self.line.add(t_ms, frame.data, after_loss=frame.lost_before > 0)
        yield from self.line.fill_until(now - zero_ms - IDLE_MS)


class Tap:
    """The tap of one sitting (a PacketSink): audio in session only, as the table grants it to TAP."""

    def __init__(
        self,
        sitting_id: SittingId,
        ring: TapRing,
        live_tracks: Callable[[], Iterable[UpTrack]],
        monotonic_of: Callable[[datetime], float],
    ) -> None:
        self._sitting_id = sitting_id
        self._ring = ring
        self._live_tracks = live_tracks
        self._monotonic_of = monotonic_of
        self._zero_ms: float | None = None
        self._effective_ms = 0.0
        self._granted: frozenset[tuple[ParticipantId, Kind]] = frozenset()
        self._tracks: dict[str, _TapTrack] = {}

    def apply(self, table: GrantTable) -> None:
        if table.opened_at is None:
            return
        self._zero_ms = self._monotonic_of(table.opened_at)
        self._effective_ms = self._monotonic_of(table.effective_at) - self._zero_ms
        self._granted = grants_to(table, TAP)
        for tapped in self._tracks.values():
            granted = (tapped.track.source, Kind.AUDIO) in self._granted
            if granted and not tapped.permission.at(self._effective_ms):
                tapped.depacketizer = Depacketizer(Kind.AUDIO, HOLD_MS)
            tapped.permission.change(self._effective_ms, granted)

    def on_packet(self, track: UpTrack, packet: bytes, arrival_ms: float) -> None:
        if self._zero_ms is None or track.kind is not Kind.AUDIO:
            return
        tapped = self._tracks.get(track.track_id)
        if tapped is None:
            live_ms = (track.live_since_ms or arrival_ms) - self._zero_ms
            tapped = self._tracks[track.track_id] = _TapTrack(track, max(self._effective_ms, live_ms), granted=True)
        tapped.depacketizer.push(packet, arrival_ms)

    def tick(self, now: float) -> None:
        """Move what is complete into the ring; end the tracks that are gone. Called every few tens of milliseconds."""
        if self._zero_ms is None or not self._tracks:
            return
        live = {track.track_id for track in self._live_tracks()} if self._granted else set()
        for track_id, tapped in tuple(self._tracks.items()):
            for block in tapped.blocks(now, self._zero_ms):
                flags = SILENCE_FLAG if block.fill is not None else 0
                self._ring.put(self._sitting_id, track_id, round(block.t_ms), flags, block.payload)
            if track_id not in live:
                del self._tracks[track_id]
                self._ring.put(self._sitting_id, track_id, round(tapped.line.position_ms), END_FLAG, b"")
