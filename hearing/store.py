"""SQL of the law: hearings, sittings, the ledger. Takes a connection of a unit of work; no row leaves this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.documents import from_document, to_document
from hearing.ledger import SealedEntry, first_link
from hearing.model import (
    CourtId,
    ExhibitId,
    ExhibitRef,
    Hearing,
    HearingId,
    Participant,
    ParticipantId,
    Procedure,
    Role,
    Side,
    Sitting,
    SittingId,
    SittingState,
    StaffId,
)
from storage import tables as t


@dataclass(frozen=True, slots=True)
class SittingRow:
    """A sitting as stored, with what the law itself does not look at."""

    sitting: Sitting
    court_id: CourtId
    media_worker_url: str | None
    sealed_manifest_sha256: str | None
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a sitting's ledger is, and which media worker holds the sitting."""

    sitting_id: SittingId
    number: int
    media_worker_url: str | None


@dataclass(frozen=True, slots=True)
class StaffMember:
    """What setting down must know of a colleague."""

    id: StaffId
    position: str
    disabled: bool


async def load_sitting(connection: AsyncConnection, sitting_id: str, *, lock: bool = False) -> SittingRow | None:
    """The sitting; with `lock` nobody else can change it until the transaction ends (SQLite: nobody writes at all)."""
    query = select(t.sittings).where(t.sittings.c.id == sitting_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    return _sitting_row(row) if row else None


async def sittings_of(connection: AsyncConnection, hearing_id: str) -> tuple[SittingRow, ...]:
    """The hearing's sittings in order."""
    query = select(t.sittings).where(t.sittings.c.hearing_id == hearing_id).order_by(t.sittings.c.number)
    return tuple(_sitting_row(row) for row in await connection.execute(query))


async def lock_hearing(connection: AsyncConnection, hearing_id: str) -> None:
    """Nobody else can set down a sitting of this hearing until the transaction ends."""
    await connection.execute(select(t.hearings.c.id).where(t.hearings.c.id == hearing_id).with_for_update())


async def sittings_in(connection: AsyncConnection, states: frozenset[SittingState]) -> tuple[SittingRow, ...]:
    """Every sitting in one of these states, oldest first."""
    query = select(t.sittings).where(t.sittings.c.state.in_(sorted(states))).order_by(t.sittings.c.id)
    return tuple(_sitting_row(row) for row in await connection.execute(query))


async def standings(connection: AsyncConnection, states: frozenset[SittingState]) -> tuple[Standing, ...]:
    """Ledger number and media worker of every sitting in one of these states."""
    c = t.sittings.c
    rows = await connection.execute(select(c.id, c.version, c.media_worker_url).where(c.state.in_(sorted(states))))
    return tuple(Standing(SittingId(row.id), row.version, row.media_worker_url) for row in rows)


async def insert_sitting(connection: AsyncConnection, court_id: CourtId, sitting: Sitting) -> None:
    await connection.execute(
        insert(t.sittings).values(id=sitting.id, court_id=court_id, hearing_id=sitting.hearing_id, **_columns(sitting))
    )


async def update_sitting(connection: AsyncConnection, before: int, sitting: Sitting) -> bool:
    """Compare-and-swap on the ledger number; False when somebody else was first."""
    result = await connection.execute(
        update(t.sittings)
        .where(t.sittings.c.id == sitting.id, t.sittings.c.version == before)
        .values(**_columns(sitting))
    )  # fmt: skip
    return result.rowcount == 1


async def set_worker(connection: AsyncConnection, sitting_id: str, worker_url: str | None) -> bool:
    """Note which media worker holds the sitting; False when there is no such sitting."""
    change = update(t.sittings).where(t.sittings.c.id == sitting_id).values(media_worker_url=worker_url)
    return (await connection.execute(change)).rowcount == 1


async def load_hearing(connection: AsyncConnection, hearing_id: str) -> Hearing | None:
    """The hearing with its people in order."""
    found = await _hearings(connection, select(t.hearings).where(t.hearings.c.id == hearing_id))
    return found[0] if found else None


async def hearings_between(
    connection: AsyncConnection, court_id: str, from_at: datetime, to_at: datetime
) -> tuple[Hearing, ...]:
    """Hearings of a court with scheduled_at in [from_at, to_at), in order of time."""
    at = t.hearings.c.scheduled_at
    query = select(t.hearings).where(t.hearings.c.court_id == court_id, at >= from_at, at < to_at)
    return await _hearings(connection, query.order_by(at, t.hearings.c.id))


async def insert_hearing(
    connection: AsyncConnection, hearing: Hearing, created_at: datetime, created_by: StaffId | None
) -> None:
    """The hearing and its people; agents last, for they refer to the parties."""
    await connection.execute(
        insert(t.hearings).values(
            id=hearing.id,
            court_id=hearing.court_id,
            case_number=hearing.case_number,
            cause=hearing.cause,
            title=hearing.title,
            procedure=hearing.procedure.value,
            public=hearing.public,
            courtroom=hearing.courtroom,
            scheduled_at=hearing.scheduled_at,
            created_at=created_at,
            created_by=created_by,
        )
    )
    places = {person.id: place for place, person in enumerate(hearing.participants)}
    for person in sorted(hearing.participants, key=lambda p: p.represents is not None):
        await connection.execute(
            insert(t.participants).values(
                id=person.id,
                court_id=hearing.court_id,
                hearing_id=hearing.id,
                position=places[person.id],
                role=person.role.value,
                name=person.name,
                label=person.label,
                represents=person.represents,
                staff_id=person.staff_id,
            )
        )


async def load_staff(connection: AsyncConnection, court_id: str, ids: Sequence[str]) -> dict[StaffId, StaffMember]:
    """Colleagues of this court among `ids`."""
    c = t.staff.c
    query = select(c.id, c.position, c.disabled).where(c.court_id == court_id, c.id.in_(ids))
    rows = await connection.execute(query)
    return {StaffId(r.id): StaffMember(StaffId(r.id), r.position, r.disabled) for r in rows}


async def load_exhibits(connection: AsyncConnection, hearing_id: str) -> tuple[ExhibitRef, ...]:
    """What the law must know of the hearing's exhibits."""
    c = t.exhibits.c
    rows = await connection.execute(select(c.id, c.side, c.pages).where(c.hearing_id == hearing_id))
    return tuple(ExhibitRef(ExhibitId(r.id), Side(r.side), r.pages) for r in rows)


async def command_number(connection: AsyncConnection, sitting_id: str, command_id: str) -> int | None:
    """The ledger number a command led to when it was given before."""
    c = t.commands.c
    query = select(c.number).where(c.sitting_id == sitting_id, c.command_id == command_id)
    number: int | None = await connection.scalar(query)
    return number


async def insert_command(connection: AsyncConnection, row: SittingRow, command_id: str, number: int, at: datetime) -> None:
    values = {"sitting_id": row.sitting.id, "court_id": row.court_id, "command_id": command_id, "number": number, "at": at}
    await connection.execute(insert(t.commands).values(**values))


async def chain_head(connection: AsyncConnection, sitting_id: SittingId) -> str:
    """The last chain_hash, or what the first entry is to be chained to."""
    c = t.ledger.c
    query = select(c.chain_hash).where(c.sitting_id == sitting_id).order_by(c.number.desc()).limit(1)
    head: str | None = await connection.scalar(query)
    return head or first_link(sitting_id)


async def append_entry(connection: AsyncConnection, row: SittingRow, entry: SealedEntry) -> None:
    await connection.execute(
        insert(t.ledger).values(
            sitting_id=row.sitting.id,
            number=entry.number,
            court_id=row.court_id,
            entry=entry.entry,
            salt=entry.salt,
            entry_hash=entry.entry_hash,
            chain_hash=entry.chain_hash,
        )
    )


async def load_ledger(connection: AsyncConnection, sitting_id: str, *, after: int = 0) -> tuple[SealedEntry, ...]:
    """Entries with a number above `after`, in order."""
    query = select(t.ledger).where(t.ledger.c.sitting_id == sitting_id, t.ledger.c.number > after)
    rows = await connection.execute(query.order_by(t.ledger.c.number))
    return tuple(SealedEntry(r.number, bytes(r.entry), bytes(r.salt), r.entry_hash, r.chain_hash) for r in rows)


async def open_showing(
    connection: AsyncConnection, row: SittingRow, showing_id: str, exhibit_id: str, page: int, presenter_id: str, t0_ms: int
) -> None:
    """An interval of an exhibit page on everybody's screen begins."""
    await connection.execute(
        insert(t.showings).values(
            id=showing_id,
            court_id=row.court_id,
            sitting_id=row.sitting.id,
            exhibit_id=exhibit_id,
            page=page,
            presenter_id=presenter_id,
            t0_ms=t0_ms,
        )
    )


async def end_showing(connection: AsyncConnection, sitting_id: str, t1_ms: int) -> None:
    """The interval that is open, if one is, ends."""
    c = t.showings.c
    await connection.execute(update(t.showings).where(c.sitting_id == sitting_id, c.t1_ms.is_(None)).values(t1_ms=t1_ms))


def _columns(sitting: Sitting) -> dict[str, object]:
    return {
        "number": sitting.number,
        "state": sitting.state.value,
        "version": sitting.ledger_number,
        "document": to_document(sitting),
        "opened_at": sitting.opened_at,
        "closed_at": sitting.closed_at,
    }


def _sitting_row(row: Row[Any]) -> SittingRow:
    return SittingRow(
        sitting=from_document(row.document),
        court_id=CourtId(row.court_id),
        media_worker_url=row.media_worker_url,
        sealed_manifest_sha256=row.sealed_manifest_sha256,
        sealed_at=row.sealed_at,
    )


async def _hearings(connection: AsyncConnection, query: Select[Any]) -> tuple[Hearing, ...]:
    rows = (await connection.execute(query)).all()
    people: dict[str, list[Participant]] = {row.id: [] for row in rows}
    c = t.participants.c
    seats = select(t.participants).where(c.hearing_id.in_(people)).order_by(c.hearing_id, c.position)
    for seat in await connection.execute(seats):
        people[seat.hearing_id].append(_participant(seat))
    return tuple(_hearing(row, tuple(people[row.id])) for row in rows)


def _participant(row: Row[Any]) -> Participant:
    return Participant(
        id=ParticipantId(row.id),
        role=Role(row.role),
        name=row.name,
        label=row.label,
        represents=ParticipantId(row.represents) if row.represents else None,
        staff_id=StaffId(row.staff_id) if row.staff_id else None,
    )


def _hearing(row: Row[Any], participants: tuple[Participant, ...]) -> Hearing:
    return Hearing(
        id=HearingId(row.id),
        court_id=CourtId(row.court_id),
        case_number=row.case_number,
        cause=row.cause,
        title=row.title,
        procedure=Procedure(row.procedure),
        public=row.public,
        courtroom=row.courtroom,
        scheduled_at=row.scheduled_at,
        participants=participants,
    )
