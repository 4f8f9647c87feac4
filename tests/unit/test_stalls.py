"""Breaks of a stream's time, and what only looks like one."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtp_time import SenderClock, TrackClock
from media.stalls import LagWatch, Stall

SENDER_MS = 5e11  # the sender's clock against the true time
DELAY_MS = 20.0


class Stream:
    """Sound of 20 ms packets; `ticks_ms` is the sender's idea of how much it has recorded."""

    def __init__(self, seed: int, jitter_ms: float = 5.0) -> None:
        self.rng = random.Random(seed)
        self.jitter_ms = jitter_ms
        self.clock = TrackClock(48_000, SenderClock())
        self.true_ms, self.ticks_ms, self.ntp_ms = 1_000_000.0, 0.0, SENDER_MS
        self.sent: list[tuple[float, int, float]] = []  # true time, timestamp, arrival

    def talk(self, duration_ms: float, *, reports: bool = True, held_until_ms: float = 0.0) -> None:
        end_ms = self.true_ms + duration_ms
        while self.true_ms < end_ms:
            timestamp = 0xFFFF0000 + round(self.ticks_ms * 48) & 0xFFFFFFFF
            arrival_ms = max(self.true_ms + DELAY_MS + self.rng.expovariate(1 / self.jitter_ms), held_until_ms)
            self.clock.on_packet(timestamp, arrival_ms)
            self.sent.append((self.true_ms, timestamp, arrival_ms))
            if reports and round(self.ticks_ms) % 1_000 == 500:
                self.clock.on_report(self.ntp_ms + self.true_ms, timestamp, arrival_ms)
            self.true_ms += 20
            self.ticks_ms += 20

    def off_ms(self, since_ms: float = 0.0) -> float:
        """The worst place of what was sent from then on."""
        return max(
            abs(self.clock.server_ms(timestamp, arrival_ms) - true_ms)
            for true_ms, timestamp, arrival_ms in self.sent
            if true_ms >= since_ms
        )


@settings(max_examples=40, deadline=None)
@given(stall_ms=st.floats(400, 8_000), reports=st.booleans(), seed=st.integers(0, 1_000))
def test_what_is_said_after_a_stall_is_not_early(stall_ms: float, reports: bool, seed: int) -> None:
    stream = Stream(seed)
    stream.talk(12_000)
    stream.true_ms += stall_ms
    resumed_ms = stream.true_ms
    stream.talk(700, reports=reports)
    assert stream.off_ms(resumed_ms) < 90, "placed right within the time the recorder waits"
    assert stream.off_ms() < 90, "and what was said before stays where it is"


@settings(max_examples=40, deadline=None)
@given(late_ms=st.floats(0, 400), stall_ms=st.floats(700, 8_000), seed=st.integers(0, 1_000))
def test_a_stall_is_seen_behind_a_packet_that_was_repaired(late_ms: float, stall_ms: float, seed: int) -> None:
    stream = Stream(seed)
    stream.talk(12_000)
    stream.talk(20, reports=False, held_until_ms=stream.true_ms + DELAY_MS + late_ms)
    stream.true_ms += stall_ms
    resumed_ms = stream.true_ms
    stream.talk(700, reports=False)
    assert stream.off_ms(resumed_ms) < 90


@settings(max_examples=40, deadline=None)
@given(held_ms=st.floats(400, 8_000), seed=st.integers(0, 1_000))
def test_a_network_that_stood_still_is_no_stall(held_ms: float, seed: int) -> None:
    stream = Stream(seed)
    stream.talk(12_000)
    stream.talk(held_ms, held_until_ms=stream.true_ms + held_ms)
    stream.talk(2_000)
    assert stream.off_ms() < 90


@settings(max_examples=40, deadline=None)
@given(by_ms=st.floats(500, 1e7), forward=st.booleans(), seed=st.integers(0, 1_000))
def test_a_sender_whose_clock_is_set_stays_in_its_place(by_ms: float, forward: bool, seed: int) -> None:
    stream = Stream(seed)
    stream.talk(12_000)
    stream.ntp_ms += by_ms if forward else -by_ms
    stream.talk(20_000)
    assert stream.off_ms() < 90


@settings(max_examples=40, deadline=None)
@given(late_ms=st.floats(0, 900), stall_ms=st.floats(2_000, 6_000))
def test_a_late_report_after_a_stall_is_no_clock_that_was_set(late_ms: float, stall_ms: float) -> None:
    stream = Stream(3)
    stream.talk(12_000)
    stream.true_ms += stall_ms
    resumed_ms = stream.true_ms
    for _ in range(4):
        stream.talk(500, reports=False)
        timestamp = stream.sent[-1][1]
        stream.clock.on_report(stream.ntp_ms + stream.sent[-1][0], timestamp, stream.true_ms + late_ms)
    assert stream.off_ms(resumed_ms) < 90


@pytest.mark.parametrize("to", [0, 0x40000000])
def test_timestamps_of_another_device_go_on_from_now(to: int) -> None:
    stream = Stream(5)
    stream.talk(12_000)
    stream.ticks_ms = to / 48 + 7
    resumed_ms = stream.true_ms
    stream.talk(3_000, reports=False)
    assert stream.off_ms(resumed_ms) < 90
    assert stream.off_ms() < 90


def test_one_late_packet_in_a_queue_is_nothing() -> None:
    watch = LagWatch()
    told: list[Stall | None] = []
    for n in range(200):
        raw_ms = 300.0 + (200.0 if n == 50 else 0.0)
        told.append(watch.on_packet(n * 960, n * 20.0, raw_ms, raw_ms))
    assert not any(told)
