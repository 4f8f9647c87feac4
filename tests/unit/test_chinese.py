"""Writing recognised Chinese, and reading numbers out."""

from __future__ import annotations

import pytest

from transcripts.chinese import cardinal, digit_by_digit, write


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("现在开庭,首先核对身份。", "现在开庭，首先核对身份。"),
        ("是否申请回避?", "是否申请回避？"),
        ("你 好 ， 审判长", "你好，审判长"),
        ("承认证言, 和转账凭证。 应当认定", "承认证言，和转账凭证。应当认定"),
        ("2024年3月5日,借款12万元", "2024年3月5日，借款12万元"),
        ("金额是12,000.50元", "金额是12,000.50元"),
        ("后四位是5104,没有错", "后四位是5104，没有错"),
        ("后四位是5104.", "后四位是5104."),
        ("原告(张伟)到庭", "原告（张伟）到庭"),
        ("案号 (2026)沪0106民初1234号", "案号(2026)沪0106民初1234号"),
        ("他用 WeChat Pay 转账", "他用WeChat Pay转账"),
        ("see page 3, please", "see page 3, please"),
        ("八点半:00", "八点半:00"),
        ("现在闭庭.", "现在闭庭。"),
        ("，没有异议，", "没有异议"),
        ("", ""),
    ],
)
def test_marks_are_full_width_beside_chinese_only(raw: str, written: str) -> None:
    assert write(raw) == written


def test_writing_twice_changes_nothing() -> None:
    for text in ("现在开庭,首先 核对?", "12,000元,已还", "(张伟) 说: 没有!"):
        assert write(write(text)) == write(text)


@pytest.mark.parametrize(
    ("digits", "said"),
    [
        ("0", "零"), ("7", "七"), ("10", "十"), ("12", "十二"), ("20", "二十"), ("105", "一百零五"), ("110", "一百一十"),
        ("128", "一百二十八"), ("2024", "二千零二十四"), ("10000", "一万"), ("120000", "十二万"), ("100500", "十万零五百"),
        ("10010000", "一千零一万"), ("100000000", "一亿"), ("100000001", "一亿零一"),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_read_them(digits: str, said: str) -> None:
    assert cardinal(digits) == said


def test_digits_are_read_one_by_one() -> None:
    assert digit_by_digit("3627") == "三六二七"
