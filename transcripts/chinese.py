"""How recognised Chinese is written: full-width punctuation, no stray spaces, numerals read out for comparison."""

from __future__ import annotations

import re

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
CLOSING = "，。！？；：、）】》”’"
FULL_WIDTH = str.maketrans({",": "，", "?": "？", "!": "！", ";": "；", ":": "：", "(": "（", ")": "）"})
DIGITS = "零一二三四五六七八九"
SMALL_UNITS = ("", "十", "百", "千")
LARGE_UNITS = ("", "万", "亿", "万亿")

_SPACE_BY_HAN = re.compile(rf"(?<=[{HAN}{CLOSING}])\s+|\s+(?=[{HAN}{CLOSING}])")
_MARK_BY_HAN = re.compile(rf"(?<=[{HAN}])[,?!;:](?!\d)|[,?!;:](?=[{HAN}])(?<!\d.)|(?<=\d)[,?!;](?=[{HAN}])")
_STOP_BY_HAN = re.compile(rf"(?<=[{HAN}])\.(?=[{HAN}\s]|$)")
_BRACKETS_BY_HAN = re.compile(rf"\(([^()]*[{HAN}][^()]*)\)")
_MARK_AT_END = re.compile(rf"(?<=[{HAN}\d])[,?!;]$")


def write(text: str) -> str:
    """Chinese as a court writes it: full-width marks beside Chinese characters, no spaces between them."""
    text = _SPACE_BY_HAN.sub("", text.strip())
    text = _BRACKETS_BY_HAN.sub(r"（\1）", text)
    text = _STOP_BY_HAN.sub("。", text)
    text = _MARK_BY_HAN.sub(lambda found: found.group().translate(FULL_WIDTH), text)
    text = _MARK_AT_END.sub(lambda found: found.group().translate(FULL_WIDTH), text)
    return _SPACE_BY_HAN.sub("", text).strip("，、；： ")


def digit_by_digit(digits: str) -> str:
    """2024 → 二零二四."""
    return "".join(DIGITS[int(digit)] for digit in digits)


def cardinal(digits: str) -> str:
    """120000 → 十二万; up to 16 digits."""
    number = int(digits)
    if number == 0:
        return DIGITS[0]
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    said = ""
    for place in range(len(groups) - 1, -1, -1):
        if groups[place]:
            gap = said != "" and groups[place] < 1000
            said += (DIGITS[0] if gap else "") + _below_ten_thousand(groups[place]) + LARGE_UNITS[place]
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_ten_thousand(number: int) -> str:
    said, gap = "", False
    for place in range(3, -1, -1):
        digit = number // 10**place % 10
        if digit == 0:
            gap = said != ""
            continue
        said += (DIGITS[0] if gap else "") + DIGITS[digit] + SMALL_UNITS[place]
        gap = False
    return said
