"""How a line of a final reading ends: its marks were written for a whole pack, while it begins and ends at pauses. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from transcripts.model import Utterance

SENTENCE_MS = 1_500  # who pauses for so long has ended a sentence
FULL_MARKS = "。？！…”》）"


def ended(lines: Sequence[Utterance]) -> list[Utterance]:
    """The lines of one track in their order, each with a mark at its end: 。 before a long pause, ， before a short one."""
    pauses_ms = [after.t0_ms - line.t1_ms for line, after in pairwise(lines)] + [SENTENCE_MS] * bool(lines)
    return [_ended(line, pause_ms) for line, pause_ms in zip(lines, pauses_ms, strict=True)]


def _ended(line: Utterance, pause_ms: int) -> Utterance:
    if line.text.endswith(tuple(FULL_MARKS)):
        return line
    return replace(line, text=line.text + ("。" if pause_ms >= SENTENCE_MS else "，"))
