"""The engine and the unit of work, the same for SQLite (embedded) and PostgreSQL (production)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import Connection, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_BUSY_TIMEOUT_MS = 15_000
_MANY = 1000  # no line: PostgreSQL locks rows, and its pool bounds the connections
_WRITES = "court_writes"  # execution option of a connection that means to write


class Database:
    """One database. `transaction()` commits whole or not at all; `read()` never writes. Opens nothing until first used."""

    def __init__(self, url: str) -> None:
        self.url = normal_url(url)
        self.engine: AsyncEngine = create_async_engine(
            self.url,
            json_serializer=partial(json.dumps, ensure_ascii=False),
            pool_pre_ping=not self.is_sqlite,
            hide_parameters=True,  # what people say and their names must not reach a log with an error
        )
        # SQLite has one writer. Ours wait in line here; between processes its busy handler sleeps and is not fair, so a
        # burst would else starve somebody. Order and correctness do not rest on this: the database's own lock does that.
        self._line = asyncio.Semaphore(1 if self.is_sqlite else _MANY)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A unit of work: commits at the end of the block, rolls back on any exception.

        On SQLite it takes the write lock at its start (BEGIN IMMEDIATE): a transaction that reads first and writes later
        would otherwise fail at once with "database is locked", whatever the busy timeout. Raises TimeoutError when no
        turn comes in that time (a transaction inside a transaction never gets one).
        """
        async with asyncio.timeout(_BUSY_TIMEOUT_MS / 1000):
            await self._line.acquire()
        try:
            async with self.engine.connect() as connection:
                await connection.execution_options(**{_WRITES: True})
                async with connection.begin():
                    yield connection
        finally:
            self._line.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; on SQLite it sees one consistent snapshot. Anything written is rolled back."""
        async with self.engine.connect() as connection:
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def normal_url(url: str) -> URL:
    """The URL with the driver we use: `sqlite:///…` and `postgresql://…` become their asynchronous forms."""
    parsed = make_url(url)
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise ValueError(f"a database URL starts with sqlite: or postgresql:, not {parsed.get_backend_name()}:")
    return parsed.set(drivername=driver)


def _prepare_sqlite(dbapi_connection: DBAPIConnection, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # the driver must not begin by itself: _begin_sqlite does
    cursor = dbapi_connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")  # first: switching to WAL can meet a lock too
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an acknowledged act outlives a power cut
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA recursive_triggers=ON")  # so that INSERT OR REPLACE meets the append-only triggers
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
