"""How the speech benchmark counts: errors to their utterance, times to the voice, text where nobody spoke."""

from __future__ import annotations

import numpy as np

from benchmarks.speech.scoring import Line, Score, difference
from benchmarks.speech.tracks import Spoken, Track, voice_onset_ms
from transcripts.cer import Errors


def as_is(text: str) -> str:
    return text


TRACK = Track(
    "a",
    np.zeros(16_000 * 12, dtype=np.float32),
    (Spoken("同意调解", 1_000, 3_000, 1_200), Spoken("没有异议", 6_000, 8_000, 6_300)),
)


def test_each_utterance_is_scored_however_the_lines_are_cut() -> None:
    joint, parted = Score("joint"), Score("parted")
    joint.add(TRACK, [Line(1_000, 8_000, "同意调节没有异议")], as_is)
    parted.add(TRACK, [Line(1_000, 3_000, "同意调节"), Line(6_100, 8_000, "没有异议")], as_is)
    assert joint.errors == parted.errors == {("a", "同意调解"): Errors(1, 4), ("a", "没有异议"): Errors(0, 4)}
    assert parted.onsets_ms == [-200, -200]
    assert joint.onsets_ms == [-200, -5_300]
    assert (joint.speech_s, joint.track_s) == (4, 12)


def test_a_clip_in_two_arrangements_is_one_utterance() -> None:
    score = Score("one")
    score.add(TRACK, [Line(1_000, 8_000, "同意调节没有异议")], as_is)
    score.add(TRACK, [Line(1_000, 8_000, "同意调解没有异意")], as_is)
    assert score.errors == {("a", "同意调解"): Errors(1, 8), ("a", "没有异议"): Errors(1, 8)}
    assert score.rate() == 2 / 16


def test_text_where_nobody_spoke_is_invented() -> None:
    score = Score("one")
    score.add(TRACK, [Line(1_000, 3_000, "同意调解"), Line(9_000, 9_900, "谢谢观看。")], as_is)
    assert score.invented == 4


def test_the_interval_says_whether_a_difference_may_be_chance() -> None:
    better, worse = Score("better"), Score("worse")
    utterances = [("a" if n < 20 else "b", str(n)) for n in range(40)]
    better.errors = {utterance: Errors(n % 2, 10) for n, utterance in enumerate(utterances)}
    worse.errors = {utterance: Errors(n % 2 + 1, 10) for n, utterance in enumerate(utterances)}
    assert difference(better, worse) == (-0.1, -0.1, -0.1)
    less, low, high = difference(better, better)
    assert less == low == high == 0
    worse.errors |= {utterance: better.errors[utterance] for utterance in utterances[:20]}
    less, low, high = difference(better, worse)
    assert less == -0.05
    assert low < -0.05 < high < 0
    assert difference(better, worse, lambda speaker: speaker == "a")[0] == 0


def test_the_voice_begins_where_it_is_loud_for_a_while() -> None:
    clip = np.random.default_rng(1).normal(0, 3e-4, 32_000).astype(np.float32)
    clip[3_200:3_300] = 0.5  # a click
    clip[16_000:] += 0.1 * np.sin(np.arange(16_000)).astype(np.float32)
    assert voice_onset_ms(clip) == 1_000
