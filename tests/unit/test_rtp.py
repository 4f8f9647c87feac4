"""RTP and RTCP as bytes: rewriting, cache, loss detection, reports."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.incoming import IncomingStream
from media.packet_cache import PacketCache
from media.rtp_rewrite import (
    build,
    build_forwarded,
    extension,
    payload_of,
    payload_offset,
    restored,
    send_time_of,
    sequence_of,
    ssrc_of,
    timestamp_of,
    transport_sequence,
)


def with_extensions(payload: bytes, body: bytes, profile: int = 0xBEDE, csrcs: int = 0) -> bytes:
    padded = body + bytes(-len(body) % 4)
    head = struct.pack("!BBHLL", 0x90 | csrcs, 111, 7, 960, 1) + bytes(4 * csrcs)
    return head + struct.pack("!HH", profile, len(padded) // 4) + padded + payload


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
    transport_sequence(data)
    restored(data, 96, 1)
    list(rtcp.read(data))


@pytest.mark.parametrize("profile", [0xBEDE, 0x1000])
def test_extensions_are_found_in_both_forms(profile: int) -> None:
    body = b"\x10\x61" + b"\x00" + b"\x20\x9e" if profile == 0xBEDE else b"\x01\x01\x61" + b"\x00" + b"\x02\x01\x9e"
    packet = with_extensions(b"x", body, profile)
    assert extension(packet, 1) == b"a"
    assert extension(packet, 2) == b"\x9e"
    assert extension(packet, 3) is None


@pytest.mark.parametrize("profile", [0xBEDE, 0x1000])
def test_the_transport_wide_number_is_read(profile: int) -> None:
    body = b"\x10\x61\x41\xab\xcd" if profile == 0xBEDE else b"\x01\x01\x61\x04\x02\xab\xcd"
    assert transport_sequence(with_extensions(b"x", body, profile)) == 0xABCD
    assert transport_sequence(build(96, 1, 2, 3, b"x")) is None


def test_a_retransmission_holds_the_lost_packet() -> None:
    lost = build(96, 65_535, 90_000, 7, b"picture", marker=True)
    again = build(97, 3, 90_000, 8, struct.pack("!H", 65_535) + b"picture", marker=True)
    assert restored(again, 96, 7) == lost
    padding = bytearray(build(97, 3, 0, 8, b"\x00" * 9 + b"\x0a"))
    padding[0] |= 0x20
    assert restored(bytes(padding), 96, 7) is None


def test_a_forwarded_packet_has_its_send_time_and_no_other_extension() -> None:
    packet = build_forwarded(0x20, 96, 5, 6, 7, send_time_of(65_500.0), b"payload")  # the time wraps every 64 s
    assert extension(packet, 3) == (3 << 17).to_bytes(3, "big")
    assert (packet[0], packet[1], len(packet)) == (0xB0, 96, 20 + 7)
    assert (sequence_of(packet), timestamp_of(packet), ssrc_of(packet)) == (5, 6, 7)


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
        assert stream.on_packet(sequence, 0, 100.0)
    assert stream.due_nacks(105.0) == []  # perhaps only reordered
    assert stream.due_nacks(111.0) == [65_535, 0]
    assert stream.due_nacks(120.0) == []
    assert stream.on_packet(0, 0, 130.0)
    assert not stream.on_packet(0, 0, 131.0)  # the same once more
    assert stream.due_nacks(200.0) == [65_535]
    assert stream.due_nacks(1_200.0) == []
    assert stream.due_nacks(2_000.0) == []


@given(st.lists(st.integers(-40, 40), max_size=120), st.integers(0, 65_535))
def test_no_packet_is_welcome_twice(order: list[int], start: int) -> None:
    stream = IncomingStream(9, 90_000)
    welcome = [number for n, number in enumerate(order) if stream.on_packet((start + number) & 0xFFFF, 0, 10.0 * n)]
    assert len(welcome) == len(set(welcome))


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
