"""Cutting speech: pauses, the longest length, padding, load."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from transcripts.windows import BUSY, OVERLOADED, USUAL, CutRule, Cutter, Window, rule_for

FRAME_MS = 32


def cut(*parts: tuple[float, int], rule: CutRule = USUAL) -> list[Window]:
    """Windows of a sound made of (probability, length in ms) parts."""
    cutter = Cutter(FRAME_MS)
    windows = [cutter.push(p, rule) for p, length_ms in parts for _ in range(length_ms // FRAME_MS)]
    return [window for window in [*windows, cutter.finish()] if window is not None]


def test_a_pause_ends_the_stretch_and_both_ends_are_padded() -> None:
    (window,) = cut((0.0, 960), (0.9, 1280), (0.0, 960))
    assert window == Window(960 - 200, 960 + 1280 + 200, 1280)


def test_the_stretch_is_given_as_soon_as_the_pause_is_long_enough() -> None:
    cutter = Cutter(FRAME_MS)
    for _ in range(40):
        assert cutter.push(0.9, USUAL) is None
    frames = 0
    while cutter.push(0.0, USUAL) is None:
        frames += 1
    assert (frames + 1) * FRAME_MS <= USUAL.pause_ms + FRAME_MS


def test_a_short_pause_does_not_cut() -> None:
    (window,) = cut((0.9, 640), (0.0, 320), (0.9, 640), (0.0, 960))
    assert window.voiced_ms == 1280


def test_a_doubtful_frame_keeps_speech_going_but_does_not_begin_it() -> None:
    assert cut((0.4, 3200)) == []
    (window,) = cut((0.9, 320), (0.4, 960), (0.9, 320), (0.0, 960))
    assert window.voiced_ms == 1600


def test_endless_speech_is_cut_in_its_last_breath() -> None:
    windows = cut((0.9, 6400), (0.0, 128), (0.9, 6400), (0.0, 960))
    assert len(windows) == 2
    assert 6400 <= windows[0].t1_ms <= 6400 + 128
    assert windows[0].voiced_ms == 6400
    assert windows[1].voiced_ms == 6400


def test_endless_speech_without_a_breath_is_cut_at_the_longest_length_and_nothing_is_lost() -> None:
    windows = cut((0.9, 25_600), (0.0, 960))
    assert all(window.t1_ms - window.t0_ms <= USUAL.longest_ms + USUAL.pad_ms + FRAME_MS for window in windows)
    assert all(a.t1_ms == b.t0_ms for a, b in itertools.pairwise(windows))
    assert sum(window.voiced_ms for window in windows) == 25_600


def test_silence_gives_nothing() -> None:
    assert cut((0.0, 60_000)) == []


def test_speech_that_stops_with_the_sound_is_complete() -> None:
    (window,) = cut((0.0, 320), (0.9, 640))
    assert window == Window(120, 960, 640)


def test_load_makes_cuts_longer_and_longer_but_never_more_than_whisper_takes() -> None:
    assert rule_for(7_999, USUAL) == USUAL
    assert rule_for(8_000, USUAL) == BUSY
    assert rule_for(60_000, USUAL) == OVERLOADED
    assert USUAL.longest_ms < BUSY.longest_ms < OVERLOADED.longest_ms < 30_000 - 2 * OVERLOADED.pad_ms
    sound = [(0.9, 1600), (0.0, 640)] * 10
    assert len(cut(*sound, rule=USUAL)) > len(cut(*sound, rule=BUSY))


def test_load_eases_only_at_half_so_that_the_rule_does_not_flutter() -> None:
    assert rule_for(19_000, OVERLOADED) == OVERLOADED
    assert rule_for(9_999, OVERLOADED) == BUSY
    assert rule_for(7_000, BUSY) == BUSY
    assert rule_for(3_999, BUSY) == USUAL
    assert rule_for(0, OVERLOADED) == USUAL


def test_half_voice_alone_is_no_speech_and_a_moment_of_sure_voice_is() -> None:
    (keys,) = cut((0.6, 960), (0.0, 960))
    (word,) = cut((0.6, 96), (0.9, 96), (0.4, 64), (0.0, 960))
    assert not keys.is_speech
    assert word.is_speech


def test_what_goes_on_from_speech_is_speech() -> None:
    for breath in ((0.9, 0), (0.0, 128)):
        *_, last = cut((0.9, 9_500), breath, (0.6, 960), (0.0, 960))
        assert last.is_speech


@given(st.lists(st.floats(0, 1), max_size=900))
def test_windows_never_overlap_and_hold_all_voice_that_began_speech(probabilities: list[float]) -> None:
    windows = cut(*((p, FRAME_MS) for p in probabilities))
    assert all(window.t0_ms < window.t1_ms or window.voiced_ms == 0 for window in windows)
    assert all(a.t1_ms <= b.t0_ms for a, b in itertools.pairwise(windows))
    for number, p in enumerate(probabilities):
        middle_ms = number * FRAME_MS + FRAME_MS // 2
        if p >= 0.5:
            assert any(window.t0_ms <= middle_ms <= window.t1_ms for window in windows)


@given(st.lists(st.floats(0, 1), max_size=900))
def test_sound_that_is_said_to_be_needless_is_never_asked_for(probabilities: list[float]) -> None:
    cutter, needed_from_ms = Cutter(FRAME_MS), 0
    for p in probabilities:
        window = cutter.push(p, USUAL)
        if window is not None:
            assert window.t0_ms >= needed_from_ms
        needed_from_ms = cutter.needed_from_ms
