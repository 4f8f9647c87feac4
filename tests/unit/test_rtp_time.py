"""RTP timestamps onto the server's clock: wraps, drift, delays, a sender's wrong clock."""

import random

import pytest

from media.rtp_time import SenderClock, TrackClock, Unwrapper, ms_to_ntp, ntp_to_ms, signed_difference


def test_wrapping_counters() -> None:
    assert signed_difference(5, 0xFFFFFFFE) == 7
    assert signed_difference(0xFFFFFFFE, 5) == -7
    unwrap = Unwrapper(16)
    assert [unwrap(value) for value in (65_534, 65_535, 1, 0, 65_535, 2)] == [65_534, 65_535, 65_537, 65_536, 65_535, 65_538]


def test_ntp_round_trip() -> None:
    assert ntp_to_ms(ms_to_ntp(1_795_000_000_123.0)) == pytest.approx(1_795_000_000_123.0, abs=0.001)


def test_delays_do_not_move_the_sound_and_drift_is_followed() -> None:
    """Three hours of a sender whose crystal is 80 ppm fast, with jitter, over timestamp wraps."""
    rng = random.Random(1)
    sender = SenderClock()
    clock = TrackClock(48_000, sender)
    start, worst = 0xFFFF0000, 0.0
    for n in range(3 * 3600 * 5):  # five packets a second are enough to see it
        spoken_ms = 1_000_000.0 + n * 200.0
        ticks = round(n * 200 * 48 * (1 + 80e-6))
        arrival_ms = spoken_ms + 15 + rng.expovariate(1 / 20.0)
        timestamp = (start + ticks) & 0xFFFFFFFF
        clock.on_packet(timestamp, arrival_ms)
        if n % 5 == 0:
            clock.on_report(5e11 + (spoken_ms * (1 + 80e-6)), timestamp, arrival_ms)
        if n > 100:
            worst = max(worst, abs(clock.server_ms(timestamp, arrival_ms) - spoken_ms))
    assert worst < 40  # the smallest delay stays in it, the jitter and the drift do not


def test_sound_and_picture_of_one_sender_share_a_clock() -> None:
    sender = SenderClock()
    audio, video = TrackClock(48_000, sender), TrackClock(90_000, sender)
    audio.on_report(1_000.0, 0, 5_020.0)
    video.on_report(1_500.0, 90_000, 5_770.0)  # 250 ms slower path
    assert audio.server_ms(48_000, 6_100.0) == pytest.approx(6_020.0)
    assert video.server_ms(135_000, 6_400.0) == pytest.approx(6_020.0)


def test_a_report_that_contradicts_the_arrival_is_not_believed() -> None:
    sender = SenderClock()
    clock = TrackClock(48_000, sender)
    clock.on_packet(0, 10_000.0)
    clock.on_report(1_000.0, 48_000 * 3_600, 10_000.0)  # claims that timestamp 0 was an hour ago
    assert clock.server_ms(960, 10_020.0) == pytest.approx(10_020.0)


def test_a_picture_of_someone_who_is_back_is_in_its_place_before_the_first_report() -> None:
    """Its way is 150 ms longer than that of the sound, which only a report tells; until then, what it was last time counts."""
    before = TrackClock(90_000, sender := SenderClock())
    picture_of(before, sender, way_ms=180.0, reported=True)
    assert before.apart_ms == pytest.approx(-150.0)
    assert picture_of(TrackClock(90_000, SenderClock()), SenderClock(), way_ms=180.0, reported=False) == pytest.approx(180.0)
    back = TrackClock(90_000, sender := SenderClock(), before.apart_ms)
    assert picture_of(back, sender, way_ms=182.0, reported=False) == pytest.approx(32.0)


def test_what_was_presumed_of_someone_who_is_back_yields_to_the_first_report() -> None:
    clock = TrackClock(90_000, sender := SenderClock(), presumed_apart_ms=-900.0)
    assert picture_of(clock, sender, way_ms=40.0, reported=True) == pytest.approx(30.0)
    assert clock.apart_ms == pytest.approx(-10.0)


def picture_of(clock: TrackClock, sender: SenderClock, *, way_ms: float, reported: bool) -> float:
    """Five seconds of pictures whose reports (of sound, too) take 30 ms: how late the last picture is placed."""
    for n in range(50):
        shown_ms = 2_000_000.0 + n * 100.0
        clock.on_packet(n * 9_000, shown_ms + way_ms)
        if reported and n % 10 == 5:
            sender.on_report(5e11 + shown_ms, shown_ms + 30.0)
            clock.on_report(5e11 + shown_ms, n * 9_000, shown_ms + 30.0)
    return clock.server_ms(49 * 9_000, 2_004_900.0 + way_ms) - 2_004_900.0
