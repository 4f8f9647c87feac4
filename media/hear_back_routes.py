"""What is on the disk, on the worker's control server: the recorder's health, every track's level, its last seconds (C35)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable

from aiohttp import web
from pydantic import TypeAdapter

from hearing.access import AccessClass
from media.control import RecorderHealth, WrittenTrack
from media.courtroom import Courtroom
from media.hear_back import written_sound, written_tracks

_HEALTH = TypeAdapter(RecorderHealth | None)
_WRITTEN = TypeAdapter(tuple[WrittenTrack, ...])


def hear_back_routes(courtroom: Callable[[str], Courtroom]) -> list[web.RouteDef]:
    """Routes of one sitting; the worker's guard checks token and ids, and translates refusals. Decoding is done in a thread."""

    async def tracks(request: web.Request) -> web.Response:
        found = courtroom(request.match_info["sitting"]).recorder.on_disk()
        written = await asyncio.to_thread(written_tracks, found)
        return web.json_response({"tracks": _WRITTEN.dump_python(written, mode="json")})

    async def sound(request: web.Request) -> web.Response:
        found = courtroom(request.match_info["sitting"]).recorder.on_disk()
        holder = AccessClass(request.query["holder"])
        heard = await asyncio.to_thread(written_sound, found, request.match_info["track"], holder)
        webm = base64.b64encode(heard.webm).decode()
        return web.json_response({"t0_ms": heard.t0_ms, "t1_ms": heard.t1_ms, "webm": webm})

    async def health(request: web.Request) -> web.Response:
        report = courtroom(request.match_info["sitting"]).recorder.last_health()
        return web.json_response({"health": _HEALTH.dump_python(report, mode="json")})

    one = "/control/sittings/{sitting}/written"
    return [web.get("/control/sittings/{sitting}/recorder", health), web.get(one, tracks), web.get(f"{one}/{{track}}", sound)]
