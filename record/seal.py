"""Seal a closed sitting (封存): wait until the recording is whole, write the manifest, sign it, note it on the sitting."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hearing.errors import UnknownId
from hearing.model import SittingState
from hearing.timeline import Clock, whole_ms
from record import film_store, store
from record.check import sealed_file_key
from record.course import course_of
from record.forms import sealed_forms
from record.keys import CourtKey
from record.manifest import NO_STAMPS, build, manifest_bytes
from record.model import Material
from record.signing import signature_bytes
from record.stamping import Stamper
from storage.database import Database
from storage.objects import ObjectExists, ObjectStore, in_class, manifest_key, signature_key
from storage.queue import RetryLater, enqueue
from transcripts import versions

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SealSettings:
    """How patient sealing is."""

    timezone: str = "Asia/Shanghai"
    settle_s: float = 6.0  # after 闭庭 and after the last line: late captions still belong to the draft
    silent_s: float = 600.0  # no segment, no end of a track for so long, though the worker came back: nobody sent anything
    give_up_s: float = 6 * 3600.0  # the spool outlasts a store that is away; then sealed as it is, the rest declared as gaps
    again_s: float = 2.0  # grows to a minute while waiting
    final_pass: bool = True  # whether a worker is there that reads the recording again


@dataclass(frozen=True, slots=True)
class Sealer:
    """The job `seal`, payload {"sitting_id"}. Idempotent: a sealed sitting stays as it is."""

    database: Database
    objects: ObjectStore
    key: CourtKey
    clock: Clock
    settings: SealSettings = SealSettings()
    stamper: Stamper | None = None  # None: no time stamps at all

    async def seal(self, payload: dict[str, Any]) -> None:
        """Raises RetryLater while recording or recognition is not finished."""
        sitting_id = str(payload["sitting_id"])
        async with self.database.read() as connection:
            material = await store.material_of(connection, sitting_id)
            refills = await store.open_jobs(connection, "refill", sitting_id)
            last_line_at = await store.last_line_at(connection, sitting_id)
        if material is None:
            raise UnknownId("没有这个庭次。", field="sitting_id")
        sitting = material.sitting
        if sitting.sealed_manifest_sha256 or sitting.opened_at is None or sitting.state is not SittingState.CLOSED:
            return
        reason = self._reason_to_wait(material, refills, last_line_at)
        if reason:
            raise RetryLater(self._again_s(sitting.closed_at), reason)
        manifest = await self._keep(material, await self._manifest(material))
        await self._note(material, hashlib.sha256(manifest).hexdigest())

    def _reason_to_wait(self, material: Material, refills: int, last_line_at: datetime | None) -> str | None:
        """Why the record is not whole yet; None when it is, or when waiting has lasted long enough."""
        now, closed_at = self.clock.now(), material.sitting.closed_at
        age_s = (now - closed_at).total_seconds() if closed_at else 0.0
        if age_s >= self.settings.give_up_s:
            return None
        if age_s < self.settings.settle_s or (last_line_at and (now - last_line_at).total_seconds() < self.settings.settle_s):
            return "captions may still come"
        if refills:
            return f"{refills} refill job(s) are open"
        if not material.track_ends:
            return "the recorder has not finished" if material.segments or age_s < self.settings.silent_s else None
        for track_id, segments in material.tracks().items():
            end = material.track_ends.get(track_id)
            if end is None or len(segments) < end[0]:
                return f"track {track_id} is not stored whole"
        return None

    def _again_s(self, closed_at: datetime | None) -> float:
        age_s = (self.clock.now() - closed_at).total_seconds() if closed_at else 0.0
        return min(60.0, max(self.settings.again_s, age_s / 30))

    async def _manifest(self, material: Material) -> bytes:
        """Write the transcript's forms to the store and build the manifest over everything."""
        course = course_of(material.entries, self.clock.now())
        if course is None:
            raise UnknownId("这个庭次没有开庭。", field="sitting_id")
        forms, sitting = sealed_forms(material, course), material.sitting
        for form in forms:
            key = sealed_file_key(sitting.court_id, sitting.id, form.sha256)
            await in_class(self.objects, form.access).put(key, form.data)
        stamps = await self.stamper.at_sealing(material) if self.stamper else NO_STAMPS
        return manifest_bytes(build(material, course, forms, self.settings.timezone, stamps))

    async def _keep(self, material: Material, manifest: bytes) -> bytes:
        """Store manifest and signature. One that an interrupted sealing left is taken as it is: only we write there."""
        court_id, sitting_id = material.sitting.court_id, material.sitting.id
        try:
            await self.objects.put(manifest_key(court_id, sitting_id), manifest)
        except ObjectExists:
            manifest = await self.objects.get(manifest_key(court_id, sitting_id))
        signature = signature_bytes(self.key, "manifest.json", manifest)
        await self.objects.put(signature_key(court_id, sitting_id), signature)
        return manifest

    async def _note(self, material: Material, sha256: str) -> None:
        """Mark the sitting as sealed and ask for a first verification, in one transaction."""
        sitting, now = material.sitting, whole_ms(self.clock.now())
        async with self.database.transaction() as connection:
            if await store.write_seal(connection, sitting.id, sha256, now):
                await enqueue(connection, "verify", {"sitting_id": sitting.id}, sitting.court_id, now)
                await film_store.ask_for(connection, sitting.id, sitting.court_id, now)
                await enqueue(connection, "statements", {"sitting_id": sitting.id}, sitting.court_id, now)
                if self.settings.final_pass:
                    await versions.ask_for(connection, sitting.id, sitting.court_id, now)
                if self.stamper:
                    await enqueue(connection, "stamp", {"sitting_id": sitting.id}, sitting.court_id, now)
        _log.info("sitting_sealed", sitting_id=sitting.id, manifest_sha256=sha256, segments=len(material.segments))
