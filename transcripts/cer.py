"""Character error rate of a transcript against what was said.

Rule: NFKC, Simplified, letters and digits only, digits read out (the kinder of digit by digit and cardinal), 幺 = 一,
1% = 百分之一; Levenshtein distance by length of the reference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transcripts.chinese import cardinal, digit_by_digit
from transcripts.merging import align

MOST_DIGITS = 16
_DIGITS = re.compile(r"\d+")
_PERCENT = re.compile(r"(\d+)%")


@dataclass(frozen=True, slots=True)
class Errors:
    """Edits needed and characters in the reference; add them up over lines before dividing."""

    edits: int
    characters: int

    @property
    def rate(self) -> float:
        return self.edits / self.characters if self.characters else float(self.edits > 0)

    def __add__(self, other: Errors) -> Errors:
        return Errors(self.edits + other.edits, self.characters + other.characters)


def compare(reference: str, hypothesis: str, simplify: Callable[[str], str]) -> Errors:
    """Edits between what was said and what was written; `simplify` turns Traditional into Simplified."""
    said = _letters(_read_out(_plain(reference, simplify), digit_by_digit))
    written = _plain(hypothesis, simplify)
    edits = min(distance(said, reading) for reading in _readings(written, said))
    return Errors(edits, len(said))


def spread(references: Sequence[str], hypothesis: str, simplify: Callable[[str], str]) -> list[Errors]:
    """The edits of one joint hypothesis shared out to what was said one after the other: where its lines begin is not asked.

    A letter too many counts for the reference in which it stands, at a seam for the one before it.
    """
    said = [_letters(_read_out(_plain(reference, simplify), digit_by_digit)) for reference in references]
    owners = [number for number, letters in enumerate(said) for _ in letters]
    edits = [0] * len(said)
    joint = "".join(said)
    written = min(_readings(_plain(hypothesis, simplify), joint), key=lambda reading: distance(joint, reading))
    owner = 0
    for place, other in align(joint, written):
        owner = owner if place is None else owners[place]
        edits[owner] += place is None or other is None or joint[place] != written[other]
    return [Errors(wrong, len(letters)) for wrong, letters in zip(edits, said, strict=True)]


def distance(one: str, other: str) -> int:
    """Levenshtein distance."""
    row = list(range(len(other) + 1))
    for number, left in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, right in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (left != right))
    return row[-1]


def _plain(text: str, simplify: Callable[[str], str]) -> str:
    written = simplify(unicodedata.normalize("NFKC", text)).replace("幺", "一")
    return _PERCENT.sub(r"百分之\1", written)


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def _read_out(text: str, reading: Callable[[str], str]) -> str:
    return _DIGITS.sub(lambda found: reading(found.group()), text)


def _readings(text: str, said: str) -> list[str]:
    """The text with each number read the way that fits `said` better, decided from left to right."""
    ways: list[Callable[[str], str]] = [digit_by_digit] * len(_DIGITS.findall(text))
    best = _letters(_with(text, ways))
    for number, digits in enumerate(_DIGITS.findall(text)):
        if len(digits) > MOST_DIGITS:
            continue
        tried = [*ways[:number], cardinal, *ways[number + 1 :]]
        reading = _letters(_with(text, tried))
        if distance(said, reading) < distance(said, best):
            ways, best = tried, reading
    return [best]


def _with(text: str, ways: list[Callable[[str], str]]) -> str:
    reading = iter(ways)
    return _DIGITS.sub(lambda found: next(reading)(found.group()), text)
