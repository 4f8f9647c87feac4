"""A spool with segments, two stores, a database, a stand-in for signaling, and the shipper between them."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from hearing.audience import Kind
from hearing.model import ParticipantId, SittingId
from media.settings import ShipperSettings
from media.shipper import Shipper
from media.spool import SegmentContent, SegmentName, Spool
from storage.clock import SystemClock
from storage.data_keys import DataKeys
from storage.database import Database
from storage.envelope import Algorithm
from storage.folder import FolderStore
from storage.key_ring import KeyRing
from storage.migrate import migrate
from storage.objects import ObjectStore
from storage.stores import Stores

CLOCK = SystemClock()
TOKEN = "internal-token"
SITTING = SittingId("sit_1")


@dataclass
class ShippingBed:
    """`reports` is what the stand-in for signaling accepted; it says 503 while `accepts` is false."""

    folder: Path
    stores: Stores
    session: aiohttp.ClientSession
    settings: ShipperSettings
    reports: list[dict[str, Any]] = field(default_factory=list)
    accepts: bool = True
    unusable: Callable[[dict[str, Any]], bool] = lambda _report: False
    contents: dict[str, bytes] = field(default_factory=dict)

    @property
    def spool(self) -> Spool:
        return Spool(self.settings.spool)

    def shipper(self) -> Shipper:
        return Shipper(self.settings, self.stores, self.session, CLOCK)

    def segment(self, track: str = "a-audio", size: int = 20_000, sitting: SittingId = SITTING) -> Path:
        """Close one more segment of a track; returns its media file."""
        head = self.spool.head(sitting, track)
        index = 0 if head is None else head.index + 1
        t0_ms = 10_000 * index
        person = ParticipantId(track.partition("-")[0])
        name = SegmentName(sitting, person, track, Kind.AUDIO, "opus", index, t0_ms, CLOCK.now())
        part = self.spool.begin(name)
        part.write_bytes(os.urandom(size))
        closed = self.spool.commit(name, SegmentContent(t0_ms + 10_000, 500, 0, 0, 0, "rotate"), part)
        media = part.parent / f"{index:06d}.webm"
        self.contents[closed.sha256] = media.read_bytes()
        return media

    def stored(self) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["type"] == "segment.stored"]

    def health(self) -> list[dict[str, Any]]:
        return [report for report in self.reports if report["type"] == "store.health"]

    def waiting(self) -> list[Path]:
        return sorted(self.settings.spool.rglob("*.webm"))

    async def assert_whole(self) -> None:
        """Everything that was ever closed lies in both places, equal to the byte, its chain in order; the spool is empty."""
        assert not self.waiting()
        latest: dict[str, dict[str, Any]] = {}
        for report in self.stored():
            before = latest.get(report["track_id"])
            if before is not None and before["index"] == report["index"]:
                assert before["sha256"] == report["sha256"]
                continue  # said twice
            assert report["index"] == (0 if before is None else before["index"] + 1)
            assert report["prev_sha256"] == ("" if before is None else before["sha256"])
            latest[report["track_id"]] = report
        assert {report["sha256"] for report in self.stored()} == self.contents.keys()
        objects = self.stores.objects()
        for report in self.stored():
            kept = await self.stores.keys.find(report["object_key"])
            assert await objects.get(report["object_key"]) == self.contents[report["sha256"]]
            copies = [await place.get(kept.stored_key) for place in (self.stores.first, self.stores.second)]
            assert [hashlib.sha256(copy).hexdigest() for copy in copies] == [kept.stored_sha256] * 2

    @asynccontextmanager
    async def shipping(self) -> AsyncIterator[Shipper]:
        """The shipper runs beside the block."""
        shipper = self.shipper()
        running = asyncio.create_task(shipper.run())
        try:
            yield shipper
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def two_stores(
    folder: Path, first: ObjectStore | None = None, second: ObjectStore | None = None
) -> AsyncIterator[Stores]:
    """Encrypted, with their keys in a database of their own; folders where no stores are given."""
    folder.mkdir(parents=True, exist_ok=True)
    template = folder.parent / "shipping-template.db"  # the migrations run once for the tests of a folder
    if not template.exists():
        await migrate(f"sqlite:///{template}")
    shutil.copy(template, folder / "court.db")
    database = Database(f"sqlite:///{folder}/court.db")
    keys = DataKeys(database, KeyRing(folder / "keys"), CLOCK, Algorithm.AES_256_GCM, "parties")
    try:
        yield Stores(first or FolderStore(folder / "a"), second or FolderStore(folder / "b"), keys)
    finally:
        await database.close()


@asynccontextmanager
async def shipping_bed(
    folder: Path, first: ObjectStore | None = None, second: ObjectStore | None = None
) -> AsyncIterator[ShippingBed]:
    """With folder stores where none are given."""
    async with two_stores(folder, first, second) as stores, aiohttp.ClientSession() as session:
        holder: list[ShippingBed] = []
        runner = web.AppRunner(_signaling(holder), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        spool = folder / "spool"
        spool.mkdir(exist_ok=True)
        try:
            bed = ShippingBed(folder, stores, session, ShipperSettings(spool, address, "court_1", "shipper", TOKEN, poll_s=0.1))
            holder.append(bed)
            yield bed
        finally:
            await runner.cleanup()


def _signaling(holder: list[ShippingBed]) -> web.Application:
    async def take(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        [bed] = holder
        if not bed.accepts:
            return web.Response(status=503)
        reports = (await request.json())["reports"]
        good = [report for report in reports if not bed.unusable(report)]
        bed.reports.extend(good)
        return web.json_response({"taken": len(good), "refused": len(reports) - len(good)})

    app = web.Application()
    app.add_routes([web.post("/internal/media/reports", take)])
    return app
