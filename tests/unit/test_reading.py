"""The final reading of a track, with engines that answer what the test says: nothing is lost, every word in its own stretch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from transcripts.listening import Cut
from transcripts.model import Engine
from transcripts.packing import GAP_MS
from transcripts.reading import read_track
from transcripts.recognizer import SAMPLES_PER_MS, HeardWord, Recognition, Samples
from transcripts.vocabulary import CaseWords


@dataclass
class Scripted:
    """Answers by the number of stretches in the sound (they hold 1, 2, 3 … as samples)."""

    answer: Callable[[list[int]], Recognition]
    asked: list[list[int]] = field(default_factory=list)
    terms: list[tuple[str, ...]] = field(default_factory=list)
    engine = Engine("scripted", "none", "0", "{}")
    prompt = ""

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        assert words
        inside = sorted({int(value) for value in np.unique(samples)} - {0})
        self.asked.append(inside)
        self.terms.append(terms)
        return self.answer(inside)


def cuts_of(*lengths_ms: int) -> list[Cut]:
    cuts, at_ms = [], 1_000
    for number, length_ms in enumerate(lengths_ms, 1):
        cuts.append(Cut(at_ms, at_ms + length_ms, length_ms, np.full(length_ms * SAMPLES_PER_MS, number, dtype=np.float32)))
        at_ms += length_ms + 5_000
    return cuts


def said(text: str, t0_ms: int, p: float = 0.9) -> HeardWord:
    return HeardWord(text, t0_ms, t0_ms + 200, p)


def two_words(_inside: list[int]) -> Recognition:
    words = (said("同意，", 300, 0.5), said("调解。", 2_000 + GAP_MS + 400))
    return Recognition("同意，调解。", -0.2, 0.0, words)


def test_each_stretch_gets_its_words_on_the_record_clock() -> None:
    engine, told = Scripted(two_words), list[int]()
    cuts = cuts_of(2_000, 2_000)
    found = list(read_track(engine, cuts, CaseWords(names=("张伟",)), told.append))
    assert [(cut.t0_ms, one.text) for cut, one in found] == [(1_000, "同意，"), (8_000, "调解。")]
    assert [one.words[0].t0_ms for _, one in found] == [1_300, 8_400]
    assert found[0][1].average_logprob < found[1][1].average_logprob < 0, "each by its own words"
    assert engine.asked == [[1, 2]]
    assert engine.terms == [("张伟",)]
    assert told == [10_000]


def test_a_voice_that_the_joint_reading_passed_over_is_heard_alone() -> None:
    def answer(inside: list[int]) -> Recognition:
        if len(inside) == 1:
            return Recognition("没有。", -0.5, 0.0, (said("没有。", 100),))
        return Recognition("同意。", -0.2, 0.0, (said("同意。", 300),))

    engine = Scripted(answer)
    found = [one.text for _, one in read_track(engine, cuts_of(2_000, 900), CaseWords(), lambda _: None)]
    assert found == ["同意。", "没有。"]
    assert engine.asked == [[1, 2], [2]]


def test_a_joint_reading_that_loops_is_read_again_stretch_by_stretch() -> None:
    def answer(inside: list[int]) -> Recognition:
        if len(inside) == 1:
            return Recognition(f"第{inside[0]}句", -0.5, 0.0, (said(f"第{inside[0]}句", 100),))
        return Recognition("好" * 30, -0.2, 0.0, tuple(said("好", 100 * n) for n in range(30)))

    found = [one.text for _, one in read_track(Scripted(answer), cuts_of(2_000, 900, 900), CaseWords(), lambda _: None)]
    assert found == ["第1句", "第2句", "第3句"]


def test_an_engine_without_word_times_still_writes_every_stretch() -> None:
    engine = Scripted(lambda inside: Recognition("".join(f"第{number}句" for number in inside), -0.2, 0.0))
    found = [one.text for _, one in read_track(engine, cuts_of(2_000, 900), CaseWords(), lambda _: None)]
    assert found == ["第1句", "第2句"]
