"""What pages say of themselves, on the worker's control server: which tiles they show, what they measure; and the history."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from pydantic import TypeAdapter

from media.control import ClientStats, QualitySample
from media.courtroom import Courtroom

MAX_TILES = 200
MAX_TILE_PX = 1 << 15
_TILES = TypeAdapter(dict[str, int])
_STATS = TypeAdapter(ClientStats)
_SAMPLES = TypeAdapter(tuple[QualitySample, ...])


def view_routes(courtroom: Callable[[str], Courtroom]) -> list[web.RouteDef]:
    """Routes of one sitting; the worker's guard checks token and ids, and translates refusals."""

    def room(request: web.Request) -> Courtroom:
        return courtroom(request.match_info["sitting"])

    async def view(request: web.Request) -> web.Response:
        tiles = _TILES.validate_python((await request.json())["tiles"])
        if len(tiles) > MAX_TILES:
            raise ValueError("too many tiles")
        shown = {track_id: min(height_px, MAX_TILE_PX) for track_id, height_px in tiles.items() if height_px > 0}
        room(request).set_view(request.match_info["peer"], shown)
        return web.json_response({})

    async def stats(request: web.Request) -> web.Response:
        room(request).note_stats(request.match_info["peer"], _STATS.validate_json(await request.read()))
        return web.json_response({})

    async def quality(request: web.Request) -> web.Response:
        return web.json_response({"samples": _SAMPLES.dump_python(room(request).quality(), mode="json")})

    one = "/control/sittings/{sitting}"
    return [
        web.put(f"{one}/peers/{{peer}}/view", view),
        web.put(f"{one}/peers/{{peer}}/stats", stats),
        web.get(f"{one}/quality", quality),
    ]
