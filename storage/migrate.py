"""Bring a database to the newest schema, from the program itself: no alembic.ini, no command line."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from storage.append_only import APPEND_ONLY, check_append_only, tables_since
from storage.database import Database

_MIGRATION_LOCK = 0x436F757274  # any number, the same for every process of this program


async def migrate(database_url: str) -> None:
    """Apply every missing migration in one transaction; several processes may call it at once. Creates an SQLite file.

    Raises NotAppendOnly, and then nothing is changed, where the database would let the record be rewritten.
    """
    database = Database(database_url)
    try:
        if database.is_sqlite and database.url.database:
            Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
        async with database.transaction() as connection:
            if not database.is_sqlite:  # SQLite's transaction holds the write lock already
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
            await connection.run_sync(upgrade)
    finally:
        await database.close()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Apply the steps up to a revision, in the transaction of `connection`. Raises NotAppendOnly."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    check_append_only(connection, APPEND_ONLY if revision == "head" else tables_since(revision))
