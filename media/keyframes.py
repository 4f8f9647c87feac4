"""VP8 payloads (RFC 7741): where a frame begins, whether it can be decoded alone, how large its picture is, its numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vp8Part:
    """One packet's share of a frame; `starts_frame`: first packet of the frame's first partition."""

    starts_frame: bool
    keyframe: bool  # meaningful only where starts_frame
    data: bytes


@dataclass(frozen=True, slots=True)
class Vp8Descriptor:
    """The payload descriptor of one packet (RFC 7741 4.2). Places are from the payload's first octet, -1: not there."""

    picture_id_at: int
    long_picture_id: bool  # 15 bits, else 7
    tl0_at: int  # TL0PICIDX, 8 bits
    size: int
    starts_frame: bool

    def picture_id(self, payload: bytes) -> int | None:
        if self.picture_id_at < 0:
            return None
        if self.long_picture_id:
            return (payload[self.picture_id_at] & 0x7F) << 8 | payload[self.picture_id_at + 1]
        return payload[self.picture_id_at]

    def tl0(self, payload: bytes) -> int | None:
        return payload[self.tl0_at] if self.tl0_at >= 0 else None


def read_descriptor(payload: bytes) -> Vp8Descriptor | None:
    """None when the descriptor does not fit, or nothing follows it."""
    size = len(payload)
    if size < 2:
        return None
    first, at = payload[0], 1
    picture_id_at = tl0_at = -1
    long_picture_id = False
    if first & 0x80:  # X: extension octet follows
        flags, at = payload[1], 2
        if flags & 0x80:  # I: picture id, one or two octets
            if at >= size:
                return None
            picture_id_at, long_picture_id = at, bool(payload[at] & 0x80)
            at += 2 if long_picture_id else 1
        if flags & 0x40:  # L
            tl0_at, at = at, at + 1
        at += bool(flags & 0x30)  # T or K: TID, KEYIDX
    if at >= size:
        return None
    return Vp8Descriptor(picture_id_at, long_picture_id, tl0_at, at, bool(first & 0x10) and not first & 0x07)


def starts_keyframe(payload: bytes) -> bool:
    """Whether this is the first packet of a frame that needs no other."""
    if not payload or not payload[0] & 0x10:  # most packets of a stream are told by this bit alone or are not many
        return False
    descriptor = read_descriptor(payload)
    return descriptor is not None and descriptor.starts_frame and not payload[descriptor.size] & 0x01


def shift_ids(payload: bytes, pictures: int, tl0: int) -> bytes:
    """The payload with `pictures` added to its picture id and `tl0` to its TL0PICIDX, where they are, each in its own width."""
    descriptor = read_descriptor(payload)
    if descriptor is None or (descriptor.picture_id_at < 0 and descriptor.tl0_at < 0):
        return payload
    head = bytearray(payload[: descriptor.size])
    at, picture_id = descriptor.picture_id_at, descriptor.picture_id(payload)
    if picture_id is not None:
        shifted = picture_id + pictures
        if descriptor.long_picture_id:
            head[at], head[at + 1] = 0x80 | shifted >> 8 & 0x7F, shifted & 0xFF
        else:
            head[at] = shifted & 0x7F
    if descriptor.tl0_at >= 0:
        head[descriptor.tl0_at] = head[descriptor.tl0_at] + tl0 & 0xFF
    return bytes(head) + payload[descriptor.size :]


def read_vp8(payload: bytes) -> Vp8Part | None:
    """Strip the payload descriptor (RFC 7741 4.2); None when it does not fit."""
    descriptor = read_descriptor(payload)
    if descriptor is None:
        return None
    keyframe = descriptor.starts_frame and not payload[descriptor.size] & 0x01
    return Vp8Part(descriptor.starts_frame, keyframe, payload[descriptor.size :])


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
