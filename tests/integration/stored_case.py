"""The small sealed hearing of record_case, stored as a court stores it: encrypted, twice, with its keys in the database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from record.heal import Healer, HealSettings
from record.keys import court_key
from storage.clock import SystemClock
from storage.database import Database
from storage.envelope import Algorithm
from storage.stores import Place, Stores, open_stores
from tests.integration.record_case import (
    HEARING,
    PEOPLE,
    SITTING,
    Case,
    SetClock,
    add_course,
    add_recording,
    add_rows,
    add_speech,
    chunks,
    pdf,
)

JOB = {"sitting_id": SITTING}


@dataclass
class StoredCase:
    """The case and its two stores; `folder` holds keys, and the stores where they are folders."""

    case: Case
    stores: Stores
    folder: Path

    def healer(self, settings: HealSettings | None = None, *, fill: bool = False) -> Healer:
        return Healer(self.case.database, self.stores, SystemClock(), settings, fill=fill)

    def file(self, store: str, name: str) -> Path:
        """Where an object lies in a folder store, by a part of its key."""
        return next(path for path in (self.folder / store / "courts").rglob("*") if path.is_file() and name in path.as_posix())


@asynccontextmanager
async def stored_case(
    database: Database, folder: Path, places: tuple[Place, Place] | None = None, *, sealed: bool = True
) -> AsyncIterator[StoredCase]:
    """The whole hearing in `database` (migrated) and two places: folders A and B unless told otherwise."""
    first, second = places or (folder / "A", folder / "B")
    stores = open_stores(first, second, database, folder / "keys" / "objects", Algorithm.AES_256_GCM)
    clock, objects = SetClock(), stores.objects()
    registry = ExhibitRegistry(database, objects, clock, EvidenceSettings(folder / "uploads", max_bytes=2_000_000))
    case = Case(database, objects, court_key(folder / "keys"), clock, registry, folder)
    await add_rows(case)
    exhibit = await registry.submit(HEARING, PEOPLE[2], "借条.pdf", "借条", "证明借贷关系", chunks(pdf()))
    await add_course(case, exhibit.id)
    await add_recording(case)
    await add_speech(case)
    if sealed:
        await case.sealer().seal(JOB)
    yield StoredCase(case, stores, folder)
