"""Where two recognisers differ: marks with the other's words; ways of writing make no difference."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts.differences import differences
from transcripts.model import MarkKind


def told(text: str, other: str) -> list[tuple[str, str]]:
    """What is marked, and what the other says there."""
    return [(text[mark.start : mark.end], mark.note) for mark in differences(text, other)]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("借条是真实的。", "借条是真实的"),
        ("原告，你有什么要说的？", "原告你有什么要说的!"),
        ("ＯＫ，微信转账。", "ok微信转账"),
        ("借款3000元。", "借款三千元"),
        ("借款10万元", "借款100000元"),
        ("借款35万元", "借款三十五万元"),
        ("借款3万5千元", "借款三万五千元"),
        ("借款1.5万元", "借款一点五万元"),
        ("借款1.5万元", "借款15,000元"),
        ("年利率12.5%", "年利率百分之十二点五"),
        ("2024年3月15日", "二零二四年三月十五日"),
        ("电话13812345678", "电话幺三八一二三四五六七八"),
        ("两千元", "2000元"),
        ("说一下，千万不要十分着急", "说一下千万不要十分着急"),
    ],
)
def test_ways_of_writing_make_no_difference(text: str, other: str) -> None:
    assert told(text, other) == []
    assert told(other, text) == []


@pytest.mark.parametrize(
    ("text", "other", "expected"),
    [
        ("原告张三到庭。", "原告章三到庭", [("张", "章")]),
        ("借款3000元。", "借款四千元", [("3000", "四千")]),
        ("年利率12%", "年利率12‰", [("12%", "12‰")]),
        ("我没有收到。", "我收到", [("没有", "")]),
        ("我收到。", "我没有收到", [("我", "我没有")]),
        ("收到了钱款。", "没收到了钱款", [("收", "没收")]),
        ("甲乙丙丁戊己庚辛壬癸", "甲乙丙丁戊己庚辛子丑", [("壬癸", "子丑")]),
        ("一二甲三乙四天地玄黄宇宙洪荒日月", "一二丙三丁四天地玄黄宇宙洪荒日月", [("甲三乙", "丙三丁")]),
        ("第一，借条是假的，我没有写。", "第一借条是真的我没有写", [("假", "真")]),
        ("借条是假的", "完全另外一句话", [("借条是假的", "完全另外一句话")]),
        ("借条是假的。", "", [("借条是假的", "")]),
        ("。", "借条", []),
        ("", "借条", []),
    ],
)
def test_other_words_are_told_where_they_stand(text: str, other: str, expected: list[tuple[str, str]]) -> None:
    assert told(text, other) == expected


@given(st.text("甲乙一二三十百万点,.%0359，。 借条", max_size=24), st.text("甲乙一二三十百万点,.%0359，。 借条", max_size=24))
def test_marks_lie_in_the_text_in_order_and_the_same_text_has_none(text: str, other: str) -> None:
    marks = differences(text, other)
    assert all(mark.kind is MarkKind.SECOND_OPINION and 0 <= mark.start < mark.end <= len(text) for mark in marks)
    assert all(mark.note in other for mark in marks)
    assert all(before.end <= after.start for before, after in pairwise(marks))
    assert differences(text, text) == ()
