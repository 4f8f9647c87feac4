"""SQL of exhibits: rows in and out, values only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from evidence.model import Exhibit
from hearing.model import CourtId, ExhibitId, HearingId, Participant, ParticipantId, Role, Side
from storage.tables import exhibits, hearings, participants, showings


def _exhibit(row: RowMapping) -> Exhibit:
    fields: dict[str, Any] = dict(row)
    fields["side"] = Side(fields["side"])
    fields["submitted_at"] = _aware(fields["submitted_at"])
    return Exhibit(**fields)


def _aware(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite gives times back without their zone


async def exhibit(connection: AsyncConnection, exhibit_id: str) -> Exhibit | None:
    """One exhibit by id."""
    row = (await connection.execute(select(exhibits).where(exhibits.c.id == exhibit_id))).mappings().one_or_none()
    return _exhibit(row) if row else None


async def exhibits_of(connection: AsyncConnection, hearing_id: str) -> list[Exhibit]:
    """All exhibits of a hearing by side (plaintiff, defendant, third party, court) and number."""
    query = select(exhibits).where(exhibits.c.hearing_id == hearing_id)
    found = [_exhibit(row) for row in (await connection.execute(query)).mappings()]
    order = list(Side)
    return sorted(found, key=lambda e: (order.index(e.side), e.ordinal))


async def same_content(connection: AsyncConnection, hearing_id: str, sha256: str) -> Exhibit | None:
    """The exhibit of this hearing that holds the same bytes."""
    query = select(exhibits).where(exhibits.c.hearing_id == hearing_id, exhibits.c.sha256 == sha256)
    row = (await connection.execute(query)).mappings().one_or_none()
    return _exhibit(row) if row else None


async def next_ordinal(connection: AsyncConnection, hearing_id: str, side: Side) -> int:
    """The number the side's next exhibit gets."""
    query = select(func.max(exhibits.c.ordinal)).where(exhibits.c.hearing_id == hearing_id, exhibits.c.side == side.value)
    return int((await connection.execute(query)).scalar() or 0) + 1


async def court_of(connection: AsyncConnection, hearing_id: str) -> CourtId | None:
    """The court of a hearing."""
    found = (await connection.execute(select(hearings.c.court_id).where(hearings.c.id == hearing_id))).scalar()
    return CourtId(found) if found else None


async def represented_role(connection: AsyncConnection, hearing_id: HearingId, participant: Participant) -> Role | None:
    """Role of the party a person represents in this hearing."""
    query = select(participants.c.role).where(
        participants.c.id == participant.represents, participants.c.hearing_id == hearing_id
    )
    found = (await connection.execute(query)).scalar()
    return Role(found) if found else None


async def belongs(connection: AsyncConnection, hearing_id: HearingId, participant_id: ParticipantId) -> bool:
    """Whether a person is part of a hearing."""
    query = select(participants.c.id).where(participants.c.id == participant_id, participants.c.hearing_id == hearing_id)
    return (await connection.execute(query)).first() is not None


async def add(connection: AsyncConnection, new: Exhibit) -> None:
    """Insert; raises IntegrityError when the number or the content was taken in the meantime."""
    values = {name: getattr(new, name) for name in exhibits.c.keys()}  # noqa: SIM118  a column collection, not a dict
    await connection.execute(insert(exhibits).values({**values, "side": new.side.value}))


async def shown_in(connection: AsyncConnection, hearing_id: str) -> frozenset[ExhibitId]:
    """Exhibits of a hearing that were shown in any sitting."""
    query = select(showings.c.exhibit_id).join(exhibits).where(exhibits.c.hearing_id == hearing_id).distinct()
    return frozenset(ExhibitId(found) for found in (await connection.execute(query)).scalars())
