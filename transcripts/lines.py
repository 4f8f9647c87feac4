"""A stretch of speech → one line: recognised, guarded, written as Chinese is written."""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog

from hearing.model import SittingId
from transcripts import chinese
from transcripts.guards import Heard, judge
from transcripts.listening import Cut
from transcripts.model import Utterance, participant_of, utterance_id
from transcripts.recognizer import Recognizer

log = structlog.get_logger(__name__)


class LineMaker:
    """Makes utterances out of cuts, for the live path and for re-reading alike; thread-safe, blocking."""

    def __init__(self, recognizer: Recognizer, simplify: Callable[[str], str]) -> None:
        self._recognizer = recognizer
        self._simplify = simplify

    def make(self, sitting_id: str, track_id: str, cut: Cut, origin: str) -> Utterance | None:
        """The line of a cut; None when nothing was said in it that can be believed."""
        recognition = self._recognizer.recognise(cut.samples)
        heard = Heard(
            recognition.text, cut.length_ms, cut.voiced_ms, recognition.average_logprob, recognition.no_speech_probability
        )
        verdict = judge(heard, self._recognizer.prompt)
        if verdict.reason is not None:
            log.info("transcripts.guarded", sitting_id=sitting_id, track_id=track_id, t0_ms=cut.t0_ms, reason=verdict.reason)
        text = chinese.write(self._simplify(verdict.text))
        if not text:
            return None
        return Utterance(
            id=utterance_id(sitting_id, track_id, cut.t0_ms), sitting_id=SittingId(sitting_id),
            participant_id=participant_of(track_id), track_id=track_id, t0_ms=cut.t0_ms, t1_ms=cut.t1_ms, text=text,
            raw_text=recognition.text, confidence=confidence(recognition.average_logprob), words=(),
            engine=self._recognizer.engine, origin=origin,
        )  # fmt: skip


def confidence(average_logprob: float) -> float:
    """0..1: the engine's mean probability per token, a hint for the clerk and no measure of truth."""
    return round(math.exp(min(0.0, average_logprob)), 3)
