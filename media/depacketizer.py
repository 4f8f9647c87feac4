"""Packets of one outgoing stream, back into frames in order; a hole is waited for, because it may be repaired (NACK)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hearing.audience import Kind
from media.keyframes import is_keyframe, read_vp8
from media.rtp_rewrite import payload_of, sequence_of, timestamp_of
from media.rtp_time import Unwrapper, signed_difference

START_HOLD_MS = 100.0  # the first packets may come out of order too
MAX_JUMP = 3_000  # a larger jump of the sequence is a new start
MAX_WAITING = 2_048
MAX_FRAME_BYTES = 1 << 20  # a keyframe of 1080p is a fifth of it; a frame that never ends must not fill the memory


@dataclass(frozen=True, slots=True)
class Frame:
    """An Opus packet or a whole VP8 frame; `sequence` and `arrival_ms` of its last packet.

    `lost_before`: packets given up between the previous frame and this one.
    """

    sequence: int
    timestamp: int
    data: bytes
    keyframe: bool
    lost_before: int
    arrival_ms: float


class Depacketizer:
    """Puts packets in order, drops duplicates, joins VP8 frames and drops the broken ones."""

    def __init__(self, kind: Kind, hold_ms: float) -> None:
        self.wants_keyframe = kind is not Kind.AUDIO
        self.lost = 0
        self.packets = 0
        self._video = kind is not Kind.AUDIO
        self._hold_ms = hold_ms
        self._sequence = Unwrapper(16)
        self._waiting: dict[int, tuple[bytes, float]] = {}
        self._next: int | None = None
        self._first_ms: float | None = None
        self._parts: list[bytes] = []
        self._part_timestamp = 0
        self._part_bytes = 0
        self._lost_before = 0

    def push(self, packet: bytes, arrival_ms: float) -> None:
        """Take one packet; duplicates and packets already given up are ignored."""
        number = self._sequence(sequence_of(packet))
        if self._first_ms is None:
            self._first_ms = arrival_ms
        if self._next is not None:
            if number < self._next:
                return
            if number - self._next > MAX_JUMP:
                self._restart(number)
        if len(self._waiting) < MAX_WAITING:
            self._waiting.setdefault(number, (packet, arrival_ms))

    def _restart(self, number: int) -> None:
        self._waiting.clear()
        self._next = number
        self._give_up(1)

    def pop(self, now_ms: float) -> Iterator[Frame]:
        """The frames that are complete now, in order."""
        if self._next is None:
            if self._first_ms is None or now_ms - self._first_ms < START_HOLD_MS or not self._waiting:
                return
            self._next = min(self._waiting)
        while self._waiting:
            if self._next not in self._waiting and not self._pass_over_hole(now_ms):
                return
            packet, arrival_ms = self._waiting.pop(self._next)
            self._next += 1
            self.packets += 1
            frame = self._join(packet, arrival_ms) if self._video else self._audio(packet, arrival_ms)
            if frame is not None:
                yield frame

    def _pass_over_hole(self, now_ms: float) -> bool:
        """Give the hole up when what follows it has waited long enough."""
        assert self._next is not None
        following = min(self._waiting)
        if now_ms - self._waiting[following][1] < self._hold_ms:
            return False
        self._give_up(following - self._next)
        self._next = following
        return True

    def _give_up(self, packets: int) -> None:
        self.lost += packets
        self._lost_before += packets
        self._parts = []
        if self._video:
            self.wants_keyframe = True

    def _audio(self, packet: bytes, arrival_ms: float) -> Frame | None:
        payload = payload_of(packet)
        return self._frame(packet, payload, True, arrival_ms) if payload else None

    def _join(self, packet: bytes, arrival_ms: float) -> Frame | None:
        """Collect a VP8 frame; it ends with the marker bit (RFC 7741 4.1)."""
        part = read_vp8(payload_of(packet))
        timestamp = timestamp_of(packet)
        if part is None:
            return None
        if part.starts_frame:
            self._parts, self._part_timestamp, self._part_bytes = [part.data], timestamp, len(part.data)
        elif self._parts and timestamp == self._part_timestamp:
            self._parts.append(part.data)
            self._part_bytes += len(part.data)
        else:
            return None
        if self._part_bytes > MAX_FRAME_BYTES:
            self._give_up(1)
            return None
        if not packet[1] & 0x80:
            return None
        data, self._parts = b"".join(self._parts), []
        keyframe = is_keyframe(data)
        if self.wants_keyframe and not keyframe:
            return None  # what was lost before would show as a broken picture until the next keyframe
        self.wants_keyframe = False
        return self._frame(packet, data, keyframe, arrival_ms)

    def _frame(self, packet: bytes, data: bytes, keyframe: bool, arrival_ms: float) -> Frame:
        lost, self._lost_before = self._lost_before, 0
        return Frame(sequence_of(packet), timestamp_of(packet), data, keyframe, lost, arrival_ms)


def is_again(frame: Frame, newest: Frame) -> bool:
    """Whether a listener got this one before. A source may set its timestamps back, and a number may wrap during a mute."""
    older = signed_difference(frame.timestamp, newest.timestamp) <= 0
    return older and signed_difference(frame.sequence, newest.sequence, 16) <= 0
