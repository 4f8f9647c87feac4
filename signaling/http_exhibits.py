"""Exhibits over HTTP: list, upload, page pictures, originals."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import BodyPartReader, web

from evidence.model import Exhibit
from hearing.errors import UnknownId
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.handlers.evidence import ExhibitNews
from signaling.http_sessions import answer, answer_list
from signaling.middleware import origin_of, session_of
from signaling.parts import Parts
from signaling.views import exhibit_view

FIELD_BYTES = 8 * 1024
FORM_OVERHEAD_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024


class ExhibitApi:
    """举证 from outside the courtroom page and from within it."""

    def __init__(self, parts: Parts, access: Access, news: ExhibitNews) -> None:
        self._parts = parts
        self._access = access
        self._news = news

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/hearings/{hearing_id}/exhibits", self.list),
            web.post("/api/hearings/{hearing_id}/exhibits", self.submit),
            web.get(r"/api/exhibits/{exhibit_id}/pages/{page:\d{1,5}}.png", self.page),
            web.get("/api/exhibits/{exhibit_id}/original", self.original),
        ]

    async def list(self, request: web.Request) -> web.Response:
        visitor = await self._access.hearing(session_of(request), request.match_info["hearing_id"])
        exhibits = await self._parts.exhibits.list(visitor.entry.hearing.id)
        return answer_list([exhibit_view(exhibit) for exhibit in exhibits if visitor.may_open(exhibit)])

    async def submit(self, request: web.Request) -> web.Response:
        """Multipart form: title, purpose, then the file, which is streamed while it is hashed."""
        visitor = await self._access.hearing(session_of(request), request.match_info["hearing_id"])
        if visitor.participant is None:
            raise Refused("not_a_participant")
        limit_bytes = self._parts.settings.upload_limit_bytes
        if (request.content_length or 0) > limit_bytes + FORM_OVERHEAD_BYTES:
            raise Refused("exhibit_too_large", "file")
        if not request.content_type.startswith("multipart/"):
            raise Refused("bad_body")
        title, purpose, file = await _form(request)
        exhibit = await self._parts.exhibits.submit(
            visitor.entry.hearing.id, visitor.participant, file.filename or "", title, purpose, _chunks(file)
        )
        await self._news.tell(visitor.entry.hearing.id)
        return answer(exhibit_view(exhibit), status=201)

    async def page(self, request: web.Request) -> web.Response:
        """A page never changes, so a browser may keep it; only this browser, and only for as long as a sitting lasts."""
        exhibit, _ = await self._exhibit(request)
        picture = await self._parts.exhibits.page_picture(exhibit.id, int(request.match_info["page"]))
        return web.Response(body=picture, content_type="image/png", headers={"Cache-Control": "private, max-age=3600"})

    async def original(self, request: web.Request) -> web.StreamResponse:
        """The untouched bytes, always as a download: a submitted file is never opened in the court's own page."""
        exhibit, visitor = await self._exhibit(request)
        if not visitor.may_read_record:
            raise Refused("not_permitted")
        await self._access.log(visitor, "exhibit_original", origin_of(request, self._parts.settings).ip)
        _, chunks = await self._parts.exhibits.original(exhibit.id)
        name = f"{exhibit.id}{_suffix(exhibit.media_type)}"
        response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{name}"'})
        response.content_type = exhibit.media_type
        response.content_length = exhibit.bytes
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _exhibit(self, request: web.Request) -> tuple[Exhibit, Visitor]:
        try:
            exhibit = await self._parts.exhibits.get(request.match_info["exhibit_id"])
        except UnknownId:
            raise Refused("not_found") from None
        visitor = await self._access.hearing(session_of(request), exhibit.hearing_id)
        if not visitor.may_open(exhibit):
            raise Refused("not_permitted")
        return exhibit, visitor


async def _form(request: web.Request) -> tuple[str, str, BodyPartReader]:
    """Title, purpose and the open file part; fields that stand behind the file are not read."""
    texts = {"title": "", "purpose": ""}
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader):
                raise Refused("bad_body")
            if part.name == "file":
                return texts["title"], texts["purpose"], part
            if part.name not in texts:
                raise Refused("bad_field", (part.name or "body")[:40])
            texts[part.name] = (await _field(part)).decode("utf-8")
    except (ValueError, AssertionError):  # no boundary, broken encoding
        raise Refused("bad_body") from None
    raise Refused("bad_field", "file")


async def _field(part: BodyPartReader) -> bytes:
    data = b""
    while chunk := await part.read_chunk(FIELD_BYTES):
        data += chunk
        if len(data) > FIELD_BYTES:
            raise Refused("too_large", part.name)
    return data


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        yield chunk


def _suffix(media_type: str) -> str:
    return {"application/pdf": ".pdf", "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}.get(media_type, "")
