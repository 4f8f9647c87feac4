"""RTP and RTCP as bytes: rewriting, cache, loss detection, reports."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.incoming import IncomingStream
from media.packet_cache import PacketCache
from media.rtp_rewrite import StreamRewriter, build, extension, payload_of, payload_offset, sequence_of, ssrc_of, timestamp_of


def with_extensions(payload: bytes, body: bytes, profile: int = 0xBEDE, csrcs: int = 0) -> bytes:
    padded = body + bytes(-len(body) % 4)
    head = struct.pack("!BBHLL", 0x90 | csrcs, 111, 7, 960, 1) + bytes(4 * csrcs)
    return head + struct.pack("!HH", profile, len(padded) // 4) + padded + payload


def test_a_packet_is_rewritten_to_plain_form() -> None:
    rewriter = StreamRewriter(96, 0xAABBCCDD)
    packet = rewriter.rewrite(with_extensions(b"payload", b"\x10\x61", csrcs=2))
    assert packet is not None
    assert packet[:2] == bytes((0x80, 96))
    assert (sequence_of(packet), timestamp_of(packet), ssrc_of(packet)) == (7, 960, 0xAABBCCDD)
    assert packet[12:] == b"payload"


def test_padding_is_not_payload() -> None:
    packet = bytearray(build(111, 1, 2, 3, b"abc" + b"\x00\x00\x03"))
    packet[0] |= 0x20
    assert payload_of(bytes(packet)) == b"abc"
    only_padding = bytearray(build(96, 1, 2, 3, b"\x00\x02"))
    only_padding[0] |= 0x20
    assert payload_of(bytes(only_padding)) == b""


@given(st.binary(max_size=80))
def test_arbitrary_bytes_are_never_an_error(data: bytes) -> None:
    offset = payload_offset(data)
    assert -1 <= offset <= len(data)
    extension(data, 1)
    payload_of(data)
    StreamRewriter(96, 1).rewrite(data)
    list(rtcp.read(data))


@pytest.mark.parametrize("profile", [0xBEDE, 0x1000])
def test_extensions_are_found_in_both_forms(profile: int) -> None:
    body = b"\x10\x61" + b"\x00" + b"\x20\x9e" if profile == 0xBEDE else b"\x01\x01\x61" + b"\x00" + b"\x02\x01\x9e"
    packet = with_extensions(b"x", body, profile)
    assert extension(packet, 1) == b"a"
    assert extension(packet, 2) == b"\x9e"
    assert extension(packet, 3) is None


def test_a_second_stream_goes_on_where_the_first_stopped() -> None:
    rewriter = StreamRewriter(111, 5)
    for n in range(3):
        rewriter.rewrite(build(111, 65_534 + n, 1_000 + 960 * n, 1, b"a"))
    rewriter.restart(4_800)
    first = rewriter.rewrite(build(111, 500, 77, 2, b"b"))
    second = rewriter.rewrite(build(111, 501, 77 + 960, 2, b"b"))
    assert first is not None
    assert second is not None
    assert (sequence_of(first), timestamp_of(first)) == (1, 1_000 + 1_920 + 4_800)
    assert (sequence_of(second), timestamp_of(second)) == (2, 1_000 + 1_920 + 4_800 + 960)
    assert rewriter.rewrite(build(111, 499, 0, 2, b"late")) is None
    assert rewriter.out_timestamp(77) == timestamp_of(first)


def test_the_cache_knows_what_it_holds() -> None:
    cache = PacketCache()
    packets = [build(96, n, 0, 1, bytes((n & 0xFF,))) for n in range(65_000, 67_000)]
    for packet in packets:
        cache.put(packet)
    assert cache.get((66_999) & 0xFFFF) == packets[-1]
    assert cache.get((66_999 - 1_023) & 0xFFFF) == packets[-1_024]
    assert cache.get((66_999 - 1_024) & 0xFFFF) is None
    assert cache.get(40_000) is None


def test_holes_are_asked_for_until_they_are_filled_or_too_old() -> None:
    stream = IncomingStream(9, 48_000)
    for sequence in (65_533, 65_534, 1, 2):  # 65535 and 0 are missing, over the wrap
        stream.on_packet(sequence, 0, 100.0)
    assert stream.due_nacks(105.0) == []  # perhaps only reordered
    assert stream.due_nacks(111.0) == [65_535, 0]
    assert stream.due_nacks(120.0) == []
    stream.on_packet(0, 0, 130.0)
    assert stream.due_nacks(200.0) == [65_535]
    assert stream.due_nacks(1_200.0) == []
    assert stream.due_nacks(2_000.0) == []


def test_a_report_block_tells_loss() -> None:
    stream = IncomingStream(9, 48_000)
    for sequence in (n for n in range(100) if n % 10):
        stream.on_packet(sequence, sequence * 960, sequence * 20.0)
    stream.on_sender_report(0x1234_5678_9ABC_DEF0, 2_000.0)
    block = stream.report_block(2_500.0)
    assert block is not None
    [report] = rtcp.read(rtcp.write_report_blocks([block]))
    assert isinstance(report, rtcp.ReportBlock)
    assert report.fraction_lost == pytest.approx(0.09, abs=0.01)
    assert report.last_report == 0x5678_9ABC
    assert report.delay_s == pytest.approx(0.5, abs=0.001)
    assert stream.jitter_ms < 1


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=40, unique=True))
def test_nack_round_trip(sequences: list[int]) -> None:
    [message] = rtcp.read(rtcp.write_nack(77, sorted(sequences)))
    assert isinstance(message, rtcp.Nack)
    assert message.ssrc == 77
    assert sorted(message.sequences) == sorted(sequences)


@given(st.integers(1_000, 50_000_000))
def test_remb_round_trip(bps: int) -> None:
    [message] = rtcp.read(rtcp.write_remb(bps, [1, 2]))
    assert isinstance(message, rtcp.BitrateEstimate)
    assert message.bps == pytest.approx(bps, rel=1e-4)


def test_a_compound_packet_is_read_to_its_end() -> None:
    packet = rtcp.write_sender_report(5, 1 << 40, 960, 3, 300) + rtcp.write_pli(6) + rtcp.write_nack(7, [1])
    assert [type(message).__name__ for message in rtcp.read(packet)] == ["SenderReport", "KeyframeRequest", "Nack"]
    assert [type(message).__name__ for message in rtcp.read(packet[:-1])] == ["SenderReport", "KeyframeRequest"]
