"""Hearings to test with: invented people, one of every role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from hearing.model import (
    Actor,
    CourtId,
    ExhibitId,
    ExhibitRef,
    Hearing,
    HearingId,
    Participant,
    ParticipantId,
    Procedure,
    Role,
    Side,
    Sitting,
    SittingId,
    StaffId,
)
from hearing.scheduling import NewHearing, NewPerson
from storage import tables as t
from storage.database import Database

NINE = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)  # 9:00 in Beijing
COURT = CourtId("court_test")

_ROLES: dict[str, Role] = {
    "presiding": Role.PRESIDING_JUDGE,
    "judge": Role.JUDGE,
    "assessor": Role.ASSESSOR,
    "clerk": Role.CLERK,
    "plaintiff": Role.PLAINTIFF,
    "defendant": Role.DEFENDANT,
    "third": Role.THIRD_PARTY,
    "counsel": Role.AGENT,
    "witness": Role.WITNESS,
    "expert": Role.EXPERT,
    "interpreter": Role.INTERPRETER,
    "observer": Role.OBSERVER,
}
EXHIBITS = (
    ExhibitRef(ExhibitId("exh_iou"), Side.PLAINTIFF, pages=3),
    ExhibitRef(ExhibitId("exh_receipt"), Side.DEFENDANT, pages=1),
    ExhibitRef(ExhibitId("exh_map"), Side.COURT, pages=2),
)


class SetClock:
    """A clock that stands until it is told to go on (satisfies hearing.timeline.Clock)."""

    def __init__(self, at: datetime = NINE) -> None:
        self.at = at
        self._monotonic = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self._monotonic += seconds


def a_hearing() -> Hearing:
    """One of every role; ids are the words above; the counsel acts for the plaintiff."""
    participants = tuple(
        Participant(pid(word), role, f"某{word}", word, represents=pid("plaintiff") if role is Role.AGENT else None)
        for word, role in _ROLES.items()
    )
    return Hearing(
        id=HearingId("hear_test"),
        court_id=COURT,
        case_number="（2026）沪0106民初1234号",
        cause="民间借贷纠纷",
        title="张某诉李某民间借贷纠纷",
        procedure=Procedure.ORDINARY,
        public=True,
        courtroom="第三在线法庭",
        scheduled_at=NINE,
        participants=participants,
    )


def a_sitting() -> Sitting:
    return Sitting(SittingId("sit_test"), HearingId("hear_test"), number=1)


def pid(word: str) -> ParticipantId:
    return ParticipantId(word)


def actor(word: str) -> Actor:
    """Who acts, by the words above."""
    return Actor(pid(word), _ROLES[word])


async def found_court(database: Database) -> None:
    """The court and its staff: judge_1, judge_2, assessor_1, clerk_1 and a technician."""
    positions = {"judge_1": "judge", "judge_2": "judge", "assessor_1": "assessor", "clerk_1": "clerk", "tech_1": "technician"}
    async with database.transaction() as connection:
        await connection.execute(insert(t.courts).values(id=COURT, name="某区人民法院", created_at=NINE))
        for staff_id, position in positions.items():
            row = {"id": staff_id, "court_id": COURT, "login": staff_id, "name": staff_id, "position": position}
            await connection.execute(insert(t.staff).values(**row, password_hash="-", disabled=False))


def a_new_hearing() -> NewHearing:
    """A form as a clerk sends it."""
    return NewHearing(
        court_id=COURT,
        case_number="(2026)沪0106民初1234号",
        cause="民间借贷纠纷",
        title="张某诉李某民间借贷纠纷",
        procedure=Procedure.ORDINARY,
        public=True,
        courtroom="第三在线法庭",
        scheduled_at=NINE,
        people=(
            NewPerson("j", Role.PRESIDING_JUDGE, "审判长", staff_id=StaffId("judge_1")),
            NewPerson("c", Role.CLERK, "书记员", staff_id=StaffId("clerk_1")),
            NewPerson("p", Role.PLAINTIFF, "张某"),
            NewPerson("d", Role.DEFENDANT, "李某"),
            NewPerson("a", Role.AGENT, "王律师", represents="p"),
            NewPerson("w", Role.WITNESS, "证人甲"),
        ),
        created_by=StaffId("clerk_1"),
    )
