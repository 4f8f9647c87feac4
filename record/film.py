"""The job `film`: makes a sealed sitting's film, stores it, and signs what it was made from.

Interrupted at any point it starts again: the draft is a file without a name, which the kernel takes away with the process,
and the row of the finished film is written last.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

import structlog

from hearing.errors import CourtError
from hearing.model import ExhibitId
from hearing.timeline import Clock, iso_utc, whole_ms
from record import film_store, store
from record.composite import NICE, Source, Stopped, compose
from record.course import course_of
from record.film_layout import HEIGHT, WIDTH
from record.film_plan import FILM_CLASS, FilmPlan, plan_of
from record.film_store import FILM, Film
from record.keys import CourtKey
from record.model import Material, Segment
from record.signing import signature_bytes
from record.verify import canonical
from storage.database import Database
from storage.objects import ObjectStore, StorageError, StoreUnavailable, in_class, manifest_key
from storage.queue import Handler, RetryLater

STATEMENT_SCHEMA = "remote-court/film/1"
NOTICE = "本片由已封存的分轨录音录像合成，供观看；内容以封存的记录为准。"
_CHUNK_BYTES = 256 * 1024
_Answer = TypeVar("_Answer")
_log = structlog.get_logger(__name__)


class Pages(Protocol):
    """Pictures of exhibits (evidence.registry.ExhibitRegistry)."""

    async def page_picture(self, exhibit_id: str, page: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FilmSettings:
    """How films are made."""

    folder: Path  # for the draft, which holds the hearing in clear: nobody else's, and without a name in it
    zone: ZoneInfo  # of the burnt-in time
    fps: int = 12
    during_sessions: bool = False
    look_s: float = 2.0  # how often progress is written, and looked whether a sitting has begun
    again_s: float = 30.0
    nice: int = NICE


@dataclass(frozen=True, slots=True)
class FilmMaker:
    """Handler of FILM."""

    database: Database
    objects: ObjectStore
    pages: Pages
    key: CourtKey
    clock: Clock
    settings: FilmSettings

    def handlers(self) -> dict[str, Handler]:
        return {FILM: self.make}

    async def make(self, payload: dict[str, Any]) -> None:
        """Raises RetryLater while a sitting is in session or a store is away."""
        sitting_id = str(payload["sitting_id"])
        async with self.database.read() as connection:
            recipe = await film_store.recipe_of(connection, sitting_id)
            done = await film_store.film_of(connection, sitting_id)
            material = await store.material_of(connection, sitting_id)
        course = course_of(material.entries, self.clock.now()) if material else None
        if recipe is None or done or material is None or course is None:
            return
        if await self.must_wait():
            raise RetryLater(self.settings.again_s, "a sitting is in session")
        plan = plan_of(material, course, self.settings.fps)
        run = _Run(self, material, plan, asyncio.get_running_loop())
        self.settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=self.settings.folder) as draft:
            source = Source(material, course, plan, self.settings.zone, run.fetch, run.page, run.progress, self.settings.nice)
            try:
                await run.compose(source, f"/proc/self/fd/{draft.fileno()}")
                film = await self._keep(material, plan, draft, sorted(run.unreadable))
            except StoreUnavailable as error:
                raise RetryLater(self.settings.again_s, "a store is away") from error
        async with self.database.transaction() as connection:
            if await film_store.recipe_of(connection, sitting_id) != recipe:
                return  # an order came meanwhile, and with it a job for another film
            await film_store.write_film(connection, material, recipe, film)
        _log.info("film_made", sitting_id=sitting_id, bytes=film.size_bytes, duration_ms=film.duration_ms, sha256=film.sha256)

    async def must_wait(self) -> bool:
        if self.settings.during_sessions:
            return False
        async with self.database.read() as connection:
            return await film_store.in_session(connection)

    async def _keep(self, material: Material, plan: FilmPlan, draft: IO[bytes], unreadable: list[str]) -> Film:
        """Into the store under a name by its content: a draft of an earlier try never stands in the way."""
        digest = await asyncio.to_thread(_sha256, draft)
        prefix = manifest_key(material.sitting.court_id, material.sitting.id).removesuffix("manifest.json")
        key = f"{prefix}film-{digest[:16]}.mp4"
        stored = await in_class(self.objects, FILM_CLASS.value).put(key, _chunks(draft))
        made_at = whole_ms(self.clock.now())
        statement = canonical(
            {
                "schema": STATEMENT_SCHEMA, "notice": NOTICE, "sitting_id": material.sitting.id, "made_at": iso_utc(made_at),
                "manifest_sha256": material.sitting.sealed_manifest_sha256, "access": FILM_CLASS.value,
                "orders": [
                    {"track_id": o.track_id, "t0_ms": o.t0_ms, "t1_ms": o.t1_ms, "access": o.access.value}
                    for o in material.orders
                ],
                "film": {
                    "path": "film.mp4", "bytes": stored.bytes, "sha256": stored.sha256, "duration_ms": plan.duration_ms,
                    "width": WIDTH, "height": HEIGHT, "fps": plan.fps, "video": "h264", "audio": "aac",
                },
                "scenes": [
                    {
                        "film_ms": s.first * 1000 // plan.fps, "t0_ms": s.t0_ms, "t1_ms": s.t1_ms,
                        "shown": s.card is None, "cause": s.card.title if s.card else "",
                    }
                    for s in plan.scenes
                ],
                "unreadable": unreadable,
            }
        )  # fmt: skip
        signature = signature_bytes(self.key, "film.mp4.json", statement)
        return Film(key, stored.bytes, stored.sha256, plan.duration_ms, statement, signature, made_at)


@dataclass
class _Run:
    """One making: what the film's thread asks of the loop, and how the loop stops the thread."""

    maker: FilmMaker
    material: Material
    plan: FilmPlan
    loop: asyncio.AbstractEventLoop
    unreadable: set[str] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    looked_at: float = 0.0

    async def compose(self, source: Source, path: str) -> None:
        """In a thread of its own, whose low priority ends with it."""
        with ThreadPoolExecutor(1, "film") as executor:
            work = self.loop.run_in_executor(executor, compose, source, path)
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                self.stop.set()
                with suppress(Stopped, StorageError):
                    await work
                raise

    def _ask(self, question: Coroutine[Any, Any, _Answer]) -> _Answer:
        return asyncio.run_coroutine_threadsafe(question, self.loop).result()

    def fetch(self, segment: Segment) -> bytes | None:
        """Raises StoreUnavailable. What is not what was recorded is as good as missing."""
        try:
            data = self._ask(self.maker.objects.get(segment.object_key))
        except StoreUnavailable:
            raise
        except StorageError:
            data = b""
        if hashlib.sha256(data).hexdigest() == segment.sha256:
            return data
        self.unreadable.add(segment.object_key)
        _log.warning("film_segment_unreadable", sitting_id=self.material.sitting.id, key=segment.object_key)
        return None

    def page(self, exhibit_id: ExhibitId, page: int) -> bytes | None:
        try:
            return self._ask(self.maker.pages.page_picture(exhibit_id, page))
        except StoreUnavailable:
            raise
        except (StorageError, CourtError):
            self.unreadable.add(f"exhibit {exhibit_id} page {page}")
            return None

    def progress(self, share: float) -> None:
        """Notes how far it is, and waits in place while a sitting is in session. Raises Stopped."""
        if self.stop.is_set():
            raise Stopped
        now = self.maker.clock.monotonic()
        if now - self.looked_at < self.maker.settings.look_s and self.looked_at:
            return
        self.looked_at = now
        self._ask(self._note(share))
        while self._ask(self.maker.must_wait()):
            if self.stop.wait(self.maker.settings.look_s):
                raise Stopped

    async def _note(self, share: float) -> None:
        async with self.maker.database.transaction() as connection:
            await film_store.write_progress(connection, self.material.sitting.id, share)


def _sha256(file: IO[bytes]) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
        yield chunk
