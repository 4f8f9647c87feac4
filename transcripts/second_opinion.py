"""A second engine hears the same speech; where it heard other words, the line is marked for the clerk (S17)."""

from __future__ import annotations

import json
from dataclasses import replace

import structlog

from transcripts.differences import differences
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Utterance
from transcripts.recognizer import EngineProblem, Recognizer
from transcripts.script import Simplifier
from transcripts.vocabulary import CaseWords

log = structlog.get_logger(__name__)


class SecondOpinion:
    """Any recogniser as second ear. Its words pass the same guards and are written the same way before they are compared.

    Thread-safe as far as the recogniser is; blocking.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._maker = LineMaker(recognizer, Simplifier())

    def on(self, line: Utterance, cut: Cut, words: CaseWords) -> Utterance:
        """The line with its marks, and in its parameters which engine gave the second opinion.

        An engine that cannot give one leaves the line as it is, without that parameter: the first opinion must not wait.
        """
        try:
            other = self._maker.make(line.sitting_id, line.track_id, cut, line.origin, words)
        except EngineProblem as problem:
            log.warning("transcripts.no_second_opinion", sitting_id=line.sitting_id, id=line.id, code=problem.code)
            return line
        found = differences(line.text, other.text if other is not None else "")
        marks = sorted((*line.marks, *found), key=lambda mark: (mark.start, mark.end, mark.kind))
        engine, second = line.engine, self._recognizer.engine
        known = json.loads(engine.parameters) | {
            "second": {"name": second.name, "model": second.model, "sha256": second.model_sha256}
        }
        written = json.dumps(known, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return replace(line, marks=tuple(marks), engine=replace(engine, parameters=written))
