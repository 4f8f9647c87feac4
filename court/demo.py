"""The demo court (演示法院): made-up people and matters, so that a fresh installation can be tried at once.

Its passwords stand in COURT_KEYS/demo.json, which is also a credentials file for `court rehearse --url`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, insert, select

from court.keys import prepare_keys_folder, write_secret
from hearing.model import CourtId, Hearing, HearingId, Procedure, Role, StaffId
from hearing.scheduling import NewHearing, NewPerson
from hearing.service import HearingService
from hearing.states import OVER
from hearing.timeline import Clock
from signaling.auth import Authentication, hash_password
from storage import tables as t
from storage.database import Database
from storage.ids import new_id

COURT_NAME = "东江市明镜区人民法院（演示法院）"  # neither the city nor the court exists
FILE_NAME = "demo.json"
STAFF = (
    ("chenjing", "陈静", "judge"),
    ("zhaolin", "赵琳", "clerk"),
    ("liumin", "刘敏", "assessor"),
    ("zhoujianguo", "周建国", "assessor"),
    ("heping", "何平", "judge"),
)


class DemoAccount(BaseModel):
    model_config = ConfigDict(frozen=True)

    login: str
    password: str
    name: str
    position: str


class DemoCourt(BaseModel):
    """What COURT_KEYS/demo.json holds."""

    model_config = ConfigDict(frozen=True)

    court_id: str
    hearing_id: str
    accounts: tuple[DemoAccount, ...]


@dataclass(frozen=True, slots=True)
class DemoLink:
    """A fresh personal link of the demo hearing."""

    role: Role
    name: str
    url: str


async def seed_if_empty(database: Database, hearings: HearingService, keys: Path, clock: Clock, zone: ZoneInfo) -> bool:
    """Write the demo court into an installation without any court; False when there is one already."""
    async with database.transaction() as connection:
        if (await connection.execute(select(func.count()).select_from(t.courts))).scalar_one():
            return False
        court_id, now = CourtId(new_id("court")), clock.now()
        await connection.execute(insert(t.courts).values(id=court_id, name=COURT_NAME, created_at=now))
        accounts = tuple(DemoAccount(login=login, password=_password(), name=name, position=p) for login, name, p in STAFF)
        ids = {account.login: StaffId(new_id("staff")) for account in accounts}
        rows = [
            {
                "id": ids[account.login], "court_id": court_id, "login": account.login, "name": account.name,
                "position": account.position, "password_hash": hash_password(account.password), "disabled": False,
            }
            for account in accounts
        ]  # fmt: skip
        await connection.execute(insert(t.staff), rows)
    hearing_id = ""
    for new in _matters(court_id, ids, _next_quarter(now.astimezone(zone))):
        created = await hearings.create_hearing(new)
        hearing_id = hearing_id or created.hearing.id
    prepare_keys_folder(keys)
    document = DemoCourt(court_id=court_id, hearing_id=hearing_id, accounts=accounts).model_dump(mode="json")
    write_secret(keys / FILE_NAME, json.dumps(document, ensure_ascii=False, indent=2).encode())
    return True


def load_demo(keys: Path) -> DemoCourt | None:
    """The demo court of this installation; None where there is none."""
    path = keys / FILE_NAME
    return DemoCourt.model_validate_json(path.read_bytes()) if path.is_file() else None


async def open_doors(
    demo: DemoCourt, hearings: HearingService, authentication: Authentication
) -> tuple[Hearing, list[DemoLink]]:
    """Make the demo hearing ready to be tried again: a new sitting where the last is over, and fresh links."""
    entry = await hearings.entry(HearingId(demo.hearing_id))
    if entry.sittings[-1].sitting.state in OVER:
        await hearings.new_sitting(entry.hearing.id)
    links = []
    for person in entry.hearing.participants:
        if person.staff_id is None:
            url, _expires_at = await authentication.new_link(demo.court_id, person.id)
            links.append(DemoLink(person.role, person.name, url))
    return entry.hearing, links


def _password() -> str:
    """Short enough to type from the screen; sign-in is throttled."""
    return "-".join("".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(4)) for _ in range(3))


def _next_quarter(now: datetime) -> datetime:
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def _matters(court_id: CourtId, ids: dict[str, StaffId], at: datetime) -> list[NewHearing]:
    judge, clerk, liu, zhou, other_judge = (ids[login] for login, _, _ in STAFF)
    bench = (
        NewPerson("presiding", Role.PRESIDING_JUDGE, "陈静", staff_id=judge),
        NewPerson("assessor1", Role.ASSESSOR, "刘敏", staff_id=liu),
        NewPerson("assessor2", Role.ASSESSOR, "周建国", staff_id=zhou),
        NewPerson("clerk", Role.CLERK, "赵琳", staff_id=clerk),
    )
    alone = (
        NewPerson("presiding", Role.PRESIDING_JUDGE, "何平", staff_id=other_judge),
        NewPerson("clerk", Role.CLERK, "赵琳", staff_id=clerk),
    )
    year, room = at.year, "第三在线法庭"
    return [
        NewHearing(
            court_id, f"（{year}）江0102民初1234号", "民间借贷纠纷", "张伟诉李强民间借贷纠纷", Procedure.ORDINARY, True, room, at,
            (
                *bench,
                NewPerson("plaintiff", Role.PLAINTIFF, "张伟"),
                NewPerson("plaintiff_agent", Role.AGENT, "孙晓梅", represents="plaintiff"),
                NewPerson("defendant", Role.DEFENDANT, "李强"),
                NewPerson("defendant_agent", Role.AGENT, "吴刚", represents="defendant"),
                NewPerson("witness", Role.WITNESS, "王芳"),
            ),
        ),
        NewHearing(
            court_id, f"（{year}）江0102民初1301号", "房屋租赁合同纠纷", "刘洋诉安居公寓管理公司房屋租赁合同纠纷",
            Procedure.SIMPLIFIED, True, room, at + timedelta(hours=2),
            (*alone, NewPerson("plaintiff", Role.PLAINTIFF, "刘洋"), NewPerson("defendant", Role.DEFENDANT, "安居公寓管理公司")),
        ),
        NewHearing(
            court_id, f"（{year}）江0102民初1288号", "买卖合同纠纷", "何秀兰诉丰年粮油店买卖合同纠纷",
            Procedure.SMALL_CLAIMS, True, room, at + timedelta(hours=3, minutes=30),
            (*alone, NewPerson("plaintiff", Role.PLAINTIFF, "何秀兰"), NewPerson("defendant", Role.DEFENDANT, "丰年粮油店")),
        ),
    ]  # fmt: skip
