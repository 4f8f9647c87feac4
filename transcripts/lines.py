"""A stretch of speech → one line: recognised, guarded, written as a court writes it, marked where a clerk should look."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from hearing.model import SittingId
from transcripts import chinese
from transcripts.guards import Heard, judge
from transcripts.listening import Cut
from transcripts.marks import doubted_stretches, marks_of
from transcripts.model import Engine, Utterance, Word, participant_of, utterance_id
from transcripts.numbers import write_numbers
from transcripts.recognizer import HeardWord, Recognition, Recognizer
from transcripts.vocabulary import NO_WORDS, CaseWords
from transcripts.word_lists import replacer

log = structlog.get_logger(__name__)


class LineMaker:
    """Makes utterances out of cuts, for the live path and for re-reading alike; thread-safe, blocking.

    `words_of` gives the vocabulary of a sitting's case, at once; by default there is none.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        simplify: Callable[[str], str],
        words_of: Callable[[str], CaseWords] = lambda _: NO_WORDS,
    ) -> None:
        self._recognizer = recognizer
        self._simplify = simplify
        self._words_of = words_of
        self._replacer = replacer()

    def knowing(self, words_of: Callable[[str], CaseWords]) -> LineMaker:
        """The same maker with the vocabularies of cases."""
        return LineMaker(self._recognizer, self._simplify, words_of)

    def make(self, sitting_id: str, track_id: str, cut: Cut, origin: str, words: CaseWords | None = None) -> Utterance | None:
        """The line of a cut; None when nothing was said in it that can be believed."""
        known = self._words_of(sitting_id) if words is None else words
        recognition = self._recognizer.recognise(cut.samples, terms=known.terms)
        return self.write(recognition, cut, sitting_id, track_id, origin, known)

    def write(
        self,
        recognition: Recognition,
        cut: Cut,
        sitting_id: str,
        track_id: str,
        origin: str,
        words: CaseWords = NO_WORDS,
        version: int = 0,
    ) -> Utterance | None:
        """The line of what was heard in a cut; its words are on the record clock. None when none of it can be believed."""
        heard = Heard(
            recognition.text, cut.length_ms, cut.voiced_ms, recognition.average_logprob, recognition.no_speech_probability
        )
        verdict = judge(heard, self._recognizer.prompt)
        if verdict.reason is not None:
            log.info("transcripts.guarded", sitting_id=sitting_id, track_id=track_id, t0_ms=cut.t0_ms, reason=verdict.reason)
        plain = chinese.write(self._simplify(verdict.text))
        if not plain:
            return None
        sure = confidence(recognition.average_logprob)
        spoken = _words(recognition.words)
        text, found = self._replacer.replace(plain, words)
        written = write_numbers(text)
        return Utterance(
            id=utterance_id(sitting_id, track_id, cut.t0_ms, version), sitting_id=SittingId(sitting_id),
            participant_id=participant_of(track_id), track_id=track_id, t0_ms=cut.t0_ms, t1_ms=cut.t1_ms, text=written.text,
            raw_text=recognition.text, confidence=sure, words=spoken, engine=engine_with(self._recognizer.engine, words),
            origin=origin, version=version,
            marks=marks_of(written.text, written, found, doubted_stretches(plain, recognition.text, spoken, sure)),
        )  # fmt: skip


def confidence(average_logprob: float) -> float:
    """0..1: the engine's mean probability per token, a hint for the clerk and no measure of truth."""
    return round(math.exp(min(0.0, average_logprob)), 3)


def engine_with(engine: Engine, words: CaseWords) -> Engine:
    """The engine with how many words of the case it knew and their fingerprint; the words themselves are not repeated."""
    if not len(words):
        return engine
    parameters = json.loads(engine.parameters) | {"case_words": {"count": len(words), "sha256": words.fingerprint}}
    return replace(engine, parameters=json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":")))


def _words(heard: Sequence[HeardWord]) -> tuple[Word, ...]:
    return tuple(Word(word.text, word.t0_ms, word.t1_ms, round(word.p, 3)) for word in heard)
