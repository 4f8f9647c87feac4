"""The character error rate and its rule."""

from __future__ import annotations

import pytest

from transcripts.cer import Errors, compare, distance, spread


def as_is(text: str) -> str:
    return text


def to_simplified(text: str) -> str:
    return text.replace("異議", "异议")


@pytest.mark.parametrize(
    ("reference", "hypothesis", "edits"),
    [
        ("没有异议。", "没有异议", 0),
        ("没有异议", "没有意义", 2),
        ("没有异议", "", 4),
        ("二零二四年三月五日", "2024年3月5日", 0),
        ("借款十二万元", "借款12万元", 0),
        ("二零二四年借款十二万元", "2024年借款12万元", 0),
        ("后四位是三六二七", "后四位是3627", 0),
        ("后四位是三六二七", "后四位是3628", 1),
        ("电话是幺三八", "电话是138", 0),
        ("利率百分之十二", "利率12%", 0),
        ("ＡＢＣ", "ABC", 0),
        ("住一百二十八号", "住128号", 0),
    ],
)
def test_edits(reference: str, hypothesis: str, edits: int) -> None:
    assert compare(reference, hypothesis, as_is).edits == edits


def test_script_is_not_an_error() -> None:
    assert compare("没有异议", "没有異議", to_simplified).edits == 0


def test_the_rate_is_over_the_reference_and_adds_up() -> None:
    total = compare("没有异议", "没有意义", as_is) + compare("现在开庭了", "现在开庭了", as_is)
    assert total == Errors(2, 9)
    assert total.rate == pytest.approx(2 / 9)
    assert Errors(0, 0).rate == 0
    assert Errors(3, 0).rate == 1


def test_distance_counts_all_three_kinds_of_edit() -> None:
    assert distance("abc", "axcd") == 2
    assert distance("", "ab") == 2
    assert distance("ab", "b") == 1


def test_edits_of_a_joint_hypothesis_go_to_the_words_they_spoil() -> None:
    said = ["没有异议。", "借款十二万元", "同意调解"]
    assert spread(said, "没有意义借款12万元嗯同意", as_is) == [Errors(2, 4), Errors(1, 6), Errors(2, 4)]
    assert sum(spread(said, "", as_is), Errors(0, 0)) == compare("".join(said), "", as_is)
