"""RTP and RTCP as a client writes and reads them (RFC 3550, 4585, 5285, 6464, 7741): bytes in, bytes out, no I/O."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from media.rtp_rewrite import payload_of, sequence_of, timestamp_of
from media.sdp import (
    LEVEL_EXTENSION,
    MID_EXTENSION,
    OPUS_PT,
    REPAIRED_RID_EXTENSION,
    RID_EXTENSION,
    RTX_PT,
    VP8_PT,
)

MAX_PAYLOAD_BYTES = 1100  # leaves room for headers and the SRTP trailer below a 1200-byte path
_NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)
_SR, _RR, _SDES, _RTPFB, _PSFB = 200, 201, 202, 205, 206


@dataclass(frozen=True, slots=True)
class Nack:
    """The receiver lacks these sequence numbers of `ssrc` (RFC 4585 6.2.1)."""

    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeWanted:
    """PLI or FIR for `ssrc` (RFC 4585 6.3.1, RFC 5104 4.3.1)."""

    ssrc: int


def audio_packet(sequence: int, timestamp: int, ssrc: int, mid: str, level_dbov: int, payload: bytes) -> bytes:
    """One Opus packet. `level_dbov` is 0 (loudest) to 127 (silence), RFC 6464."""
    level = bytes([(LEVEL_EXTENSION << 4) | 0, (0x80 if level_dbov < 70 else 0) | min(level_dbov, 127)])
    return _header(OPUS_PT, sequence, timestamp, ssrc, marker=False) + _extensions(_mid(mid) + level) + payload


def video_packets(
    sequence: int, timestamp: int, ssrc: int, mid: str, picture_id: int, frame: bytes, rid: str = ""
) -> Iterator[bytes]:
    """One VP8 frame in as many packets as it needs, numbered from `sequence` (payload descriptor: RFC 7741 4.2)."""
    extension = _extensions(_mid(mid) + _name(RID_EXTENSION, rid))
    pieces = [frame[i : i + MAX_PAYLOAD_BYTES] for i in range(0, len(frame), MAX_PAYLOAD_BYTES)]
    for index, piece in enumerate(pieces):
        descriptor = struct.pack("!BBH", 0x80 | (0x10 if index == 0 else 0), 0x80, 0x8000 | (picture_id & 0x7FFF))
        header = _header(VP8_PT, sequence + index, timestamp, ssrc, marker=index == len(pieces) - 1)
        yield header + extension + descriptor + piece


def _header(payload_type: int, sequence: int, timestamp: int, ssrc: int, *, marker: bool) -> bytes:
    first = 0x90  # version 2, with extension
    return struct.pack("!BBHII", first, (0x80 if marker else 0) | payload_type, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)


def retransmission(packet: bytes, sequence: int, ssrc: int, mid: str, rid: str = "") -> bytes:
    """A packet of video_packets() once more, in the stream of retransmissions (RFC 4588 4, RFC 8852)."""
    header = _header(RTX_PT, sequence, timestamp_of(packet), ssrc, marker=bool(packet[1] & 0x80))
    extension = _extensions(_mid(mid) + _name(REPAIRED_RID_EXTENSION, rid))
    return header + extension + struct.pack("!H", sequence_of(packet)) + payload_of(packet)


def _mid(mid: str) -> bytes:
    return _name(MID_EXTENSION, mid)


def _name(extension_id: int, name: str) -> bytes:
    """A header extension with a name in it; nothing when there is no name."""
    encoded = name.encode("ascii")
    return bytes([(extension_id << 4) | (len(encoded) - 1)]) + encoded if encoded else b""


def _extensions(elements: bytes) -> bytes:
    padded = elements + bytes(-len(elements) % 4)
    return struct.pack("!HH", 0xBEDE, len(padded) // 4) + padded


def sender_report(ssrc: int, cname: str, at: datetime, timestamp: int, packets: int, octets: int) -> bytes:
    """SR with SDES: `timestamp` is the RTP time of the moment `at`."""
    since = at - _NTP_EPOCH
    seconds = since.days * 86_400 + since.seconds
    fraction = (since.microseconds << 32) // 1_000_000
    report = struct.pack(
        "!BBHIIIIII", 0x80, _SR, 6, ssrc, seconds & 0xFFFFFFFF, fraction, timestamp & 0xFFFFFFFF, packets, octets & 0xFFFFFFFF
    )
    return report + _sdes(ssrc, cname)


def _sdes(ssrc: int, cname: str) -> bytes:
    item = bytes([1, len(cname)]) + cname.encode("ascii")
    chunk = struct.pack("!I", ssrc) + item + bytes(4 - len(item) % 4)
    return struct.pack("!BBH", 0x81, _SDES, len(chunk) // 4) + chunk


@dataclass(slots=True)
class Reception:
    """What was received of one SSRC, as far as a receiver report tells it (RFC 3550 A.3)."""

    ssrc: int
    packets: int = 0
    _base: int = -1
    _highest: int = 0
    _reported: tuple[int, int] = (0, 0)

    def take(self, sequence: int) -> None:
        """Count one packet."""
        self.packets += 1
        if self._base < 0:
            self._base = self._highest = sequence
            return
        ahead = (sequence - self._highest) & 0xFFFF
        if 0 < ahead < 0x8000:
            self._highest += ahead

    @property
    def expected(self) -> int:
        return self._highest - self._base + 1 if self._base >= 0 else 0

    def report_block(self) -> bytes:
        """The report block since the last one."""
        expected, received = self.expected - self._reported[0], self.packets - self._reported[1]
        self._reported = (self.expected, self.packets)
        fraction = max(0, min(255, (expected - received) * 256 // expected)) if expected > 0 else 0
        lost = max(0, min(0x7FFFFF, self.expected - self.packets))
        return struct.pack("!IIIIII", self.ssrc, fraction << 24 | lost, self._highest & 0xFFFFFFFF, 0, 0, 0)


def receiver_report(ssrc: int, cname: str, blocks: list[bytes]) -> bytes:
    """RR with at most 31 report blocks, and SDES."""
    blocks = blocks[:31]
    return struct.pack("!BBHI", 0x80 | len(blocks), _RR, 1 + 6 * len(blocks), ssrc) + b"".join(blocks) + _sdes(ssrc, cname)


def feedback(packet: bytes) -> Iterator[Nack | KeyframeWanted]:
    """The requests in a compound RTCP packet; anything else in it is passed over."""
    offset = 0
    while offset + 4 <= len(packet):
        first, kind, words = struct.unpack_from("!BBH", packet, offset)
        end = offset + 4 * (words + 1)
        body = packet[offset + 4 : end]
        if kind == _RTPFB and first & 0x1F == 1 and len(body) >= 12:
            yield Nack(int.from_bytes(body[4:8], "big"), tuple(_nacked(body[8:])))
        elif kind == _PSFB and first & 0x1F == 1 and len(body) >= 8:
            yield KeyframeWanted(int.from_bytes(body[4:8], "big"))
        elif kind == _PSFB and first & 0x1F == 4 and len(body) >= 16:
            yield KeyframeWanted(int.from_bytes(body[8:12], "big"))
        offset = end


def _nacked(items: bytes) -> Iterator[int]:
    for offset in range(0, len(items) - 3, 4):
        first, mask = struct.unpack_from("!HH", items, offset)
        yield first
        yield from ((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)
