"""Where two recognisers heard something else: stretches of one text with the other's words. Pure.

Punctuation, script width and the way a number is written (三千元, 3000元) make no difference; everything else does, also a
character of the same sound: which of the two was meant is for the clerk to say.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from transcripts.chinese import cardinal
from transcripts.merging import align
from transcripts.model import Mark, MarkKind
from transcripts.numbers import DIGIT_VALUES, NotANumber, value_of

NEIGHBOURS = 1  # letters both heard, between two differences, that are told with them
MOSTLY = 0.6  # share of a line's letters from which the line is told as a whole
LONGEST_NUMBER = 16  # digits; a longer one is compared as it stands

_NUMBER = re.compile(
    r"(?:(?P<of>[百千万])分之)?"
    r"(?P<number>(?:\d[\d,]*(?:\.\d+)?|[零〇幺一二两三四五六七八九十百千万亿])+(?:点[零〇一二三四五六七八九]+[万亿]?)?)"
    r"(?P<sign>[%‰‱])?"
)
_SIGNS = {"百": "%", "千": "‰", "万": "‱"}
_LARGE = {"万": 4, "亿": 8}  # powers of ten


@dataclass(frozen=True, slots=True)
class _Token:
    key: str  # what is compared
    start: int
    end: int


def differences(text: str, other: str) -> tuple[Mark, ...]:
    """Marks on `text` where `other` says something else, in order; a mark's note is what the other says there.

    Words that only the other heard are told at the letter before them. An `other` without words marks the whole line.
    """
    ours, theirs = list(_tokens(text)), list(_tokens(other))
    if not ours:
        return ()
    pairs = align([token.key for token in ours], [token.key for token in theirs])
    marks: list[Mark] = []
    for first, last in _apart(pairs, ours, theirs):
        group = pairs[first : last + 1]
        mine = [ours[left] for left, _ in group if left is not None]
        heard = [theirs[right] for _, right in group if right is not None]
        note = other[heard[0].start : heard[-1].end] if heard else ""
        marks.append(Mark(MarkKind.SECOND_OPINION, mine[0].start, mine[-1].end, note))
    if sum(_letters(text[mark.start : mark.end]) for mark in marks) > MOSTLY * _letters(text):
        return (Mark(MarkKind.SECOND_OPINION, ours[0].start, ours[-1].end, other.strip()),)
    return tuple(marks)


def _apart(pairs: list[tuple[int | None, int | None]], ours: list[_Token], theirs: list[_Token]) -> Iterator[tuple[int, int]]:
    """First and last pair of each stretch that differs, each with at least one token of ours."""
    spans: list[tuple[int, int]] = []
    for number, (left, right) in enumerate(pairs):
        if left is not None and right is not None and ours[left].key == theirs[right].key:
            continue
        if spans and number - spans[-1][1] <= NEIGHBOURS + 1:
            spans[-1] = spans[-1][0], number
        else:
            spans.append((number, number))
    end = -1
    for first, last in spans:
        if all(left is None for left, _ in pairs[first : last + 1]):
            if first > end + 1:
                first -= 1  # noqa: PLW2901  the letter before
            elif last + 1 < len(pairs):
                last += 1  # noqa: PLW2901
            else:
                continue
        end = last
        yield first, last


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _tokens(text: str) -> Iterator[_Token]:
    """Letters one by one, numbers as their value."""
    plain = "".join(_narrow(character) for character in text)
    position = 0
    for found in _NUMBER.finditer(plain):
        yield from _characters(plain, position, found.start())
        position = found.end()
        try:
            yield _Token(_value(found), found.start(), found.end())
        except NotANumber:
            yield from _characters(plain, found.start(), found.end())
    yield from _characters(plain, position, len(plain))


def _narrow(character: str) -> str:
    """NFKC where it stays one character, so that places stay as they are."""
    narrow = unicodedata.normalize("NFKC", character)
    return narrow if len(narrow) == 1 else character


def _characters(text: str, start: int, end: int) -> Iterator[_Token]:
    for place in range(start, end):
        if text[place].isalnum():
            yield _Token(text[place].casefold(), place, place + 1)


def _value(found: re.Match[str]) -> str:
    """Digits before and after the point, and the sign of a share: 百分之三点五 and 3.5% are "#3.5%"."""
    sign = _SIGNS.get(found["of"] or "", found["sign"] or "")
    return f"#{_plain_number(found['number'].replace(',', ''))}{sign}"


def _plain_number(spoken: str) -> str:
    whole, point, part = spoken.replace(".", "点").partition("点")
    if not point:
        return _whole(whole)
    large = part[-1:] if part[-1:] in _LARGE else ""
    digits = _digits(part.removesuffix(large))
    shifted = _whole(whole) + digits[: _LARGE.get(large, 0)].ljust(_LARGE.get(large, 0), "0")
    rest = digits[_LARGE.get(large, 0) :].rstrip("0")
    return (shifted.lstrip("0") or "0") + (f".{rest}" if rest else "")


def _whole(spoken: str) -> str:
    """A count, or digits one by one (a year, a telephone number), as digits."""
    if all(character.isdecimal() or character in DIGIT_VALUES for character in spoken):
        return _digits(spoken).lstrip("0") or "0"
    if any(len(run) > LONGEST_NUMBER for run in re.findall(r"\d+", spoken)):
        raise NotANumber(spoken)
    return str(value_of(re.sub(r"\d+", lambda digits: cardinal(digits.group()), spoken)))


def _digits(spoken: str) -> str:
    try:
        return "".join(character if character.isdecimal() else str(DIGIT_VALUES[character]) for character in spoken)
    except KeyError:
        raise NotANumber(spoken) from None
