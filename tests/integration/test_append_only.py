"""Both databases refuse to rewrite what proves a record: tried with real rows after every single migration."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, Table, insert, text
from sqlalchemy.exc import DBAPIError

import storage.migrate
from storage.append_only import APPEND_ONLY, NotAppendOnly, check_append_only, tables_since
from storage.database import Database
from storage.ids import new_id
from storage.migrate import migrate, upgrade
from tests.servers import PostgresServer

MIGRATIONS = Path(storage.migrate.__file__).parent / "migrations"
NEEDED = ("courts", "hearings", "participants", "sittings")
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.timeout(120))])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database without any table."""
    url = f"sqlite:///{tmp_path}/court.db"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = new_id("db")
        await server.execute(f"CREATE DATABASE {name}")
        url = server.url(name)
    database = Database(url)
    yield database
    await database.close()


def a_row(table: Table) -> dict[str, Any]:
    """One row: every text and id is x, so that every reference holds."""
    values: dict[str, Any] = {"str": "x", "int": 1, "float": 1.0, "bool": True, "bytes": b"x", "datetime": NOW, "object": {}}
    row = {c.name: values[c.type.python_type.__name__] for c in table.columns if not c.nullable and c.autoincrement is not True}
    return row | ({"state": "signed"} if table.name == "statements" else {})


def add_rows(connection: Connection, tables: tuple[str, ...]) -> None:
    """A row in each of the tables that has none."""
    metadata = MetaData()
    metadata.reflect(connection, only=(*NEEDED, *tables))
    for table in metadata.sorted_tables:
        if not connection.execute(table.select()).first():
            connection.execute(insert(table).values(a_row(table)))


def add_draft(connection: Connection) -> None:
    metadata = MetaData()
    metadata.reflect(connection, only=("statements",))
    table = metadata.tables["statements"]
    connection.execute(insert(table).values(a_row(table) | {"state": "drafted"}))


def attempts(table: str, *, sqlite: bool) -> list[str]:
    replace = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"  # noqa: S608  a name of ours
    update, delete = f"UPDATE {table} SET court_id = court_id", f"DELETE FROM {table}"  # noqa: S608  a name of ours
    return [update, delete, replace if sqlite else f"TRUNCATE {table} CASCADE"]


async def refuses(database: Database, tables: tuple[str, ...]) -> None:
    for statement in (one for table in tables for one in attempts(table, sqlite=database.is_sqlite)):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(text(statement))
    async with database.read() as connection:
        for table in tables:
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1, table  # noqa: S608  a name of ours


async def test_after_every_migration_the_record_cannot_be_rewritten(empty: Database) -> None:
    assert revisions()[0] == "0001"
    for revision in revisions():
        tables = tables_since(revision)
        async with empty.transaction() as connection:
            await connection.run_sync(upgrade, revision)
            await connection.run_sync(add_rows, tables)
        await refuses(empty, tables)
    assert tables == APPEND_ONLY


async def test_a_draft_of_a_statement_may_be_written_anew_until_it_is_signed(empty: Database) -> None:
    async with empty.transaction() as connection:
        await connection.run_sync(upgrade)
        await connection.run_sync(add_rows, ())
        await connection.run_sync(add_draft)
        await connection.execute(text("UPDATE statements SET sha256 = 'y', state = 'confirmed'"))
        await connection.execute(text("UPDATE statements SET state = 'signed'"))
    for statement in ("UPDATE statements SET state = 'drafted'", "DELETE FROM statements"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with empty.transaction() as connection:
                await connection.execute(text(statement))


async def test_a_database_without_its_triggers_is_not_served(empty: Database) -> None:
    """As a migration would leave it that builds a table anew and forgets them."""
    async with empty.transaction() as connection:
        await connection.run_sync(upgrade)
        drop = "DROP TRIGGER ledger_refuse_UPDATE" if empty.is_sqlite else "DROP TRIGGER ledger_refuse_change ON ledger"
        await connection.execute(text(drop))
    url = empty.url.render_as_string(hide_password=False)
    with pytest.raises(NotAppendOnly, match="ledger_refuse"):
        await migrate(url)
    if not empty.is_sqlite:
        async with empty.transaction() as connection:
            await connection.execute(text("ALTER TABLE stamps DISABLE TRIGGER USER"))
            with pytest.raises(NotAppendOnly, match="stamps_refuse_truncate"):
                await connection.run_sync(check_append_only)
