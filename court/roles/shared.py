"""What the roles that open the database have in common: clock, database, store, wake-ups, keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from court.keys import internal_token
from court.settings import Settings
from storage.clock import SystemClock
from storage.database import Database
from storage.folder import FolderStore
from storage.tables import courts
from storage.wake import HueyWake


@dataclass(frozen=True, slots=True)
class Shared:
    """Opened by the role that uses it, closed when the role ends."""

    settings: Settings
    clock: SystemClock
    database: Database
    store: FolderStore
    wake: HueyWake
    token: str


@asynccontextmanager
async def shared(settings: Settings) -> AsyncIterator[Shared]:
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_address)
    wake = HueyWake(settings.redis_url or str(settings.data / "wake.db"))
    try:
        yield Shared(
            settings, SystemClock(), database, FolderStore(objects_folder(settings)), wake, internal_token(settings.keys_dir)
        )
    finally:
        wake.close()
        await database.close()


def objects_folder(settings: Settings) -> Path:
    return settings.data / "objects"


async def only_court(database: Database) -> str | None:
    """The id of the installation's court, when there is exactly one."""
    async with database.read() as connection:
        ids = list((await connection.execute(select(courts.c.id))).scalars())
    return ids[0] if len(ids) == 1 else None
