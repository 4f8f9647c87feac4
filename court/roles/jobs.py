"""The jobs role: seals closed sittings and verifies sealed ones; reads stores only, never a spool."""

from __future__ import annotations

from court.roles.shared import shared
from court.settings import Settings
from record.jobs import handlers
from record.keys import court_key
from record.seal import SealSettings
from storage.queue import run_worker


async def main(settings: Settings) -> None:
    async with shared(settings) as parts:
        key = court_key(settings.keys_dir)
        work = handlers(parts.database, parts.stores.objects(), key, parts.clock, SealSettings(timezone=settings.tz))
        await run_worker(parts.database, work, parts.clock, parts.wake)
