"""The tap's wire form: one Opus packet per binary message, control as JSON text."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

HEADER = struct.Struct("!QqHHB")  # seq, t_ms, length of sitting_id, length of track_id, flags
PACKET_MS = 20
FLAG_FILLER = 1
FLAG_END = 2


class TapFormatError(Exception):
    """A message that is not of the tap's form."""


@dataclass(frozen=True, slots=True)
class TapPacket:
    """20 ms of one track. `t_ms` is on the record clock; a filler stands for lost sound, an end closes the track."""

    seq: int
    t_ms: int
    sitting_id: str
    track_id: str
    opus: bytes
    filler: bool = False
    end: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of a connection: which worker run this is, and the number its next packet will have."""

    worker_id: str
    next_seq: int


@dataclass(frozen=True, slots=True)
class Span:
    """Speech of one track that the live path did not hear, [t0_ms, t1_ms) on the record clock."""

    sitting_id: str
    track_id: str
    t0_ms: int
    t1_ms: int


@dataclass(frozen=True, slots=True)
class Overflow:
    """Packets that had left the ring before they could be sent."""

    from_seq: int
    to_seq: int
    spans: tuple[Span, ...]


def pack(packet: TapPacket) -> bytes:
    """The binary message of a packet."""
    sitting, track = packet.sitting_id.encode(), packet.track_id.encode()
    flags = FLAG_FILLER * packet.filler | FLAG_END * packet.end
    return HEADER.pack(packet.seq, packet.t_ms, len(sitting), len(track), flags) + sitting + track + packet.opus


def unpack(message: bytes) -> TapPacket:
    """Read a binary message; raises TapFormatError."""
    try:
        seq, t_ms, sitting_length, track_length, flags = HEADER.unpack_from(message)
        track_at = HEADER.size + sitting_length
        opus_at = track_at + track_length
        if len(message) < opus_at:
            raise TapFormatError("a tap message is shorter than its header says")
        sitting_id = message[HEADER.size : track_at].decode()
        track_id = message[track_at:opus_at].decode()
    except (struct.error, UnicodeDecodeError) as problem:
        raise TapFormatError("a tap message has no valid header") from problem
    return TapPacket(
        seq, t_ms, sitting_id, track_id, message[opus_at:], filler=bool(flags & FLAG_FILLER), end=bool(flags & FLAG_END)
    )


def unpack_text(message: str) -> Hello | Overflow | None:
    """Read a control message; None for a type this version does not know; raises TapFormatError."""
    try:
        fields = json.loads(message)
        if fields["type"] == "hello":
            return Hello(str(fields["worker_id"]), int(fields["next_seq"]))
        if fields["type"] == "overflow":
            spans = (Span(str(s["sitting_id"]), str(s["track_id"]), int(s["t0_ms"]), int(s["t1_ms"])) for s in fields["spans"])
            return Overflow(int(fields["from_seq"]), int(fields["to_seq"]), tuple(spans))
    except (ValueError, KeyError, TypeError) as problem:
        raise TapFormatError("a tap control message is malformed") from problem
    return None
