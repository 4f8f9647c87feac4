"""Numbers as courts write them, and what must stay as it was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from transcripts.chinese import cardinal
from transcripts.numbers import NotANumber, value_of, write_numbers


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("二零二三年三月十五日借款十万元", "2023年3月15日借款10万元"),
        ("借了三万五千元", "借了35000元"),
        ("年利率百分之十二点五", "年利率12.5%"),
        ("日万分之五的违约金", "日5‱的违约金"),
        ("一点五万元", "1.5万元"),
        ("还了两万多元", "还了2万多元"),
        ("一千二百三十四元五角", "1234元5角"),
        ("一百零五元", "105元"),
        ("电话幺三八零零零一二三四五", "电话13800012345"),
        ("三月十五号上午九时三十分", "3月15号上午9时30分"),
        ("五块钱", "5块钱"),
        ("十二万三千四百五十六元七角八分", "123456元7角8分"),
        ("五十多万元", "50多万元"),
        ("两千零二十三年三月", "2023年3月"),
        ("二三年三月十五日", "23年3月15日"),
        ("面积八十九点五平方米", "面积89.5平方米"),
        ("身份证号码三一零一零六一九八零零一零一一二三四", "身份证号码310106198001011234"),
        ("身份证号码后四位是三六二七，尾号六六八八", "身份证号码后四位是3627，尾号6688"),
        ("住江宁路一百二十八弄三号楼五零二室", "住江宁路128弄3号楼502室"),
        ("案号是二零二六江零一零二民初九零零一号", "案号是（2026）江0102民初9001号"),
        ("二零二四年沪零一民终三百二十号", "（2024）沪01民终320号"),
        ("根据第667条第2款", "根据第六百六十七条第二款"),
    ],
)
def test_what_is_plainly_a_number_is_written_in_digits(said: str, written: str) -> None:
    assert write_numbers(said).text == written


@pytest.mark.parametrize(
    "said",
    [
        "第六百六十七条", "一些人十分高兴", "一审二审", "三个月", "我们一块去", "十来万元", "二三百元", "万一", "九十九", "十三月",
        "千万不要", "一五一十", "下午两点半见", "十三月四十日", "三六九等", "一九", "借款10万元", "",
        "第一百二十三条第二款", "三年五个月", "我知道三号那天", "七平方米", "四位原告", "第一百平方米",
    ],
)  # fmt: skip
def test_the_rest_stays_as_it_was_said(said: str) -> None:
    assert write_numbers(said).text == said


def test_the_spoken_form_is_kept_with_its_place() -> None:
    written = write_numbers("于二零二三年三月借款十万元，年息百分之六。")
    assert [(written.text[n.start : n.end], n.spoken) for n in written.numbers] == [
        ("2023年3月", "二零二三年三月"),
        ("10万元", "十万元"),
        ("6%", "百分之六"),
    ]


@given(some.integers(min_value=1, max_value=10**12 - 1))
def test_every_number_is_read_as_it_is_said(number: int) -> None:
    assert value_of(cardinal(str(number))) == number


@pytest.mark.parametrize(
    ("said", "value"), [("三万五", 35_000), ("一百二", 120), ("一百零二", 102), ("一万零五十", 10_050), ("两千万", 20_000_000)]
)
def test_short_ways_of_saying_a_number(said: str, value: int) -> None:
    assert value_of(said) == value


@pytest.mark.parametrize("said", ["", "二三百", "百千", "万", "十千", "百", "一百二百"])
def test_what_makes_no_number_is_refused(said: str) -> None:
    with pytest.raises(NotANumber):
        value_of(said)


@given(
    some.text(
        "零一二两三四五六七八九十百千万亿元年月日号时分点第条个块钱百分之幺多，上午路室楼沪民初尾位是平方米12", max_size=24
    )
)
def test_no_text_breaks_it_and_the_spans_are_where_they_say(said: str) -> None:
    written = write_numbers(said)
    rebuilt, position = [], 0
    for number in written.numbers:
        rebuilt += [written.text[position : number.start], number.spoken]
        position = number.end
    assert "".join([*rebuilt, written.text[position:]]) == said
