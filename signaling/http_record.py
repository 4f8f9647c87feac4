"""The record over HTTP: record page, captions, package. Every read is logged. Playback stands in http_playback.py."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import TypeAdapter

from hearing.commands import EditDraft
from hearing.permissions import allowed
from hearing.states import OVER
from hearing.timeline import local_date_time
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.handlers.transcripts import Draft
from signaling.http_bytes import opened, send
from signaling.http_playback import record_reader
from signaling.http_sessions import answer, answer_list
from signaling.middleware import origin_of, session_of
from signaling.parts import Parts
from signaling.protocol import RecordView
from signaling.rate import Downloads
from signaling.viewing import Viewing

RECORD_VIEW = TypeAdapter(RecordView)


def may_edit(visitor: Visitor, sitting_id: str) -> bool:
    """Whether this person may correct the draft of the sitting now."""
    sitting = next((one.sitting for one in visitor.entry.sittings if one.sitting.id == sitting_id), None)
    person = visitor.participant
    return sitting is not None and person is not None and EditDraft.type in allowed(visitor.entry.hearing, sitting, person)


class RecordApi:
    """What remains of a sitting, for who may read it."""

    def __init__(self, parts: Parts, access: Access, viewing: Viewing, draft: Draft) -> None:
        self._parts = parts
        self._access = access
        self._viewing = viewing
        self._draft = draft
        self._downloads = Downloads(parts.clock)
        self._zone = ZoneInfo(parts.settings.court_tz)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/sittings/{sitting_id}/record", self.record),
            web.get("/api/sittings/{sitting_id}/captions", self.captions),
            web.get("/api/hearings/{hearing_id}/package.zip", self.package),
        ]

    async def record(self, request: web.Request) -> web.Response:
        visitor = await record_reader(self._access, request)
        sitting_id = request.match_info["sitting_id"]
        body = await self._parts.records.view(sitting_id, visitor.clearance)
        view_id = await self._viewing.opened(visitor, sitting_id, origin_of(request, self._parts.settings).ip)
        view = RECORD_VIEW.validate_python(
            {**body, "viewer": self._watermark(visitor), "view_id": view_id, "may_edit": may_edit(visitor, sitting_id)}
        )
        response = answer(view)
        response.headers["Cache-Control"] = "no-store"
        response.enable_compression()
        return response

    def _watermark(self, visitor: Visitor) -> str:
        return f"{visitor.session.name} {local_date_time(self._parts.clock.now(), self._zone)}"

    async def captions(self, request: web.Request) -> web.Response:
        """The draft as this person may read it: during the sitting, or afterwards by who may read the record."""
        visitor = await self._access.sitting(session_of(request), request.match_info["sitting_id"])
        hearing, sitting = await self._parts.hearings.load(request.match_info["sitting_id"])  # type: ignore[arg-type]
        if visitor.participant is None or (sitting.state in OVER and not visitor.may_read_record):
            raise Refused("not_permitted")
        await self._log(visitor, "captions", request)
        return answer_list((await self._draft.captions(hearing, sitting, visitor.participant.id, None)).captions)

    async def package(self, request: web.Request) -> web.StreamResponse:
        """The record of a hearing as a zip, as far as this person may have it, streamed.

        Refused before the first byte where no sitting is sealed, and while this person downloads another.
        """
        visitor = await self._access.hearing(session_of(request), request.match_info["hearing_id"])
        if not visitor.may_read_record:
            raise Refused("not_permitted")
        hearing_id = visitor.entry.hearing.id
        with self._downloads.begin(visitor.session.subject):
            chunks = await opened(self._parts.records.package(hearing_id, visitor.clearance))
            await self._log(visitor, "package", request)
            response = web.StreamResponse(headers={"Content-Disposition": f'attachment; filename="{hearing_id}.zip"'})
            response.content_type = "application/zip"
            return await send(request, response, chunks)

    async def _log(self, visitor: Visitor, what: str, request: web.Request) -> None:
        await self._access.log(visitor, what, origin_of(request, self._parts.settings).ip)
