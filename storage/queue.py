"""Jobs: rows with a lease are the truth; a wake-up only shortens the wait.

A job is written in the transaction of the act that asks for it. A worker takes it by leasing the row, keeps the lease
alive while it works, and marks the row done. A worker that dies lets its lease run out and another takes the job: so a
handler runs at least once, sometimes twice, and must be idempotent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import ColumnElement, Select, and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.database import Database
from storage.ids import new_id
from storage.tables import jobs

Handler = Callable[[dict[str, Any]], Awaitable[None]]
"""Does one job of a kind; raises RetryLater to postpone, anything else is a failed attempt."""

_log = structlog.get_logger(__name__)


class RetryLater(Exception):
    """The job cannot be done yet; it is tried again after `seconds`, and the attempt is not counted."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Clock(Protocol):
    """Where time comes from (hearing.timeline.Clock, seen from below)."""

    def now(self) -> datetime: ...


class Wake(Protocol):
    """Tells waiting workers that a job of a kind was committed. Losing a wake-up costs only time."""

    async def notify(self, kind: str) -> None: ...

    async def wait(self, kinds: Collection[str], timeout_s: float) -> None:
        """Return when a job of one of these kinds was announced, or after `timeout_s`."""


class SleepingWake:
    """No wake-ups: workers look again after the time-out."""

    async def notify(self, kind: str) -> None:
        """Nobody is told."""

    async def wait(self, kinds: Collection[str], timeout_s: float) -> None:  # noqa: ARG002  as the port has it
        """Just the time-out."""
        await asyncio.sleep(timeout_s)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How patient the workers are."""

    lease_s: float = 60.0  # a worker silent for so long is taken for dead
    poll_s: float = 2.0  # longest wait when a wake-up is lost
    most_attempts: int = 8
    first_backoff_s: float = 2.0  # doubles with each failed attempt
    longest_backoff_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A job in a worker's hands; `until_at` is also the fence: who no longer holds it can change nothing."""

    job_id: str
    kind: str
    payload: dict[str, Any]
    attempts: int
    until_at: datetime


async def enqueue(
    connection: AsyncConnection, kind: str, payload: Mapping[str, Any], court_id: str, not_before_at: datetime
) -> str:
    """Write a job in this transaction and return its id; wake the workers after the commit."""
    job_id = new_id("job")
    row = {
        "id": job_id,
        "court_id": court_id,
        "kind": kind,
        "payload": dict(payload),
        "state": "waiting",
        "attempts": 0,
        "not_before_at": not_before_at,
        "created_at": not_before_at,
        "problem": "",
    }
    await connection.execute(insert(jobs).values(**row))
    return job_id


async def run_worker(
    database: Database,
    handlers: Mapping[str, Handler],
    clock: Clock,
    wake: Wake,
    settings: QueueSettings = QueueSettings(),
) -> None:
    """Do jobs of these kinds, one at a time, until cancelled. Cancelling gives the job in hand back at once."""
    while True:
        lease = await take(database, handlers.keys(), clock, settings)
        if lease is None:
            await wake.wait(handlers.keys(), settings.poll_s)
        else:
            await _work(database, lease, handlers[lease.kind], clock, settings)


async def take(database: Database, kinds: Collection[str], clock: Clock, settings: QueueSettings) -> Lease | None:
    """Lease the oldest job that is due, or whose worker's lease ran out (the sweep); None when there is none."""
    async with database.read() as connection:  # idle workers never ask for the write lock
        if (await connection.execute(_due(kinds, clock.now()))).first() is None:
            return None
    async with database.transaction() as connection:
        now = clock.now()
        row = (await connection.execute(_due(kinds, now).with_for_update(skip_locked=True))).first()
        if row is None:
            return None
        until_at = now + timedelta(seconds=settings.lease_s)
        change = {"state": "running", "attempts": row.attempts + 1, "lease_until_at": until_at}
        await connection.execute(update(jobs).where(jobs.c.id == row.id).values(**change))
        return Lease(row.id, row.kind, row.payload, row.attempts + 1, until_at)


def _due(kinds: Collection[str], now: datetime) -> Select[Any]:
    c = jobs.c
    waiting = and_(c.state == "waiting", c.not_before_at <= now)
    abandoned = and_(c.state == "running", c.lease_until_at < now)
    return select(jobs).where(c.kind.in_(sorted(kinds)), or_(waiting, abandoned)).order_by(c.not_before_at, c.id).limit(1)


async def _work(database: Database, lease: Lease, handler: Handler, clock: Clock, settings: QueueSettings) -> None:
    holder = _Holder(database, lease, clock, settings)
    if lease.attempts > settings.most_attempts:  # its workers died each time: it may be what kills them
        await holder.finish("failed", "abandoned by its workers")
        return
    keeper = asyncio.create_task(holder.keep())
    try:
        await handler(lease.payload)
    except asyncio.CancelledError:
        await asyncio.shield(holder.postpone(0.0, "worker stopped", counted=False))
        raise
    except RetryLater as later:
        await holder.postpone(later.seconds, str(later), counted=False)
    except Exception as error:  # noqa: BLE001  a handler may fail in any way; the worker goes on
        _log.warning("job failed", job_id=lease.job_id, kind=lease.kind, attempt=lease.attempts, error=type(error).__name__)
        await holder.fail(error)
    else:
        await holder.finish("done", "")
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


class _Holder:
    """The job in hand. Every change is fenced by the lease: a worker that was too slow changes nothing."""

    def __init__(self, database: Database, lease: Lease, clock: Clock, settings: QueueSettings) -> None:
        self._database = database
        self._lease = lease
        self._until_at = lease.until_at
        self._clock = clock
        self._settings = settings
        self._turn = asyncio.Lock()  # within this task's worker only: keep() against the end of the job

    async def keep(self) -> None:
        """Renew the lease while the handler works."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            until_at = self._clock.now() + timedelta(seconds=self._settings.lease_s)
            await self._change(lease_until_at=until_at)

    async def finish(self, state: str, problem: str) -> None:
        await self._change(state=state, finished_at=self._clock.now(), lease_until_at=None, problem=problem)

    async def postpone(self, seconds: float, problem: str, *, counted: bool) -> None:
        attempts = self._lease.attempts - (0 if counted else 1)
        not_before_at = self._clock.now() + timedelta(seconds=seconds)
        change = {"state": "waiting", "attempts": attempts, "not_before_at": not_before_at, "lease_until_at": None}
        await self._change(**change, problem=problem[:500])

    async def fail(self, error: Exception) -> None:
        problem = f"{type(error).__name__}: {error}"[:500]
        if self._lease.attempts >= self._settings.most_attempts:
            await self.finish("failed", problem)
            return
        backoff_s = self._settings.first_backoff_s * 2 ** (self._lease.attempts - 1)
        await self.postpone(min(backoff_s, self._settings.longest_backoff_s), problem, counted=True)

    async def _change(self, **values: object) -> None:
        async with self._turn, self._database.transaction() as connection:
            result = await connection.execute(update(jobs).where(self._is_mine()).values(**values))
        if result.rowcount and isinstance(until_at := values.get("lease_until_at"), datetime):
            self._until_at = until_at
        elif not result.rowcount:
            _log.warning("lease lost", job_id=self._lease.job_id, kind=self._lease.kind)

    def _is_mine(self) -> ColumnElement[bool]:
        c = jobs.c
        return and_(c.id == self._lease.job_id, c.state == "running", c.lease_until_at == self._until_at)
