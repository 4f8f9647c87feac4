"""The real jobs role is killed in the middle of a check, and another goes on where it stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from storage import tables as t
from storage.database import Database
from storage.migrate import migrate
from tests.integration.record_case import COURT, SITTING
from tests.integration.stored_case import stored_case
from tests.rehearsing import ROOT, clean_environment
from tests.servers import free_port

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]

MORE, BYTES = 150, 100_000
PACE_MB_S = 1


@contextmanager
def jobs_role(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The jobs role of this installation, reading gently."""
    own = {
        "COURT_DATA": str(folder / "data"), "COURT_KEYS": str(folder / "keys"), "COURT_STORE_A": str(folder / "A"),
        "COURT_STORE_B": str(folder / "B"), "COURT_VERIFY_MB_S": str(PACE_MB_S), "COURT_INTERNAL_PORT": str(free_port()),
        "COURT_MEDIA_PORT": str(free_port()), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    with (folder / "jobs.log").open("ab") as log:
        command = [sys.executable, "-m", "court", "serve", "--role", "jobs"]
        process = subprocess.Popen(command, env=clean_environment() | own, cwd=folder, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def until(database: Database, reached: Callable[[Any], bool], within_s: float) -> Any:
    """The row of the only check, once it is so far."""
    async with asyncio.timeout(within_s):
        while True:
            async with database.read() as connection:
                found = list(await connection.execute(select(t.checks)))
            assert len(found) <= 1, "a second check was begun"
            if found and reached(found[0]):
                return found[0]
            await asyncio.sleep(0.2)


async def test_a_check_outlives_its_worker(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/court.db"
    await migrate(url)
    database = Database(url)
    async with stored_case(database, tmp_path) as stored:
        for number in range(MORE):
            await stored.case.objects.put(f"courts/{COURT}/sittings/{SITTING}/sealed/more-{number:03d}", os.urandom(BYTES))
        stored.file("B", "exhibits/").unlink()
        with jobs_role(tmp_path) as first:
            await until(database, lambda check: check.objects >= 50 and check.healed == 1, 60)
            first.send_signal(signal.SIGKILL)
            first.wait()
        async with database.read() as connection:
            killed = (await connection.execute(select(t.checks))).one()
        assert killed.state == "running"
        with jobs_role(tmp_path):  # takes the job when the dead worker's lease has run out
            resumed = await until(database, lambda check: check.objects > killed.objects, 120)
            assert resumed.objects < 2 * killed.objects, "it began anew"
            done = await until(database, lambda check: check.state != "running", 120)
    assert (done.state, done.healed) == ("healed", 1)
    assert done.objects == 17 + MORE
    await database.close()
