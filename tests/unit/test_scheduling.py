"""Setting a hearing down: what a form may say, and the marks people get."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from hearing.errors import InvalidField
from hearing.model import Role, StaffId
from hearing.scheduling import NewHearing, NewPerson, check, labels, normal_case_number
from tests.courts import a_new_hearing


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("（2026）沪0106民初1234号", "（2026）沪0106民初1234号"),
        ("(2026) 沪0106民初1234号 ", "（2026）沪0106民初1234号"),
        ("〔2026〕沪０１０６民初１２３４号", "（2026）沪0106民初1234号"),
        ("（2026）最高法民终12号之一", "（2026）最高法民终12号之一"),
        ("（2026）京73民初5号", "（2026）京73民初5号"),
    ],
)
def test_a_case_number_is_normalised(typed: str, number: str) -> None:
    assert normal_case_number(typed) == number


@pytest.mark.parametrize(
    "typed", ["", "2026沪0106民初1234号", "（26）沪0106民初1号", "（2026）沪0106民初号", "（2026）沪0106民初1234", "<script>"]
)
def test_what_is_no_case_number_is_refused(typed: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        normal_case_number(typed)
    assert refusal.value.field == "case_number"


def people(*roles: tuple[str, Role, str | None]) -> list[NewPerson]:
    return [NewPerson(key, role, key, represents) for key, role, represents in roles]


def test_marks_are_numbered_only_where_there_are_several() -> None:
    assert labels(
        people(
            ("a", Role.PRESIDING_JUDGE, None), ("b", Role.JUDGE, None), ("c", Role.ASSESSOR, None), ("d", Role.CLERK, None),
            ("p1", Role.PLAINTIFF, None), ("p2", Role.PLAINTIFF, None), ("d1", Role.DEFENDANT, None), ("t", Role.THIRD_PARTY, None),
            ("x", Role.AGENT, "p1"), ("y", Role.AGENT, "d1"), ("z", Role.AGENT, "d1"),
            ("w1", Role.WITNESS, None), ("w2", Role.WITNESS, None), ("e", Role.EXPERT, None), ("i", Role.INTERPRETER, None), ("o", Role.OBSERVER, None),
        )
    ) == ("审", "审2", "陪", "书", "原1", "原2", "被", "三", "原1代", "被代1", "被代2", "证1", "证2", "鉴", "翻", "旁")  # fmt: skip


def test_a_good_form_passes() -> None:
    checked = check(a_new_hearing())
    assert checked.case_number == "（2026）沪0106民初1234号"
    assert checked.labels == ("审", "书", "原", "被", "原代", "证")


def without(form: NewHearing, key: str) -> NewHearing:
    return replace(form, people=tuple(person for person in form.people if person.key != key))


def with_person(form: NewHearing, person: NewPerson) -> NewHearing:
    return replace(form, people=(*form.people, person))


FORM = a_new_hearing()
JUDGE = NewPerson("j2", Role.PRESIDING_JUDGE, "又一人", staff_id=StaffId("judge_2"))


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (without(FORM, "j"), "participants"),
        (without(FORM, "c"), "participants"),
        (without(FORM, "d"), "participants"),
        (with_person(FORM, JUDGE), "participants"),
        (with_person(FORM, NewPerson("p", Role.WITNESS, "甲")), "participants.key"),
        (with_person(FORM, NewPerson("j2", Role.JUDGE, "同一人", staff_id=StaffId("judge_1"))), "participants.staff_id"),
        (with_person(FORM, NewPerson("j2", Role.JUDGE, "无账号")), "participants.6.staff_id"),
        (with_person(FORM, NewPerson("x", Role.WITNESS, "证人", staff_id=StaffId("judge_2"))), "participants.6.staff_id"),
        (with_person(FORM, NewPerson("x", Role.AGENT, "无委托人")), "participants.6.represents"),
        (with_person(FORM, NewPerson("x", Role.AGENT, "代理证人", represents="w")), "participants.6.represents"),
        (with_person(FORM, NewPerson("x", Role.WITNESS, "证人", represents="p")), "participants.6.represents"),
        (with_person(FORM, NewPerson("x", Role.WITNESS, "  ")), "participants.6.name"),
        (with_person(FORM, NewPerson("x", Role.WITNESS, "名" * 61)), "participants.6.name"),
        (with_person(replace(FORM, public=False), NewPerson("o", Role.OBSERVER, "旁听")), "participants"),
        (replace(FORM, people=FORM.people + tuple(NewPerson(f"w{n}", Role.WITNESS, "证") for n in range(60))), "participants"),
        (replace(FORM, cause=""), "cause"),
        (replace(FORM, title="长" * 201), "title"),
        (replace(FORM, courtroom="\n"), "courtroom"),
        (replace(FORM, scheduled_at=datetime(2026, 11, 21, 9)), "scheduled_at"),  # noqa: DTZ001  the fault under test
    ],
)
def test_a_bad_form_is_refused_by_field(form: NewHearing, field: str) -> None:
    with pytest.raises(InvalidField) as refusal:
        check(form)
    assert refusal.value.field == field
