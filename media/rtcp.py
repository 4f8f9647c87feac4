"""RTCP (RFC 3550 section 6, RFC 4585, REMB): reading what clients send, writing what we send."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK = 200, 201, 205, 206
OUR_SSRC = 1  # sender of feedback that belongs to no stream of ours
_U32 = struct.Struct("!L")
_BLOCK = struct.Struct("!LLLLLL")
_SENDER_INFO = struct.Struct("!LQLLL")


@dataclass(frozen=True, slots=True)
class SenderReport:
    ssrc: int
    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """A receiver's view of one stream. `fraction_lost` 0..1; `jitter_ticks` in the stream's RTP clock."""

    ssrc: int
    fraction_lost: float
    jitter_ticks: int
    last_report: int  # middle 32 bits of the NTP time of the last sender report
    delay_s: float  # since that report
    lost: int = 0  # in all since the beginning; may fall when duplicates come
    highest: int = 0  # extended highest sequence number received


@dataclass(frozen=True, slots=True)
class Nack:
    ssrc: int
    sequences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeyframeRequest:
    """PLI or FIR."""

    ssrc: int


@dataclass(frozen=True, slots=True)
class BitrateEstimate:
    """REMB: what the receiver believes the path to it carries."""

    bps: int


Message = SenderReport | ReportBlock | Nack | KeyframeRequest | BitrateEstimate


def read(packet: bytes) -> Iterator[Message]:
    """The messages of a compound packet; what is unknown or does not fit is passed over."""
    at = 0
    while at + 4 <= len(packet):
        count, packet_type = packet[at] & 0x1F, packet[at + 1]
        end = at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
        if end > len(packet) or packet[at] >> 6 != 2:
            return
        body = packet[at + 4 : end]
        if packet_type == SENDER_REPORT and len(body) >= 24:
            yield SenderReport(*_SENDER_INFO.unpack_from(body))
            yield from _blocks(body[24:], count)
        elif packet_type == RECEIVER_REPORT:
            yield from _blocks(body[4:], count)
        elif packet_type in {TRANSPORT_FEEDBACK, PAYLOAD_FEEDBACK} and len(body) >= 8:
            yield from _feedback(packet_type, count, body)
        at = end


def _blocks(body: bytes, count: int) -> Iterator[ReportBlock]:
    for at in range(0, min(24 * count, len(body) - 23), 24):
        ssrc, lost, highest, jitter, last_report, delay = _BLOCK.unpack_from(body, at)
        cumulative = ((lost & 0xFFFFFF) ^ 0x800000) - 0x800000  # 24 bits with a sign
        yield ReportBlock(ssrc, (lost >> 24) / 256, jitter, last_report, delay / 65536, cumulative, highest)


def _feedback(packet_type: int, form: int, body: bytes) -> Iterator[Message]:
    media_ssrc = _U32.unpack_from(body, 4)[0]
    if packet_type == TRANSPORT_FEEDBACK and form == 1:
        yield Nack(media_ssrc, tuple(_lost(body[8:])))
    elif packet_type == PAYLOAD_FEEDBACK and form == 1:
        yield KeyframeRequest(media_ssrc)
    elif packet_type == PAYLOAD_FEEDBACK and form == 4 and len(body) >= 16:
        yield KeyframeRequest(_U32.unpack_from(body, 8)[0])
    elif packet_type == PAYLOAD_FEEDBACK and form == 15 and body[8:12] == b"REMB" and len(body) >= 16:
        yield BitrateEstimate((((body[13] & 0x03) << 16) | (body[14] << 8) | body[15]) << (body[13] >> 2))


def _lost(entries: bytes) -> Iterator[int]:
    """Sequence numbers of generic NACK entries: a first one and a bit mask of the sixteen after it."""
    for at in range(0, len(entries) - 3, 4):
        first, mask = struct.unpack_from("!HH", entries, at)
        yield first
        yield from ((first + bit + 1) & 0xFFFF for bit in range(16) if mask >> bit & 1)


def write_report_blocks(blocks: Sequence[bytes]) -> bytes:
    """A receiver report; without blocks it is a sign of life."""
    body = b"".join(blocks)
    return struct.pack("!BBHL", 0x80 | len(blocks), RECEIVER_REPORT, 1 + len(body) // 4, OUR_SSRC) + body


def write_report_block(
    ssrc: int, *, fraction_lost: float, lost: int, highest: int, jitter_ticks: int, last_report: int, delay_s: float
) -> bytes:
    """One block of a receiver report (RFC 3550 6.4.1)."""
    fraction = max(0, min(255, int(fraction_lost * 256)))
    return _BLOCK.pack(
        ssrc, fraction << 24 | max(0, min(0x7FFFFF, lost)), highest & 0xFFFFFFFF, jitter_ticks & 0xFFFFFFFF, last_report,
        int(delay_s * 65536) & 0xFFFFFFFF,
    )  # fmt: skip


def write_sender_report(ssrc: int, ntp: int, timestamp: int, packets: int, octets: int) -> bytes:
    return struct.pack("!BBH", 0x80, SENDER_REPORT, 6) + _SENDER_INFO.pack(ssrc, ntp, timestamp, packets, octets)


def write_nack(ssrc: int, sequences: Sequence[int]) -> bytes:
    """Generic NACK for `sequences` (ascending, wrapping allowed), packed into first-and-mask entries."""
    entries: list[list[int]] = []
    for sequence in sequences:
        ahead = (sequence - entries[-1][0]) & 0xFFFF if entries else 0
        if 1 <= ahead <= 16:
            entries[-1][1] |= 1 << (ahead - 1)
        else:
            entries.append([sequence, 0])
    body = b"".join(struct.pack("!HH", first, mask) for first, mask in entries)
    return struct.pack("!BBHLL", 0x81, TRANSPORT_FEEDBACK, 2 + len(entries), OUR_SSRC, ssrc) + body


def write_pli(ssrc: int) -> bytes:
    """Picture loss indication: please send a keyframe."""
    return struct.pack("!BBHLL", 0x81, PAYLOAD_FEEDBACK, 2, OUR_SSRC, ssrc)


def write_remb(bps: int, ssrcs: Sequence[int]) -> bytes:
    """REMB (draft-alvestrand-rmcat-remb-03): 18 bits of mantissa and 6 of exponent."""
    exponent = max(0, bps.bit_length() - 18)
    mantissa = bps >> exponent
    head = struct.pack("!BBHLL4s", 0x8F, PAYLOAD_FEEDBACK, 4 + len(ssrcs), OUR_SSRC, 0, b"REMB")
    tail = bytes((len(ssrcs), exponent << 2 | mantissa >> 16, mantissa >> 8 & 0xFF, mantissa & 0xFF))
    return head + tail + b"".join(_U32.pack(ssrc) for ssrc in ssrcs)
