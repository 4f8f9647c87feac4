"""Where a clerk should look twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transcripts.marks import DOUBTED_LINE, DOUBTED_WORD, doubted_stretches, marks_of, mover, negation_marks, number_marks
from transcripts.model import MarkKind, Word
from transcripts.numbers import write_numbers
from transcripts.replacing import Found


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("我没有借过钱", ["没有"]),
        ("原告不予认可，并非我本人签名", ["不予", "并非"]),
        ("从未收到，无法归还", ["从未", "无法"]),
        ("被告未到庭", ["未"]),
        ("这是不动产，他是否到庭", []),
        ("非常清楚，不仅如此，除非他同意", []),
        ("我不知道是不是他", ["不", "不是"]),
        ("原告张伟", []),
    ],
)
def test_words_that_turn_the_sense_round(text: str, marked: list[str]) -> None:
    assert [text[mark.start : mark.end] for mark in negation_marks(text)] == marked


@pytest.mark.parametrize(
    ("said", "marked"),
    [
        ("二零二四年三月五日借款十二万元", [("2024年3月5日", "二零二四年三月五日"), ("12万元", "十二万元")]),
        ("约定六个月内还清", [("六个月", "")]),
        ("转账12,000.50元", [("12,000.50元", "")]),
        ("后四位是3627", [("3627", "")]),
        ("十来万元", [("十来万元", "")]),
        ("依照第667条", [("第六百六十七条", "第667条")]),
        ("一些人十分高兴", []),
    ],
)
def test_numbers_with_what_was_heard(said: str, marked: list[tuple[str, str]]) -> None:
    written = write_numbers(said)
    assert [(written.text[m.start : m.end], m.note) for m in number_marks(written.text, written)] == marked


def words(*heard: tuple[str, float]) -> list[Word]:
    return [Word(text, n * 200, n * 200 + 200, p) for n, (text, p) in enumerate(heard)]


def test_doubted_words_are_marked_and_neighbours_together() -> None:
    heard = words(("现", 0.9), ("在,", 0.2), ("開", 0.4), ("庭", 0.9), ("请", 0.9), ("坐。", DOUBTED_WORD - 0.01))
    text = "现在，开庭请坐。"
    assert [text[a:b] for a, b in doubted_stretches(text, "现在,開庭请坐。", heard, 0.9)] == ["在，开", "坐"]


def test_a_line_without_words_is_doubted_as_a_whole() -> None:
    assert doubted_stretches("现在开庭。", "现在开庭。", [], DOUBTED_LINE - 0.01) == [(0, 5)]
    assert doubted_stretches("现在开庭。", "现在开庭。", [], DOUBTED_LINE) == []
    unlike = words(("现在", 0.1))
    assert doubted_stretches("现在开庭。", "现在开庭。", unlike, 0.9) == []
    assert doubted_stretches("现在开庭。", "现在开庭。", unlike, 0.1) == [(0, 5)]
    assert doubted_stretches("", "", [], 0.1) == []


def test_a_line_shortened_by_the_guards_is_doubted_as_far_as_it_stands() -> None:
    heard = words(("好", 0.9), ("的", 0.1), ("的", 0.1), ("的", 0.1))
    assert doubted_stretches("好的", "好的的的", heard, 0.9) == [(1, 2)]


def test_marks_move_with_the_numbers_before_them() -> None:
    said = "二零二四年三月五日，章伟借款十二万元，没有还"
    written = write_numbers(said.replace("章伟", "张伟"))
    assert written.text == "2024年3月5日，张伟借款12万元，没有还"
    found, doubted = [Found(10, 12, "章伟")], [(12, 18)]
    marks = marks_of(written.text, written, found, doubted)
    assert [(mark.kind, written.text[mark.start : mark.end], mark.note) for mark in marks] == [
        (MarkKind.NUMBER, "2024年3月5日", "二零二四年三月五日"),
        (MarkKind.NAME, "张伟", "章伟"),
        (MarkKind.LOW_CONFIDENCE, "借款12万元", ""),
        (MarkKind.NUMBER, "12万元", "十二万元"),
        (MarkKind.NEGATION, "没有", ""),
    ]


@given(some.text("零一二三四五六七八九十百万元年月日号张伟不没有，第条路12", max_size=24), some.data())
def test_every_mark_lies_in_the_line_and_what_is_no_number_moves_unchanged(said: str, data: some.DataObject) -> None:
    written = write_numbers(said)
    start = data.draw(some.integers(0, len(said)))
    end = data.draw(some.integers(start, len(said)))
    moved_start, moved_end = mover(written)(start, end)
    assert 0 <= moved_start <= moved_end <= len(written.text)
    inside = [n for n in written.numbers if n.start < moved_end and moved_start < n.end]
    if not inside:
        assert written.text[moved_start:moved_end] == said[start:end]
    for mark in marks_of(written.text, written, [], [(start, end)]):
        assert 0 <= mark.start < mark.end <= len(written.text)
