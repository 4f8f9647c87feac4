"""The words of a case from what the court knows of it."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from transcripts.vocabulary import (
    LONGEST_WORD,
    MOST_WORDS,
    NO_WORDS,
    TOKENS,
    CaseFacts,
    CaseWords,
    case_words,
    legal_words,
    places_in,
    read_words,
    short_names,
)
from transcripts.word_lists import legal_table, word_costs

TABLE = {"*": ("原告", "举证"), "民间借贷": ("借条", "本金"), "买卖合同": ("货款",)}
LOAN = CaseFacts(
    people=("张伟", "李强（曾用名李刚）", "王芳、赵敏", "上海市江宁建材有限公司", "买买提·吐尔逊", "审判长机器人"),
    cause="民间借贷纠纷",
    title="张伟诉李强民间借贷纠纷（演练）",
    exhibits=(("借条（复印件）", "证明被告在静安区江宁路借款"), ("2023年对账单", "")),
)


def test_people_companies_places_exhibits_and_the_cause() -> None:
    words = case_words(LOAN, TABLE)
    assert words.names == ("张伟", "李强", "王芳", "赵敏", "买买提·吐尔逊")
    assert words.companies == ("上海市江宁建材有限公司", "江宁建材", "江宁公司")
    assert words.places == ("上海市", "静安区", "江宁路")
    assert words.exhibits == ("借条", "年对账单")
    assert words.legal == ("民间借贷纠纷", "借条", "本金", "原告", "举证")


def test_a_party_that_is_named_in_the_title_only_is_known_too() -> None:
    words = case_words(CaseFacts(("王芳",), "买卖合同纠纷", "华清科技有限公司诉陈立买卖合同纠纷"), TABLE)
    assert words.names == ("王芳", "陈立")
    assert words.companies[0] == "华清科技有限公司"
    assert case_words(CaseFacts((), "离婚纠纷", "关于一件离婚纠纷"), TABLE).names == ()


@pytest.mark.parametrize(
    ("company", "short"),
    [
        ("上海市江宁建材有限公司", ("江宁建材", "江宁公司")),
        ("华清科技股份有限公司", ("华清科技", "华清公司")),
        ("中国工商银行", ()),
        ("腾达公司", ()),
        ("浙江省杭州市西湖区明月餐饮管理有限责任公司", ("明月餐饮管理", "明月公司")),
    ],
)
def test_companies_are_known_by_what_people_call_them(company: str, short: tuple[str, ...]) -> None:
    assert short_names(company) == short


def test_places_begin_where_words_begin() -> None:
    assert places_in("住上海市静安区江宁路128号") == ("上海市", "静安区", "江宁路")
    assert places_in("证明被告已归还两万元") == ()


def test_the_table_knows_common_causes_and_names_them_as_the_docket_does() -> None:
    assert "逾期利息" in legal_words("民间借贷纠纷", legal_table())
    assert "劳动关系" in legal_words("劳动争议", legal_table())
    assert "交强险" in legal_words("机动车交通事故责任纠纷", legal_table())
    assert "租金" in legal_words("房屋租赁合同纠纷", legal_table())
    assert legal_words("", legal_table()) == legal_words("-", legal_table()) == legal_table()["*"]
    for words in legal_table().values():
        assert all(2 <= len(word) <= 8 for word in words)
        assert len(set(words)) == len(words)


def test_the_prompt_gets_names_first_and_no_more_than_fits() -> None:
    words = CaseWords(names=("张伟", "李强"), added=("静安区",), legal=tuple(f"词语{n}" for n in range(100)))
    assert words.terms[:3] == ("张伟", "李强", "静安区")
    assert sum(len(word) + 1 for word in words.terms) <= TOKENS
    assert NO_WORDS.terms == ()


def test_neither_repr_nor_fingerprint_gives_a_name_away() -> None:
    one, other = CaseWords(names=("张伟",)), CaseWords(names=("李强",))
    assert "张伟" not in repr(one)
    assert "张伟" not in repr(LOAN)
    assert len(one.fingerprint) == 64
    assert one.fingerprint != other.fingerprint != CaseWords(added=("李强",)).fingerprint
    assert NO_WORDS.fingerprint == ""


def test_the_vocabulary_travels_as_json() -> None:
    words = case_words(LOAN, TABLE)
    assert read_words(json.loads(json.dumps(asdict(words)))) == words
    assert read_words({"names": ["张伟"], "of_a_newer_server": 1}) == CaseWords(names=("张伟",))
    for bad in ([], {"names": "张伟"}, {"names": [1]}, None):
        with pytest.raises(ValueError):
            read_words(bad)


def test_what_nobody_can_say_is_left_out_and_nothing_grows_without_end() -> None:
    facts = CaseFacts(exhibits=tuple((f"证据{'长' * n}", "") for n in range(300)), added=("", "一", " 静安区 ", "静安区"))
    words = case_words(facts, {})
    assert words.added == ("静安区",)
    assert max(map(len, words.exhibits)) == LONGEST_WORD
    assert len(case_words(CaseFacts(added=tuple(f"词{n}" for n in range(999))), {}).added) == MOST_WORDS


def test_common_words_cost_less_than_rare_ones() -> None:
    costs = word_costs()
    assert costs["的"] < costs["权利"] < costs["预期"]
    assert "张伟" not in costs
