"""Words of the case put where the recogniser wrote something that sounds like them.

A line is read as a row of words at the least cost (noisy channel): a common word costs what its rareness says, a word of the
case costs little and, where it was heard as something else, more with each step of sound. So 章威 becomes 张伟 and 智征意见
质证意见, while 权利强制 keeps 权利 although 利强 sounds like 李强.

A wrong word that looks right is worse than one that looks wrong. So a common word is never taken for a short word of the case;
what is all common words (庭审记录) gives way only to what sounds the same; and no numeral and no negation is ever put in,
taken out or touched together with what it turns round (没有意义 stays, 恢复公开审理 never becomes 不公开审理).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from transcripts.vocabulary import CaseWords

OWN_WORD_COST = 10.0  # nats: what a word of this very case costs
LEGAL_WORD_COST = 9.0  # one word in eight thousand
STEP_COST = 2.0  # nats for one step of sound
RARE_COST = 14.0  # a character that no list knows
STEPS_PER_CHARACTER = 0.5  # a name of two characters may be off by one usual confusion, a term of four by two
COMMON_LENGTH = 3  # so short a word of the case never takes the place of a common word
LONGEST_COMMON = 4
VOCABULARIES = 64  # of sittings heard at the same time
NUMERALS = frozenset("零〇一二两三四五六七八九十百千万亿幺半")
NEGATIONS = frozenset("不没无未非否勿莫别")
KEPT = NUMERALS | NEGATIONS

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
    cost: float


class _Lexicon:
    """The words of one case, found by how they begin."""

    def __init__(self, words: CaseWords, sounds: Sounds, step: Step) -> None:
        self.own = frozenset(words.own)
        self._step = step
        self._terms = [self._term(word, sounds(word)) for word in words.replacements]
        self._beginning: dict[tuple[str, Syllables], list[_Term]] = {}

    def beginning(self, character: str, sound: Syllables) -> list[_Term]:
        """The words that may have been meant where this character was written."""
        found = self._beginning.get((character, sound))
        if found is None:
            found = self._beginning[character, sound] = [
                term
                for term in self._terms
                if term.word[0] == character or self._step(sound, term.sounds[0]) <= term.most_steps
            ]
        return found

    def _term(self, word: str, sounds: Sequence[Syllables]) -> _Term:
        """A short legal word must sound the same: there are too many other words beside it."""
        near = word in self.own or len(word) > COMMON_LENGTH
        cost = OWN_WORD_COST if word in self.own else LEGAL_WORD_COST
        return _Term(word, sounds, STEPS_PER_CHARACTER * len(word) if near else 0.0, cost)


class Replacer:
    """Knows how common words are and how they sound; thread-safe.

    `sounds`: the syllables of a line as it is read; `all_sounds`: those of a word in every way in which it can be read.
    """

    def __init__(self, costs: Mapping[str, float], sounds: Sounds, all_sounds: Sounds, step: Step) -> None:
        self._costs = costs
        self._sounds = sounds
        self._step = step
        self._lexicon = lru_cache(maxsize=VOCABULARIES)(lambda words: _Lexicon(words, all_sounds, step))

    def replace(self, text: str, words: CaseWords) -> tuple[str, tuple[Found, ...]]:
        """The line with the words of the case in their places, as long as it was, and where they stand."""
        if not len(words):
            return text, ()
        lexicon: _Lexicon = self._lexicon(words)
        pieces: list[str] = []
        found: list[Found] = []
        at = 0
        for edge in self._cheapest(text, lexicon):
            heard = text[at : edge.end]
            if edge.word is not None and (edge.word != heard or edge.word in lexicon.own):
                found.append(Found(at, edge.end, "" if edge.word == heard else heard))
            pieces.append(edge.word or heard)
            at = edge.end
        return "".join(pieces), tuple(found)

    def _cheapest(self, text: str, lexicon: _Lexicon) -> list[_Edge]:
        """The row of words at the least cost (Viterbi); of two at the same cost the one written as it was heard."""
        best: list[tuple[float, _Edge | None, int]] = [(math.inf if place else 0.0, None, 0) for place in range(len(text) + 1)]
        sounds = self._sounds(text)
        for start in range(len(text)):
            for edge in self._edges(text, sounds, start, lexicon):
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

    def _edges(self, text: str, sounds: Sequence[Syllables], start: int, lexicon: _Lexicon) -> Iterator[_Edge]:
        if not sounds[start]:
            yield _Edge(start + 1, 0.0)
            return
        yield _Edge(start + 1, self._costs.get(text[start], RARE_COST))
        for end in range(start + 2, min(len(text), start + LONGEST_COMMON) + 1):
            if (cost := self._costs.get(text[start:end])) is not None:
                yield _Edge(end, cost)
        for term in lexicon.beginning(text[start], sounds[start]):
            if (steps := self._steps(text, sounds, start, term)) is not None:
                yield _Edge(start + len(term.word), term.cost + STEP_COST * steps, term.word)

    def _steps(self, text: str, sounds: Sequence[Syllables], start: int, term: _Term) -> float | None:
        """Steps of sound between the stretch and the word; None where the word may not stand."""
        stretch = text[start : start + len(term.word)]
        if stretch == term.word:
            return 0.0
        if len(stretch) < len(term.word):
            return None
        steps = 0.0
        for heard, meant, sound, wanted in zip(stretch, term.word, sounds[start:], term.sounds, strict=False):
            if heard == meant:
                continue
            if not sound or heard in KEPT or meant in KEPT:
                return None
            steps += self._step(sound, wanted)
            if steps > term.most_steps:
                return None
        return None if self._makes_sense(stretch, steps) else steps

    def _makes_sense(self, stretch: str, steps: float) -> bool:
        """Whether what was heard may well have been said as it stands."""
        if len(stretch) <= COMMON_LENGTH:
            return stretch in self._costs
        return (steps > 0 or not NEGATIONS.isdisjoint(stretch)) and self._all_common(stretch)

    def _all_common(self, stretch: str) -> bool:
        """Whether it is nothing but common words of two characters or more."""
        return not stretch or any(
            stretch[:length] in self._costs and self._all_common(stretch[length:])
            for length in range(2, min(len(stretch), LONGEST_COMMON) + 1)
        )
