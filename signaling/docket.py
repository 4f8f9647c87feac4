"""Today's list (J1): who is ready, one row per hearing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.audience import Place, place_of
from hearing.model import Participant, Sitting, SittingState
from hearing.service import SittingSummary
from signaling import accounts
from signaling.access import Visitor
from signaling.accounts import Link
from signaling.protocol import DocketItem, DocketParticipant, DocketSitting, NetworkGrade, SelfTest
from signaling.views import hearing_view
from storage.tables import participants

Status = Literal["not_opened", "opened", "tested", "test_failed", "waiting", "present"]
LinkState = Literal["none", "unused", "used", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """What is stored about people's preparation: newest link and self-test by participant."""

    links: dict[str, Link]
    tests: dict[str, SelfTest]


async def readiness(connection: AsyncConnection, participant_ids: list[str]) -> Readiness:
    query = select(participants.c.id, participants.c.self_test).where(participants.c.id.in_(participant_ids))
    tests = {row.id: SelfTest.model_validate(row.self_test) for row in await connection.execute(query) if row.self_test}
    return Readiness(await accounts.latest_links(connection, participant_ids), tests)


def docket_item(visitor: Visitor, ready: Readiness, court_name: str, now: datetime) -> DocketItem:
    """The row as this visitor may see it: link states for who manages the hearing, other people not for witnesses."""
    hearing, sittings = visitor.entry.hearing, visitor.entry.sittings
    me = visitor.participant
    people = [person for person in hearing.participants if visitor.sees_others or person == me]
    return DocketItem(
        hearing=hearing_view(hearing, court_name),
        sittings=[docket_sitting(summary) for summary in sittings],
        participants=[_person(person, sittings[-1].sitting, ready, now, visitor.may_manage) for person in people],
        my_participant_id=me.id if me is not None else None,
        may_manage=visitor.may_manage,
    )


def docket_sitting(summary: SittingSummary) -> DocketSitting:
    sitting = summary.sitting
    return DocketSitting(
        id=sitting.id, ordinal=sitting.number, state=sitting.state, opened_at=sitting.opened_at, closed_at=sitting.closed_at,
        sealed=summary.sealed_at is not None,
    )  # fmt: skip


def _person(person: Participant, sitting: Sitting, ready: Readiness, now: datetime, managed: bool) -> DocketParticipant:
    link = ready.links.get(person.id)
    return DocketParticipant(
        id=person.id, role=person.role, label=person.label, name=person.name,
        status=_status(person, sitting, link, ready.tests.get(person.id)) if managed else _arrival(person, sitting),
        link_state=link_state(link, now) if managed else "none",
        network=network_grade(ready.tests.get(person.id)) if managed else None,
    )  # fmt: skip


def _arrival(person: Participant, sitting: Sitting) -> Status:
    """What others of the hearing may know: whether the person has come (P8)."""
    if person.id not in sitting.present:
        return "not_opened"
    before = sitting.state in (SittingState.SCHEDULED, SittingState.LOBBY)
    return "waiting" if before or place_of(sitting, person) is not Place.COURTROOM else "present"


def _status(person: Participant, sitting: Sitting, link: Link | None, test: SelfTest | None) -> Status:
    if person.id in sitting.present:
        return _arrival(person, sitting)
    if test is not None:
        devices_work = test.microphone == "ok" and test.camera == "ok" and test.speaker != "failed"
        return "tested" if devices_work and network_grade(test) != "failed" else "test_failed"
    return "opened" if link is not None and link.used_at is not None else "not_opened"


def network_grade(test: SelfTest | None) -> NetworkGrade | None:
    return test.network.grade if test is not None and test.network is not None else None


def link_state(link: Link | None, now: datetime) -> LinkState:
    if link is None:
        return "none"
    if link.revoked_at is not None:
        return "revoked"
    if link.used_at is not None:
        return "used"
    return "expired" if link.expires_at <= now else "unused"
