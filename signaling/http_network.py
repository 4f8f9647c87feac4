"""/api/network-tests: a self-test over the real path (P5) and a site's test of its paths (A13).

A test is a connection to a media worker that belongs to no sitting. It is for people with a session; they need no seat
yet. Tests are kept by person at the worker, so nobody can answer, read or end another's. The browser joins both ends'
numbers and sends them to /api/self-test.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict

from aiohttp import web

from media.control import MediaControl
from signaling.accounts import Session
from signaling.error_codes import Refused
from signaling.fleet import Fleet
from signaling.http_sessions import answer
from signaling.middleware import body_of, session_of
from signaling.parsing import ID, parse_body
from signaling.parts import Parts
from signaling.protocol import NetworkTestAnswer, NetworkTestBegun, NetworkTestMeasured
from signaling.rate import CommandRate
from signaling.turn import ice_servers
from storage.ids import new_id

BEGINNINGS_PER_10_S = 12
"""Tests one session may begin in ten seconds: a site's page tries four paths, and refused ones end at once."""


class NetworkTestApi:
    """Begin, answer, measure, end; everything else is the worker's."""

    def __init__(self, parts: Parts, fleet: Fleet) -> None:
        self._parts = parts
        self._fleet = fleet
        self._rate = CommandRate(BEGINNINGS_PER_10_S, parts.clock)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/network-tests", self.begin),
            web.post("/api/network-tests/{id}/answer", self.answer),
            web.get("/api/network-tests/{id}", self.measured),
            web.delete("/api/network-tests/{id}", self.end),
        ]

    async def begin(self, request: web.Request) -> web.Response:
        session = session_of(request)
        if not self._rate.allows(session.token_sha256):
            raise Refused("too_many_commands")
        test_id, owner_id, settings = new_id("test"), owner_of(session), self._parts.settings
        begun = NetworkTestBegun(
            test_id=test_id,
            sdp=await self._worker(owner_id).begin_self_test(owner_id, test_id),
            ice_servers=ice_servers(settings, owner_id, self._parts.clock.now()),
            relay_only=settings.relay_only,
        )
        return answer(begun, status=201)

    async def answer(self, request: web.Request) -> web.Response:
        names = names_in(request)
        body = parse_body(NetworkTestAnswer, await body_of(request))
        await self._worker(names[0]).answer_self_test(*names, body.sdp)
        return web.Response(status=204)

    async def measured(self, request: web.Request) -> web.Response:
        names = names_in(request)
        measured = await self._worker(names[0]).self_test(*names)
        return answer(NetworkTestMeasured.model_validate(asdict(measured)))

    async def end(self, request: web.Request) -> web.Response:
        names = names_in(request)
        await self._worker(names[0]).end_self_test(*names)
        return web.Response(status=204)

    def _worker(self, owner_id: str) -> MediaControl:
        """The same for all calls of a person, whatever process takes them; another one while that one is away."""
        urls = self._fleet.urls
        first = zlib.crc32(owner_id.encode()) % len(urls)
        turned = urls[first:] + urls[:first]
        return self._parts.media(next((url for url in turned if self._fleet.is_there(url)), turned[0]))


def owner_of(session: Session) -> str:
    """The person behind a session, over all of their devices."""
    return session.staff_id or session.participant_id or session.token_sha256


def names_in(request: web.Request) -> tuple[str, str]:
    """Owner and test; raises not_signed_in, not_found."""
    test_id = request.match_info["id"]
    if ID.fullmatch(test_id) is None:
        raise Refused("not_found")
    return owner_of(session_of(request)), test_id
