"""The film of a sitting over HTTP: how far it is, asking for it again, and playing it with Range (RFC 9110, 14)."""

from __future__ import annotations

from aiohttp import web

from hearing.access import may_have
from record import film_store
from record.film_plan import FILM_CLASS
from record.film_store import FILM, Film
from signaling.access import Access, Read, Visitor
from signaling.error_codes import Refused
from signaling.http_bytes import byte_range, opened, send
from signaling.http_playback import record_reader
from signaling.http_sessions import answer
from signaling.middleware import origin_of
from signaling.parts import Parts
from signaling.protocol import FilmView
from storage.data_keys import KeyDestroyed
from storage.objects import ObjectMissing


class FilmApi:
    """For who may read the record and is cleared for what the film shows; every piece that is read is logged."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/sittings/{sitting_id}/film", self.status),
            web.post("/api/sittings/{sitting_id}/film", self.ask),
            web.get("/api/sittings/{sitting_id}/film.mp4", self.play),
        ]

    async def status(self, request: web.Request) -> web.Response:
        return await self._status(request, await self._reader(request))

    async def _status(self, request: web.Request, visitor: Visitor) -> web.Response:
        async with self._parts.database.read() as connection:
            status = await film_store.status_of(connection, request.match_info["sitting_id"])
            sealed = await film_store.recipe_of(connection, request.match_info["sitting_id"]) is not None
        film = status.film
        made = (
            {"bytes": film.size_bytes, "sha256": film.sha256, "duration_ms": film.duration_ms, "made_at": film.made_at}
            if film
            else {}
        )
        may_ask = sealed and visitor.may_manage and status.state in ("none", "failed")
        body = {"state": status.state, "progress": status.progress, "may_ask": may_ask, **made}
        response = answer(FilmView.model_validate(body))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def ask(self, request: web.Request) -> web.Response:
        """Once more, where it was given up, or where the record is older than films; for who manages the hearing."""
        visitor = await self._reader(request)
        if not visitor.may_manage:
            raise Refused("not_permitted")
        sitting_id = request.match_info["sitting_id"]
        async with self._parts.database.transaction() as connection:
            await film_store.ask_for(connection, sitting_id, visitor.session.court_id, self._parts.clock.now())
        await self._parts.wake.notify(FILM)
        return await self._status(request, visitor)

    async def play(self, request: web.Request) -> web.StreamResponse:
        visitor = await self._reader(request)
        film = await self._film(request)
        tag = f'"{film.sha256}"'
        headers = {"ETag": tag, "Accept-Ranges": "bytes", "Vary": "Cookie", "Cache-Control": "private, no-store"}
        part = "Range" in request.headers and request.headers.get("If-Range", tag) == tag
        start, end = byte_range(request, film.size_bytes) if part else (0, film.size_bytes)
        ip = origin_of(request, self._parts.settings).ip  # a player begins at the first byte, then takes what it needs
        await self._access.log(visitor, "film_part" if start else "film", ip, Read(request.match_info["sitting_id"]))
        response = web.StreamResponse(status=206 if part else 200, headers=headers)
        response.content_type, response.content_length = "video/mp4", end - start
        if part:
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{film.size_bytes}"
        try:
            chunks = await opened(self._parts.store.stream(film.object_key, start=start, end=end))
        except KeyDestroyed:
            raise Refused("record_destroyed") from None
        except ObjectMissing:
            raise Refused("not_found") from None
        return await send(request, response, chunks)

    async def _film(self, request: web.Request) -> Film:
        """The film that is valid today; decided anew for every piece."""
        async with self._parts.database.read() as connection:
            film = await film_store.film_of(connection, request.match_info["sitting_id"])
        if film is None:
            raise Refused("not_found")
        return film

    async def _reader(self, request: web.Request) -> Visitor:
        visitor = await record_reader(self._access, request)
        if not may_have(visitor.clearance, FILM_CLASS):
            raise Refused("not_permitted")
        return visitor
