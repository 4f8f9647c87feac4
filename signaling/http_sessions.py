"""/api/sign-in, /api/sign-out, /api/link, /api/me, /api/self-test."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import update

from hearing.model import HearingId
from signaling.accounts import Session
from signaling.auth import Admission, Authentication, csrf_of
from signaling.courts import CourtNames
from signaling.handlers.hearing import Seating
from signaling.middleware import COOKIE, SESSION, body_of, origin_of, scheme_of, session_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import ExchangeLink, Me, Message, SelfTest, SignIn
from storage.tables import participants


def answer(message: Message, status: int = 200) -> web.Response:
    return web.json_response(text=message.model_dump_json(), status=status)


def answer_list(messages: Sequence[Message]) -> web.Response:
    return web.json_response([message.model_dump(mode="json") for message in messages])


class SessionApi:
    """Coming in and going out."""

    def __init__(self, parts: Parts, authentication: Authentication, seating: Seating) -> None:
        self._parts = parts
        self._authentication = authentication
        self._seating = seating
        self._courts = CourtNames(parts.database)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/sign-in", self.sign_in),
            web.post("/api/sign-out", self.sign_out),
            web.post("/api/link", self.exchange_link),
            web.get("/api/me", self.me),
            web.post("/api/self-test", self.self_test),
        ]

    async def sign_in(self, request: web.Request) -> web.Response:
        body = parse_body(SignIn, await body_of(request))
        admission = await self._authentication.sign_in(body.login, body.password, origin_of(request, self._parts.settings))
        return await self._admit(request, admission)

    async def exchange_link(self, request: web.Request) -> web.Response:
        """Older sessions of the same person end, and their pages are told (session.replaced)."""
        body = parse_body(ExchangeLink, await body_of(request))
        origin = origin_of(request, self._parts.settings)
        current = request.get(SESSION)
        admission = await self._authentication.exchange(body.token, current, origin)
        if admission is None:  # the same browser opened its used link again
            return answer(await self._me(current, request.cookies.get(COOKIE, "")))
        await self._seating.close_sessions(admission.closed)
        return await self._admit(request, admission)

    async def _admit(self, request: web.Request, admission: Admission) -> web.Response:
        settings = self._parts.settings
        response = answer(await self._me(admission.session, admission.token))
        response.set_cookie(
            COOKIE, admission.token, max_age=settings.session_hours * 3600, httponly=True, samesite="Lax", path="/",
            secure="https" in (scheme_of(request, settings), settings.base_url.partition(":")[0]),
        )  # fmt: skip
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        session = session_of(request)
        await self._authentication.sign_out(session)
        await self._seating.close_sessions((session.token_sha256,))
        response = web.Response(status=204)
        response.del_cookie(COOKIE, path="/")
        return response

    async def me(self, request: web.Request) -> web.Response:
        return answer(await self._me(request.get(SESSION), request.cookies.get(COOKIE, "")))

    async def _me(self, session: Session | None, token: str) -> Me:
        if session is None:
            court = await self._authentication.court()
            return Me(kind="none", court_name=court.name if court else "")
        me = Me(
            kind="staff" if session.staff_id else "participant", court_name=session.court_name, name=session.name,
            position=session.position, participant_id=session.participant_id, hearing_id=session.hearing_id,
            csrf=csrf_of(token),
        )  # fmt: skip
        if session.hearing_id is None:
            return me
        entry = await self._parts.hearings.entry(HearingId(session.hearing_id))
        return me.model_copy(update={"sitting_id": entry.sittings[-1].sitting.id})

    async def self_test(self, request: web.Request) -> web.Response:
        """Kept with the person: a participant's own row, a member of staff's rows in every hearing of theirs."""
        session = session_of(request)
        body = parse_body(SelfTest, await body_of(request))
        mine = participants.c.staff_id == session.staff_id if session.staff_id else participants.c.id == session.participant_id
        result = {"self_test": body.model_dump(mode="json"), "self_tested_at": self._parts.clock.now()}
        async with self._parts.database.transaction() as connection:
            await connection.execute(
                update(participants).where(mine, participants.c.court_id == session.court_id).values(**result)
            )
        return web.Response(status=204)
