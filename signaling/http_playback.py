"""Playback over HTTP: the segment index, segments with Range (RFC 9110, 14), and the log of what was watched."""

from __future__ import annotations

import re
from itertools import pairwise

from aiohttp import web
from sqlalchemy import select

from hearing.access import AccessClass, may_have
from hearing.states import OVER
from record.segment_index import PlayedSegment, SegmentIndex
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.http_bytes import byte_range, opened, send
from signaling.http_sessions import answer, answer_list
from signaling.middleware import body_of, origin_of, session_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import PlayedSpans, RecordSealed, SegmentPage
from signaling.viewing import Span, Viewing
from storage.data_keys import KeyDestroyed
from storage.envelope import Damaged
from storage.objects import ObjectMissing
from storage.tables import sittings

VIEW_HEADER = "X-Court-View"
LONGEST_MS = 7 * 24 * 3_600_000
MOST_NUMBERS = 400
_VIEW_ID = re.compile(r"[0-9A-F]{8}")


class PlaybackApi:
    """What the replay asks for. Every request is decided anew: access may have changed since the page was opened."""

    def __init__(self, parts: Parts, access: Access, viewing: Viewing) -> None:
        self._parts = parts
        self._access = access
        self._viewing = viewing
        self._index = SegmentIndex(parts.database, parts.clock)

    def routes(self) -> list[web.RouteDef]:
        sitting = "/api/sittings/{sitting_id}"
        return [
            web.get(sitting + "/sealed", self.sealed),
            web.get(sitting + r"/segments/{page:\d{1,5}}", self.page),
            web.get(sitting + r"/tracks/{track_id}/segments/{index:\d{1,9}}.webm", self.segment),
            web.post(sitting + "/views/{view_id}", self.played),
            web.get(sitting + "/views", self.reads),
        ]

    async def sealed(self, request: web.Request) -> web.Response:
        """Whether the record is sealed, for a page that waits."""
        await record_reader(self._access, request)
        query = select(sittings.c.sealed_manifest_sha256).where(sittings.c.id == request.match_info["sitting_id"])
        async with self._parts.database.read() as connection:
            return answer(RecordSealed(sealed=(await connection.execute(query)).scalar_one() is not None))

    async def page(self, request: web.Request) -> web.Response:
        """One piece of the segment index, with nothing in it that the viewer may not have."""
        visitor = await record_reader(self._access, request)
        info = request.match_info
        tracks = await self._index.page(info["sitting_id"], int(info["page"]), visitor.clearance)
        response = answer(SegmentPage.model_validate({"tracks": tracks}))
        response.headers["Cache-Control"] = "no-store"
        response.enable_compression()
        return response

    async def segment(self, request: web.Request) -> web.StreamResponse:
        """One recorded segment. The browser may keep it but must ask every time; a stricter class is not kept at all."""
        visitor = await record_reader(self._access, request)
        segment = await self._segment_of(request, visitor)
        view_id = request.headers.get(VIEW_HEADER, "")
        await self._viewing.handed_out(
            visitor, request.match_info["sitting_id"], view_id if _VIEW_ID.fullmatch(view_id) else "",
            (segment.t0_ms, segment.t1_ms), self._ip(request),
        )  # fmt: skip
        tag = f'"{segment.sha256}"'
        headers = {
            "ETag": tag, "Accept-Ranges": "bytes", "Vary": "Cookie",
            "Cache-Control": "private, no-cache" if may_have(AccessClass.PARTIES, segment.access) else "private, no-store",
        }  # fmt: skip
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        part = "Range" in request.headers and request.headers.get("If-Range", tag) == tag
        start, end = byte_range(request, segment.bytes) if part else (0, segment.bytes)
        response = web.StreamResponse(status=206 if part else 200, headers=headers)
        response.content_type, response.content_length = "video/webm", end - start
        if part:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{segment.bytes}"
        try:
            chunks = await opened(self._parts.store.stream(segment.object_key, start=start, end=end))
        except KeyDestroyed:
            raise Refused("record_destroyed") from None
        except ObjectMissing:
            raise Refused("not_found") from None
        except Damaged:
            raise Refused("record_damaged") from None
        return await send(request, response, chunks)

    async def _segment_of(self, request: web.Request, visitor: Visitor) -> PlayedSegment:
        """Raises not_found, also for what this person may not have: that it is there is none of their business."""
        info = request.match_info
        found = await self._index.segment(info["sitting_id"], info["track_id"], int(info["index"]))
        if found is None or not may_have(visitor.clearance, found.access):
            raise Refused("not_found")
        return found

    async def played(self, request: web.Request) -> web.Response:
        """The page's report of what it played; refused where the view is not this person's."""
        visitor = await record_reader(self._access, request)
        body = parse_body(PlayedSpans, await body_of(request))
        info = request.match_info
        known = await self._viewing.played(visitor, info["sitting_id"], info["view_id"], _spans(body.spans), self._ip(request))
        if not known:
            raise Refused("not_found")
        return web.Response(status=204)

    async def reads(self, request: web.Request) -> web.Response:
        """Who read this record, for who manages the hearing."""
        visitor = await self._access.sitting(session_of(request), request.match_info["sitting_id"])
        if not visitor.may_manage:
            raise Refused("not_permitted")
        return answer_list(await self._viewing.reads(visitor, request.match_info["sitting_id"]))

    def _ip(self, request: web.Request) -> str:
        return origin_of(request, self._parts.settings).ip


async def record_reader(access: Access, request: web.Request) -> Visitor:
    """Who may read the record of a sitting that is over; during the sitting nobody plays it back."""
    visitor = await access.sitting(session_of(request), request.match_info["sitting_id"])
    if not visitor.may_read_record:
        raise Refused("not_permitted")
    sitting = next(s.sitting for s in visitor.entry.sittings if s.sitting.id == request.match_info["sitting_id"])
    if sitting.state not in OVER:
        raise Refused("record_not_ready")
    return visitor


def _spans(flat: list[int]) -> list[Span]:
    """Pairs out of the flat list; raises bad_field for what is no list of stretches."""
    spans = list(pairwise(flat))[::2]
    if len(flat) % 2 or len(flat) > MOST_NUMBERS or any(not 0 <= t0 < t1 <= LONGEST_MS for t0, t1 in spans):
        raise Refused("bad_field", field="spans")
    return spans
