"""/api/docket, /api/staff, /api/hearings, sittings and personal links."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from aiohttp import web

from hearing.model import CourtId, HearingId, Participant, StaffId
from hearing.scheduling import NewHearing as SetDown
from hearing.scheduling import NewPerson
from hearing.service import DocketEntry, SittingSummary
from signaling import accounts
from signaling.access import Access, Visitor, visitor_of
from signaling.accounts import Session
from signaling.auth import Authentication
from signaling.courts import CourtNames
from signaling.docket import docket_item, docket_sitting, readiness
from signaling.error_codes import Refused
from signaling.handlers.hearing import Seating
from signaling.http_sessions import answer, answer_list
from signaling.middleware import body_of, session_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import DocketItem, HearingCreated, LinkView, NewHearing, StaffView

LONGEST_DOCKET = timedelta(days=93)


class HearingApi:
    """Setting hearings down and seeing who is ready."""

    def __init__(self, parts: Parts, authentication: Authentication, access: Access, seating: Seating) -> None:
        self._parts = parts
        self._authentication = authentication
        self._access = access
        self._seating = seating
        self._courts = CourtNames(parts.database)
        self._zone = ZoneInfo(parts.settings.court_tz)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/docket", self.docket),
            web.get("/api/staff", self.staff),
            web.post("/api/hearings", self.create),
            web.get("/api/hearings/{hearing_id}", self.hearing),
            web.post("/api/hearings/{hearing_id}/sittings", self.new_sitting),
            web.post("/api/participants/{participant_id}/link", self.new_link),
            web.delete("/api/participants/{participant_id}/link", self.revoke_link),
        ]

    async def docket(self, request: web.Request) -> web.Response:
        """A member of staff's hearings of a span (default: today at the court); a participant's own hearing."""
        session = session_of(request)
        if session.hearing_id is not None:
            entries: tuple[DocketEntry, ...] = (await self._parts.hearings.entry(HearingId(session.hearing_id)),)
        else:
            from_at, to_at = self._span(request)
            entries = await self._parts.hearings.docket(session.court_id, from_at, to_at)
        visitors = [visitor for entry in entries if (visitor := visitor_of(session, entry)) is not None]
        return answer_list([await self._item(visitor) for visitor in visitors])

    def _span(self, request: web.Request) -> tuple[datetime, datetime]:
        today = datetime.combine(self._parts.clock.now().astimezone(self._zone).date(), time(), self._zone)
        from_at = _moment(request, "from", today)
        to_at = _moment(request, "to", from_at + timedelta(days=1))
        if not from_at < to_at <= from_at + LONGEST_DOCKET:
            raise Refused("bad_field", "to")
        return from_at, to_at

    async def _item(self, visitor: Visitor) -> DocketItem:
        hearing = visitor.entry.hearing
        async with self._parts.database.read() as connection:
            ready = await readiness(connection, [person.id for person in hearing.participants])
        return docket_item(visitor, ready, await self._courts.name(hearing.court_id), self._parts.clock.now())

    async def staff(self, request: web.Request) -> web.Response:
        session = _clerk(session_of(request))
        async with self._parts.database.read() as connection:
            members = await accounts.colleagues(connection, session.court_id)
        return answer_list([StaffView(id=member.id, name=member.name, position=member.position) for member in members])

    async def create(self, request: web.Request) -> web.Response:
        """Everybody without an account of the court gets a personal link."""
        session = _clerk(session_of(request))
        body = parse_body(NewHearing, await body_of(request))
        created = await self._parts.hearings.create_hearing(_set_down(session, body))
        links = [
            await self._link(person, session.court_id) for person in created.hearing.participants if person.staff_id is None
        ]
        return answer(HearingCreated(hearing_id=created.hearing.id, sitting_id=created.sitting.id, links=links), status=201)

    async def hearing(self, request: web.Request) -> web.Response:
        return answer(await self._item(await self._access.hearing(session_of(request), request.match_info["hearing_id"])))

    async def new_sitting(self, request: web.Request) -> web.Response:
        """A closed sitting never reopens: the next sitting of the same hearing."""
        visitor = _manager(await self._access.hearing(session_of(request), request.match_info["hearing_id"]))
        sitting = await self._parts.hearings.new_sitting(visitor.entry.hearing.id)
        return answer(docket_sitting(SittingSummary(sitting, None, None, None)), status=201)

    async def new_link(self, request: web.Request) -> web.Response:
        """A fresh link; the person's unused older ones are revoked."""
        person, visitor = await self._managed_person(request)
        return answer(await self._link(person, visitor.session.court_id), status=201)

    async def revoke_link(self, request: web.Request) -> web.Response:
        """Revoke links and sessions: the person is out until a fresh link is given."""
        person, _ = await self._managed_person(request)
        await self._seating.close_sessions(await self._authentication.revoke_access(person.id), for_good=True)
        return web.Response(status=204)

    async def _managed_person(self, request: web.Request) -> tuple[Participant, Visitor]:
        participant_id = request.match_info["participant_id"]
        async with self._parts.database.read() as connection:
            hearing_id = await accounts.hearing_of(connection, participant_id)
        if hearing_id is None:
            raise Refused("not_found")
        visitor = _manager(await self._access.hearing(session_of(request), hearing_id))
        person = next(person for person in visitor.entry.hearing.participants if person.id == participant_id)
        if person.staff_id is not None:  # staff sign in with their own account
            raise Refused("bad_field", "participant_id")
        return person, visitor

    async def _link(self, person: Participant, court_id: str) -> LinkView:
        url, expires_at = await self._authentication.new_link(court_id, person.id)
        return LinkView(participant_id=person.id, role=person.role, name=person.name, url=url, expires_at=expires_at)


def _clerk(session: Session) -> Session:
    if session.position != "clerk":
        raise Refused("not_permitted")
    return session


def _manager(visitor: Visitor) -> Visitor:
    if not visitor.may_manage:
        raise Refused("not_permitted")
    return visitor


def _moment(request: web.Request, name: str, default: datetime) -> datetime:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("bad_field", name) from None
    if moment.tzinfo is None or not 1900 <= moment.year < 3000:  # away from the ends of time, where no zone can be changed
        raise Refused("bad_field", name)
    return moment


def _set_down(session: Session, body: NewHearing) -> SetDown:
    people = tuple(
        NewPerson(
            person.key, person.role, person.name, person.represents, StaffId(person.staff_id) if person.staff_id else None
        )
        for person in body.participants
    )
    return SetDown(
        court_id=CourtId(session.court_id), case_number=body.case_number, cause=body.cause, title=body.title,
        procedure=body.procedure, public=body.public, courtroom=body.courtroom, scheduled_at=body.scheduled_at, people=people,
        created_by=StaffId(session.staff_id) if session.staff_id else None,
    )  # fmt: skip
