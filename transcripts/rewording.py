"""Words that sound like what was written, weighed against the sound (a noisy channel).

A small recogniser hears syllables well and often writes them as another word: 举部 for 局部, 政监会 for 证监会. For each such
place the words of the lexicon with the same sound are put in its stead, and the recogniser says how well it hears them
there. A word wins when what the lexicon gains outweighs what the ear loses. What the recogniser itself wrote in other
readings of the same sound is tried as well.

A numeral or a negation is never put in, taken out or changed: amounts and consent are not a matter of what is commoner.
Only as many characters as stood there: so every text asked about has the same places, and one question can hold an edit
in each place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from transcripts.merging import align
from transcripts.replacing import KEPT

Syllables = tuple[str, ...]
"""The ways in which a character can be read, without tones."""
Sounds = Callable[[str], Sequence[Syllables]]
"""The readings of each character of a text."""
Ear = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""For each text the log probability of each of its characters, given the sound and what stands before."""

LONGEST_WORD = 4
RARE_COST = 14.0  # nats: a character that no list knows
FOREIGN_COST = 1.0  # a digit or a Latin letter: none of our business
MOST_KEYS = 8  # of a stretch whose characters have several readings each
LEAST_GAIN = 1.0  # nats; a word hardly commoner than what stands there is not worth asking
MOST_ASKED = 5  # edits of one place put to the ear, those that gain most
WEIGHT = 0.5  # of the lexicon beside the ear; 0.3 to 0.6 did equally well
NAMED_COST = 9.0  # nats: a word of the case, one in eight thousand

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_CLOSE = ((re.compile(r"^([zcs])h"), r"\1"), (re.compile(r"ng$"), "n"))


@dataclass(frozen=True, slots=True)
class Edit:
    """`word` in the place of [start, end) of the text; `gain`: nats that the lexicon saves by it."""

    start: int
    end: int
    word: str
    gain: float

    def apply(self, text: str) -> str:
        return text[: self.start] + self.word + text[self.end :]


class Lexicon:
    """How common words are (nats) and which sound alike; zh/z, ch/c, sh/s and -ng/-n count as alike. Thread-safe."""

    def __init__(self, costs: Mapping[str, float], sounds: Sounds, below: Lexicon | None = None) -> None:
        self._sounds = sounds
        self._below = below
        self.costs: Mapping[str, float] = costs if below is None else {**below.costs, **costs}
        self._by_sound: dict[Syllables, list[str]] = {}
        for word in costs:
            if 2 <= len(word) <= LONGEST_WORD:
                for key in _keys(sounds(word)):
                    self._by_sound.setdefault(key, []).append(word)

    def naming(self, words: Iterable[str]) -> Lexicon:
        """The same lexicon with the words of a case, which are common there."""
        return Lexicon(dict.fromkeys(words, NAMED_COST), self._sounds, self)

    def alike(self, stretch: str) -> set[str]:
        """Words of the lexicon that sound like it, itself left out."""
        found = {word for key in _keys(self._sounds(stretch)) for word in self._by_sound.get(key, ())}
        return (found | (self._below.alike(stretch) if self._below else set())) - {stretch}

    def cost(self, text: str) -> float:
        """The least that the text costs as a row of words."""
        best = [0.0, *[math.inf] * len(text)]
        for start, character in enumerate(text):
            alone = self.costs.get(character, RARE_COST if _HAN.match(character) else FOREIGN_COST)
            best[start + 1] = min(best[start + 1], best[start] + alone)
            for end in range(start + 2, min(len(text), start + LONGEST_WORD) + 1):
                if (cost := self.costs.get(text[start:end])) is not None:
                    best[end] = min(best[end], best[start] + cost)
        return best[-1]


@dataclass(frozen=True, slots=True)
class _Place:
    """Edits that overlap, best first, and the characters [start, end) by which the ear's answer to them is told."""

    edits: tuple[Edit, ...]
    start: int
    end: int


def reword(text: str, others: Iterable[str], lexicon: Lexicon, ear: Ear) -> str:
    """The text with those words in it that lexicon and ear together prefer; `others`: other readings of the same sound."""
    places = _places(text, {*soundalikes(text, lexicon), *differences(text, others, lexicon)})
    if not places:
        return text
    rounds = max(len(place.edits) for place in places)
    asked = [_edited(text, [place.edits[turn] for place in places if turn < len(place.edits)]) for turn in range(rounds)]
    before, *after = ear([text, *asked])
    chosen: list[Edit] = []
    for place in places:
        heard = [sum(answer[place.start : place.end]) - sum(before[place.start : place.end]) for answer in after]
        worth = [WEIGHT * edit.gain + heard[turn] for turn, edit in enumerate(place.edits)]
        if max(worth) > 0:
            chosen.append(place.edits[worth.index(max(worth))])
    return _edited(text, chosen)


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in edits:
        text = edit.apply(text)
    return text


def _places(text: str, edits: Iterable[Edit]) -> list[_Place]:
    """The edits by place. A place is judged from the character before it (two may be one token) to the next place."""
    groups: list[list[Edit]] = []
    end = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if not groups or edit.start >= end:
            groups.append([])
        groups[-1].append(edit)
        end = max(end, edit.end)
    ends = [max(edit.end for edit in group) for group in groups]
    starts = [max(before, group[0].start - 1) for group, before in zip(groups, [0, *ends], strict=False)]
    return [
        _Place(tuple(sorted(group, key=lambda edit: -edit.gain)[:MOST_ASKED]), start, until)
        for group, start, until in zip(groups, starts, [*starts[1:], len(text)], strict=False)
    ]


def soundalikes(text: str, lexicon: Lexicon) -> Iterator[Edit]:
    """Words that sound like a stretch of the text and make the row of words cheaper."""
    for run in _HAN.finditer(text):
        letters, cost = run.group(), lexicon.cost(run.group())
        for start, length in product(range(len(letters)), range(2, LONGEST_WORD + 1)):
            stretch = letters[start : start + length]
            for word in lexicon.alike(stretch) if len(stretch) == length else ():
                if not _keeps(stretch, word):
                    continue
                gain = cost - lexicon.cost(letters[:start] + word + letters[start + length :])
                if gain >= LEAST_GAIN:
                    yield Edit(run.start() + start, run.start() + start + length, word, gain)


def differences(text: str, others: Iterable[str], lexicon: Lexicon) -> Iterator[Edit]:
    """Commoner words that other readings have where the text has something else; marks are not looked at."""
    places = [place for place, character in enumerate(text) if character.isalnum()]
    letters = "".join(text[place] for place in places)
    cost = lexicon.cost(letters)
    for other in others:
        said = "".join(character for character in other if character.isalnum())
        for start, end, word in _runs(letters, said):
            if not 0 < len(word) <= LONGEST_WORD or not _keeps(letters[start:end], word):
                continue
            if places[end - 1] - places[start] != end - start - 1:
                continue
            gain = cost - lexicon.cost(letters[:start] + word + letters[end:])
            if gain >= LEAST_GAIN:
                yield Edit(places[start], places[end - 1] + 1, word, gain)


def _runs(one: str, other: str) -> Iterator[tuple[int, int, str]]:
    """Where two texts differ: [start, end) of the one, and what stands there in the other."""
    open_at: tuple[int, int] | None = None
    ours = theirs = 0
    for left, right in (*align(one, other), (len(one), len(other))):
        same = left is not None and right is not None and (left == len(one) or one[left] == other[right])
        if same and open_at is not None:
            yield open_at[0], ours, other[open_at[1] : theirs]
            open_at = None
        elif not same and open_at is None:
            open_at = ours, theirs
        ours = ours if left is None else left + 1
        theirs = theirs if right is None else right + 1


def _keeps(stretch: str, word: str) -> bool:
    """Whether the word is as long and has the same numerals, negations, digits and Latin letters in the same places."""
    return len(stretch) == len(word) and all(
        one == other or not (_stays(one) or _stays(other)) for one, other in zip(stretch, word, strict=True)
    )


def _stays(character: str) -> bool:
    return character in KEPT or not _HAN.match(character)


def _keys(sounds: Sequence[Syllables]) -> Iterator[Syllables]:
    """The ways in which a stretch can sound, what people and recognisers mix up made the same."""
    ways = [tuple(dict.fromkeys(_folded(one) for one in syllables)) for syllables in sounds]
    for number, key in enumerate(product(*ways)):
        if number == MOST_KEYS:
            return
        yield key


def _folded(syllable: str) -> str:
    for pattern, written in _CLOSE:
        syllable = pattern.sub(written, syllable)
    return syllable
