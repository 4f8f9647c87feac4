"""Words of the case put where the recogniser wrote something that sounds like them.

A line is read as a row of words at the least cost (noisy channel): a common word costs what its rareness says, a word of the
case costs little and, where it was heard as something else, more with each step of sound. So 预期利息 becomes 逾期利息 and
张威 becomes 张伟, while 权利强制 keeps 权利 although 利强 sounds like 李强. A common word is never taken for a short word of
the case, and no numeral for anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from transcripts.vocabulary import CaseWords

CASE_WORD_COST = 9.0  # nats: one word in eight thousand
STEP_COST = 2.0  # nats for one step of sound
RARE_COST = 14.0  # a character that no list knows
STEPS_PER_CHARACTER = 0.5  # a name of two characters may be off by one usual confusion, a term of four by two
COMMON_LENGTH = 3  # so short a word of the case never takes the place of a common word
LONGEST_COMMON = 4
NUMERALS = frozenset("零〇一二两三四五六七八九十百千万亿幺半")

Syllables = tuple[str, ...]
Sounds = Callable[[str], Sequence[Syllables]]
Step = Callable[[Syllables, Syllables], float]


@dataclass(frozen=True, slots=True)
class Found:
    """A word of this very case at [start, end) of the line, or another that was put there; `heard`: what stood there.

    `heard` is "" when the word stood there already.
    """

    start: int
    end: int
    heard: str


@dataclass(frozen=True, slots=True)
class _Edge:
    end: int
    cost: float
    word: str | None = None  # of the case


@dataclass(frozen=True, slots=True)
class _Term:
    word: str
    sounds: Sequence[Syllables]
    most_steps: float


class Replacer:
    """Knows how common words are and how they sound; thread-safe."""

    def __init__(self, costs: Mapping[str, float], sounds: Sounds, step: Step) -> None:
        self._costs = costs
        self._sounds = sounds
        self._step = step

    def replace(self, text: str, words: CaseWords) -> tuple[str, tuple[Found, ...]]:
        """The line with the words of the case in their places, as long as it was, and where they stand."""
        if not len(words):
            return text, ()
        pieces: list[str] = []
        found: list[Found] = []
        own = frozenset(words.own)
        at = 0
        for edge in self._cheapest(text, self._terms(words)):
            heard = text[at : edge.end]
            if edge.word is not None and (edge.word != heard or edge.word in own):
                found.append(Found(at, edge.end, "" if edge.word == heard else heard))
            pieces.append(edge.word or heard)
            at = edge.end
        return "".join(pieces), tuple(found)

    def _terms(self, words: CaseWords) -> list[_Term]:
        """A short legal word must sound the same: there are too many other words beside it."""
        own = frozenset(words.own)
        return [
            _Term(
                word, self._sounds(word), STEPS_PER_CHARACTER * len(word) if word in own or len(word) > COMMON_LENGTH else 0.0
            )
            for word in words.replacements
        ]

    def _cheapest(self, text: str, terms: list[_Term]) -> list[_Edge]:
        """The row of words at the least cost (Viterbi); of two at the same cost the one written as it was heard."""
        best: list[tuple[float, _Edge | None, int]] = [
            (0.0 if place == 0 else math.inf, None, 0) for place in range(len(text) + 1)
        ]
        sounds = self._sounds(text)
        for start in range(len(text)):
            for edge in self._edges(text, sounds, start, terms):
                cost = best[start][0] + edge.cost
                if cost < best[edge.end][0]:
                    best[edge.end] = cost, edge, start
        path: list[_Edge] = []
        at = len(text)
        while at:
            _, edge_in, start = best[at]
            assert edge_in is not None
            path.append(edge_in)
            at = start
        return path[::-1]

    def _edges(self, text: str, sounds: Sequence[Syllables], start: int, terms: list[_Term]) -> Iterator[_Edge]:
        if not sounds[start]:
            yield _Edge(start + 1, 0.0)
            return
        yield _Edge(start + 1, self._costs.get(text[start], RARE_COST))
        for end in range(start + 2, min(len(text), start + LONGEST_COMMON) + 1):
            if (cost := self._costs.get(text[start:end])) is not None:
                yield _Edge(end, cost)
        for term in terms:
            end = start + len(term.word)
            if (steps := self._steps(text, sounds, start, term)) is not None:
                yield _Edge(end, CASE_WORD_COST + STEP_COST * steps, term.word)

    def _steps(self, text: str, sounds: Sequence[Syllables], start: int, term: _Term) -> float | None:
        """Steps of sound between the stretch and the word; None where the word may not stand."""
        stretch = text[start : start + len(term.word)]
        if stretch == term.word:
            return 0.0
        if len(stretch) < len(term.word) or (len(stretch) <= COMMON_LENGTH and stretch in self._costs):
            return None
        steps = 0.0
        for heard, meant, sound, wanted in zip(stretch, term.word, sounds[start:], term.sounds, strict=False):
            if heard == meant:
                continue
            if heard in NUMERALS or meant in NUMERALS or not sound:
                return None
            steps += self._step(sound, wanted)
            if steps > term.most_steps:
                return None
        return steps
