"""SQL of the verifications: what they cover, how far one has come, what it found, and which sitting is due."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, exists, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.states import OVER
from storage.ids import new_id
from storage.queue import enqueue
from storage.tables import checks, exhibits, jobs, sittings

_c = checks.c
RECENT = timedelta(hours=1)  # a check so fresh need not be repeated because a reader found a fault
MOST_AT_ONCE = 20  # after a long standstill everything is due: the rest waits for the next look


@dataclass(frozen=True, slots=True)
class Problem:
    """What a check could not make good. `lost`: no copy is whole; else the other copy is."""

    object_key: str
    lost: bool
    text: str

    def words(self) -> str:
        return f"{name_of(self.object_key)}：{self.text}" if self.object_key else self.text


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: whole | healed | one_copy | damaged."""

    state: str
    objects: int
    healed: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A check that somebody has begun."""

    id: str
    objects: int
    healed: int
    problems: tuple[Problem, ...]
    done_to: str


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The newest finished check of a sitting, as the record page shows it."""

    at: datetime
    state: str
    origin: str
    objects: int
    healed: int
    problems: tuple[str, ...]


def name_of(object_key: str) -> str:
    """The part of a key that tells people which object it is: what stands behind the court and the sitting."""
    parts = object_key.split("/")
    return "/".join(parts[4:] if parts[2:3] == ["sittings"] else parts[2:])


async def scopes_of(connection: AsyncConnection, sitting_id: str) -> list[str] | None:
    """Prefixes of everything of a sitting: its own objects, and the exhibits of its hearing; in order."""
    row = (await connection.execute(select(sittings).where(sittings.c.id == sitting_id))).one_or_none()
    if row is None:
        return None
    ids = (await connection.execute(select(exhibits.c.id).where(exhibits.c.hearing_id == row.hearing_id))).scalars()
    base = f"courts/{row.court_id}"
    return sorted([f"{base}/sittings/{sitting_id}/", *(f"{base}/exhibits/{exhibit_id}/" for exhibit_id in ids)])


async def unfinished(connection: AsyncConnection, sitting_id: str, origin: str) -> Unfinished | None:
    """A check of this origin that was begun and not finished."""
    query = select(checks).where(_c.sitting_id == sitting_id, _c.origin == origin, _c.state == "running")
    row = (await connection.execute(query.order_by(_c.id.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    return Unfinished(row.id, row.objects, row.healed, tuple(Problem(**problem) for problem in row.problems), row.done_to)


async def begin(connection: AsyncConnection, sitting_id: str, origin: str, now: datetime) -> Unfinished:
    court_id = await connection.scalar(select(sittings.c.court_id).where(sittings.c.id == sitting_id))
    check_id = new_id("check")
    row = {"court_id": court_id, "sitting_id": sitting_id, "origin": origin, "started_at": now}
    await connection.execute(insert(checks).values(id=check_id, **row, state="running", problems=[]))
    return Unfinished(check_id, 0, 0, (), "")


async def note(
    connection: AsyncConnection, check_id: str, objects: int, healed: int, problems: Sequence[Problem], done_to: str
) -> None:
    """How far a check has come: a worker that takes over goes on from here."""
    values = {"objects": objects, "healed": healed, "problems": [asdict(problem) for problem in problems], "done_to": done_to}
    await connection.execute(update(checks).where(_c.id == check_id).values(**values))


async def finish(connection: AsyncConnection, check_id: str, state: str, now: datetime) -> None:
    await connection.execute(update(checks).where(_c.id == check_id).values(state=state, finished_at=now))


async def progress(connection: AsyncConnection, sitting_id: str, share: float) -> None:
    """On the row of the verify job that runs, where there is one."""
    running = _verify_of(sitting_id) & (jobs.c.state == "running")
    await connection.execute(update(jobs).where(running).values(progress=share))


async def last_check(connection: AsyncConnection, sitting_id: str) -> LastCheck | None:
    """The newest finished check of a sitting."""
    query = select(checks).where(_c.sitting_id == sitting_id, _c.finished_at.is_not(None))
    row: Row[Any] | None = (await connection.execute(query.order_by(_c.finished_at.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    problems = tuple(Problem(**problem).words() for problem in row.problems)
    return LastCheck(row.finished_at, row.state, row.origin, row.objects, row.healed, problems)


async def want(connection: AsyncConnection, sitting_id: str, origin: str, now: datetime) -> bool:
    """Ask for a check where none is asked for already; whether it was. The sitting's row is the lock between two askers."""
    court_id = await connection.scalar(select(sittings.c.court_id).where(sittings.c.id == sitting_id).with_for_update())
    is_open = _verify_of(sitting_id) & jobs.c.state.in_(("waiting", "running"))
    if court_id is None or await connection.scalar(select(jobs.c.id).where(is_open).limit(1)) is not None:
        return False
    await enqueue(connection, "verify", {"sitting_id": sitting_id, "origin": origin}, court_id, now)
    return True


async def want_after_fault(connection: AsyncConnection, object_key: str, now: datetime) -> None:
    """Where one object of a sitting was faulty others may be: look at all, unless that was just done."""
    parts = object_key.split("/")
    if parts[2:3] != ["sittings"] or len(parts) < 4:
        return
    last = await last_check(connection, parts[3])
    if last is None or now - last.at > RECENT:
        await want(connection, parts[3], "fault", now)


def holds_objects() -> ColumnElement[bool]:
    """Sittings under which something is checked: those that were opened, and the first one of a hearing that never was and to
    which exhibits were submitted (else they would be looked at by nobody).
    """
    other = sittings.alias("other")
    opened = exists().where(other.c.hearing_id == sittings.c.hearing_id, other.c.opened_at.is_not(None))
    submitted = exists().where(exhibits.c.hearing_id == sittings.c.hearing_id)
    return sittings.c.opened_at.is_not(None) | ((sittings.c.number == 1) & ~opened & submitted)


async def want_due(connection: AsyncConnection, every: timedelta, now: datetime) -> int:
    """Ask for a check of each sitting that holds anything, is not in session, and was not checked for so long; how many."""
    submitted = select(func.min(exhibits.c.submitted_at)).where(exhibits.c.hearing_id == sittings.c.hearing_id)
    since = func.coalesce(sittings.c.opened_at, submitted.scalar_subquery()).label("since")
    newest = select(_c.sitting_id, func.max(_c.finished_at).label("at")).group_by(_c.sitting_id).subquery()
    query = (
        select(sittings.c.id, since, newest.c.at)
        .join(newest, newest.c.sitting_id == sittings.c.id, isouter=True)
        .where(holds_objects())
        .where(sittings.c.state.in_(sorted(OVER)) | (since < now - every))
        .order_by(newest.c.at, since)
    )
    due = [row.id for row in await connection.execute(query) if (row.at or row.since) + _spread(row.id, every) <= now]
    return sum([await want(connection, sitting_id, "schedule", now) for sitting_id in due[:MOST_AT_ONCE]])


def _spread(sitting_id: str, every: timedelta) -> timedelta:
    """0.8 to 1 of the period, always the same for a sitting: what was sealed on one day is not due on one day for ever."""
    share = int(hashlib.sha256(sitting_id.encode()).hexdigest()[:4], 16) / 0xFFFF
    return every * (0.8 + 0.2 * share)


def _verify_of(sitting_id: str) -> ColumnElement[bool]:
    return and_(jobs.c.kind == "verify", jobs.c.payload["sitting_id"].as_string() == sitting_id)
