"""Who may send what to whom (S1): pure derivation of the grant table from the state of a sitting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hearing.access import AccessClass
from hearing.model import (
    BENCH,
    ISOLATED_UNTIL_CALLED,
    SILENT,
    Hearing,
    Keeping,
    Participant,
    ParticipantId,
    Sitting,
    SittingId,
)
from hearing.parts import access_of, kept, takes_part
from hearing.states import HEARD, LIVE

RECORDER = ParticipantId("recorder")  # grantee: the recorder, a listener like any other
TAP = ParticipantId("tap")  # grantee: the live transcriber (audio only)


class Kind(StrEnum):
    """Kind of a media track."""

    AUDIO = "audio"
    VIDEO = "video"  # the camera
    SCREEN = "screen"  # a shared screen (屏幕共享): one at a time in a courtroom


@dataclass(frozen=True, slots=True)
class Grant:
    """Packets of `source`'s `kind` go to exactly these receivers; no grant, no packet."""

    source: ParticipantId
    kind: Kind
    receivers: frozenset[ParticipantId]


@dataclass(frozen=True, slots=True)
class GrantTable:
    """The whole permission of a sitting at one ledger number; a higher number replaces a lower one.

    `effective_at` is the time of the deciding event: recording starts and stops at that time, although the table
    arrives a little later. `opened_at` is the zero of the record clock (宣布开庭). What is recorded under the table is of the
    class `access`.
    """

    sitting_id: SittingId
    number: int
    effective_at: datetime
    opened_at: datetime | None
    members: frozenset[ParticipantId]  # who may hold a media connection at all (an isolated witness may: device test)
    grants: tuple[Grant, ...]
    prominent: tuple[ParticipantId, ...] = ()  # floor holder, then bench: heard in any crowd, seen when the path is narrow
    access: AccessClass = AccessClass.PARTIES


class Place(StrEnum):
    """Where a person of the hearing stands, whether connected or not."""

    COURTROOM = "courtroom"
    WAITING = "waiting"  # sent out by the judge
    ISOLATED = "isolated"  # witness or expert, not called yet: may not hear the case (OLR-26, EV-72)
    DISMISSED = "dismissed"  # 退庭: does not come back unless called again
    OUTSIDE = "outside"  # of the part that is held now (不公开审理, 调解, 合议): back when it ends


def place_of(sitting: Sitting, participant: Participant) -> Place:
    """Where this person stands now."""
    if participant.role in ISOLATED_UNTIL_CALLED:
        if participant.id in sitting.dismissed:
            return Place.DISMISSED
        if participant.id not in sitting.called:
            return Place.ISOLATED
    if participant.id in sitting.excluded:
        return Place.WAITING
    return Place.COURTROOM if takes_part(sitting.part, participant.role) else Place.OUTSIDE


def places(hearing: Hearing, sitting: Sitting) -> dict[ParticipantId, Place]:
    """Where everyone of the hearing stands now."""
    return {participant.id: place_of(sitting, participant) for participant in hearing.participants}


def in_courtroom(hearing: Hearing, sitting: Sitting) -> tuple[Participant, ...]:
    """Everyone who is connected and stands in the courtroom, in the order of the hearing."""
    return tuple(p for p in hearing.participants if p.id in sitting.present and place_of(sitting, p) is Place.COURTROOM)


def may_see(hearing: Hearing, sitting: Sitting, viewer_id: ParticipantId) -> bool:
    """Whether this person may now be shown the courtroom: captions, exhibits, who sits there, who holds the floor."""
    viewer = hearing.participant(viewer_id)
    return viewer is not None and place_of(sitting, viewer) is Place.COURTROOM


def may_speak(sitting: Sitting, participant: Participant) -> bool:
    """Whether the court lets this person be heard; their own microphone switch is another matter."""
    if sitting.state not in HEARD or participant.role in SILENT or place_of(sitting, participant) is not Place.COURTROOM:
        return False
    floor_is_another = sitting.floor is not None and sitting.floor != participant.id
    return participant.id not in sitting.court_muted and (not floor_is_another or participant.role in BENCH)


def grant_table(hearing: Hearing, sitting: Sitting, effective_at: datetime) -> GrantTable:
    """The whole permission of the sitting at its ledger number.

    A person receives when connected and in the courtroom, sends when also allowed to; nobody receives themself. The
    recorder and the tap listen in session only, and only where something is kept: that is how recording starts and stops
    (AV-3).
    """
    members = frozenset(p.id for p in hearing.participants if place_of(sitting, p) is not Place.DISMISSED)
    return GrantTable(
        sitting_id=sitting.id,
        number=sitting.ledger_number,
        effective_at=effective_at,
        opened_at=sitting.opened_at,
        members=members if sitting.state in LIVE else frozenset(),
        grants=_grants(hearing, sitting) if sitting.state in HEARD else (),
        prominent=_prominent(hearing, sitting),
        access=access_of(sitting.keeping),
    )


def _grants(hearing: Hearing, sitting: Sitting) -> tuple[Grant, ...]:
    room = in_courtroom(hearing, sitting)
    everyone = frozenset(p.id for p in room)
    is_kept = kept(sitting) is not Keeping.NONE
    listeners = {kind: frozenset({RECORDER, TAP} if kind is Kind.AUDIO else {RECORDER}) for kind in Kind}
    grants = []
    for source in room:
        for kind in Kind:
            receivers = (everyone - {source.id}) | (listeners[kind] if is_kept else frozenset())
            if receivers and _sends(sitting, source, kind):
                grants.append(Grant(source.id, kind, receivers))
    return tuple(grants)


def _sends(sitting: Sitting, source: Participant, kind: Kind) -> bool:
    match kind:
        case Kind.AUDIO:
            return may_speak(sitting, source) and source.id not in sitting.microphone_off
        case Kind.VIDEO:
            return source.role not in SILENT and source.id not in sitting.camera_off
        case Kind.SCREEN:
            return source.id == sitting.screen


def _prominent(hearing: Hearing, sitting: Sitting) -> tuple[ParticipantId, ...]:
    """Who is put before others when not everything can be sent: the floor holder, then the bench in its order."""
    floor = () if sitting.floor is None else (sitting.floor,)
    return floor + tuple(p.id for p in in_courtroom(hearing, sitting) if p.role in BENCH and p.id not in floor)
