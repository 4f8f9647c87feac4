"""Spoken numbers as courts write them: dates, times, amounts, shares, long digit strings (inverse text normalisation).

Only where the unit leaves no doubt. What the language itself says with a numeral (一些, 十分, 第六百六十七条, 一审, 三个月)
stays as spoken: a judgment writes articles of law and counts in Chinese, also where a recogniser wrote them in digits. The
words as they were heard are kept beside what is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from transcripts.chinese import cardinal

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
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼最江"
_MEASURES = "平方米|平米|立方米|公里|千米|厘米|毫米|公斤|千克|吨|亩"
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
    """二零二三年三月十五日, 两千零二十三年三月."""
    written = ""
    if year := found["year"]:
        digits = _digits(year) if set(year) <= DIGIT_VALUES.keys() else str(value_of(year))
        written += f"{digits}年"
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
    unit = f"{found['more'] or ''}{found['more_large'] or ''}{found['money_unit']}"
    small = f"{DIGIT_VALUES[found['tenths']]}角" if found["tenths"] else ""
    small += f"{DIGIT_VALUES[found['cents']]}分" if found["cents"] else ""
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
    rf"|(?P<case>(?P<case_year>{_DIGIT}{{4}})年?(?P<case_court>[{_PROVINCES}]{_SPOKEN_DIGIT}{{2,4}})"
    rf"(?P<case_kind>[民刑行执商知][一-龥]{{0,3}}?[初终再申辖执特督])(?P<case_number>{_NUMBER}+)号)"
    rf"|(?P<date>(?<!{_NUMBER})(?P<year>{_DIGIT}{{4}}|[二两]千零{_SMALL}{{1,3}})年"
    rf"(?:(?P<month>{_TEENS})月(?:(?P<day>{_TEENS})(?P<day_unit>[日号]))?)?)"
    rf"|(?P<short_date>(?<!{_NUMBER})(?P<short_year>{_DIGIT}{{2}})年(?P<short_month>{_TEENS})月"
    rf"(?:(?P<short_day>{_TEENS})(?P<short_unit>[日号]))?)"
    rf"|(?P<day_of_year>(?<!{_NUMBER})(?P<only_month>{_TEENS})月(?P<only_day>{_TEENS})(?P<only_unit>[日号]))"
    rf"|(?P<clock>(?<=[午上晚晨日号天])(?P<hour>{_TEENS})(?P<hour_unit>时|点)"
    rf"(?:(?P<minute>{_TEENS}|零{_DIGIT})分)?)"
    rf"|(?P<amount>(?<![第{_NUMBER[1:-1]}])(?P<money>{_NUMBER}+)"
    rf"(?:点(?P<money_part>{_DIGIT}+)(?P<money_large>[万亿])?)?"
    rf"(?:(?P<more>多|余)(?P<more_large>[万亿])?)?(?P<money_unit>{_MONEY})"
    rf"(?:(?P<tenths>{_DIGIT})角(?:(?P<cents>{_DIGIT})分)?)?)"
    rf"|(?P<measure>(?<![第{_NUMBER[1:-1]}])(?P<size>{_NUMBER}+)(?:点(?P<size_part>{_DIGIT}+))?(?P<size_unit>{_MEASURES}))"
    rf"|(?P<house>(?:(?<=[路街巷弄村])|(?<=大道))(?P<house_number>{_NUMBER}+)(?P<house_unit>号|弄))"
    rf"|(?P<room>(?<=[楼元层号])(?P<room_number>{_SPOKEN_DIGIT}{{3,4}})室)"
    rf"|(?P<last>(?:(?<=尾号)|(?<=[四六]位)|(?<=[号位][是为]))(?P<last_digits>{_SPOKEN_DIGIT}{{4}}(?:{_SPOKEN_DIGIT}{{2}})?)"
    rf"(?!{_SMALL}))"
    rf"|(?P<number>(?<!{_SPOKEN_DIGIT})(?P<long>{_SPOKEN_DIGIT}{{{LONG_DIGITS},}})(?!{_SMALL}))"
    rf"|(?P<article>第(?P<article_number>\d{{1,4}})(?P<article_unit>[条款项章节编]))"
)


def _day_of_year(found: re.Match[str]) -> str:
    return f"{_within(found['only_month'], 12)}月{_within(found['only_day'], 31)}{found['only_unit']}"


def _case(found: re.Match[str]) -> str:
    """二零二四年沪零一零一民初三百二十号 → （2024）沪0101民初320号 (案号)."""
    court = found["case_court"]
    number = found["case_number"]
    digits = _digits(number) if set(number) <= DIGIT_VALUES.keys() else str(value_of(number))
    return f"（{_digits(found['case_year'])}）{court[0]}{_digits(court[1:])}{found['case_kind']}{digits}号"


def _short_date(found: re.Match[str]) -> str:
    """二三年三月十五日; without a month it may be a span of years."""
    written = f"{_digits(found['short_year'])}年{_within(found['short_month'], 12)}月"
    return f"{written}{_within(found['short_day'], 31)}{found['short_unit']}" if found["short_day"] else written


def _measure(found: re.Match[str]) -> str:
    """八十九点五平方米 → 89.5平方米; a single digit stays a word."""
    if not found["size_part"] and value_of(found["size"]) < 10:
        raise NotANumber(found.group())
    return f"{_decimal(found['size'], found['size_part'])}{found['size_unit']}"


def _house(found: re.Match[str]) -> str:
    """江宁路一百二十八号, read as a number or digit by digit."""
    number = found["house_number"]
    digits = _digits(number) if len(number) > 1 and set(number) <= DIGIT_VALUES.keys() else str(value_of(number))
    return f"{digits}{found['house_unit']}"


def _room(found: re.Match[str]) -> str:
    return f"{_digits(found['room_number'])}室"


def _last(found: re.Match[str]) -> str:
    """后四位是三六二七: the end of a longer number."""
    return _digits(found["last_digits"])


def _article(found: re.Match[str]) -> str:
    """第667条, as some recognisers write it → 第六百六十七条, as a judgment cites the law."""
    return f"第{cardinal(found['article_number'])}{found['article_unit']}"


_WRITERS: dict[str, Callable[[re.Match[str]], str]] = {
    "share": _share, "case": _case, "date": _date, "short_date": _short_date, "day_of_year": _day_of_year, "clock": _time,
    "amount": _money, "measure": _measure, "house": _house, "room": _room, "last": _last, "number": _long, "article": _article,
}  # fmt: skip
