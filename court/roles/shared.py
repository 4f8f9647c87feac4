"""What the roles that open the database have in common: clock, database, stores, wake-ups, keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import select

from court.keys import internal_token
from court.settings import Settings
from storage.clock import SystemClock
from storage.database import Database
from storage.envelope import Algorithm
from storage.s3 import S3Address
from storage.stores import Place, Stores, open_stores
from storage.tables import courts
from storage.wake import HueyWake


@dataclass(frozen=True, slots=True)
class Shared:
    """Opened by the role that uses it, closed when the role ends."""

    settings: Settings
    clock: SystemClock
    database: Database
    stores: Stores
    wake: HueyWake
    token: str


@asynccontextmanager
async def shared(settings: Settings) -> AsyncIterator[Shared]:
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_address)
    wake = HueyWake(settings.redis_url or str(settings.data / "wake.db"))
    try:
        first, second = (place_of(address) for address in settings.store_places)
        stores = open_stores(first, second, database, settings.keys_dir / "objects", Algorithm(settings.cipher))
        yield Shared(settings, SystemClock(), database, stores, wake, internal_token(settings.keys_dir))
    finally:
        wake.close()
        await database.close()


def place_of(address: str) -> Place:
    """A folder or bucket as the settings name it (their form has been checked)."""
    if "://" not in address:
        return Path(address)
    url = urlsplit(address)
    return S3Address(
        endpoint=url.netloc.rpartition("@")[2],
        bucket=url.path.strip("/"),
        access_key=unquote(url.username or ""),
        secret_key=unquote(url.password or ""),
        region=parse_qs(url.query).get("region", ["us-east-1"])[0],
        secure=url.scheme == "s3",
    )


async def only_court(database: Database) -> str | None:
    """The id of the installation's court, when there is exactly one."""
    async with database.read() as connection:
        ids = list((await connection.execute(select(courts.c.id))).scalars())
    return ids[0] if len(ids) == 1 else None
