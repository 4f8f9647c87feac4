"""Rows of the statements. Who is drafted may be replaced by a newer version; what is confirmed or signed is never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.errors import Conflict, UnknownId
from hearing.model import ParticipantId
from record.statements import Draft, facts_of, sha256_of
from record.store import aware
from storage.ids import new_id
from storage.tables import statements

DRAFTED, CONFIRMED, SIGNED = "drafted", "confirmed", "signed"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as stored."""

    id: str
    sitting_id: str
    kind: str
    document: dict[str, Any]
    sha256: str
    state: str
    drafted_at: datetime
    confirmed_by: ParticipantId | None
    confirmed_at: datetime | None
    signed_by: ParticipantId | None
    signed_at: datetime | None

    @property
    def version(self) -> int:
        return int(self.document["version"])


async def statements_of(connection: AsyncConnection, sitting_id: str) -> list[Statement]:
    """All versions, by kind and version."""
    rows = (await connection.execute(select(statements).where(statements.c.sitting_id == sitting_id))).mappings()
    return sorted((_statement(row) for row in rows), key=lambda one: (one.kind, one.version))


async def keep(connection: AsyncConnection, court_id: str, sitting_id: str, drafts: list[Draft], at: datetime) -> list[str]:
    """Add what tells new facts; returns the new ids. The same facts again change nothing."""
    newest = {one.kind: one for one in await statements_of(connection, sitting_id)}
    added = []
    for draft in drafts:
        known = newest.get(draft.kind)
        if known is not None and facts_of(known.document) == facts_of(draft.document):
            continue
        row = {
            "id": new_id("stat"), "court_id": court_id, "sitting_id": sitting_id, "kind": draft.kind,
            "document": draft.document, "sha256": draft.sha256, "state": DRAFTED, "drafted_at": at,
        }  # fmt: skip
        await connection.execute(insert(statements).values(**row))
        added.append(str(row["id"]))
    return added


async def confirm(connection: AsyncConnection, statement_id: str, document: dict[str, Any], by: str, at: datetime) -> None:
    """Freeze the document with its remarks; raises Conflict (statement_not_open) when it is no draft any more."""
    change = update(statements).where(statements.c.id == statement_id, statements.c.state == DRAFTED)
    values = {"document": document, "sha256": sha256_of(document), "state": CONFIRMED, "confirmed_by": by, "confirmed_at": at}
    if (await connection.execute(change.values(**values))).rowcount != 1:
        raise Conflict("这份说明已经确认，不能再修改。", code="statement_not_open")


async def sign(connection: AsyncConnection, statement_id: str, sha256: str, by: str, at: datetime) -> None:
    """Sign exactly this document; raises Conflict (statement_not_open) when it is not the one that was confirmed."""
    change = update(statements).where(
        statements.c.id == statement_id, statements.c.state == CONFIRMED, statements.c.sha256 == sha256
    )
    if (await connection.execute(change.values(state=SIGNED, signed_by=by, signed_at=at))).rowcount != 1:
        raise Conflict("这份说明尚未确认，或内容已经不同，请刷新后重试。", code="statement_not_open")


async def statement(connection: AsyncConnection, sitting_id: str, statement_id: str) -> Statement:
    """Raises UnknownId."""
    query = select(statements).where(statements.c.id == statement_id, statements.c.sitting_id == sitting_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise UnknownId("没有这份说明。", field="statement_id")
    return _statement(row)


def _statement(row: RowMapping) -> Statement:
    return Statement(
        id=row["id"], sitting_id=row["sitting_id"], kind=row["kind"], document=row["document"], sha256=row["sha256"],
        state=row["state"], drafted_at=aware(row["drafted_at"]),
        confirmed_by=row["confirmed_by"], confirmed_at=aware(row["confirmed_at"]) if row["confirmed_at"] else None,
        signed_by=row["signed_by"], signed_at=aware(row["signed_at"]) if row["signed_at"] else None,
    )  # fmt: skip
