"""Frames from packets that come late, twice, out of order, over wraps, or never."""

import random

from hearing.audience import Kind
from media.depacketizer import Depacketizer, Frame
from media.keyframes import is_keyframe, picture_size, read_vp8
from media.rtp_rewrite import build

KEYFRAME = b"\x10\x02\x00\x9d\x01\x2a\xa0\x00\x78\x00" + b"k" * 40
DELTA = b"\x11" + b"d" * 30


def audio(n: int, start: int = 65_500) -> bytes:
    return build(111, start + n, n * 960, 1, b"\xf8" + bytes((n & 0xFF, n >> 8)))


def run(kind: Kind, arrivals: list[tuple[float, bytes]], hold_ms: float = 400.0) -> list[Frame]:
    """Feed packets at their times and look every 20 ms."""
    depacketizer, frames, now = Depacketizer(kind, hold_ms), [], 0.0
    for at_ms, packet in arrivals:
        while now < at_ms:
            frames += depacketizer.pop(now)
            now += 20.0
        depacketizer.push(packet, at_ms)
    for _ in range(60):
        frames += depacketizer.pop(now)
        now += 20.0
    return frames


def test_reordered_and_doubled_packets_over_the_wrap_come_out_in_order_once() -> None:
    rng = random.Random(7)
    arrivals = [(n * 20.0 + rng.uniform(0, 60), audio(n)) for n in range(200)]
    arrivals += [(at + rng.uniform(0, 200), packet) for at, packet in rng.sample(arrivals, 60)]
    arrivals.sort(key=lambda arrival: arrival[0])
    frames = run(Kind.AUDIO, arrivals)
    first = frames[0].timestamp // 960
    assert first <= 3
    assert [frame.timestamp // 960 for frame in frames] == list(range(first, 200))
    assert all(frame.lost_before == 0 for frame in frames)


def test_a_hole_is_waited_for_and_then_given_up() -> None:
    depacketizer = Depacketizer(Kind.AUDIO, 400.0)
    for n in (0, 1, 2, 4, 5):
        depacketizer.push(audio(n), n * 20.0)
    assert len(list(depacketizer.pop(300.0))) == 3
    assert list(depacketizer.pop(470.0)) == []
    rest = list(depacketizer.pop(481.0))
    assert [frame.lost_before for frame in rest] == [1, 0]
    depacketizer.push(audio(3), 482.0)
    assert list(depacketizer.pop(900.0)) == []


def test_a_repaired_hole_costs_nothing() -> None:
    arrivals = [(n * 20.0, audio(n)) for n in range(30) if n != 10] + [(430.0, audio(10))]
    frames = run(Kind.AUDIO, sorted(arrivals, key=lambda arrival: arrival[0]))
    assert len(frames) == 30


def video(frames: list[bytes]) -> list[bytes]:
    packets = []
    for n, frame in enumerate(frames):
        parts = [frame[at : at + 20] for at in range(0, len(frame), 20)]
        for at, part in enumerate(parts):
            descriptor = (b"\x90" if at == 0 else b"\x80") + b"\x80\x81\x23"
            packets.append(build(96, len(packets), n * 3_000, 2, descriptor + part, marker=at == len(parts) - 1))
    return packets


def test_frames_after_a_loss_wait_for_a_keyframe() -> None:
    packets = video([KEYFRAME, DELTA, DELTA, DELTA, KEYFRAME, DELTA])
    lost = packets.pop(4)  # half of the first delta frame
    assert lost
    frames = run(Kind.VIDEO, [(n * 10.0, packet) for n, packet in enumerate(packets)])
    assert [(frame.timestamp // 3_000, frame.keyframe) for frame in frames] == [(0, True), (4, True), (5, False)]
    assert frames[1].lost_before == 1


def test_a_stream_that_begins_in_the_middle_begins_with_its_keyframe() -> None:
    packets = video([KEYFRAME, DELTA, KEYFRAME, DELTA])[1:]
    frames = run(Kind.VIDEO, [(n * 10.0, packet) for n, packet in enumerate(packets)])
    assert [frame.data for frame in frames] == [KEYFRAME, DELTA]


def test_vp8_payloads() -> None:
    part = read_vp8(b"\x90\x80\x81\x23" + KEYFRAME)
    assert part is not None
    assert (part.starts_frame, part.keyframe, part.data) == (True, True, KEYFRAME)
    assert picture_size(KEYFRAME) == (160, 120)
    assert not is_keyframe(DELTA)
    for cut in range(4):
        assert read_vp8((b"\x90\xf0\x81\x23\x00\x00")[:cut]) is None


def test_a_frame_that_never_ends_is_given_up() -> None:
    """A hostile sender must not fill the memory with a frame whose last packet never comes."""
    packets = [build(96, n, 0, 2, (b"\x10" if n == 0 else b"\x00") + KEYFRAME + bytes(1_150)) for n in range(3_000)]
    depacketizer = Depacketizer(Kind.VIDEO, 400.0)
    held = []
    for n, packet in enumerate(packets):
        depacketizer.push(packet, float(n))
        assert list(depacketizer.pop(float(n))) == []
        held.append(sum(map(len, depacketizer._parts)))
    assert max(held) < 1_100_000
    depacketizer.push(build(96, 3_000, 3_000, 2, b"\x10" + KEYFRAME, marker=True), 3_000.0)
    assert [frame.data for frame in depacketizer.pop(3_000.0)] == [KEYFRAME], "the next whole frame is taken"
