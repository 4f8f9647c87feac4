"""RTP headers (RFC 3550): reading them, and mapping a participant's successive streams onto one outgoing stream.

Every subscriber gets the same bytes: our payload type, our SSRC, no CSRC list, no header extensions. So a packet is
rewritten once, and only encryption and sending are per subscriber. When a person comes back with a new stream, sequence
numbers and timestamps go on where the old stream stopped: receivers see one stream and need no renegotiation.
"""

from __future__ import annotations

import struct

HEADER_BYTES = 12
_HEADER = struct.Struct("!BBHLL")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!L")


def payload_offset(packet: bytes) -> int:
    """Where the payload begins, or -1 when the header does not fit into the packet or is not RTP version 2."""
    size = len(packet)
    if size < HEADER_BYTES or packet[0] >> 6 != 2:
        return -1
    offset = HEADER_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if offset + 4 > size:
            return -1
        offset += 4 + 4 * _U16.unpack_from(packet, offset + 2)[0]
    return offset if offset <= size else -1


def sequence_of(packet: bytes) -> int:
    return packet[2] << 8 | packet[3]


def timestamp_of(packet: bytes) -> int:
    return int(_U32.unpack_from(packet, 4)[0])


def ssrc_of(packet: bytes) -> int:
    return int(_U32.unpack_from(packet, 8)[0])


def payload_of(packet: bytes) -> bytes:
    """Payload without padding (RFC 3550 5.1); empty for padding-only and for malformed packets."""
    offset = payload_offset(packet)
    if offset < 0:
        return b""
    end = len(packet)
    if packet[0] & 0x20 and end > offset:
        end -= packet[-1]
    return packet[offset:end] if end > offset else b""


def extension(packet: bytes, extension_id: int) -> bytes | None:
    """One header extension in the one-byte or two-byte form (RFC 8285); None when it is not there."""
    end = payload_offset(packet)
    if end < 0 or not packet[0] & 0x10:
        return None
    at = HEADER_BYTES + 4 * (packet[0] & 0x0F)
    profile = _U16.unpack_from(packet, at)[0]
    at += 4
    two_byte = profile & 0xFFF0 == 0x1000
    if profile != 0xBEDE and not two_byte:
        return None
    while at + 1 < end:
        if packet[at] == 0:  # padding between extensions
            at += 1
            continue
        if two_byte:
            found, size, start = packet[at], packet[at + 1], at + 2
        else:
            found, size, start = packet[at] >> 4, (packet[at] & 0x0F) + 1, at + 1
        if found == extension_id:
            return packet[start : start + size] if start + size <= end else None
        at = start + size
    return None


def build(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False) -> bytes:
    """A plain RTP packet."""
    return _HEADER.pack(0x80, payload_type | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


class StreamRewriter:
    """Maps incoming packets to the outgoing stream (`payload_type`, `ssrc`) without holes between incoming streams."""

    __slots__ = (
        "_first_sequence", "_last_sequence", "_last_timestamp", "_payload_type", "_rebase_ticks", "_sequence_offset",
        "_started", "_timestamp_offset", "ssrc",
    )  # fmt: skip

    def __init__(self, payload_type: int, ssrc: int) -> None:
        self.ssrc = ssrc
        self._payload_type = payload_type
        self._sequence_offset = 0
        self._timestamp_offset = 0
        self._last_sequence = 0
        self._last_timestamp = 0
        self._first_sequence = -1  # of a continuing stream; what is older would collide with the stream before it
        self._rebase_ticks = -1
        self._started = False

    @property
    def next_sequence(self) -> int:
        """The outgoing sequence number that follows the newest one."""
        return (self._last_sequence + 1) & 0xFFFF

    def restart(self, elapsed_ticks: int) -> None:
        """A new incoming stream follows, `elapsed_ticks` of the RTP clock after the last packet."""
        if self._started:
            self._rebase_ticks = max(1, elapsed_ticks)

    def rewrite(self, packet: bytes) -> bytes | None:
        """The outgoing packet, or None when the incoming one is malformed or older than its stream's first packet."""
        offset = payload_offset(packet)
        if offset < 0:
            return None
        first, second, sequence, timestamp, _ = _HEADER.unpack_from(packet)
        if self._rebase_ticks >= 0:
            self._rebase(sequence, timestamp)
        if self._first_sequence >= 0 and not self._is_of_this_stream(sequence):
            return None
        out_sequence = (sequence + self._sequence_offset) & 0xFFFF
        out_timestamp = (timestamp + self._timestamp_offset) & 0xFFFFFFFF
        if not self._started or (out_sequence - self._last_sequence) & 0xFFFF < 0x8000:
            self._last_sequence, self._last_timestamp, self._started = out_sequence, out_timestamp, True
        marked = (second & 0x80) | self._payload_type
        return _HEADER.pack(0x80 | (first & 0x20), marked, out_sequence, out_timestamp, self.ssrc) + packet[offset:]

    def out_timestamp(self, timestamp: int) -> int:
        """The outgoing timestamp of an incoming one (for sender reports, which keep audio and video together)."""
        return (timestamp + self._timestamp_offset) & 0xFFFFFFFF

    def _rebase(self, sequence: int, timestamp: int) -> None:
        self._sequence_offset = (self._last_sequence + 1 - sequence) & 0xFFFF
        self._timestamp_offset = (self._last_timestamp + self._rebase_ticks - timestamp) & 0xFFFFFFFF
        self._first_sequence = sequence
        self._rebase_ticks = -1

    def _is_of_this_stream(self, sequence: int) -> bool:
        """False for packets sent before the first one seen; the guard ends once the stream has run a while."""
        ahead = (sequence - self._first_sequence) & 0xFFFF
        if ahead >= 0x8000:
            return False
        if ahead > 0x2000:
            self._first_sequence = -1
        return True
