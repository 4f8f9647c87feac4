"""Retransmission streams (RFC 4588): answers to NACK and padding, in a stream of their own beside the pictures.

A packet sent again as it was carries its old send time, and must: with the same SSRC and number any other bytes would use
the cipher's nonce twice. In its own stream it has its own number, so it carries the time at which it is really sent, and the
client's estimate of the path stays right.
"""

from __future__ import annotations

import secrets
import struct

from media.rtp_rewrite import FORWARDED_HEADER_BYTES, build_forwarded, send_time_of
from media.sdp import RTX_PT

PADDING_BYTES = 255  # the most one packet can hold: its length stands in one octet
PADDING_PACKET_BYTES = FORWARDED_HEADER_BYTES + PADDING_BYTES
_PADDING = bytes(PADDING_BYTES - 1) + bytes((PADDING_BYTES,))
_HEADER = struct.Struct("!BBHLL")
_PADDED = 0x20


class RtxStream:
    """One subscriber's retransmissions of one track; `ssrc` stands in the description beside the track's."""

    __slots__ = ("_sequence", "_timestamp", "ssrc")

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self._sequence = secrets.randbits(15)
        self._timestamp = 0

    def wrap(self, packet: bytes, now_ms: float) -> bytes:
        """A forwarded packet as a retransmission: the original number stands before the payload (section 4)."""
        first, second, original, self._timestamp, _ = _HEADER.unpack_from(packet)
        payload = struct.pack("!H", original) + packet[FORWARDED_HEADER_BYTES:]
        return self._write(first, (second & 0x80) | RTX_PT, payload, now_ms)

    def padding(self, now_ms: float) -> bytes:
        """A packet without payload: it shows what the path carries and is thrown away by its receiver."""
        return self._write(_PADDED, RTX_PT, _PADDING, now_ms)

    def _write(self, first: int, second: int, payload: bytes, now_ms: float) -> bytes:
        self._sequence = (self._sequence + 1) & 0xFFFF
        return build_forwarded(first, second, self._sequence, self._timestamp, self.ssrc, send_time_of(now_ms), payload)
