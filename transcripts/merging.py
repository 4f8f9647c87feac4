"""Two readings of the same sound made one: the words of the plain one, the marks and the court's terms of the guided one.

A prompt makes Whisper write Simplified characters and punctuation and prefer the words it names, and costs it accuracy in
everything else. So the sound is read twice, with the prompt and without, and the answers are laid side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Same = Callable[[str], str]
"""Gives characters that only differ in script one form: Traditional to Simplified."""
Alike = Callable[[str, str], bool]
"""Whether two stretches sound alike."""

LENGTHS_APART, SPARE_LETTERS = 1.5, 2  # readings whose lengths differ by more than that have not heard the same


@dataclass(frozen=True, slots=True)
class _Letter:
    text: str
    after: str  # the marks and spaces behind it


def merge(plain: str, guided: str, terms: Sequence[str], same: Same, alike: Alike) -> str:
    """The plain reading's words with the guided reading's marks, script, and those terms that sound like what was heard.

    Where the two differ too much in length to be the same speech, the guided one alone.
    """
    heard, led = _letters(plain), _letters(guided)
    if not heard or not led:
        return guided if led else plain
    if max(len(heard), len(led)) > LENGTHS_APART * min(len(heard), len(led)) + SPARE_LETTERS:
        return guided
    pairs = align([same(one.text) for one in heard], [same(one.text) for one in led])
    wanted = _wanted(pairs, heard, led, terms, same, alike)
    text = guided[: len(guided) - sum(len(one.text + one.after) for one in led)]
    for number, (ours, theirs) in enumerate(pairs):
        if number in wanted:
            text += "" if theirs is None else led[theirs].text
        elif ours is not None:
            alone = theirs is None or same(led[theirs].text) != same(heard[ours].text)
            text += heard[ours].text if alone or theirs is None else led[theirs].text
        text += "" if theirs is None else led[theirs].after
    return text


def align(one: Sequence[str], other: Sequence[str]) -> list[tuple[int | None, int | None]]:
    """Places of both sequences side by side with the fewest edits; None where one of them has nothing."""
    table = [list(range(len(other) + 1))]
    for row, left in enumerate(one, 1):
        above = table[-1]
        line = [row]
        for column, right in enumerate(other, 1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (left != right)))
        table.append(line)
    pairs: list[tuple[int | None, int | None]] = []
    row, column = len(one), len(other)
    while row or column:
        if row and column and table[row][column] == table[row - 1][column - 1] + (one[row - 1] != other[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif row and table[row][column] == table[row - 1][column] + 1:
            row -= 1
            pairs.append((row, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def _letters(text: str) -> list[_Letter]:
    letters: list[_Letter] = []
    for character in text:
        if character.isalnum():
            letters.append(_Letter(character, ""))
        elif letters:
            letters[-1] = _Letter(letters[-1].text, letters[-1].after + character)
    return letters


def _wanted(
    pairs: Sequence[tuple[int | None, int | None]], heard: Sequence[_Letter], led: Sequence[_Letter],
    terms: Sequence[str], same: Same, alike: Alike,
) -> set[int]:  # fmt: skip
    """Numbers of the pairs in which the guided reading is to be believed: it has a term there that sounds like the other."""
    written = "".join(same(one.text) for one in led)
    place = {theirs: number for number, (_, theirs) in enumerate(pairs) if theirs is not None}
    wanted: set[int] = set()
    for term in terms:
        for start in _found(same(term), written):
            numbers = range(place[start], place[start + len(term) - 1] + 1)
            other = "".join(same(heard[ours].text) for number in numbers if (ours := pairs[number][0]) is not None)
            if alike(same(term), other):
                wanted.update(numbers)
    return wanted


def _found(term: str, text: str) -> Iterator[int]:
    start = text.find(term) if term else -1
    while start >= 0:
        yield start
        start = text.find(term, start + 1)
