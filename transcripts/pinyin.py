"""How Chinese sounds, and how far two syllables are from one another for a recogniser; the only module that imports pypinyin.

Tones are left out: recognisers lose them first. What Mandarin speakers of the provinces and recognisers mix up (zh/z, n/l,
an/ang, h/f) is half a step apart.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pypinyin import Style, pinyin

SAME, CLOSE, HALF, FAR = 0.0, 1.0, 2.0, 6.0
"""Steps between two syllables: the same; a usual confusion; one of initial and final is another; both are."""

_PARTS = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?(.*)")


def _pairs(text: str) -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair.split("/")) for pair in text.split())


_CLOSE_INITIALS = _pairs("zh/z ch/c sh/s n/l r/l h/f zh/j ch/q sh/x")
_CLOSE_FINALS = _pairs("an/ang en/eng in/ing ian/iang uan/uang un/ong eng/ong e/o uo/o ou/o in/en ui/ei iu/ou")

Readings = tuple[str, ...]
"""The syllables a character can be read as, without tones; empty for what is not Chinese."""


def readings(text: str) -> tuple[Readings, ...]:
    """Per character of a line, as it is read there."""
    found = pinyin(text, style=Style.NORMAL, errors=_no_reading)
    return tuple(tuple(filter(None, sounds)) for sounds in found)


@lru_cache(maxsize=20_000)
def word_readings(word: str) -> tuple[Readings, ...]:
    """Per character of a word; of the first in every way in which it can be read: 曾 is ceng, but zeng as a surname."""
    first = pinyin(word[:1], style=Style.NORMAL, heteronym=True, errors=_no_reading)
    return (*(tuple(filter(None, sounds)) for sounds in first), *readings(word)[1:])


def _no_reading(characters: str) -> Any:
    return [""] * len(characters)  # one for each, which pypinyin allows and its types do not say


@lru_cache(maxsize=100_000)
def step(one: Readings, other: Readings) -> float:
    """How far two characters sound from one another, by their closest readings."""
    return min((_step(left, right) for left in one for right in other), default=FAR)


def _step(one: str, other: str) -> float:
    if one == other:
        return SAME
    (initial, final), (other_initial, other_final) = _split(one), _split(other)
    apart = _part(initial, other_initial, _CLOSE_INITIALS) + _part(final, other_final, _CLOSE_FINALS)
    return apart if apart <= HALF else FAR


def _part(one: str, other: str, close: frozenset[frozenset[str]]) -> float:
    return SAME if one == other else CLOSE if frozenset((one, other)) in close else HALF


def _split(syllable: str) -> tuple[str, str]:
    found = _PARTS.fullmatch(syllable)
    return (found[1] or "", found[2]) if found else ("", syllable)
