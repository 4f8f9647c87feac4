"""Jobs on both databases: done once they can be, postponed, failed, and taken over from a worker that died."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, insert, select

from storage import tables as t
from storage.clock import SystemClock
from storage.database import Database
from storage.queue import Handler, QueueSettings, RetryLater, SleepingWake, _Holder, enqueue, run_worker, take
from storage.wake import HueyWake
from tests.courts import COURT, NINE, SetClock

QUICK = QueueSettings(lease_s=0.6, poll_s=0.02, most_attempts=3, first_backoff_s=0.02)


@pytest.fixture
async def database(court_database: Database) -> Database:
    async with court_database.transaction() as connection:
        await connection.execute(insert(t.courts).values(id=COURT, name="n", created_at=NINE))
    return court_database


async def ask(database: Database, kind: str = "seal", delay_s: float = 0.0, **payload: Any) -> str:
    async with database.transaction() as connection:
        return await enqueue(connection, kind, payload, COURT, SystemClock().now() + timedelta(seconds=delay_s))


async def job(database: Database, job_id: str) -> Row[Any]:
    async with database.read() as connection:
        return (await connection.execute(select(t.jobs).where(t.jobs.c.id == job_id))).one()


async def until(database: Database, job_id: str, state: str, timeout_s: float = 10.0) -> Row[Any]:
    async with asyncio.timeout(timeout_s):
        while (row := await job(database, job_id)).state != state:
            await asyncio.sleep(0.02)
    return row


@asynccontextmanager
async def worker(
    database: Database, handler: Handler, settings: QueueSettings = QUICK, kind: str = "seal"
) -> AsyncIterator[None]:
    task = asyncio.create_task(run_worker(database, {kind: handler}, SystemClock(), SleepingWake(), settings))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_job_is_done_once(database: Database) -> None:
    seen: list[dict[str, Any]] = []

    async def handler(payload: dict[str, Any]) -> None:
        seen.append(payload)

    job_id = await ask(database, sitting_id="sit_1", 名="汉字")
    async with worker(database, handler), worker(database, handler):
        done = await until(database, job_id, "done")
        await asyncio.sleep(0.1)
    assert seen == [{"sitting_id": "sit_1", "名": "汉字"}]
    assert done.finished_at is not None
    assert (done.lease_until_at, done.attempts) == (None, 1)


async def test_a_job_rolled_back_with_its_act_never_was(database: Database) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  the block is the unit of work
        async with database.transaction() as connection:
            await enqueue(connection, "seal", {}, COURT, NINE)
            raise RuntimeError
    assert await take(database, ["seal"], SystemClock(), QUICK) is None


async def test_other_kinds_and_later_jobs_are_left_alone(database: Database) -> None:
    await ask(database, kind="refill")
    await ask(database, delay_s=60)
    assert await take(database, ["seal"], SystemClock(), QUICK) is None


async def test_retry_later_waits_and_does_not_count(database: Database) -> None:
    calls = 0

    async def handler(payload: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        if calls <= QUICK.most_attempts + 2:
            raise RetryLater(0.01, "recording not finished")

    job_id = await ask(database)
    async with worker(database, handler):
        done = await until(database, job_id, "done")
    assert calls == QUICK.most_attempts + 3
    assert done.attempts == 1


async def test_a_failing_job_is_tried_again_and_then_given_up(database: Database) -> None:
    calls = 0

    async def handler(payload: dict[str, Any]) -> None:
        nonlocal calls
        calls += 1
        raise ValueError("no such thing")

    bad = await ask(database)
    async with worker(database, handler):
        failed = await until(database, bad, "failed")
    assert calls == failed.attempts == QUICK.most_attempts
    assert failed.problem == "ValueError: no such thing"


async def test_a_long_job_keeps_its_lease(database: Database) -> None:
    running = 0

    async def handler(payload: dict[str, Any]) -> None:
        nonlocal running
        running += 1
        await asyncio.sleep(3 * QUICK.lease_s)

    job_id = await ask(database)
    async with worker(database, handler), worker(database, handler):
        await until(database, job_id, "done")
    assert running == 1


async def test_a_stopped_worker_gives_its_job_back_at_once(database: Database) -> None:
    started = asyncio.Event()

    async def slow(payload: dict[str, Any]) -> None:
        started.set()
        await asyncio.sleep(60)

    job_id = await ask(database)
    async with worker(database, slow, QueueSettings(lease_s=60)):
        await started.wait()
    row = await job(database, job_id)
    assert (row.state, row.attempts) == ("waiting", 0)


async def test_an_expired_lease_is_taken_over_and_the_late_worker_changes_nothing(database: Database) -> None:
    clock = SetClock(SystemClock().now())
    job_id = await ask(database)
    clock.advance(1)
    first = await take(database, ["seal"], clock, QUICK)
    assert first is not None
    assert await take(database, ["seal"], clock, QUICK) is None
    clock.advance(QUICK.lease_s + 0.1)
    second = await take(database, ["seal"], clock, QUICK)
    assert second is not None
    assert (second.job_id, second.attempts) == (job_id, 2)
    await _Holder(database, first, clock, QUICK).finish("done", "")
    assert (await job(database, job_id)).state == "running"
    await _Holder(database, second, clock, QUICK).finish("done", "")
    assert (await job(database, job_id)).state == "done"


async def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    clock = SetClock(SystemClock().now())
    job_id = await ask(database)
    clock.advance(1)
    for _ in range(QUICK.most_attempts):
        assert await take(database, ["seal"], clock, QUICK)
        clock.advance(QUICK.lease_s + 1)
    handled: list[object] = []

    async def handler(payload: dict[str, Any]) -> None:
        handled.append(payload)

    task = asyncio.create_task(run_worker(database, {"seal": handler}, clock, SleepingWake(), QUICK))
    await until(database, job_id, "failed")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert handled == []


async def test_a_killed_worker_loses_no_job(database: Database, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    program = textwrap.dedent(
        f"""
        import asyncio, pathlib
        from storage.clock import SystemClock
        from storage.database import Database
        from storage.queue import QueueSettings, SleepingWake, run_worker
        async def handler(payload):
            pathlib.Path({str(mark)!r}).touch()
            await asyncio.sleep(60)
        asyncio.run(run_worker(Database({database.url.render_as_string(hide_password=False)!r}), {{"seal": handler}}, SystemClock(),
                               SleepingWake(), QueueSettings(lease_s=1.0, poll_s=0.05)))
        """
    )
    job_id = await ask(database)
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    try:
        async with asyncio.timeout(30):
            while not mark.exists():
                await asyncio.sleep(0.05)
        assert (await job(database, job_id)).state == "running"
    finally:
        process.kill()
        process.wait()
    done: list[dict[str, Any]] = []

    async def handler(payload: dict[str, Any]) -> None:
        done.append(payload)

    async with worker(database, handler):
        row = await until(database, job_id, "done")
    assert (done, row.attempts) == ([{}], 2)


async def test_a_wake_up_ends_the_wait_even_when_it_came_first(tmp_path: Path) -> None:
    ringing, waiting = HueyWake(str(tmp_path / "wake.db")), HueyWake(str(tmp_path / "wake.db"))
    for _ in range(3):
        await ringing.notify("seal")
    await ringing.notify("refill")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await waiting.wait(["seal"], 5)
    assert loop.time() - began < 1
    await waiting.wait(["seal"], 0.4)  # one bell, however often it was rung
    assert loop.time() - began > 0.4
    ringing.close()
    waiting.close()


async def test_a_lost_bell_never_fails_the_act(tmp_path: Path) -> None:
    wake = HueyWake(str(tmp_path / "no such folder" / "wake.db"))
    await wake.notify("seal")
    await wake.wait(["seal"], 0.05)
