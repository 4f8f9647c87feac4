"""Spoken numbers as courts write them: dates, times, amounts, shares, long digit strings (inverse text normalisation).

Only where the unit leaves no doubt. What the language itself says with a numeral (一些, 十分, 第六百六十七条, 一审, 三个月)
stays as spoken: a judgment writes articles of law and counts in Chinese. The spoken words are kept beside what is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

DIGIT_VALUES = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "幺": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
UNIT_VALUES = {"十": 10, "百": 100, "千": 1000}
LARGE_VALUES = {"万": 10_000, "亿": 100_000_000}
LARGEST = LARGE_VALUES["亿"]

_DIGIT = "[零〇一二三四五六七八九]"
_SPOKEN_DIGIT = "[零〇幺一二三四五六七八九]"
_SMALL = "[零〇一二两三四五六七八九十百千]"
_NUMBER = "[零〇一二两三四五六七八九十百千万亿]"
_TEENS = "[一二三四五六七八九十]{1,3}"
_MONEY = "元|块钱|块|美元|欧元|港元|日元"
LONG_DIGITS = 5  # a shorter run of digits may be a count said digit by digit; leave it

ROUND_FROM = 10_000  # courts write 10万元, but 35000元


class NotANumber(Exception):
    """The characters do not make one number (二三百, 百千)."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Where a number stands in the written text, [start, end), and how it was said."""

    start: int
    end: int
    spoken: str


@dataclass(frozen=True, slots=True)
class Written:
    """A text with its numbers written."""

    text: str
    numbers: tuple[Rewritten, ...] = ()


def value_of(spoken: str) -> int:
    """十二万三千 → 123000. Raises NotANumber. 三万五 is 35000: a last digit stands for the next lower place."""
    if not spoken:
        raise NotANumber(spoken)
    total = section = 0
    digit: int | None = None
    last_unit = 0  # of the present section; 0 after 零, which ends the short way of saying 三万五
    for character in spoken:
        if character in DIGIT_VALUES:
            if digit:
                raise NotANumber(spoken)
            digit = DIGIT_VALUES[character]
            last_unit = last_unit if digit else 0
        elif character in UNIT_VALUES:
            section, last_unit = section + _of_unit(digit, UNIT_VALUES[character], last_unit, spoken), UNIT_VALUES[character]
            digit = None
        else:
            large = LARGE_VALUES.get(character)
            section += digit or 0
            if large is None or section == 0:
                raise NotANumber(spoken)
            total = (total + section) * large if large == LARGEST else total + section * large
            section, digit, last_unit = 0, None, large
    short = last_unit // 10 if digit and last_unit >= 100 else 1
    return total + section + (digit or 0) * short


def _of_unit(digit: int | None, unit: int, last_unit: int, spoken: str) -> int:
    """千 comes before 百 before 十, each with a digit before it; only 十 may stand alone."""
    if digit == 0 or (digit is None and unit != 10) or (0 < last_unit <= unit and last_unit < ROUND_FROM):
        raise NotANumber(spoken)
    return (digit or 1) * unit


def write_numbers(text: str) -> Written:
    """The text with what is plainly a date, time, amount, share or long number written in digits."""
    pieces: list[str] = []
    numbers: list[Rewritten] = []
    position = length = 0
    for found in _PATTERN.finditer(text):
        kind = found.lastgroup
        assert kind is not None
        try:
            written = _WRITERS[kind](found)
        except NotANumber:
            continue
        if written == found.group():
            continue
        before = text[position : found.start()]
        pieces += [before, written]
        length += len(before)
        numbers.append(Rewritten(length, length + len(written), found.group()))
        length += len(written)
        position = found.end()
    return Written("".join([*pieces, text[position:]]), tuple(numbers))


def _digits(spoken: str) -> str:
    return "".join(str(DIGIT_VALUES[character]) for character in spoken)


def _date(found: re.Match[str]) -> str:
    """二零二三年三月十五日, 三月十五号, 二零二三年."""
    written = ""
    if year := found["year"]:
        written += f"{_digits(year)}年"
    if month := found["month"]:
        written += f"{_within(month, 12)}月"
    if day := found["day"]:
        written += f"{_within(day, 31)}{found['day_unit']}"
    return written


def _within(spoken: str, most: int) -> int:
    value = value_of(spoken)
    if not 1 <= value <= most:
        raise NotANumber(spoken)
    return value


def _share(found: re.Match[str]) -> str:
    """百分之十二点五 → 12.5%, 千分之三 → 3‰."""
    sign = {"百": "%", "千": "‰", "万": "‱"}[found["of"]]
    return f"{_decimal(found['share_whole'], found['share_part'])}{sign}"


def _decimal(whole: str, part: str | None) -> str:
    return f"{value_of(whole)}.{_digits(part)}" if part else str(value_of(whole))


def _money(found: re.Match[str]) -> str:
    """十万元 → 10万元, 三万五千元 → 35000元, 一点五万元 → 1.5万元."""
    part, large = found["money_part"], found["money_large"] or ""
    unit = f"{found['more'] or ''}{found['money_unit']}"
    small = f"{DIGIT_VALUES[found['tenths']]}角" if found["tenths"] else ""
    if part:
        return f"{_decimal(found['money'], part)}{large}{unit}{small}"
    value = value_of(found["money"])
    if value < 10 and unit == "块":
        raise NotANumber(found.group())  # 一块 is also "together"
    for name in ("亿", "万"):
        if value >= LARGE_VALUES[name] and value % LARGE_VALUES[name] == 0:
            return f"{value // LARGE_VALUES[name]}{name}{unit}{small}"
    return f"{value}{unit}{small}"


def _time(found: re.Match[str]) -> str:
    """九时三十分, 十点半 stays half: 10点半."""
    hour = value_of(found["hour"])
    if hour > 24:
        raise NotANumber(found.group())
    written = f"{hour}{found['hour_unit']}"
    if minute := found["minute"]:
        value = value_of(minute)
        if value > 59:
            raise NotANumber(found.group())
        written += f"{value}分"
    return written


def _long(found: re.Match[str]) -> str:
    return _digits(found["long"])


_PATTERN = re.compile(
    rf"(?P<share>(?P<of>[百千万])分之(?P<share_whole>{_NUMBER}+)(?:点(?P<share_part>{_DIGIT}+))?)"
    rf"|(?P<date>(?<!{_DIGIT})(?P<year>{_DIGIT}{{4}})年(?:(?P<month>{_TEENS})月(?:(?P<day>{_TEENS})(?P<day_unit>[日号]))?)?"
    rf")|(?P<day_of_year>(?<!{_NUMBER})(?P<only_month>{_TEENS})月(?P<only_day>{_TEENS})(?P<only_unit>[日号]))"
    rf"|(?P<clock>(?<=[午上晚晨日号天])(?P<hour>{_TEENS})(?P<hour_unit>时|点)"
    rf"(?:(?P<minute>{_TEENS}|零{_DIGIT})分)?)"
    rf"|(?P<amount>(?<![第{_NUMBER[1:-1]}])(?P<money>{_NUMBER}+)"
    rf"(?:点(?P<money_part>{_DIGIT}+)(?P<money_large>[万亿])?)?"
    rf"(?P<more>多|余)?(?P<money_unit>{_MONEY})(?:(?P<tenths>{_DIGIT})角)?)"
    rf"|(?P<number>(?<!{_SPOKEN_DIGIT})(?P<long>{_SPOKEN_DIGIT}{{{LONG_DIGITS},}})(?!{_SMALL}))"
)


def _day_of_year(found: re.Match[str]) -> str:
    return f"{_within(found['only_month'], 12)}月{_within(found['only_day'], 31)}{found['only_unit']}"


_WRITERS: dict[str, Callable[[re.Match[str]], str]] = {
    "share": _share, "date": _date, "day_of_year": _day_of_year, "clock": _time, "amount": _money, "number": _long,
}  # fmt: skip
