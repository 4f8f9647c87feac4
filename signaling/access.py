"""Who may reach a hearing over HTTP, and in what capacity; and the log of every read (access_log)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import insert

from evidence.model import Exhibit
from hearing.access import AccessClass, clearance
from hearing.errors import UnknownId
from hearing.model import ISOLATED_UNTIL_CALLED, HearingId, Participant, Role, SittingId
from hearing.service import DocketEntry
from signaling.accounts import Session
from signaling.error_codes import Refused
from signaling.parts import Parts
from signaling.views import RECORD_READERS, may_open_exhibit
from storage.tables import access_log


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in person before one hearing. `participant` is None for a clerk of the court who only manages it."""

    session: Session
    entry: DocketEntry
    participant: Participant | None
    may_manage: bool

    @property
    def clearance(self) -> AccessClass:
        """The strictest class of what is recorded that this person may have."""
        return clearance(self.participant.role if self.participant else None)

    @property
    def may_read_record(self) -> bool:
        return self.may_manage or (self.participant is not None and self.participant.role in RECORD_READERS)

    def may_open(self, exhibit: Exhibit) -> bool:
        """Whether this exhibit may be looked at now."""
        if self.may_manage:
            return True
        sitting = self.entry.sittings[-1].sitting
        return self.participant is not None and may_open_exhibit(sitting, self.participant, exhibit.id)

    @property
    def sees_others(self) -> bool:
        """Witnesses and experts learn of nobody else over the lists."""
        return self.participant is None or self.participant.role not in ISOLATED_UNTIL_CALLED


@dataclass(frozen=True, slots=True)
class Read:
    """What of a record was read: the sitting, the opening of its page, a stretch of its record clock."""

    sitting_id: str = ""
    view_id: str = ""
    t0_ms: int | None = None
    t1_ms: int | None = None


NOTHING_PLAYED = Read()


class Access:
    """Finds the hearing and the visitor's place in it; what is not theirs does not exist for them."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def hearing(self, session: Session, hearing_id: str) -> Visitor:
        """Raises not_found, also where the hearing is there but not this person's."""
        try:
            entry = await self._parts.hearings.entry(HearingId(hearing_id))
        except UnknownId:
            raise Refused("not_found") from None
        visitor = visitor_of(session, entry)
        if visitor is None:
            raise Refused("not_found")
        return visitor

    async def sitting(self, session: Session, sitting_id: str) -> Visitor:
        """The same by sitting."""
        try:
            hearing, _ = await self._parts.hearings.load(SittingId(sitting_id))
        except UnknownId:
            raise Refused("not_found") from None
        return await self.hearing(session, hearing.id)

    async def duty(self, session: Session, sitting_id: str) -> Visitor:
        """The same for what the duty desk looks after in every sitting of its court, without a seat in it."""
        try:
            hearing, _ = await self._parts.hearings.load(SittingId(sitting_id))
            entry = await self._parts.hearings.entry(hearing.id)
        except UnknownId:
            raise Refused("not_found") from None
        visitor = visitor_of(session, entry)
        if visitor is None and session.position == "technician" and hearing.court_id == session.court_id:
            return Visitor(session, entry, None, may_manage=False)
        if visitor is None:
            raise Refused("not_found")
        return visitor

    async def log(self, visitor: Visitor, what: str, ip: str, read: Read = NOTHING_PLAYED) -> None:
        """`what` is one of record | captions | play | watched | film | film_part | hear_back | exhibit_original | package |
        transcript | transcript_ask.
        """
        await self.log_all(visitor, what, ip, [read])

    async def log_all(self, visitor: Visitor, what: str, ip: str, reads: Sequence[Read]) -> None:
        """One row for each of `reads`, in one transaction."""
        row = {
            "court_id": visitor.session.court_id, "hearing_id": visitor.entry.hearing.id,
            "session_subject": visitor.session.subject, "what": what, "ip": ip, "at": self._parts.clock.now(),
        }  # fmt: skip
        if reads:
            async with self._parts.database.transaction() as connection:
                await connection.execute(insert(access_log), [row | asdict(read) for read in reads])


def visitor_of(session: Session, entry: DocketEntry) -> Visitor | None:
    """The visitor's capacity; None: not theirs. Clerks manage every hearing of their court, judges those they preside."""
    hearing = entry.hearing
    if hearing.court_id != session.court_id:
        return None
    if session.staff_id is None:
        person = next((p for p in hearing.participants if p.id == session.participant_id), None)
        return Visitor(session, entry, person, may_manage=False) if person is not None else None
    person = next((p for p in hearing.participants if p.staff_id == session.staff_id), None)
    presides = person is not None and person.role is Role.PRESIDING_JUDGE
    may_manage = session.position == "clerk" or presides
    return Visitor(session, entry, person, may_manage) if may_manage or person is not None else None
