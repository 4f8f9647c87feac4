"""Setting a hearing down: the checks on a new hearing and the short marks of its people. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hearing.errors import InvalidField
from hearing.model import (
    PARTIES,
    CourtId,
    Procedure,
    Role,
    StaffId,
)
from hearing.scene import bounded_text

MOST_PEOPLE = 60
_ON_STAFF = frozenset({Role.PRESIDING_JUDGE, Role.JUDGE, Role.CLERK})  # they sign in with their own account
_BRACKETS = str.maketrans("()〔〕[]【】", "（）（）（）（）")
# （2026）沪0106民初1234号 · （2026）最高法民终12号之一
_CASE_NUMBER = re.compile(
    r"（(?:19|20)\d{2}）[\u4e00-\u9fff]{1,4}\d{0,4}[\u4e00-\u9fff]{1,6}\d{1,6}号(?:之[一二三四五六七八九十]{1,3})?"
)

POSITIONS: dict[Role, frozenset[str]] = {
    Role.PRESIDING_JUDGE: frozenset({"judge"}),
    Role.JUDGE: frozenset({"judge"}),
    Role.ASSESSOR: frozenset({"assessor"}),
    Role.CLERK: frozenset({"clerk"}),
}
"""Which position on the staff may take which seat."""

_MARKS: dict[Role, str] = {
    Role.PRESIDING_JUDGE: "审",
    Role.JUDGE: "审",
    Role.ASSESSOR: "陪",
    Role.CLERK: "书",
    Role.PLAINTIFF: "原",
    Role.DEFENDANT: "被",
    Role.THIRD_PARTY: "三",
    Role.WITNESS: "证",
    Role.EXPERT: "鉴",
    Role.INTERPRETER: "翻",
    Role.OBSERVER: "旁",
}


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to be; `key` is the form's own name, by which an agent says whom it represents."""

    key: str
    role: Role
    name: str
    represents: str | None = None
    staff_id: StaffId | None = None


@dataclass(frozen=True, slots=True)
class NewHearing:
    """A hearing to be, as the clerk typed it."""

    court_id: CourtId
    case_number: str
    cause: str
    title: str
    procedure: Procedure
    public: bool
    courtroom: str
    scheduled_at: datetime
    people: tuple[NewPerson, ...]
    created_by: StaffId | None = None


@dataclass(frozen=True, slots=True)
class CheckedHearing:
    """A hearing that may be set down: texts normalised, one label per person in the same order."""

    case_number: str
    cause: str
    title: str
    courtroom: str
    people: tuple[NewPerson, ...]
    labels: tuple[str, ...]


def check(new: NewHearing) -> CheckedHearing:
    """Everything the form alone can show; raises InvalidField naming the field."""
    if new.scheduled_at.tzinfo is None:
        raise InvalidField("开庭时间缺少时区。", field="scheduled_at")
    people = tuple(_checked_person(index, person) for index, person in enumerate(new.people))
    _check_composition(new, people)
    return CheckedHearing(
        case_number=normal_case_number(new.case_number),
        cause=bounded_text(new.cause, 100, "cause"),
        title=bounded_text(new.title, 200, "title"),
        courtroom=bounded_text(new.courtroom, 60, "courtroom"),
        people=people,
        labels=labels(people),
    )


def normal_case_number(text: str) -> str:
    """案号 with full-width brackets, half-width digits and no space: `(2026) 沪0106民初1234号` is taken too."""
    halved = unicodedata.normalize("NFKC", text).translate(_BRACKETS)
    number = re.sub(r"\s+", "", halved)
    if not _CASE_NUMBER.fullmatch(number):
        raise InvalidField("案号格式应为：（2026）沪0106民初1234号。", field="case_number")
    return number


def labels(people: Sequence[NewPerson]) -> tuple[str, ...]:
    """The short mark of each person in the transcript: 原, or 原1 原2 where there are several; an agent is 原代, 原1代."""
    by_key: dict[str, str] = {}
    marks = [_MARKS.get(person.role, "") for person in people]
    _number(people, marks)
    for person, mark in zip(people, marks, strict=True):
        by_key[person.key] = mark
    agents = [f"{by_key[p.represents]}代" if p.role is Role.AGENT and p.represents else "" for p in people]
    several = {mark for mark, count in Counter(filter(None, agents)).items() if count > 1}
    seen: Counter[str] = Counter()
    for index, mark in enumerate(agents):
        if mark:
            seen[mark] += 1
            marks[index] = f"{mark}{seen[mark]}" if mark in several else mark
    return tuple(marks)


def _number(people: Sequence[NewPerson], marks: list[str]) -> None:
    """Number the people who share a mark, but never the presiding judge: 审 is the one who leads."""
    counts = Counter(mark for mark in marks if mark)
    seen: Counter[str] = Counter({"审": 1})
    for index, person in enumerate(people):
        mark = marks[index]
        if mark and counts[mark] > 1 and person.role is not Role.PRESIDING_JUDGE:
            seen[mark] += 1
            marks[index] = f"{mark}{seen[mark]}"


def _checked_person(index: int, person: NewPerson) -> NewPerson:
    field = f"participants.{index}"
    name = bounded_text(person.name, 60, f"{field}.name")
    if not 1 <= len(person.key) <= 60:
        raise InvalidField("人员缺少标识。", field=f"{field}.key")
    if person.role in _ON_STAFF and person.staff_id is None:
        raise InvalidField("审判人员、书记员须从本院人员中选择。", field=f"{field}.staff_id")
    if person.role not in POSITIONS and person.staff_id is not None:
        raise InvalidField("诉讼参与人不能使用本院人员账号。", field=f"{field}.staff_id")
    return NewPerson(person.key, person.role, name, person.represents, person.staff_id)


def _check_composition(new: NewHearing, people: tuple[NewPerson, ...]) -> None:
    if len(people) > MOST_PEOPLE:
        raise InvalidField(f"一次庭审最多 {MOST_PEOPLE} 人。", field="participants")
    roles = Counter(person.role for person in people)
    if roles[Role.PRESIDING_JUDGE] != 1:
        raise InvalidField("须有且只有一名审判长（独任审判员）。", field="participants")
    if roles[Role.CLERK] != 1:
        raise InvalidField("须有且只有一名书记员。", field="participants")
    if not roles[Role.PLAINTIFF] or not roles[Role.DEFENDANT]:
        raise InvalidField("至少须有一名原告和一名被告。", field="participants")
    if roles[Role.OBSERVER] and not new.public:
        raise InvalidField("不公开开庭的案件不能有旁听人员。", field="participants")
    for what, values in (("key", [p.key for p in people]), ("staff_id", [p.staff_id for p in people if p.staff_id])):
        repeated = [value for value, count in Counter(values).items() if count > 1]
        if repeated:
            raise InvalidField("同一人在名单中出现了两次。", field=f"participants.{what}")
    _check_agents(people)


def _check_agents(people: tuple[NewPerson, ...]) -> None:
    parties = {person.key for person in people if person.role in PARTIES}
    for index, person in enumerate(people):
        field = f"participants.{index}.represents"
        if person.role is Role.AGENT and person.represents not in parties:
            raise InvalidField("诉讼代理人须指明所代理的当事人。", field=field)
        if person.role is not Role.AGENT and person.represents is not None:
            raise InvalidField("只有诉讼代理人代理他人。", field=field)
