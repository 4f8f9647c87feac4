"""Spool → object store: verify, put, read back and compare, report, and only then free the spool."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import aiohttp
import structlog
from cryptography.hazmat.primitives.hashes import SM3, Hash
from pydantic import ValidationError

from media.control import SegmentStored
from media.reporter import post
from media.settings import ShipperSettings
from media.spool import Spool, SpooledSegment
from storage.objects import ObjectMissing, ObjectStore, StorageError, in_class, segment_key

MAX_PAUSE_S = 10.0
_log = structlog.get_logger()


class Refused(Exception):
    """This segment cannot be shipped now; the message is a stable word for the log."""


class Shipper:
    """Ships closed segments one after another. The spool is the queue: nothing is lost by stopping anywhere."""

    def __init__(self, settings: ShipperSettings, store: ObjectStore, session: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._store = store
        self._session = session
        self._spool = Spool(settings.spool)
        self._chain: dict[tuple[str, str], tuple[int, str]] = {}
        self._complained: set[tuple[Path, str]] = set()

    async def run(self) -> None:
        """Ship until cancelled; while the store or signaling is away, wait longer and longer (up to 10 s)."""
        pause_s = self._settings.poll_s
        while True:
            troubled = await self.ship_all()
            pause_s = min(MAX_PAUSE_S, pause_s * 2) if troubled else self._settings.poll_s
            await asyncio.sleep(pause_s)

    async def ship_all(self) -> bool:
        """Ship everything that stands in the spool now; True when something had to stay."""
        troubled = False
        try:
            waiting = await asyncio.to_thread(lambda: list(self._spool.closed()))
        except (OSError, ValidationError) as error:
            _log.error("spool_unreadable", problem=type(error).__name__)
            return True
        for segment, path in waiting:
            try:
                await self._ship(segment, path)
            except (Refused, StorageError, OSError) as error:
                troubled = True
                self._complain(path, str(error) if isinstance(error, Refused) else type(error).__name__)
        await asyncio.to_thread(self._clear_finished)
        return troubled

    def _complain(self, path: Path, problem: str) -> None:
        """Say it once: a segment that stays is tried again every time round."""
        if (path, problem) not in self._complained:
            self._complained.add((path, problem))
            _log.error("segment_not_shipped", segment=f"{path.parent.name}/{path.name}", problem=problem)

    async def _ship(self, segment: SpooledSegment, path: Path) -> None:
        key = segment_key(self._settings.court_id, segment.sitting_id, segment.track_id, segment.index)
        data = await self._bytes_of(path, key)
        self._check(segment, data)
        await in_class(self._store, segment.access).put(key, data)
        returned = await self._store.get(key)
        if returned != data:
            raise Refused("read_back_differs")
        stored = _stored(segment, key, data)
        problem = await post(
            self._session, self._settings.signaling_url, self._settings.internal_token, self._settings.worker_id, [stored]
        )
        if problem:
            raise Refused(f"report_refused: {problem}")
        self._chain[segment.sitting_id, segment.track_id] = (segment.index, segment.sha256)
        await asyncio.to_thread(_free, path)

    async def _bytes_of(self, path: Path, key: str) -> bytes:
        """The segment's bytes; from the store when an earlier run was cut off after freeing the media file."""
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            try:
                return await self._store.get(key)
            except ObjectMissing:
                raise Refused("media_file_missing") from None

    def _check(self, segment: SpooledSegment, data: bytes) -> None:
        """The bytes are those the recorder hashed, and the chain goes on from the segment shipped before."""
        if hashlib.sha256(data).hexdigest() != segment.sha256 or len(data) != segment.bytes:
            raise Refused("sha256_differs")
        before = self._chain.get((segment.sitting_id, segment.track_id))
        if segment.index == 0 and segment.prev_sha256:
            raise Refused("chain_broken")
        if before is not None and segment.index == before[0] + 1 and segment.prev_sha256 != before[1]:
            raise Refused("chain_broken")

    def _clear_finished(self) -> None:
        """Remove the folders of sittings that are reported finished and hold no segment any more."""
        for marker in self._settings.spool.glob("*/reported.json"):
            folder = marker.parent
            if not any(folder.glob("*/[0-9]*")):
                shutil.rmtree(folder)


def _stored(segment: SpooledSegment, key: str, data: bytes) -> SegmentStored:
    sm3 = Hash(SM3())
    sm3.update(data)
    return SegmentStored(
        sitting_id=segment.sitting_id, participant_id=segment.participant_id, track_id=segment.track_id, kind=segment.kind,
        codec=segment.codec, index=segment.index, t0_ms=segment.t0_ms, t1_ms=segment.t1_ms, started_at=segment.started_at,
        bytes=segment.bytes, sha256=segment.sha256, sm3=sm3.finalize().hex(), prev_sha256=segment.prev_sha256,
        object_key=key, packets=segment.packets, lost_packets=segment.lost_packets, filled_ms=segment.filled_ms,
        muted_ms=segment.muted_ms, closed_by=segment.closed_by, access=segment.access,
    )  # fmt: skip


def _free(path: Path) -> None:
    """The media file goes first: a sidecar alone is shipped again from the store, a file alone would stay for ever."""
    path.unlink(missing_ok=True)
    path.with_suffix(".json").unlink(missing_ok=True)


async def ship_forever(settings: ShipperSettings, store: ObjectStore) -> None:
    """Run the shipper of one media host until cancelled."""
    async with aiohttp.ClientSession() as session:
        await Shipper(settings, store, session).run()
