"""Words of the same sound, weighed: what lexicon and ear prefer is written, never what the ear was not asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transcripts.rewording import Edit, Lexicon, differences, reword, soundalikes

SYLLABLES = {
    "局": "ju", "举": "ju", "部": "bu", "地": "di", "区": "qu", "政": "zheng", "证": "zheng", "监": "jian", "会": "hui",
    "借": "jie", "条": "tiao", "接": "jie", "调": "tiao", "伤": "shang", "商": "shang", "者": "zhe", "三": "san", "桑": "sang", "不": "bu", "布": "bu", "是": "shi", "十": "shi",
}  # fmt: skip
COSTS = {"局部": 8.0, "地区": 7.0, "证监会": 10.0, "借条": 11.0, "伤者": 10.0, "桑者": 10.0} | dict.fromkeys(SYLLABLES, 11.0)


def sounds(text: str) -> list[tuple[str, ...]]:
    return [(SYLLABLES[character],) if character in SYLLABLES else () for character in text]


LEXICON = Lexicon(COSTS, sounds)


def ear_for(truth: str, loss: float = 1.0) -> Callable[[Sequence[str]], list[list[float]]]:
    """Hears each character that is not as it was said worse by so many nats."""
    return lambda texts: [[-loss * (one != other) for one, other in zip(text, truth, strict=True)] for text in texts]


def test_a_word_of_the_same_sound_is_written_where_the_ear_does_not_mind() -> None:
    assert reword("举部地区，政监会", (), LEXICON, ear_for("举部地区，政监会")) == "局部地区，证监会"


def test_the_ear_keeps_what_it_is_sure_of() -> None:
    assert reword("举部地区", (), LEXICON, ear_for("举部地区", loss=20)) == "举部地区"


def test_of_several_words_the_one_that_is_heard_better() -> None:
    assert {edit.word for edit in soundalikes("商者", LEXICON)} == {"伤者", "桑者"}  # shang and sang: close enough
    assert reword("商者", (), LEXICON, ear_for("伤者")) == "伤者"
    assert reword("商者", (), LEXICON, ear_for("桑者")) == "桑者"


def test_numerals_and_negations_stay_what_and_where_they_are() -> None:
    lexicon = Lexicon({"三者": 5.0, "不是": 5.0, "布是": 20.0, "不十": 5.0}, sounds)
    for text in ("商者", "布是", "不是", "部十"):
        assert reword(text, ("不是", "三者"), lexicon, ear_for(text)) == text


def test_words_of_the_case_are_common_in_the_case() -> None:
    text = "接调"
    assert reword(text, (), Lexicon({}, sounds), ear_for(text)) == text
    assert reword(text, (), Lexicon({}, sounds).naming(("借条",)), ear_for(text)) == "借条"
    assert reword(text, (), LEXICON.naming(("局部",)), ear_for(text)) == "借条", "and the common words are there still"


def test_another_reading_is_tried_whatever_it_sounds_like() -> None:
    assert reword("会地区", ["局部，地区"], LEXICON, ear_for("会地区")) == "会地区", "not as long: not tried"
    assert list(differences("会，会地区", ["局部地区"], LEXICON)) == [], "a mark in between: not one place"
    assert reword("会会地区", ["局部，地区"], LEXICON, ear_for("会会地区")) == "局部地区"


def test_nothing_is_asked_where_nothing_is_commoner() -> None:
    def deaf(_texts: Sequence[str]) -> list[list[float]]:
        pytest.fail("asked")

    assert reword("局部地区", ["局部地区"], LEXICON, deaf) == "局部地区"
    assert reword("", [], LEXICON, deaf) == ""
    assert reword("2024年", [], LEXICON, deaf) == "2024年"


@given(some.text(alphabet="局举部地区政证监会借接条调，1", max_size=14), some.text(alphabet="局举部地区", max_size=14))
def test_the_text_stays_as_long_and_marks_and_digits_where_they_were(text: str, other: str) -> None:
    written = reword(text, [other], LEXICON, ear_for(text, loss=0.1))
    assert len(written) == len(text)
    assert [(n, c) for n, c in enumerate(written) if c in "，1"] == [(n, c) for n, c in enumerate(text) if c in "，1"]


def test_an_edit_replaces_its_stretch() -> None:
    assert Edit(1, 3, "局部", 1.0).apply("在举部地区") == "在局部地区"
