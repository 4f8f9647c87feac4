"""Drafting the statements: by the job `statements` once the record is sealed, or on demand; and into the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.timeline import Clock, iso_utc, whole_ms
from record import store
from record.acts import person_mark
from record.model import Material
from record.package_items import Item, folder_of, made
from record.statement_pages import page_of
from record.statement_store import Statement, keep, statements_of
from record.statements import drafts_of
from record.verify import canonical
from storage.database import Database

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drafter:
    """The job `statements`, payload {"sitting_id"}. Idempotent: the same facts make no second draft."""

    database: Database
    clock: Clock

    async def draft(self, payload: dict[str, Any]) -> None:
        """Read the record and keep what of it is new."""
        sitting_id = str(payload["sitting_id"])
        async with self.database.transaction() as connection:
            material = await store.material_of(connection, sitting_id)
            if material is None:
                return
            added = await drafted(connection, material, self.clock)
        _log.info("statements_drafted", sitting_id=sitting_id, added=len(added))


async def drafted(connection: AsyncConnection, material: Material, clock: Clock) -> list[str]:
    """Draft both statements on this transaction; returns the ids of those that are new."""
    versions: dict[str, int] = {}
    for one in await statements_of(connection, material.sitting.id):
        versions[one.kind] = max(one.version, versions.get(one.kind, 0))
    now = whole_ms(clock.now())
    drafts = drafts_of(material, now, versions)
    return await keep(connection, material.sitting.court_id, material.sitting.id, drafts, now)


def names_of(material: Material) -> dict[str, str]:
    """How each person is named under a statement."""
    return {p.id: person_mark(material.hearing, p.id) for p in material.hearing.participants}


async def statement_items(connection: AsyncConnection, material: Material) -> Sequence[Item]:
    """Every statement as a JSON document with its signatures, and as a page to print: `sitting-N/statements/`."""
    items = []
    for one in await statements_of(connection, material.sitting.id):
        path = f"{folder_of(material)}/statements/{one.kind}-v{one.version}"
        items += [
            made(f"{path}.json", canonical(_signed_form(one))),
            made(f"{path}.html", page_of(one, names_of(material)).encode()),
        ]
    return items


def _signed_form(one: Statement) -> dict[str, Any]:
    """The document as it is, its hash, and who answers for it."""
    return {
        "document": one.document, "sha256": one.sha256, "state": one.state,
        "confirmed_by": one.confirmed_by, "confirmed_at": iso_utc(one.confirmed_at) if one.confirmed_at else None,
        "signed_by": one.signed_by, "signed_at": iso_utc(one.signed_at) if one.signed_at else None,
    }  # fmt: skip
