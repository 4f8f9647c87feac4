"""What the roles have in common: clock, database, store, wake-ups, keys, addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from court.keys import internal_token
from court.settings import Settings, SettingsError
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


def spool_folder(settings: Settings) -> Path:
    return settings.data / "spool"


def internal_url(settings: Settings) -> str:
    """Where the roles reach signaling."""
    return f"http://127.0.0.1:{_fixed(settings.internal_port, 'COURT_INTERNAL_PORT')}"


def media_urls(settings: Settings) -> tuple[str, ...]:
    """Where signaling and transcripts reach the media workers, in the order of their numbers."""
    first = _fixed(settings.media_port, "COURT_MEDIA_PORT")
    return tuple(f"http://127.0.0.1:{first + n}" for n in range(settings.media_workers))


def worker_id(number: int) -> str:
    """media-1, media-2 …"""
    return f"media-{number}"


def _fixed(port: int, name: str) -> int:
    if port == 0:
        raise SettingsError(f"单独启动一个角色时须设置 {name}")
    return port


async def only_court(database: Database) -> str | None:
    """The id of the installation's court, when there is exactly one."""
    async with database.read() as connection:
        ids = list((await connection.execute(select(courts.c.id))).scalars())
    return ids[0] if len(ids) == 1 else None
