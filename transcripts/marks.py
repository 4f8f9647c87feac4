"""Where a clerk should look twice in a machine line: numbers, negations, words of the case, and what the engine doubted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from transcripts.model import Mark, MarkKind, Word
from transcripts.numbers import Written
from transcripts.replacing import Found

DOUBTED_WORD = 0.5  # probability of a word below which it is marked
DOUBTED_LINE = 0.45  # of a whole line, where the engine gives no words
NEIGHBOURS = 1  # characters between two doubted words that are marked with them

_NEGATION = re.compile(r"没有|并未|从未|尚未|不是|不能|不会|不得|绝不|并不|不予|未经|未能|无法|并非|绝非|[不没未无非否勿莫]")
_NO_NEGATION = re.compile(
    r"不动产|不仅|不但|不过|不断|不如|不管|不论|不料|不妨|不久|不少|不同|不当得利|差不多|对不起|了不起|无论|无锡|无非|无偿"
    r"|非常|非法|除非|未来|未婚|是否|能否|可否|有无|未成年|否则|莫非|埋没|淹没|沉没|没收|没落|无人机|非遗|南非|非洲"
)
_WRITTEN_NUMBER = re.compile(
    r"\d[\d.,:：/-]*(?:[%％‰‱]|[万亿]?(?:多|余)?(?:元|块钱|块|角|分|美元)|[年月日号时点分]|个月|天|份|次|万|亿)?"
)
_SPOKEN_NUMBER = re.compile(
    r"[零〇一二两三四五六七八九十百千万亿]+(?:点[零一二三四五六七八九]+)?(?:多|余|来)?(?:万|亿)?"
    r"(?:元|块钱|块|个月|年|天|月份?|次|份|号|倍|成|平方米|公里|股)"
)


def marks_of(text: str, written: Written, found: Iterable[Found], doubted: Iterable[tuple[int, int]]) -> tuple[Mark, ...]:
    """All marks of a line in order. `found` and `doubted` count characters before numbers were written."""
    moved = mover(written)
    marks = [
        *(Mark(MarkKind.NAME, *moved(word.start, word.end), note=word.heard) for word in found),
        *number_marks(text, written),
        *negation_marks(text),
        *(Mark(MarkKind.LOW_CONFIDENCE, *moved(start, end)) for start, end in doubted),
    ]
    return tuple(sorted((mark for mark in marks if mark.start < mark.end), key=lambda mark: (mark.start, mark.end, mark.kind)))


def number_marks(text: str, written: Written) -> list[Mark]:
    """Every number: with its spoken form where it was written in digits here, else as the engine wrote it."""
    marks = [Mark(MarkKind.NUMBER, number.start, number.end, number.spoken) for number in written.numbers]
    for pattern in (_WRITTEN_NUMBER, _SPOKEN_NUMBER):
        for match in pattern.finditer(text):
            start, end = match.span()
            if all(end <= mark.start or mark.end <= start for mark in marks):
                marks.append(Mark(MarkKind.NUMBER, start, end))
    return marks


def negation_marks(text: str) -> list[Mark]:
    """Words that turn the sense round; 不动产 and 是否 do not."""
    harmless = [match.span() for match in _NO_NEGATION.finditer(text)]
    return [
        Mark(MarkKind.NEGATION, *match.span())
        for match in _NEGATION.finditer(text)
        if not any(start <= match.start() < end for start, end in harmless)
    ]


def doubted_stretches(text: str, raw: str, words: Sequence[Word], confidence: float) -> list[tuple[int, int]]:
    """Stretches of `text` that the engine was not sure of; `raw` is what it gave, letter for letter the same.

    Without words, or where the letters do not agree, the whole line by its confidence.
    """
    places = [place for place, character in enumerate(text) if character.isalnum()]
    letters = sum(character.isalnum() for character in raw)
    spoken = sum(character.isalnum() for word in words for character in word.text)
    if not words or not places or not len(places) <= letters == spoken:
        return [(0, len(text))] if text and confidence < DOUBTED_LINE else []
    doubted: list[tuple[int, int]] = []
    at = 0
    for word in words:
        end = at + sum(character.isalnum() for character in word.text)
        if word.p < DOUBTED_WORD and at < end and at < len(places):
            doubted.append((places[at], places[min(end, len(places)) - 1] + 1))
        at = end
    return _joined(doubted)


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] <= NEIGHBOURS:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return joined


def mover(written: Written) -> Callable[[int, int], tuple[int, int]]:
    """Leads a stretch of the text before numbers were written to its place after; what touches a number takes it whole."""

    def moved(start: int, end: int) -> tuple[int, int]:
        return _place(written, start, after=False), _place(written, end, after=True)

    return moved


def _place(written: Written, place: int, *, after: bool) -> int:
    shift = 0  # how much longer the text before `place` has become
    for number in written.numbers:
        spoken_start = number.start - shift
        spoken_end = spoken_start + len(number.spoken)
        if place <= spoken_start:
            break
        if place < spoken_end:
            return number.end if after else number.start
        shift += (number.end - number.start) - len(number.spoken)
    return place + shift
