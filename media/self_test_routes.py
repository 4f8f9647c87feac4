"""Self-tests on the worker's control server: begin, answer, measure, end."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from media.self_test import SelfTests


def self_test_routes(tests: SelfTests) -> list[web.RouteDef]:
    """Routes under /control/self-tests; the worker's guard checks token and ids, and translates refusals."""

    def names(request: web.Request) -> tuple[str, str]:
        return request.match_info["owner"], request.match_info["test"]

    async def begin(request: web.Request) -> web.Response:
        return web.json_response({"sdp": await tests.begin(*names(request))})

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        tests.answer(*names(request), str(body["sdp"]))
        return web.json_response({})

    async def measured(request: web.Request) -> web.Response:
        return web.json_response(asdict(tests.measured(*names(request))))

    async def end(request: web.Request) -> web.Response:
        tests.end(*names(request))
        return web.json_response({})

    one = "/control/self-tests/{owner}/{test}"
    return [web.post(one, begin), web.post(f"{one}/answer", answer), web.get(one, measured), web.delete(one, end)]
