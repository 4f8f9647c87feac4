"""The jobs role: seals closed sittings, verifies sealed ones, has ledgers time-stamped; reads stores only, never a spool."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

from court.roles.shared import Shared, shared
from court.settings import Settings
from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from record.film import FilmMaker, FilmSettings
from record.heal import Healer, HealSettings
from record.jobs import handlers
from record.keys import CourtKey, court_key
from record.orders import REWRAP, Rewrapper
from record.seal import SealSettings
from record.simulated_tsa import SimulatedTimeStamper
from record.stamping import Stamper, watch_running
from record.timestamps import HttpTimeStamper, TimeStamper, trusted_certificates
from storage.queue import run_worker


async def main(settings: Settings) -> None:
    async with shared(settings) as parts, asyncio.TaskGroup() as tasks:
        key, objects = court_key(settings.keys_dir, settings.signature), parts.stores.objects()
        stamper = Stamper(parts.database, objects, time_stamper(parts), parts.clock)
        sealing = SealSettings(timezone=settings.tz, final_pass=settings.makes_finals)
        work = handlers(parts.database, objects, key, parts.clock, sealing, stamper)
        work = {**work, REWRAP: Rewrapper(parts.database, parts.stores.keys, parts.clock).rewrap}
        tasks.create_task(watch_running(stamper))
        tasks.create_task(run_worker(parts.database, work, parts.clock, parts.wake))
        healer = Healer(parts.database, parts.stores, parts.clock, heal_settings(settings))
        tasks.create_task(healer.watch())
        tasks.create_task(run_worker(parts.database, healer.handlers(), parts.clock, parts.wake))  # long: others do not wait
        films = film_maker(parts, key)
        tasks.create_task(run_worker(parts.database, films.handlers(), parts.clock, parts.wake))  # longer still


def film_maker(parts: Shared, key: CourtKey) -> FilmMaker:
    settings, objects = parts.settings, parts.stores.objects()
    evidence = EvidenceSettings(settings.data / "uploads", settings.upload_limit_mb * 1024 * 1024)
    pages = ExhibitRegistry(parts.database, objects, parts.clock, evidence)
    zone = ZoneInfo(settings.tz)
    how = FilmSettings(settings.data / "films", zone, settings.film_fps, settings.film_during_sessions)
    return FilmMaker(parts.database, objects, pages, key, parts.clock, how)


def heal_settings(settings: Settings) -> HealSettings:
    return HealSettings(settings.verify_mb_s * 1_000_000, timedelta(days=settings.verify_days))


def time_stamper(parts: Shared) -> TimeStamper:
    """The authority of the settings, or the simulator."""
    settings = parts.settings
    if settings.tsa_cert is None:
        return SimulatedTimeStamper(settings.keys_dir, parts.clock)
    return HttpTimeStamper(settings.tsa_url, trusted_certificates(settings.tsa_cert.read_bytes()))
