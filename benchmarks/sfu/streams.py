"""The synthetic sources: VP8 640x360 at 30 frames/s and Opus, together about 0.73 Mbit/s in 139 packets/s.

Valid RTP, VP8 payload descriptors (RFC 7741), keyframe headers (RFC 6386 9.1) and Opus TOC bytes (RFC 6716 3.1): servers,
recorders and forwarders take them for real. What is inside a frame is noise, since nobody decodes.
"""

from __future__ import annotations

import random
import secrets
import struct
from collections import deque
from collections.abc import Iterator, Mapping

from benchmarks.sfu.sdp import AUDIO_LEVEL, CLOCK_RATES_HZ, MID, SEND_TIME, TRANSPORT_SEQUENCE, Line

FRAMES_PER_S = 30
DELTA_FRAME_BYTES = 2_900
KEYFRAME_BYTES = 11_500
KEYFRAME_EVERY = 300  # frames; a browser sends one when asked to, and seldom otherwise
MAX_PAYLOAD_BYTES = 1_150
OPUS_FRAME_MS = 20
OPUS_BYTES = 80
CACHED_PACKETS = 512
_SEND_TIME = struct.Struct("!d")
_WIDTH, _HEIGHT = 640, 360
_OPUS_TOC = bytes((31 << 3,))  # CELT, full band, one 20 ms frame, mono
_LEVEL_SPEECH = bytes((0x80 | 30,))  # RFC 6464: voice, -30 dBov
_noise = random.Random(3).randbytes(1 << 16)


def opus_payload(sent_s: float) -> bytes:
    """An Opus packet that ends with the monotonic time of its sending."""
    return _OPUS_TOC + _noise[: OPUS_BYTES - 1 - _SEND_TIME.size] + _SEND_TIME.pack(sent_s)


def sent_s(packet: bytes) -> float:
    """When an audio packet was sent; servers leave payloads as they are."""
    return float(_SEND_TIME.unpack(packet[-_SEND_TIME.size :])[0])


def vp8_payloads(number: int, *, keyframe: bool) -> Iterator[bytes]:
    """Frame `number` cut into RTP payloads; the descriptor carries a 15-bit picture id."""
    start = number * 97 % (len(_noise) - KEYFRAME_BYTES)
    if keyframe:
        tag = bytes((0x10, 0, 0)) + b"\x9d\x01\x2a" + struct.pack("<HH", _WIDTH, _HEIGHT)
        frame = tag + _noise[start : start + KEYFRAME_BYTES - len(tag)]
    else:
        frame = bytes((0x11, 0, 0)) + _noise[start : start + DELTA_FRAME_BYTES - 3]
    for at in range(0, len(frame), MAX_PAYLOAD_BYTES):
        yield struct.pack("!BBH", 0x80 if at else 0x90, 0x80, 0x8000 | (number & 0x7FFF)) + frame[at : at + MAX_PAYLOAD_BYTES]


class TransportCounter:
    """The transport-wide sequence number, shared by all streams of one connection."""

    def __init__(self) -> None:
        self.value = secrets.randbits(15)

    def next(self) -> int:
        self.value = (self.value + 1) & 0xFFFF
        return self.value


class OutgoingStream:
    """One RTP stream: numbers, header extensions, counts for sender reports, a cache for NACKs."""

    def __init__(self, kind: str, counter: TransportCounter) -> None:
        self.ssrc = secrets.randbits(31) + 1
        self.packets = 0
        self.octets = 0
        self.timestamp = 0
        self._kind = kind
        self._counter = counter
        self._first_timestamp = secrets.randbits(31)
        self._sequence = secrets.randbits(15)
        self._payload_type = 0
        self._fixed = b""
        self._send_time = self._transport_sequence = 0  # extension ids; 0: not agreed on
        self._cache: dict[int, bytes] = {}
        self._order: deque[int] = deque()

    def use(self, line: Line) -> None:
        """Take payload type and extension ids from the agreed m-line."""
        ids: Mapping[str, int] = line.extensions
        self._payload_type = line.payload_type
        mid = line.mid.encode()
        self._fixed = _element(ids[MID], mid) if MID in ids else b""
        if AUDIO_LEVEL in ids and self._kind == "audio":
            self._fixed += _element(ids[AUDIO_LEVEL], _LEVEL_SPEECH)
        self._send_time = ids.get(SEND_TIME, 0)
        has_feedback = "transport-cc" in line.feedback
        self._transport_sequence = ids.get(TRANSPORT_SEQUENCE, 0) if has_feedback else 0

    def packet(self, payload: bytes, at_s: float, *, marker: bool) -> bytes:
        """The next packet; `at_s` is seconds since the stream began."""
        self.timestamp = (self._first_timestamp + round(at_s * CLOCK_RATES_HZ[self._kind])) & 0xFFFFFFFF
        self._sequence = (self._sequence + 1) & 0xFFFF
        elements = self._fixed
        if self._send_time:  # 24 bits of seconds, 6.18 fixed point
            elements += _element(self._send_time, (round(at_s * (1 << 18)) & 0xFFFFFF).to_bytes(3, "big"))
        if self._transport_sequence:
            elements += _element(self._transport_sequence, self._counter.next().to_bytes(2, "big"))
        elements += bytes(-len(elements) % 4)
        head = struct.pack("!BBHLL", 0x90, self._payload_type | marker << 7, self._sequence, self.timestamp, self.ssrc)
        packet = head + struct.pack("!HH", 0xBEDE, len(elements) // 4) + elements + payload
        self._remember(packet)
        self.packets += 1
        self.octets += len(payload)
        return packet

    def _remember(self, packet: bytes) -> None:
        self._cache[self._sequence] = packet
        self._order.append(self._sequence)
        if len(self._order) > CACHED_PACKETS:
            del self._cache[self._order.popleft()]

    def cached(self, sequence: int) -> bytes | None:
        return self._cache.get(sequence)


def _element(number: int, value: bytes) -> bytes:
    """A header extension in the one-byte form (RFC 8285 4.2)."""
    return bytes((number << 4 | (len(value) - 1),)) + value
