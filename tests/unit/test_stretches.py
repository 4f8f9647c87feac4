"""A track in stretches: what is left out is not heard, and where a stretch ends no word is cut."""

from __future__ import annotations

import numpy as np

from tests.simulated_tap import loan_lines
from transcripts.audio import read_file, silence
from transcripts.recognizer import SAMPLES_PER_MS, Samples
from transcripts.stretches import Stretch, outside
from transcripts.vad import VoiceNetwork

NETWORK = VoiceNetwork()
SHORT = read_file(loan_lines()[7].file.read_bytes())  # 2.1 s


def sound(gap_ms: int, times: int) -> Samples:
    return np.concatenate([part for _ in range(times) for part in (SHORT, silence(gap_ms))])


def test_outside() -> None:
    assert list(outside((0, 100), [])) == [(0, 100)]
    assert list(outside((0, 100), [(10, 20), (50, 60)])) == [(0, 10), (20, 50), (60, 100)]
    assert list(outside((0, 100), [(-5, 20), (90, 120)])) == [(20, 90)]
    assert list(outside((0, 100), [(0, 100)])) == []
    assert list(outside((0, 100), [(200, 300)])) == [(0, 100)]


def test_stretches_in_a_row_find_the_lines_that_one_finds() -> None:
    samples = sound(1000, 4)
    end_ms = len(samples) // SAMPLES_PER_MS
    whole = Stretch(NETWORK, 0)
    assert not whole.take(0, samples)
    whole.finish(end_ms)
    from_ms, found = 0, []
    while from_ms < end_ms:
        part = Stretch(NETWORK, from_ms, speech_ms=1_500)
        if not part.take(0, samples):
            part.finish(end_ms)
        assert part.to_ms > from_ms
        found += [(cut.t0_ms, cut.t1_ms) for cut in part.cuts]
        from_ms = part.to_ms
    assert len(whole.cuts) == 4
    assert len(found) == 4
    for (t0_ms, t1_ms), cut in zip(found, whole.cuts, strict=True):
        assert abs(t0_ms - cut.t0_ms) <= 200
        assert abs(t1_ms - cut.t1_ms) <= 200


def test_what_is_left_out_is_not_heard_and_joins_nothing() -> None:
    samples = sound(200, 3)  # pauses too short to end a line
    step_ms = len(SHORT) // SAMPLES_PER_MS + 200
    stretch = Stretch(NETWORK, 0, [(step_ms, 2 * step_ms)])
    stretch.take(0, samples)
    stretch.finish(3 * step_ms)
    assert len(stretch.cuts) == 2
    assert stretch.cuts[0].t1_ms <= step_ms
    assert stretch.cuts[1].t0_ms >= 2 * step_ms


def test_a_line_never_spans_two_access_classes() -> None:
    half = len(SHORT) // 2
    stretch = Stretch(NETWORK, 0)
    stretch.take(0, SHORT[:half], "parties")
    stretch.take(half // SAMPLES_PER_MS, SHORT[half:], "panel")
    stretch.finish(len(SHORT) // SAMPLES_PER_MS)
    edge_ms = half // SAMPLES_PER_MS
    assert all(cut.t1_ms <= edge_ms + 1 or cut.t0_ms >= edge_ms - 1 for cut in stretch.cuts)
