"""SQL of the record: one consistent reading of a sitting, and the seal written once."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, RowMapping, Table, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from evidence.store import exhibits_of
from hearing.access import AccessClass
from hearing.ledger import read_entry
from hearing.model import CourtId, ParticipantId, SittingId, SittingState
from hearing.store import load_hearing, load_ledger
from record.model import AccessOrder, Material, Segment, SittingInfo
from storage.tables import access_orders, courts, jobs, segments, sittings, track_ends, utterances
from transcripts.store import machine_lines

SEGMENT_FIELDS = tuple(Segment.__dataclass_fields__)


async def material_of(connection: AsyncConnection, sitting_id: str) -> Material | None:
    """Everything of a sitting, read in one transaction; None when there is no such sitting."""
    query = select(sittings, courts.c.name.label("court_name")).join(courts, courts.c.id == sittings.c.court_id)
    row = (await connection.execute(query.where(sittings.c.id == sitting_id))).mappings().one_or_none()
    if row is None:
        return None
    hearing = await load_hearing(connection, row["hearing_id"])
    if hearing is None:
        return None
    ends = await _rows(connection, track_ends, sitting_id, "track_id")
    entries = await load_ledger(connection, sitting_id)
    return Material(
        sitting=_sitting(row),
        hearing=hearing,
        ledger=entries,
        entries=tuple(read_entry(sealed.entry) for sealed in entries),
        segments=tuple(_segment(r) for r in await _rows(connection, segments, sitting_id, "track_id", "index")),
        track_ends={r["track_id"]: (r["segments"], r["last_sha256"]) for r in ends},
        exhibits=tuple(await exhibits_of(connection, hearing.id)),
        utterances=await machine_lines(connection, SittingId(sitting_id)),
        orders=await orders_of(connection, sitting_id),
    )


async def orders_of(connection: AsyncConnection, sitting_id: str) -> tuple[AccessOrder, ...]:
    """Orders that made parts of the sitting's record stricter, in order of time."""
    rows = await _rows(connection, access_orders, sitting_id, "at", "id")
    return tuple(
        AccessOrder(
            r["track_id"], r["t0_ms"], r["t1_ms"], AccessClass(r["access"]), r["ruling"], ParticipantId(r["ordered_by"]),
            aware(r["at"]),
        )
        for r in rows
    )  # fmt: skip


async def sitting_ids(connection: AsyncConnection, hearing_id: str) -> list[str]:
    """The sittings of a hearing in order."""
    query = select(sittings.c.id).where(sittings.c.hearing_id == hearing_id).order_by(sittings.c.number)
    return list((await connection.execute(query)).scalars())


async def write_seal(connection: AsyncConnection, sitting_id: str, manifest_sha256: str, at: datetime) -> bool:
    """Mark a sitting as sealed; False when it is already."""
    query = update(sittings).where(sittings.c.id == sitting_id, sittings.c.sealed_manifest_sha256.is_(None))
    result = await connection.execute(query.values(sealed_manifest_sha256=manifest_sha256, sealed_at=at))
    return bool(result.rowcount)


async def open_jobs(connection: AsyncConnection, kind: str, sitting_id: str) -> int:
    """How many jobs of a kind still wait or run for a sitting."""
    query = select(func.count()).select_from(jobs).where(_job_of(kind, sitting_id), jobs.c.state.in_(("waiting", "running")))
    return int((await connection.execute(query)).scalar_one())


async def last_line_at(connection: AsyncConnection, sitting_id: str) -> datetime | None:
    """When the newest machine line of a sitting was written."""
    query = select(utterances.c.created_at).where(utterances.c.sitting_id == sitting_id)
    newest = (await connection.execute(query.order_by(utterances.c.created_at.desc()).limit(1))).scalar()
    return aware(newest) if newest else None


def _job_of(kind: str, sitting_id: str) -> ColumnElement[bool]:
    return and_(jobs.c.kind == kind, jobs.c.payload["sitting_id"].as_string() == sitting_id)


def aware(at: datetime) -> datetime:
    """A time from a row, in UTC; SQLite gives times back without their zone."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


async def _rows(connection: AsyncConnection, table: Table, sitting_id: str, *order: str) -> list[RowMapping]:
    query = select(table).where(table.c.sitting_id == sitting_id).order_by(*(table.c[name] for name in order))
    return list((await connection.execute(query)).mappings())


def _sitting(row: RowMapping) -> SittingInfo:
    return SittingInfo(
        id=SittingId(row["id"]), court_id=CourtId(row["court_id"]), court_name=row["court_name"], ordinal=row["number"],
        state=SittingState(row["state"]),
        opened_at=aware(row["opened_at"]) if row["opened_at"] else None,
        closed_at=aware(row["closed_at"]) if row["closed_at"] else None,
        sealed_manifest_sha256=row["sealed_manifest_sha256"],
        sealed_at=aware(row["sealed_at"]) if row["sealed_at"] else None,
    )  # fmt: skip


def _segment(row: RowMapping) -> Segment:
    fields = {name: row[name] for name in SEGMENT_FIELDS}
    return Segment(**fields | {"started_at": aware(row["started_at"]), "access": AccessClass(row["access"])})
