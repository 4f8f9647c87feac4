"""The migrated schema on both databases: it is what tables.py says, and it refuses to rewrite the record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from hearing.service import HearingService
from storage import tables as t
from storage.database import Database
from storage.migrate import migrate
from tests.courts import COURT, NINE, SetClock, a_new_hearing, found_court


async def sitting_with_a_record(database: Database) -> dict[str, str]:
    """One row in each table that may only grow; returns ids to find them by."""
    await found_court(database)
    created = await HearingService(database, SetClock()).create_hearing(a_new_hearing())
    sitting_id, person = created.sitting.id, created.ids["p"]
    async with database.transaction() as connection:
        await connection.execute(
            insert(t.ledger).values(
                sitting_id=sitting_id, number=1, court_id=COURT, entry=b"{}", salt=b"s", entry_hash="e", chain_hash="c"
            )
        )
        await connection.execute(
            insert(t.utterances).values(
                id="u1", court_id=COURT, sitting_id=sitting_id, participant_id=person, track_id="t", t0_ms=0, t1_ms=1, text="",
                raw_text="", confidence=1.0, words=[], engine={}, origin="live", created_at=NINE,
            )
        )  # fmt: skip
        await connection.execute(
            insert(t.revisions).values(
                id="r1", court_id=COURT, utterance_id="u1", sitting_id=sitting_id, operation={}, author_id=person, at=NINE
            )
        )
    return {"sitting_id": sitting_id}


REWRITES = [
    f"{verb} {table}{rest}"
    for table in ("ledger", "utterances", "revisions")
    for verb, rest in (("UPDATE", " SET court_id = court_id"), ("DELETE FROM", ""))
]


@pytest.mark.parametrize("statement", REWRITES)
async def test_the_record_cannot_be_rewritten(court_database: Database, statement: str) -> None:
    await sitting_with_a_record(court_database)
    with pytest.raises(DBAPIError, match="append-only"):
        async with court_database.transaction() as connection:
            await connection.execute(text(statement))


@pytest.mark.parametrize("table", ["ledger", "utterances", "revisions"])
async def test_the_record_cannot_be_emptied_or_replaced(court_database: Database, table: str) -> None:
    await sitting_with_a_record(court_database)
    statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608  a name of ours
    if not court_database.is_sqlite:
        statement = f"TRUNCATE {table} CASCADE"
    with pytest.raises(DBAPIError, match="append-only"):
        async with court_database.transaction() as connection:
            await connection.execute(text(statement))
    async with court_database.read() as connection:
        assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1  # noqa: S608  a name of ours


async def test_the_migrations_make_what_tables_says(court_database: Database) -> None:
    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), t.metadata))

    async with court_database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_time_goes_in_and_comes_out_as_utc(court_database: Database) -> None:
    beijing = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
    async with court_database.transaction() as connection:
        await connection.execute(insert(t.courts).values(id="c1", name="n", created_at=beijing))
    async with court_database.read() as connection:
        stored = await connection.scalar(select(t.courts.c.created_at))
    assert stored == beijing
    assert stored is not None
    assert stored.tzinfo is UTC
    with pytest.raises(StatementError, match="without a zone"):
        async with court_database.transaction() as connection:
            await connection.execute(insert(t.courts).values(id="c2", name="n", created_at=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_a_unit_of_work_is_whole_or_nothing(court_database: Database) -> None:
    with pytest.raises(RuntimeError):  # noqa: PT012  the block is the unit of work
        async with court_database.transaction() as connection:
            await connection.execute(insert(t.courts).values(id="c1", name="n", created_at=NINE))
            raise RuntimeError
    async with court_database.read() as connection:
        await connection.execute(insert(t.courts).values(id="c2", name="n", created_at=NINE))
    async with court_database.read() as connection:
        assert (await connection.execute(select(t.courts))).all() == []


async def test_strangers_are_refused_by_foreign_keys(court_database: Database) -> None:
    with pytest.raises(DBAPIError):  # noqa: PT012  the block is the unit of work
        async with court_database.transaction() as connection:
            row = {"id": "s1", "court_id": "no such court", "login": "l", "name": "n", "position": "clerk"}
            await connection.execute(insert(t.staff).values(**row, password_hash="-", disabled=False))


async def test_migrating_at_once_and_again_is_harmless(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/court.db"
    await asyncio.gather(*(migrate(url) for _ in range(3)))
    await migrate(url)
    database = Database(url)
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).all() == [("0008",)]
    await database.close()


def test_a_database_we_do_not_speak_is_refused() -> None:
    with pytest.raises(ValueError, match="sqlite: or postgresql:"):
        Database("mysql://localhost/x")
