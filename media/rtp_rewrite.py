"""RTP headers (RFC 3550): reading them, and writing the packets that subscribers get.

A forwarded packet has our payload type, our SSRC, no CSRC list and one header extension, abs-send-time: the same for all
subscribers, so that a packet is written once and only encryption and sending are per subscriber.
"""

from __future__ import annotations

import struct

from media.sdp import SEND_TIME_EXTENSION, TRANSPORT_SEQUENCE_EXTENSION

HEADER_BYTES = 12
FORWARDED_HEADER_BYTES = 20  # of every packet to subscribers: header, abs-send-time as its only extension
HEADER = struct.Struct("!BBHLL")
FIRST_WORDS = struct.Struct("!BBHL")  # the header without its SSRC
_FORWARDED = struct.Struct("!BBHLLLL")
_ONE_WORD_OF_EXTENSIONS = 0xBEDE0001
_SEND_TIME_ELEMENT = (SEND_TIME_EXTENSION << 4 | 2) << 24
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


def transport_sequence(packet: bytes) -> int | None:
    """The transport-wide sequence number, when the sender numbers its packets (TWCC)."""
    value = extension(packet, TRANSPORT_SEQUENCE_EXTENSION)
    return value[0] << 8 | value[1] if value is not None and len(value) == 2 else None


def restored(packet: bytes, payload_type: int, ssrc: int) -> bytes | None:
    """The packet inside a retransmission (RFC 4588 4); None when there is none in it, as in padding that probes the path."""
    payload = payload_of(packet)
    if len(payload) < 3:
        return None
    original = payload[0] << 8 | payload[1]
    return build(payload_type, original, timestamp_of(packet), ssrc, payload[2:], marker=bool(packet[1] & 0x80))


def build(payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False) -> bytes:
    """A plain RTP packet."""
    return HEADER.pack(0x80, payload_type | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def build_forwarded(first: int, second: int, sequence: int, timestamp: int, ssrc: int, send_time: int, payload: bytes) -> bytes:
    """A packet as subscribers get it: `first` gives only the padding bit, `second` marker and payload type."""
    return (
        _FORWARDED.pack(
            0x90 | (first & 0x20), second, sequence, timestamp, ssrc, _ONE_WORD_OF_EXTENSIONS, _SEND_TIME_ELEMENT | send_time
        )
        + payload
    )


def send_time_of(now_ms: float) -> int:
    """abs-send-time: seconds as 6.18 bit fixed point, wrapping every 64 s. Any clock that runs steadily will do."""
    return int(now_ms * 262.144) & 0xFFFFFF
