"""Time stamps of a sitting's ledger while it runs, at its sealing, and of its manifest afterwards (S7).

A stamp says: this chain_hash existed at that time. So nobody, the court included, can write a ledger anew later. An
authority that is away delays no act and no sealing: the manifest names the stamp that is missing, and it is sought again.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.timeline import Clock, iso_utc, whole_ms
from record.model import Material
from record.package_items import Item, folder_of, made
from record.store import open_jobs
from record.timestamps import StampRefused, TimeStamper
from record.verify import SIMULATED_POLICY, STAMPS_SCHEMA, canonical, stamp_info
from storage.database import Database
from storage.ids import new_id
from storage.objects import ObjectStore, manifest_key
from storage.queue import RetryLater, enqueue
from storage.tables import ledger, sittings, stamps

_log = structlog.get_logger(__name__)
LEDGER, MANIFEST = "ledger", "manifest"
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class StampSettings:
    """How often."""

    every_s: float = 3600.0  # of a running sitting whose ledger has grown
    look_s: float = 30.0
    again_s: float = 300.0  # after the authority was away


@dataclass(frozen=True, slots=True)
class Stamper:
    """The job `stamp`, payload {"sitting_id"}: the head of a running sitting, what is missing of a sealed one."""

    database: Database
    objects: ObjectStore
    authority: TimeStamper
    clock: Clock
    settings: StampSettings = StampSettings()

    async def stamp(self, payload: dict[str, Any]) -> None:
        """Raises RetryLater while the authority is away."""
        sitting_id = str(payload["sitting_id"])
        try:
            async with self.database.read() as connection:
                row = (await connection.execute(select(sittings).where(sittings.c.id == sitting_id))).mappings().one_or_none()
                head = await head_of(connection, sitting_id)
            if row is None or head is None:
                return
            if row["sealed_manifest_sha256"] is None:
                await self.stamp_head(sitting_id, row["court_id"], *head)
                return
            manifest = json.loads(await self.objects.get(manifest_key(row["court_id"], sitting_id)))
            await self.stamp_head(sitting_id, row["court_id"], manifest["ledger"]["entries"], manifest["ledger"]["chain_hash"])
            await self._once(sitting_id, row["court_id"], MANIFEST, 0, row["sealed_manifest_sha256"])
        except StampRefused as refused:
            raise RetryLater(self.settings.again_s, f"time stamp authority: {refused}") from refused

    async def stamp_head(self, sitting_id: str, court_id: str, number: int, chain_hash: str) -> None:
        """Stamp a ledger's head unless it is stamped. Raises StampRefused."""
        if number:
            await self._once(sitting_id, court_id, LEDGER, number, chain_hash)

    async def at_sealing(self, material: Material) -> tuple[list[Json], list[Json]]:
        """The stamps for the manifest, and which one is missing with its cause. Never fails, never takes long."""
        sitting, missing = material.sitting, []
        if material.ledger:
            last = material.ledger[-1]
            try:
                await self.stamp_head(sitting.id, sitting.court_id, last.number, last.chain_hash)
            except StampRefused as refused:
                _log.warning("stamp_missing_at_sealing", sitting_id=sitting.id, cause=str(refused))
                missing.append({"number": last.number, "cause": str(refused)})
        async with self.database.read() as connection:
            rows = await _rows(connection, sitting.id)
        return [_entry(row) for row in rows if row["subject"] == LEDGER], missing

    async def _once(self, sitting_id: str, court_id: str, subject: str, number: int, sha256: str) -> None:
        async with self.database.read() as connection:
            if any((row["subject"], row["number"]) == (subject, number) for row in await _rows(connection, sitting_id)):
                return
        token = await self.authority.stamp(sha256.encode())
        try:
            stamp_info(token)
        except ValueError as error:
            raise StampRefused(f"answered with {error}") from error
        row = {
            "id": new_id("stamp"), "court_id": court_id, "sitting_id": sitting_id, "subject": subject, "number": number,
            "chain_hash": sha256, "authority": self.authority.authority[:200], "token": token, "at": whole_ms(self.clock.now()),
        }  # fmt: skip
        async with self.database.transaction() as connection:
            await connection.execute(insert(stamps).values(**row))
        _log.info("stamped", sitting_id=sitting_id, subject=subject, number=number, simulated=self.authority.simulated)


async def watch_running(stamper: Stamper) -> None:
    """Ask for a stamp of every running sitting whose ledger has grown since the last, hourly; until cancelled."""
    while True:
        try:
            await ask_for_stamps(stamper)
        except Exception as error:  # noqa: BLE001  a database that is away comes back; the schedule goes on
            _log.warning("stamp_schedule_failed", error=type(error).__name__)
        await asyncio.sleep(stamper.settings.look_s)


async def ask_for_stamps(stamper: Stamper) -> int:
    """Write the jobs that are due now; returns how many."""
    now = stamper.clock.now()
    async with stamper.database.read() as connection:
        due = await _due(connection, now - timedelta(seconds=stamper.settings.every_s))
    for sitting_id, court_id in due:
        async with stamper.database.transaction() as connection:
            await enqueue(connection, "stamp", {"sitting_id": sitting_id}, court_id, now)
    return len(due)


async def _due(connection: AsyncConnection, before: datetime) -> list[tuple[str, str]]:
    """(sitting, court) of running sittings with entries that no stamp covers, the last stamp being older than `before`."""
    running = select(sittings.c.id, sittings.c.court_id).where(
        sittings.c.opened_at.is_not(None), sittings.c.closed_at.is_(None)
    )
    found = []
    for row in (await connection.execute(running)).all():
        head, rows = await head_of(connection, row.id), await _rows(connection, row.id)
        fresh = rows and (rows[-1]["at"] > before or head is None or rows[-1]["number"] >= head[0])
        if not fresh and not await open_jobs(connection, "stamp", row.id):
            found.append((row.id, row.court_id))
    return found


async def head_of(connection: AsyncConnection, sitting_id: str) -> tuple[int, str] | None:
    """Number and chain_hash of the newest entry."""
    newest = select(func.max(ledger.c.number)).where(ledger.c.sitting_id == sitting_id).scalar_subquery()
    query = select(ledger.c.number, ledger.c.chain_hash).where(ledger.c.sitting_id == sitting_id, ledger.c.number == newest)
    row = (await connection.execute(query)).one_or_none()
    return (row.number, row.chain_hash) if row else None


async def later_stamps(connection: AsyncConnection, material: Material) -> list[Item]:
    """stamps.json (ExtraItems): of the manifest, and of a head whose stamp was missing when the sitting was sealed."""
    sealed_at = material.sitting.sealed_at
    rows = [
        row for row in await _rows(connection, material.sitting.id)
        if row["subject"] == MANIFEST or (sealed_at is not None and row["at"] > sealed_at)
    ]  # fmt: skip
    if not rows:
        return []
    document: Json = {"schema": STAMPS_SCHEMA, "sitting_id": material.sitting.id, "stamps": [_entry(row) for row in rows]}
    return [made(f"{folder_of(material)}/stamps.json", canonical(document))]


async def _rows(connection: AsyncConnection, sitting_id: str) -> list[RowMapping]:
    query = select(stamps).where(stamps.c.sitting_id == sitting_id).order_by(stamps.c.at, stamps.c.number)
    return list((await connection.execute(query)).mappings())


def _entry(row: RowMapping) -> Json:
    """A stamp as manifest.json and stamps.json hold it."""
    token = bytes(row["token"])
    subject: Json = {"manifest_sha256": row["chain_hash"]}
    if row["subject"] == LEDGER:
        subject = {"number": row["number"], "chain_hash": row["chain_hash"]}
    return subject | {
        "authority": row["authority"], "simulated": stamp_info(token)[0] == SIMULATED_POLICY,
        "token": base64.b64encode(token).decode(), "at": iso_utc(row["at"]),
    }  # fmt: skip
