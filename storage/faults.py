"""Copies that were not what was stored, as rows, and the job that makes them good: noticed by a reader or by the verify job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import SystemClock
from storage.database import Database
from storage.ids import new_id
from storage.queue import enqueue
from storage.tables import copy_faults, courts, jobs
from storage.watch import Fault, Watch

log = structlog.get_logger("storage.faults")

HEAL_KIND = "heal"
HEAL_AFTER_S = 5.0  # what is being put now is confirmed by then
TELL_AGAIN_S = 600.0
_c = copy_faults.c


@dataclass(frozen=True, slots=True)
class OpenFault:
    """A copy that waits to be made good. `store` is A or B."""

    id: str
    court_id: str
    object_key: str
    store: str
    fault: Fault
    noticed_at: datetime


class FaultWatch(Watch):
    """Writes down what is noticed and asks for a heal job; a database that is away costs the reader nothing."""

    def __init__(self, database: Database, clock: SystemClock) -> None:
        super().__init__()
        self._database = database
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}  # (store, key) → when: a player asks for many ranges of one object

    async def noticed(self, store: str, stored_key: str, fault: Fault) -> None:
        await super().noticed(store, stored_key, fault)
        object_key = object_key_of(stored_key)
        now_s = self._clock.monotonic()
        if now_s - self._told.get((store, stored_key), -TELL_AGAIN_S) < TELL_AGAIN_S:
            return
        try:
            async with self._database.transaction() as connection:
                court_id = await record_fault(connection, self._clock, object_key, store, fault)
                if court_id is not None:
                    await want_healing(connection, self._clock, court_id)
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            log.warning("fault_not_written", store=store, key=object_key, reason=type(error).__name__)
        else:
            self._told[store, stored_key] = now_s


def object_key_of(stored_key: str) -> str:
    """The name by which everybody knows an object, from the name under which it lies (storage.data_keys)."""
    return stored_key.rpartition(".")[0]


async def record_fault(
    connection: AsyncConnection, clock: SystemClock, object_key: str, store: str, fault: Fault
) -> str | None:
    """One open row for each faulty copy; returns its court, or None where no court stores such keys."""
    court_id = await _court(connection, object_key)
    if court_id is None:
        return None
    is_open = (_c.object_key == object_key) & (_c.store == store) & _c.healed_at.is_(None)
    if await connection.scalar(select(_c.id).where(is_open)) is None:
        row = {"object_key": object_key, "store": store, "fault": fault.value, "noticed_at": clock.now(), "note": ""}
        await connection.execute(insert(copy_faults).values(id=new_id("fault"), court_id=court_id, **row))
    return court_id


async def close_fault(connection: AsyncConnection, clock: SystemClock, object_key: str, store: str, note: str) -> None:
    """The copy is good again; the row stays and says since when, and where a damaged one was set aside."""
    is_open = (_c.object_key == object_key) & (_c.store == store) & _c.healed_at.is_(None)
    await connection.execute(update(copy_faults).where(is_open).values(healed_at=clock.now(), note=note[:500]))


async def note_fault(connection: AsyncConnection, object_key: str, store: str, note: str) -> None:
    """Why the copy cannot be made good by itself."""
    is_open = (_c.object_key == object_key) & (_c.store == store) & _c.healed_at.is_(None)
    await connection.execute(update(copy_faults).where(is_open).values(note=note[:500]))


async def open_faults(connection: AsyncConnection, after_id: str = "", limit: int = 100) -> list[OpenFault]:
    """Faults that wait, oldest first, behind the one with this id."""
    query = select(copy_faults).where(_c.healed_at.is_(None), _c.id > after_id).order_by(_c.id).limit(limit)
    return [
        OpenFault(row.id, row.court_id, row.object_key, row.store, Fault(row.fault), row.noticed_at)
        for row in await connection.execute(query)
    ]


async def count_open_faults(connection: AsyncConnection) -> int:
    """How many copies are not what was stored: an alarm while it is not 0."""
    return int(
        (await connection.execute(select(func.count()).select_from(copy_faults).where(_c.healed_at.is_(None)))).scalar_one()
    )


async def want_healing(connection: AsyncConnection, clock: SystemClock, court_id: str) -> None:
    """A heal job, where none waits already."""
    waits = (jobs.c.kind == HEAL_KIND) & (jobs.c.state == "waiting")
    if await connection.scalar(select(jobs.c.id).where(waits).limit(1)) is None:
        await enqueue(connection, HEAL_KIND, {}, court_id, clock.now() + timedelta(seconds=HEAL_AFTER_S))


async def _court(connection: AsyncConnection, object_key: str) -> str | None:
    parts = object_key.split("/")
    named = parts[1] if parts[0] == "courts" and len(parts) > 1 else ""
    found: str | None = await connection.scalar(select(courts.c.id).where(courts.c.id == named))
    return found
