"""VP8 payloads (RFC 7741): where a frame begins, whether it can be decoded alone, how large its picture is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vp8Part:
    """One packet's share of a frame; `starts_frame`: first packet of the frame's first partition."""

    starts_frame: bool
    keyframe: bool  # meaningful only where starts_frame
    data: bytes


def read_vp8(payload: bytes) -> Vp8Part | None:
    """Strip the payload descriptor (RFC 7741 4.2); None when it does not fit."""
    size = len(payload)
    if not size:
        return None
    first, at = payload[0], 1
    if first & 0x80:  # X: extension octet follows
        if at >= size:
            return None
        flags, at = payload[at], at + 1
        if flags & 0x80:  # I: picture id, one or two octets
            if at >= size:
                return None
            at += 2 if payload[at] & 0x80 else 1
        at += bool(flags & 0x40)  # L: TL0PICIDX
        at += bool(flags & 0x30)  # T or K: TID, KEYIDX
    if at >= size:
        return None
    starts = bool(first & 0x10) and not first & 0x07
    return Vp8Part(starts, starts and not payload[at] & 0x01, payload[at:])


def is_keyframe(frame: bytes) -> bool:
    """True when a whole VP8 frame is a keyframe with its start code (RFC 6386 9.1)."""
    return len(frame) >= 10 and not frame[0] & 0x01 and frame[3:6] == b"\x9d\x01\x2a"


def picture_size(frame: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from a keyframe, else None."""
    if not is_keyframe(frame):
        return None
    width = int.from_bytes(frame[6:8], "little") & 0x3FFF
    height = int.from_bytes(frame[8:10], "little") & 0x3FFF
    return (width, height) if width and height else None
