"""The Socket.IO handshake: whose seat is this? Decided by the session cookie and the sitting named in `auth`."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from hearing.errors import UnknownId
from hearing.model import Hearing, Participant, SittingId
from signaling.accounts import Session
from signaling.auth import Authentication
from signaling.error_codes import Refused
from signaling.middleware import COOKIE, origin_allowed, origin_of
from signaling.parsing import ID
from signaling.parts import Parts
from signaling.presence import Seat


class DoorKeeper:
    """Lets a socket in, or refuses with a stable code."""

    def __init__(self, parts: Parts, authentication: Authentication) -> None:
        self._parts = parts
        self._authentication = authentication

    async def seat(self, sid: str, request: web.Request, auth: object) -> Seat:
        """Raises origin_refused, not_signed_in, bad_field, not_found, not_a_participant."""
        settings = self._parts.settings
        if not origin_allowed(request.headers.get("Origin"), request.host, settings):
            raise Refused("origin_refused")
        session = await self._authentication.session(request.cookies.get(COOKIE, ""))
        if session is None:
            raise Refused("not_signed_in")
        sitting_id = auth.get("sitting_id") if isinstance(auth, Mapping) else None
        if not isinstance(sitting_id, str) or ID.fullmatch(sitting_id) is None:
            raise Refused("bad_field", "sitting_id")
        try:
            hearing, sitting = await self._parts.hearings.load(SittingId(sitting_id))
        except UnknownId:
            raise Refused("not_found", "sitting_id") from None
        person = participant_of(session, hearing)
        if person is None:
            raise Refused("not_a_participant")
        return Seat(sid, sitting.id, hearing.id, person, session.token_sha256, origin_of(request, settings).ip)


def participant_of(session: Session, hearing: Hearing) -> Participant | None:
    """The seat of a signed-in person in a hearing of the same court."""
    if hearing.court_id != session.court_id:
        return None
    if session.staff_id is not None:
        return next((person for person in hearing.participants if person.staff_id == session.staff_id), None)
    return next((person for person in hearing.participants if person.id == session.participant_id), None)
