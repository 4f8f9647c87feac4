"""Take exhibits in, list them, give back their originals and page pictures (举证 begins here)."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog
from sqlalchemy.exc import IntegrityError

from evidence import previews, store
from evidence.integrity import PURPOSE_MAX, TITLE_MAX, Digests, clean_file_name, clean_text, exhibit_number, side_of
from evidence.model import Exhibit
from evidence.previews import Opened, Refused
from evidence.settings import EvidenceSettings
from evidence.turns import Turns
from hearing.errors import Conflict, InvalidField, NotPermitted, ServerFault, UnknownId
from hearing.model import CourtId, ExhibitId, HearingId, Participant, ParticipantId, Side
from hearing.timeline import Clock, whole_ms
from storage.database import Database
from storage.ids import new_id
from storage.objects import ObjectExists, ObjectMissing, ObjectStore, exhibit_key, exhibit_page_key

_log = structlog.get_logger(__name__)
_CHUNK_BYTES = 256 * 1024
_NUMBER_TRIES = 5


class ExhibitRegistry:
    """All exhibits of an installation. The row is written last: what has no row does not exist for anybody."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock, settings: EvidenceSettings) -> None:
        self._database, self._objects, self._clock, self._settings = database, objects, clock, settings
        self._examining, self._drawing = Turns(2), Turns(2)  # each file opened is a process of its own
        self._uploads: Counter[ParticipantId] = Counter()

    async def submit(
        self, hearing_id: str, participant: Participant, file_name: str, title: str, purpose: str, chunks: AsyncIterator[bytes]
    ) -> Exhibit:
        """Store, hash and number a file.

        Raises NotPermitted (no side), UnknownId (hearing), InvalidField (title, purpose, exhibit_empty, exhibit_too_large,
        exhibit_type_refused, exhibit_damaged), Conflict (exhibit_duplicate, exhibit_uploads_busy), ServerFault
        (exhibit_no_space); nothing is then visible.
        """
        title = _text(title, "title", "证据名称", TITLE_MAX, needed=True)
        purpose = _text(purpose, "purpose", "证明目的", PURPOSE_MAX, needed=False)
        court_id, side = await self._side(HearingId(hearing_id), participant)
        with self._one_more_upload(participant.id), self._workspace() as folder:
            path = folder / "original"
            digests = await self._receive(chunks, path)
            await self._refuse_duplicate(hearing_id, digests.sha256)
            async with self._examining.of(hearing_id):
                with _refusals():
                    opened = await previews.examine(path, self._settings.limits)
            exhibit_id = ExhibitId(new_id("exh"))
            key = exhibit_key(court_id, exhibit_id)
            stored = await self._objects.put(key, _file_chunks(path))
        if stored.sha256 != digests.sha256:
            raise InvalidField("文件在保存时发生变化，请重新提交。", field="file", code="exhibit_damaged")
        draft = _Draft(
            exhibit_id, court_id, HearingId(hearing_id), side, title, purpose, clean_file_name(file_name), opened, digests
        )
        exhibit = await self._number(draft, participant)
        _log.info("exhibit_submitted", hearing_id=hearing_id, exhibit_id=exhibit.id, bytes=exhibit.bytes, pages=exhibit.pages)
        return exhibit

    async def list(self, hearing_id: str) -> list[Exhibit]:
        """All exhibits of a hearing in order of side and number."""
        async with self._database.read() as connection:
            return await store.exhibits_of(connection, hearing_id)

    async def get(self, exhibit_id: str) -> Exhibit:
        """One exhibit; raises UnknownId."""
        async with self._database.read() as connection:
            found = await store.exhibit(connection, exhibit_id)
        if found is None:
            raise UnknownId("没有这件证据。", field="exhibit_id")
        return found

    async def original(self, exhibit_id: str) -> tuple[Exhibit, AsyncIterator[bytes]]:
        """The exhibit and its untouched bytes; raises UnknownId."""
        exhibit = await self.get(exhibit_id)
        return exhibit, self._objects.stream(exhibit.object_key)

    async def page_picture(self, exhibit_id: str, page: int) -> bytes:
        """PNG of page `page` (from 1), drawn once and kept; raises UnknownId, InvalidField (exhibit_damaged)."""
        exhibit = await self.get(exhibit_id)
        if not 1 <= page <= exhibit.pages:
            raise UnknownId("没有这一页。", field="page")
        key = exhibit_page_key(exhibit.court_id, exhibit.id, page)
        with suppress(ObjectMissing):
            return await self._objects.get(key)
        async with self._drawing.of(exhibit.hearing_id):
            with suppress(ObjectMissing):
                return await self._objects.get(key)  # drawn for somebody else while we waited
            picture = await self._draw(exhibit, page)
            try:
                await self._objects.put(key, picture)
            except ObjectExists:
                return await self._objects.get(key)  # drawn by another process at the same time
        return picture

    async def _side(self, hearing_id: HearingId, participant: Participant) -> tuple[CourtId, Side]:
        async with self._database.read() as connection:
            court_id = await store.court_of(connection, hearing_id)
            if court_id is None:
                raise UnknownId("没有这个庭审。", field="hearing_id")
            represented = await store.represented_role(connection, hearing_id, participant)
            member = await store.belongs(connection, hearing_id, participant.id)
        side = side_of(participant, represented) if member else None
        if side is None:
            raise NotPermitted("只有当事人、诉讼代理人和法庭可以提交证据。")
        return court_id, side

    @contextmanager
    def _one_more_upload(self, participant_id: ParticipantId) -> Iterator[None]:
        """Refused where this person sends too many files at once."""
        if self._uploads[participant_id] >= self._settings.max_uploads_at_once:
            raise Conflict("您正在提交其他文件，请等其完成后再提交。", field="file", code="exhibit_uploads_busy")
        self._uploads[participant_id] += 1
        try:
            yield
        finally:
            self._uploads[participant_id] -= 1
            self._uploads += Counter()  # forget who sends nothing

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        self._settings.upload_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._settings.upload_folder) as folder:
            yield Path(folder)

    async def _receive(self, chunks: AsyncIterator[bytes], path: Path) -> Digests:
        """Write the upload to a temporary file, hashing on the way, off the loop."""
        disk = await asyncio.to_thread(shutil.disk_usage, path.parent)
        if disk.free < self._settings.reserve_bytes + 2 * self._settings.max_bytes:  # the upload, and its copy in the store
            _log.error("exhibit_no_space", free_bytes=disk.free)
            raise ServerFault("服务器存储空间不足，暂时不能提交证据，请联系书记员。", field="file", code="exhibit_no_space")
        digests = Digests()
        file = await asyncio.to_thread(path.open, "wb")
        try:
            async for chunk in chunks:
                if digests.bytes + len(chunk) > self._settings.max_bytes:
                    limit = self._settings.max_bytes // (1024 * 1024)
                    raise InvalidField(f"文件超过 {limit} MB，请压缩或拆分后再提交。", field="file", code="exhibit_too_large")
                await asyncio.to_thread(_append, file, digests, chunk)
        finally:
            await asyncio.to_thread(file.close)
        if digests.bytes == 0:
            raise InvalidField("文件是空的。", field="file", code="exhibit_empty")
        return digests

    async def _refuse_duplicate(self, hearing_id: str, sha256: str) -> None:
        async with self._database.read() as connection:
            same = await store.same_content(connection, hearing_id, sha256)
        if same is not None:
            raise Conflict(f"同一文件已经提交，见{same.number}《{same.title}》。", field="file", code="exhibit_duplicate")

    async def _number(self, draft: _Draft, participant: Participant) -> Exhibit:
        """Take the side's next number and write the row; another upload may take it first, so try again."""
        for _ in range(_NUMBER_TRIES):
            try:
                async with self._database.transaction() as connection:
                    ordinal = await store.next_ordinal(connection, draft.hearing_id, draft.side)
                    exhibit = draft.numbered(ordinal, participant, self._clock)
                    await store.add(connection, exhibit)
            except IntegrityError:
                await self._refuse_duplicate(draft.hearing_id, draft.digests.sha256)
            else:
                return exhibit
        raise Conflict("同时提交的证据过多，请重试。", field="file")

    async def _draw(self, exhibit: Exhibit, page: int) -> bytes:
        with self._workspace() as folder:
            path, out = folder / "original", folder / "page.png"
            file = await asyncio.to_thread(path.open, "wb")
            try:
                async for chunk in self._objects.stream(exhibit.object_key):
                    await asyncio.to_thread(file.write, chunk)
            finally:
                await asyncio.to_thread(file.close)
            with _refusals():
                await previews.draw_page(path, exhibit.media_type, page, self._settings.limits, out)
            return await asyncio.to_thread(out.read_bytes)


@dataclass(frozen=True, slots=True)
class _Draft:
    """An exhibit that stands in the store and still lacks its number."""

    exhibit_id: ExhibitId
    court_id: CourtId
    hearing_id: HearingId
    side: Side
    title: str
    purpose: str
    file_name: str
    opened: Opened
    digests: Digests

    def numbered(self, ordinal: int, participant: Participant, clock: Clock) -> Exhibit:
        return Exhibit(
            id=self.exhibit_id, court_id=self.court_id, hearing_id=self.hearing_id, side=self.side, ordinal=ordinal,
            number=exhibit_number(self.side, ordinal), title=self.title, purpose=self.purpose, file_name=self.file_name,
            media_type=self.opened.media_type, bytes=self.digests.bytes, pages=self.opened.pages,
            sha256=self.digests.sha256, sm3=self.digests.sm3, object_key=exhibit_key(self.court_id, self.exhibit_id),
            submitted_by=participant.id, submitted_at=whole_ms(clock.now()),
        )  # fmt: skip


@contextmanager
def _refusals() -> Iterator[None]:
    """What the child found about the file, as an error of the law's tree."""
    try:
        yield
    except Refused as refused:
        raise InvalidField(f"{refused.reason}。", field="file", code=refused.code) from None


def _text(text: str, field: str, name: str, limit: int, *, needed: bool) -> str:
    cleaned = clean_text(text)
    if needed and not cleaned:
        raise InvalidField(f"请填写{name}。", field=field)
    if len(cleaned) > limit:
        raise InvalidField(f"{name}不能超过 {limit} 个字。", field=field)
    return cleaned


def _append(file: BinaryIO, digests: Digests, chunk: bytes) -> None:
    digests.update(chunk)
    file.write(chunk)


async def _file_chunks(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)
