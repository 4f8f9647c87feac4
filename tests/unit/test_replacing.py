"""Words of the case in place of what sounds like them, and no harm to the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transcripts import pinyin
from transcripts.pinyin import CLOSE, FAR, HALF, SAME, readings, step, word_readings
from transcripts.replacing import Found, Replacer
from transcripts.vocabulary import NO_WORDS, CaseWords
from transcripts.word_lists import word_costs

REPLACER = Replacer(word_costs(), pinyin.readings, pinyin.word_readings, pinyin.step)
CASE = CaseWords(
    names=("张伟", "李强", "王芳", "程立", "高原", "汪洋"), companies=("江宁建材",), places=("静安区", "江宁路"),
    legal=("逾期利息", "质证意见", "转账凭证", "作伪证", "欠款", "上诉", "撤诉", "本金", "原告", "连带责任", "不公开审理", "没有异议", "庭审笔录"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("伟", "威", SAME), ("张", "章", SAME), ("张", "赞", 2 * CLOSE), ("李", "你", CLOSE), ("芳", "房", SAME), ("芳", "方", SAME),
        ("黄", "房", FAR), ("强", "前", CLOSE), ("借", "接", SAME), ("吃", "次", CLOSE), ("人", "仁", SAME), ("静", "进", CLOSE), ("仁", "亲", FAR),
        ("伟", "强", FAR), ("货", "还", HALF), ("增", "曾", SAME), ("山", "单", SAME), ("告", "举", FAR), ("A", "张", FAR),
    ],
)  # fmt: skip
def test_how_far_syllables_are_apart(one: str, other: str, apart: float) -> None:
    assert step(readings(one)[0], word_readings(other)[0]) == apart == step(word_readings(other)[0], readings(one)[0])


@pytest.mark.parametrize(
    ("heard", "meant"),
    [
        ("原告章威、被告理强均已到庭。", "原告张伟、被告李强均已到庭。"),
        ("我叫黎强，住上海市", "我叫李强，住上海市"),
        ("支付预期利息三千六百元", "支付逾期利息三千六百元"),
        ("被告发表智征意见", "被告发表质证意见"),
        ("转帐评证上没有注明还款", "转账凭证上没有注明还款"),
        ("住静安去将宁路", "住静安区江宁路"),
        ("忘放作为证", "王芳作伪证"),
        ("归还本今", "归还本金"),
        ("江宁建才交货", "江宁建材交货"),
    ],
)
def test_what_sounds_like_a_word_of_the_case_becomes_it(heard: str, meant: str) -> None:
    written, found = REPLACER.replace(heard, CASE)
    assert written == meant
    assert all(heard[word.start : word.end] == word.heard for word in found if word.heard)


@pytest.mark.parametrize(
    "said",
    [
        "保护权利强制执行",  # 利强 across two words
        "公司成立于去年",  # sounds like 程立
        "他去过高原",  # is a name of the case, and a word
        "上述款项",  # 上诉
        "测速照片",  # 撤诉: short legal words must sound the same
        "欠了二十万元，还有十二万元",
        "恢复公开审理",  # 不公开审理: nothing turns the sense round
        "这样做没有意义",  # 没有异议
        "写入庭审记录",  # 庭审笔录: common words, and not the same sound
        "请改用网线",  # 汪洋: 洋 is also read xiang, but not in a name
        "李翔和赵维都来了",  # other people
        "今天天气很好，我们去公园。",
        "THE CASE 2024",
        "",
    ],
)
def test_what_is_said_stays(said: str) -> None:
    assert REPLACER.replace(said, CASE)[0] == said


def test_a_word_of_the_case_that_was_heard_right_is_found_and_a_legal_word_is_no_news() -> None:
    assert REPLACER.replace("原告张伟、李强", CASE) == ("原告张伟、李强", (Found(2, 4, ""), Found(5, 7, "")))
    assert REPLACER.replace("原告章伟", CASE)[1] == (Found(2, 4, "章伟"),)


def test_a_numeral_is_never_taken_for_anything() -> None:
    words = CaseWords(added=("十二万元", "石楼路", "三一公司"))
    for said in ("欠的是二万元", "十楼路", "山一公司"):
        assert REPLACER.replace(said, words)[0] == said


def test_without_words_nothing_is_looked_for() -> None:
    assert REPLACER.replace("原告章伟", NO_WORDS) == ("原告章伟", ())


@given(some.text(max_size=12))
def test_every_character_has_its_readings(text: str) -> None:
    assert len(readings(text)) == len(text) == len(word_readings(text))


@given(some.text("张章伟威李理强王忘芳放原告的了在权利强制逾期预期利息，。12A", max_size=30))
def test_a_line_keeps_its_length_and_every_find_stands_where_it_says(said: str) -> None:
    written, found = REPLACER.replace(said, CASE)
    assert len(written) == len(said)
    end = 0
    for word in found:
        assert end <= word.start < word.end <= len(said)
        assert written[word.start : word.end] in CASE.replacements
        assert word.heard in {"", said[word.start : word.end]}
        end = word.end
    assert REPLACER.replace(written, CASE)[0] == written
