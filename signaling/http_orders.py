"""Sealing after the fact over HTTP (AV-16): the presiding judge orders; who reads the record sees that there is an order."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from hearing.access import AccessClass
from hearing.model import Actor
from record.orders import NewOrder, Orders
from signaling.access import Access
from signaling.error_codes import Refused
from signaling.http_playback import record_reader
from signaling.http_sessions import answer, answer_list
from signaling.middleware import body_of, origin_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import AccessOrderView, NewAccessOrder


class OrderApi:
    """Orders on the access to a record."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access
        self._orders = Orders(parts.database, parts.clock, parts.wake)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/sittings/{sitting_id}/access-orders", self.give),
            web.get("/api/sittings/{sitting_id}/access-orders", self.list),
        ]

    async def give(self, request: web.Request) -> web.Response:
        """In force when this answers; the keys are wrapped anew behind it."""
        visitor = await record_reader(self._access, request)
        if visitor.participant is None:
            raise Refused("not_permitted")
        body = parse_body(NewAccessOrder, await body_of(request))
        new = NewOrder(body.track_id, body.t0_ms, body.t1_ms, AccessClass(body.access), body.ruling)
        actor = Actor(visitor.participant.id, visitor.participant.role, origin_of(request, self._parts.settings).ip)
        order = await self._orders.give(request.match_info["sitting_id"], new, actor, visitor.session.subject)
        return answer(AccessOrderView.model_validate(asdict(order)), status=201)

    async def list(self, request: web.Request) -> web.Response:
        """Every order with its ruling: that something is sealed is no secret, what is sealed is."""
        await record_reader(self._access, request)
        orders = await self._orders.of(request.match_info["sitting_id"])
        return answer_list([AccessOrderView.model_validate(asdict(order)) for order in orders])
