"""Transport-wide feedback against a reader written from the draft (and the example of libwebrtc's own unit test)."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from media.twcc import MAX_JUMP, TwccRecorder


def read(packet: bytes) -> tuple[int, dict[int, float], int, int]:
    """(media ssrc, arrival by wrapped number, statuses, feedback count); asserts that the packet is well formed."""
    first, packet_type, words = struct.unpack_from("!BBH", packet)
    assert (first >> 6, first & 0x1F, packet_type) == (2, 15, 205)
    assert len(packet) == 4 * (words + 1) <= 1200
    if first & 0x20:
        packet = packet[: -packet[-1]]
    media_ssrc, base, count = struct.unpack_from("!LHH", packet, 8)
    reference = int.from_bytes(packet[16:19], "big", signed=True)
    symbols: list[int] = []
    at = 20
    while len(symbols) < count:
        chunk = struct.unpack_from("!H", packet, at)[0]
        at += 2
        if not chunk & 0x8000:
            symbols += [chunk >> 13 & 3] * (chunk & 0x1FFF)
        elif not chunk & 0x4000:
            symbols += [chunk >> bit & 1 for bit in range(13, -1, -1)]
        else:
            symbols += [chunk >> bit & 3 for bit in range(12, -1, -2)]
    arrivals, time_ms = {}, reference * 64.0
    for n, symbol in enumerate(symbols[:count]):
        assert symbol != 3
        if symbol:
            delta = struct.unpack_from("!B" if symbol == 1 else "!h", packet, at)[0]
            at += symbol
            time_ms += delta * 0.25
            arrivals[(base + n) & 0xFFFF] = time_ms
    assert at == len(packet)
    return media_ssrc, arrivals, count, packet[19]


def merged(packets: list[bytes]) -> dict[int, float]:
    arrivals: dict[int, float] = {}
    for packet in packets:
        arrivals.update(read(packet)[1])
    return arrivals


def test_packets_in_order_over_the_wrap() -> None:
    recorder = TwccRecorder(7)
    for n in range(100):
        recorder.on_packet((65_500 + n) & 0xFFFF, 1_000.0 + 5 * n)
    [packet] = recorder.feedback(1_500.0)
    ssrc, arrivals, count, feedback_count = read(packet)
    assert (ssrc, count, feedback_count) == (7, 100, 0)
    assert arrivals == {(65_500 + n) & 0xFFFF: 1_000.0 + 5 * n for n in range(100)}
    assert recorder.feedback(1_600.0) == []


def test_losses_are_told_and_the_next_feedback_goes_on() -> None:
    recorder = TwccRecorder()
    for n in (1, 2, 5):
        recorder.on_packet(n, 100.0 + n)
    first = read(recorder.feedback(110.0)[0])
    recorder.on_packet(9, 130.0)
    second = read(recorder.feedback(140.0)[0])
    assert (first[1].keys(), first[2]) == ({1, 2, 5}, 5)
    assert (second[1].keys(), second[2], second[3]) == ({9}, 4, 1)  # 6, 7, 8 are missing


def test_a_late_packet_is_reported_after_all() -> None:
    recorder = TwccRecorder()
    for n in (1, 2, 4):
        recorder.on_packet(n, 100.0 + n)
    recorder.feedback(110.0)
    recorder.on_packet(3, 112.0)
    assert merged(recorder.feedback(120.0)) == {3: 112.0, 4: 104.0}


def test_a_pause_longer_than_a_delta_can_tell_begins_a_new_packet() -> None:
    recorder = TwccRecorder()
    recorder.on_packet(1, 100.0)
    recorder.on_packet(2, 60_000.0)
    packets = recorder.feedback(60_000.0)
    assert len(packets) == 2
    assert merged(packets) == {1: 100.0, 2: 60_000.0}


def test_a_jump_is_a_new_start_and_memory_stays_bounded() -> None:
    recorder = TwccRecorder()
    sequence, now = 0, 0.0
    for n in range(50_000):
        sequence = (sequence + (MAX_JUMP * 3 if n % 7 == 0 else 1)) & 0xFFFF
        now += 1.0
        recorder.on_packet(sequence, now)
        if n % 50 == 0:
            recorder.feedback(now)
    assert len(recorder._arrivals) <= 600
    assert merged(recorder.feedback(now))


@given(st.lists(st.tuples(st.integers(-40, 60), st.floats(0, 9_000), st.booleans()), min_size=1, max_size=300))
def test_everything_that_came_is_told_once_its_feedback_is_due(steps: list[tuple[int, float, bool]]) -> None:
    recorder = TwccRecorder()
    sequence, now = 65_000, 10_000.0
    told: dict[int, float] = {}
    came: dict[int, float] = {}
    for step, wait_ms, due in steps:
        sequence = (sequence + step) & 0xFFFF
        now += wait_ms
        came.setdefault(sequence, now)
        recorder.on_packet(sequence, now)
        if due:
            told.update(merged(recorder.feedback(now)))
    told.update(merged(recorder.feedback(now)))
    assert told.keys() == came.keys()


@given(st.lists(st.integers(0, 65_535), max_size=400), st.floats(0, 1e9))
def test_any_numbers_give_well_formed_packets(sequences: list[int], at_ms: float) -> None:
    recorder = TwccRecorder()
    for n, sequence in enumerate(sequences):
        recorder.on_packet(sequence, at_ms + n)
    merged(recorder.feedback(at_ms + len(sequences)))
    assert len(recorder._arrivals) <= len(sequences)
