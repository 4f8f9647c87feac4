"""Which tables the database itself refuses to rewrite, and the check that it still does.

Asked after every migration: SQLite rebuilds a table to alter it and drops its triggers without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection, text

APPEND_ONLY = ("ledger", "utterances", "revisions", "stamps", "access_orders", "statements")
"""`statements` once signed, the others from their first row."""

_SINCE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"0001": ("ledger", "utterances", "revisions"), "0004": ("stamps", "access_orders", "statements")}
)
_SQLITE_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL_TRIGGERS = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"


class NotAppendOnly(Exception):
    """A trigger that protects the record is missing or switched off; the message names it. Nothing was migrated."""


def tables_since(revision: str) -> tuple[str, ...]:
    """The tables that are protected at a revision of the schema."""
    return tuple(table for since, tables in _SINCE.items() if since <= revision for table in tables)


def check_append_only(connection: Connection, tables: tuple[str, ...] = APPEND_ONLY) -> None:
    """Raises NotAppendOnly."""
    sqlite = connection.dialect.name == "sqlite"
    present = set(connection.execute(text(_SQLITE_TRIGGERS if sqlite else _POSTGRESQL_TRIGGERS)).scalars())
    acts = ("UPDATE", "DELETE") if sqlite else ("change", "truncate")
    wanted = {f"{table}_refuse_{act}" for table in tables for act in acts}
    if sqlite and "ledger" in tables:
        wanted.add("ledger_refuse_replace")
    if missing := sorted(wanted - present):
        raise NotAppendOnly(f"missing in the database: {', '.join(missing)}")
