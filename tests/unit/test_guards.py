"""What is struck from a decode, and what must never be."""

from __future__ import annotations

import pytest

from court.roles.transcripts import COURT_WORDS
from transcripts.guards import Heard, Reason, is_echo, is_loop, judge, recites

PROMPT = "以下是普通话的法庭庭审记录，使用简体中文，并加上标点符号。"


def heard(
    text: str, voiced_ms: int = 3000, window_ms: int | None = None, logprob: float = -0.4, no_speech: float = 0.05
) -> Heard:
    return Heard(text, voiced_ms + 400 if window_ms is None else window_ms, voiced_ms, logprob, no_speech)


@pytest.mark.parametrize(
    ("text", "voiced_ms"),
    [
        ("不申请回避。", 1200), ("不申请回避。", 700), ("是。", 250), ("没有异议。", 600), ("对对对对。", 900), ("没有没有没有。", 900),
        ("不同意，不同意。", 1100), ("请使用普通话。", 1300), ("我叫张伟，身份证号码后四位是三六二七。", 4200), ("没有", 300),
        ("现在开庭。", 800), ("一百二十八万三千六百元。", 2000), ("呃，这个，这个，这个钱我已经还了。", 3000),
    ],
)  # fmt: skip
def test_what_people_say_passes_untouched(text: str, voiced_ms: int) -> None:
    verdict = judge(heard(text, voiced_ms), PROMPT)
    assert (verdict.text, verdict.reason) == (text, None)


@pytest.mark.parametrize(
    ("decode", "reason"),
    [
        (heard(""), Reason.EMPTY),
        (heard("。，"), Reason.EMPTY),
        (heard("并加上标点符号。"), Reason.ECHO),
        (heard("以下是普通话的法庭庭审记录,使用简体中文"), Reason.ECHO),
        (heard("请看以下是普通话的法庭记录"), Reason.ECHO),
        (heard("请不吝点赞 订阅 转发 打赏支持明镜与点点栏目"), Reason.STOCK),
        (heard("谢谢大家", 100, window_ms=900), Reason.OUTSIDE_SPEECH),
        (heard("好", 190, window_ms=590), Reason.RESIDUE),
        (heard("同意条件" * 20), Reason.LOOP),
        (heard("啊" * 30), Reason.LOOP),
        (heard("这是一段在半秒钟里绝对说不完的很长的话因此不是人说的", 500), Reason.TOO_FAST),
        (heard("谢谢大家", logprob=-1.3, no_speech=0.8), Reason.NO_SPEECH),
    ],
)
def test_what_nobody_said_is_struck(decode: Heard, reason: Reason) -> None:
    verdict = judge(decode, PROMPT)
    assert (verdict.text, verdict.reason) == ("", reason)


def test_a_loop_at_the_end_costs_the_loop_and_not_the_words_before_it() -> None:
    said = "被告于二零二四年三月五日向我借款十二万元并出具了借条，约定一年内还清，"
    verdict = judge(heard(said + "没有，没有，没有，没有，没有，没有，", 9000), PROMPT)
    assert verdict.reason is Reason.LOOP
    assert verdict.text == said + "没有"


def test_a_doubtful_line_stays_since_a_clerk_reviews_it() -> None:
    assert judge(heard("圆告举证。", 900, logprob=-1.6), PROMPT).text == "圆告举证。"


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("是是是是是是", False),
        ("是是是是是是是", True),
        ("没有" * 4, False),
        ("没有" * 5, True),
        ("不申请回避，" * 2, False),
        ("不申请回避，" * 3, True),
    ],
)
def test_how_often_is_too_often(text: str, loops: bool) -> None:
    assert is_loop(text) is loops


def test_words_of_the_prompt_inside_a_sentence_are_no_echo() -> None:
    assert not is_echo("请双方使用普通话陈述，书记员做好庭审记录。", PROMPT)


@pytest.mark.parametrize(
    ("text", "recited"),
    [
        ("审判长、诉讼请求。", True), ("常用词：休庭、证人", True), ("报告审判长，原告已到庭。", False),
        ("对真实性、合法性、关联性均无异议。", False), ("现在进行举证质证。", False), ("原告、被告均已到庭。", False),
    ],
)  # fmt: skip
def test_reading_out_the_list_of_terms_is_told_from_speech(text: str, recited: bool) -> None:
    assert recites(text, COURT_WORDS) is recited


def test_no_terms_cannot_be_recited() -> None:
    assert not recites("审判长、诉讼请求。", ())
