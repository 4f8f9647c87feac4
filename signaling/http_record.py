"""The record over HTTP: record page, segments with Range (RFC 9110, 14), captions, package. Every read is logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import TypeAdapter
from sqlalchemy import select

from hearing.states import OVER
from hearing.timeline import local_date_time
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.handlers.transcripts import Draft
from signaling.http_sessions import answer, answer_list
from signaling.middleware import origin_of, session_of
from signaling.parts import Parts
from signaling.protocol import RecordView
from storage.objects import ObjectMissing
from storage.tables import segments

RECORD_VIEW = TypeAdapter(RecordView)


class RecordApi:
    """What remains of a sitting, for who may read it."""

    def __init__(self, parts: Parts, access: Access, draft: Draft) -> None:
        self._parts = parts
        self._access = access
        self._draft = draft
        self._zone = ZoneInfo(parts.settings.court_tz)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/sittings/{sitting_id}/record", self.record),
            web.get("/api/sittings/{sitting_id}/captions", self.captions),
            web.get(r"/api/sittings/{sitting_id}/tracks/{track_id}/segments/{index:\d{1,9}}.webm", self.segment),
            web.get("/api/hearings/{hearing_id}/package.zip", self.package),
        ]

    async def record(self, request: web.Request) -> web.Response:
        visitor = await self._reader(request)
        body = await self._parts.records.view(request.match_info["sitting_id"])
        await self._log(visitor, "record", request)
        view = RECORD_VIEW.validate_python({**body, "viewer": self._watermark(visitor)})
        return answer(view)

    def _watermark(self, visitor: Visitor) -> str:
        return f"{visitor.session.name} {local_date_time(self._parts.clock.now(), self._zone)}"

    async def captions(self, request: web.Request) -> web.Response:
        """The draft as this person may read it: during the sitting, or afterwards by who may read the record."""
        visitor = await self._access.sitting(session_of(request), request.match_info["sitting_id"])
        hearing, sitting = await self._parts.hearings.load(request.match_info["sitting_id"])  # type: ignore[arg-type]
        if visitor.participant is None or (sitting.state in OVER and not visitor.may_read_record):
            raise Refused("not_permitted")
        await self._log(visitor, "captions", request)
        return answer_list(await self._draft.captions(hearing, sitting, visitor.participant.id, None))

    async def segment(self, request: web.Request) -> web.StreamResponse:
        """One recorded segment; logged at its beginning, not for every range a player asks for."""
        visitor = await self._reader(request)
        object_key, total_bytes = await self._segment_row(request)
        start, end = _range(request, total_bytes)
        if start == 0:
            await self._log(visitor, "play", request)
        response = web.StreamResponse(status=206 if "Range" in request.headers else 200)
        response.content_type = "video/webm"
        response.content_length = end - start
        response.headers["Accept-Ranges"] = "bytes"
        response.headers["Cache-Control"] = "private, max-age=3600"
        if response.status == 206:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{total_bytes}"
        try:
            chunks = await _opened(self._parts.store.stream(object_key, start=start, end=end))
        except ObjectMissing:
            raise Refused("not_found") from None
        return await _send(request, response, chunks)

    async def _segment_row(self, request: web.Request) -> tuple[str, int]:
        info = request.match_info
        query = select(segments.c.object_key, segments.c.bytes).where(
            segments.c.sitting_id == info["sitting_id"],
            segments.c.track_id == info["track_id"],
            segments.c.index == int(info["index"]),
        )
        async with self._parts.database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise Refused("not_found")
        return row.object_key, row.bytes

    async def package(self, request: web.Request) -> web.StreamResponse:
        """The whole record of a hearing as a zip, streamed. Refused before the first byte where no sitting is sealed."""
        visitor = await self._access.hearing(session_of(request), request.match_info["hearing_id"])
        if not visitor.may_read_record:
            raise Refused("not_permitted")
        chunks = await _opened(self._parts.records.package(visitor.entry.hearing.id))
        await self._log(visitor, "package", request)
        response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{visitor.entry.hearing.id}.zip"'})
        response.content_type = "application/zip"
        return await _send(request, response, chunks)

    async def _reader(self, request: web.Request) -> Visitor:
        """Who may read the record of a sitting that is over; during the sitting nobody plays it back."""
        visitor = await self._access.sitting(session_of(request), request.match_info["sitting_id"])
        if not visitor.may_read_record:
            raise Refused("not_permitted")
        sitting = next(s.sitting for s in visitor.entry.sittings if s.sitting.id == request.match_info["sitting_id"])
        if sitting.state not in OVER:
            raise Refused("record_not_ready")
        return visitor

    async def _log(self, visitor: Visitor, what: str, request: web.Request) -> None:
        await self._access.log(visitor, what, origin_of(request, self._parts.settings).ip)


def _range(request: web.Request, total_bytes: int) -> tuple[int, int]:
    """Bytes [start, end) asked for; raises bad_range."""
    try:
        asked = request.http_range
    except ValueError:
        raise Refused("bad_range") from None
    start, stop = asked.start or 0, total_bytes if asked.stop is None else min(asked.stop, total_bytes)
    if start < 0:
        start = max(0, total_bytes + start)
    if not start < stop:
        raise Refused("bad_range")
    return start, stop


async def _opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wait for the first chunk, so that a failure becomes an error status and not a broken download."""
    first = await anext(chunks, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return whole()


async def _send(request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response
