"""The restore drill: database + one store + keys make a new server whose record verifies and plays; and what is lost without each."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import pytest
from sqlalchemy import select

from court.cli import main
from record.replay import record_view
from storage import tables as t
from storage.database import Database
from storage.envelope import MAGIC, Algorithm
from storage.ids import new_id
from storage.migrate import migrate
from storage.stores import open_stores
from tests.integration.record_case import DEFENDANT, HEARING, SITTING
from tests.integration.stored_case import stored_case
from tests.rehearsing import clean_environment
from tests.servers import PostgresServer


@dataclass
class Installation:
    """A court's folders on one machine, as its settings name them."""

    folder: Path
    database_url: str

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """One court command with this installation's settings: exit status, output, errors. In this process: it is quicker."""
        own = {
            "COURT_DATA": str(self.folder / "data"), "COURT_KEYS": str(self.folder / "keys"),
            "COURT_STORE_A": str(self.folder / "A"), "COURT_STORE_B": str(self.folder / "B"),
            "COURT_DATABASE_URL": self.database_url, "COURT_LOG_LEVEL": "error",
        }  # fmt: skip
        output, errors = io.StringIO(), io.StringIO()
        mask = os.umask(0)
        try:
            with (
                patch.dict(os.environ, clean_environment() | own, clear=True),
                redirect_stdout(output),
                redirect_stderr(errors),
            ):
                status = await asyncio.to_thread(main, arguments)
        finally:
            os.umask(mask)
        return status, output.getvalue(), errors.getvalue()

    async def must(self, *arguments: str) -> str:
        status, output, errors = await self.run(*arguments)
        assert status == 0, (arguments, output, errors)
        return output


@pytest.fixture
async def machines(tmp_path: Path) -> AsyncIterator[tuple[Installation, Installation]]:
    """A court with a sealed hearing, and a new machine with nothing; on SQLite."""
    old, new = (Installation(tmp_path / name, f"sqlite:///{tmp_path}/{name}/data/court.db") for name in ("old", "new"))
    async with prepared(old, new):
        yield old, new


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def machines_on_both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Installation, Installation]]:
    """The same on SQLite, and on PostgreSQL with its own programs."""
    urls = [f"sqlite:///{tmp_path}/{name}/data/court.db" for name in ("old", "new")]
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        names = [new_id("db"), new_id("db")]
        for name in names:
            await server.execute(f"CREATE DATABASE {name}")
        urls = [server.url(name) for name in names]
    old, new = Installation(tmp_path / "old", urls[0]), Installation(tmp_path / "new", urls[1])
    async with prepared(old, new):
        yield old, new


@asynccontextmanager
async def prepared(old: Installation, new: Installation) -> AsyncIterator[None]:
    for machine in (old, new):
        machine.folder.mkdir()
    await migrate(old.database_url)
    database = Database(old.database_url)
    async with stored_case(database, old.folder):
        yield
    await database.close()


async def played(machine: Installation) -> dict[str, int]:
    """Open the record page's data and decode every segment that it lists; decoded frames by track."""
    database = Database(machine.database_url)
    places = machine.folder / "A", machine.folder / "B"
    stores = open_stores(*places, database, machine.folder / "keys" / "objects", Algorithm.AES_256_GCM)
    frames: dict[str, int] = {}
    try:
        view: dict[str, Any] = await record_view(database, stores.objects(), SITTING)
        assert view["proof"]["state"] == "complete_with_gaps", view["proof"]
        async with database.read() as connection:
            segments = list(await connection.execute(select(t.segments.c.track_id, t.segments.c.object_key)))
        for track_id, key in segments:
            with av.open(io.BytesIO(await stores.objects().get(key)), "r") as container:
                frames[track_id] = frames.get(track_id, 0) + len(list(container.decode()))
    finally:
        await database.close()
    return frames


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_database_one_store_and_keys_make_a_court_again(
    machines_on_both: tuple[Installation, Installation], tmp_path: Path
) -> None:
    old, new = machines_on_both
    before = await played(old)
    assert len(before) == 4
    await old.must("backup", str(tmp_path / "backup"), "--keys", str(tmp_path / "vault"))
    surviving = tree(old.folder / "B")
    shutil.copytree(old.folder / "B", new.folder / "A")  # the other building's copy is all that is left of the recordings
    said = await new.must("restore", str(tmp_path / "backup"), "--keys", str(tmp_path / "vault"))
    assert "密钥齐全" in said
    assert "B 库：抽查 12 个文件，存在 0 个" in said
    assert (await new.run("check", "--all"))[0] == 1  # nothing is filled unasked
    assert not (new.folder / "B").exists()
    assert "修复 17 份" in await new.must("check", "--all", "--fill")
    assert tree(new.folder / "B") == surviving
    assert await played(new) == before
    await new.must("export", HEARING, "--out", str(tmp_path / "package"))
    await new.must("verify", str(tmp_path / "package"))
    assert "两份副本均完好" in await new.must("check", SITTING)


async def test_a_backup_is_whole_or_refused(machines_on_both: tuple[Installation, Installation], tmp_path: Path) -> None:
    old, new = machines_on_both
    folder = tmp_path / "backup"
    assert "分开" in (await old.run("backup", str(folder), "--keys", str(folder / "keys")))[2]
    await old.must("backup", str(folder))
    assert "不为空" in (await old.run("backup", str(folder)))[2]
    assert "没有密钥" in (await new.run("restore", str(folder)))[2]
    shutil.copytree(old.folder / "keys", new.folder / "keys")
    file = next(path for path in folder.iterdir() if path.name.startswith("court."))
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    assert "已损坏" in (await new.run("restore", str(folder)))[2]
    file.write_bytes(whole)
    await new.must("restore", str(folder))
    status, _, errors = await new.run("restore", str(folder))  # never over a database that is there
    assert status == 1
    assert "不是空的" in errors or "已存在" in errors
    assert [path.stat().st_mode & 0o077 for path in (folder, file)] == [0, 0]


async def test_a_copy_taken_in_the_middle_of_writing_is_one_moment(tmp_path: Path) -> None:
    old = Installation(tmp_path, f"sqlite:///{tmp_path}/data/court.db")
    await migrate(old.database_url)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "data" / "court.db")], stdout=subprocess.PIPE, env={**os.environ}
    )  # fmt: skip
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        await old.must("backup", str(tmp_path / "backup"))
    finally:
        writer.kill()
        writer.wait()
    with sqlite3.connect(tmp_path / "backup" / "court.db") as copy:
        pairs = copy.execute("SELECT (SELECT count(*) FROM left_side), (SELECT count(*) FROM right_side)").fetchone()
    assert pairs[0] == pairs[1] > 0


WRITER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("CREATE TABLE left_side (x)"); connection.execute("CREATE TABLE right_side (x)")
n = 0
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO left_side VALUES (1)"); connection.execute("INSERT INTO right_side VALUES (1)")
    connection.execute("COMMIT")
    n += 1
    if n == 5: print("goes", flush=True)
"""


async def test_without_the_keys_nothing_can_be_read(machines: tuple[Installation, Installation], tmp_path: Path) -> None:
    old, new = machines
    await old.must("backup", str(tmp_path / "backup"))
    for store in "AB":
        shutil.copytree(old.folder / store, new.folder / store)
    (new.folder / "keys" / "objects").mkdir(parents=True)
    assert "缺少密钥 parties-1" in await new.must("restore", str(tmp_path / "backup"))
    status, output, _ = await new.run("check", "--all")
    assert status == 1
    assert output.count("密钥无法打开（key_missing）") == 17  # every object, named
    assert all(data.startswith(MAGIC) for data in tree(new.folder / "A").values())


async def test_without_the_database_stores_and_keys_give_nothing(
    machines: tuple[Installation, Installation], tmp_path: Path
) -> None:
    old, new = machines
    for name in ("A", "B", "keys"):
        shutil.copytree(old.folder / name, new.folder / name)
    await new.must("migrate")
    assert (await new.run("export", HEARING, "--out", str(tmp_path / "package")))[0] == 1
    assert all(data.startswith(MAGIC) for data in tree(new.folder / "A").values())


async def test_without_the_stores_the_record_says_what_is_gone(
    machines: tuple[Installation, Installation], tmp_path: Path
) -> None:
    old, new = machines
    await old.must("backup", str(tmp_path / "backup"), "--keys", str(tmp_path / "vault"))
    await new.must("restore", str(tmp_path / "backup"), "--keys", str(tmp_path / "vault"))
    status, output, _ = await new.run("check", "--all")
    assert status == 1
    assert f"{DEFENDANT}-audio/000001.webm" in output
    database = Database(new.database_url)
    async with database.read() as connection:  # the ledger, the people and what was recognised are in the database
        assert len((await connection.execute(select(t.ledger))).all()) > 10
        assert len((await connection.execute(select(t.utterances))).all()) == 2
    await database.close()
