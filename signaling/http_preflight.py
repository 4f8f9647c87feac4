"""The pre-flight for the page: every check with its state, to be asked again until all is green (J3)."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from hearing.model import BENCH, SittingId
from signaling.access import Access
from signaling.error_codes import Refused
from signaling.http_sessions import answer
from signaling.middleware import session_of
from signaling.preflight import Preflight
from signaling.protocol import PreflightCheck, PreflightView


class PreflightApi:
    """For the bench of the hearing, who manages it, and the duty desk."""

    def __init__(self, access: Access, preflight: Preflight) -> None:
        self._access = access
        self._preflight = preflight

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/sittings/{sitting_id}/preflight", self.look)]

    async def look(self, request: web.Request) -> web.Response:
        sitting_id = SittingId(request.match_info["sitting_id"])
        visitor = await self._access.sitting(session_of(request), sitting_id)
        on_the_bench = visitor.participant is not None and visitor.participant.role in BENCH
        if not (on_the_bench or visitor.may_manage or visitor.session.position == "technician"):
            raise Refused("not_permitted")
        checks = await self._preflight.run(sitting_id)
        return answer(PreflightView(checks=[PreflightCheck.model_validate(asdict(check)) for check in checks]))
