"""Two readings made one: the plain one's words, the guided one's marks, script and terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transcripts.merging import align, merge

SCRIPT = str.maketrans("異議應當", "异议应当")


def to_simplified(text: str) -> str:
    return text.translate(SCRIPT)


def as_long(one: str, other: str) -> bool:
    return len(one) == len(other)


@pytest.mark.parametrize(
    ("plain", "guided", "merged"),
    [
        ("对证据没有异议", "对证据，没有意义。", "对证据，没有异议。"),
        ("没有異議", "没有异议。", "没有异议。"),  # only the script differs: as the prompt asked
        ("應當还款", "还款。", "應當还款。"),
        ("", "好的。", "好的。"),
        ("我同意调解我愿意还钱", "", "我同意调解我愿意还钱"),
        ("好", "好好好好好好好好", "好好好好好好好好"),  # not the same speech: the guided one
        ("原告张伟", "原告张伟，嗯", "原告张伟，"),  # what only the prompt made it hear is left out
    ],
)
def test_words_of_the_plain_reading_marks_of_the_guided(plain: str, guided: str, merged: str) -> None:
    assert merge(plain, guided, (), to_simplified, as_long) == merged


def test_a_term_is_believed_where_it_sounds_like_what_was_heard() -> None:
    plain, guided = "他欠我本进十二万员", "他欠我本金，十二万元。"
    assert merge(plain, guided, ("本金",), to_simplified, as_long) == "他欠我本金，十二万员。"
    assert merge(plain, guided, ("本金",), to_simplified, lambda _one, _other: False) == "他欠我本进，十二万员。"


words = some.text(alphabet="一二三四，。", max_size=12)


@given(words, words)
def test_readings_laid_side_by_side_hold_all_of_both_in_order(one: str, other: str) -> None:
    pairs = align(one, other)
    assert [ours for ours, _ in pairs if ours is not None] == list(range(len(one)))
    assert [theirs for _, theirs in pairs if theirs is not None] == list(range(len(other)))


@given(words, words)
def test_without_terms_no_word_of_the_guided_reading_comes_in(one: str, other: str) -> None:
    merged = merge(one, other, (), str, as_long)
    letters = "".join(character for character in merged if character.isalnum())
    assert letters in ("".join(c for c in one if c.isalnum()), "".join(c for c in other if c.isalnum()))
