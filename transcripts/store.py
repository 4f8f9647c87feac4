"""Rows of utterances and corrections, in and out; functions take the caller's connection, so that they join its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import CourtId, ParticipantId, SittingId
from storage.tables import revisions, segments, sittings, track_ends, utterances
from transcripts.editing import apply
from transcripts.model import (
    Engine,
    Line,
    Mark,
    MarkKind,
    Merge,
    Operation,
    ReplaceText,
    Revision,
    SetSpeaker,
    Split,
    Utterance,
    Word,
)

_OPERATIONS: dict[str, type[Operation]] = {kind.type: kind for kind in (ReplaceText, Split, Merge, SetSpeaker)}


class UnknownOperation(Exception):
    """A stored correction of a kind this version does not know: never shown as if it were not there."""


@dataclass(frozen=True, slots=True)
class RecordedSegment:
    """Where a stretch of a track's recording lies."""

    index: int
    t0_ms: int
    t1_ms: int
    object_key: str
    access: str = "parties"  # class at recording


@dataclass(frozen=True, slots=True)
class RecordedTrack:
    """Everything recorded of one voice, in order."""

    track_id: str
    segments: tuple[RecordedSegment, ...]

    @property
    def t0_ms(self) -> int:
        return self.segments[0].t0_ms

    @property
    def t1_ms(self) -> int:
        return self.segments[-1].t1_ms


@dataclass(frozen=True, slots=True)
class Recording:
    """What the store holds of a track: until when, whether that is all of it; when its sitting closed and was sealed."""

    until_ms: int
    whole: bool
    closed_at: datetime | None
    sealed: bool


async def save_utterances(
    connection: AsyncConnection, court_id: CourtId, new: Sequence[Utterance], now: datetime
) -> tuple[Utterance, ...]:
    """Insert what is not there yet; gives those that are new, to be shown to people.

    A line over sound that has its line already (a re-read, a restart: times differ by milliseconds) is not a new line.
    """
    saved = []
    for utterance in new:
        if await _has_line(connection, utterance):
            continue
        row = {**asdict(utterance), "court_id": court_id, "created_at": now}
        statement = _insert_or_ignore(connection).values(**row).returning(utterances.c.id)
        if (await connection.execute(statement)).first() is not None:
            saved.append(utterance)
    return tuple(saved)


async def lines(connection: AsyncConnection, sitting_id: SittingId) -> tuple[Line, ...]:
    """The draft of a sitting (机器稿 with the clerk's corrections), in order of time."""
    return apply(await machine_lines(connection, sitting_id), await revisions_of(connection, sitting_id))


async def machine_lines(connection: AsyncConnection, sitting_id: SittingId, version: int = 0) -> tuple[Utterance, ...]:
    """What the machine wrote, untouched; version 0 is the live draft."""
    query = select(utterances).where(utterances.c.sitting_id == sitting_id, utterances.c.version == version)
    query = query.order_by(utterances.c.t0_ms, utterances.c.id)
    return tuple(_utterance(row) for row in (await connection.execute(query)).mappings())


async def every_line(connection: AsyncConnection, sitting_id: SittingId) -> tuple[Utterance, ...]:
    """What the machine wrote in any version, by version."""
    query = select(utterances).where(utterances.c.sitting_id == sitting_id)
    query = query.order_by(utterances.c.version, utterances.c.t0_ms, utterances.c.id)
    return tuple(_utterance(row) for row in (await connection.execute(query)).mappings())


async def heads(connection: AsyncConnection, sitting_ids: Iterable[SittingId]) -> dict[str, int]:
    """Per track of these sittings, where its last line ends (t1_ms)."""
    query = (
        select(utterances.c.track_id, func.max(utterances.c.t1_ms))
        .where(utterances.c.sitting_id.in_(list(sitting_ids)), utterances.c.version == 0)
        .group_by(utterances.c.track_id)
    )
    return dict((await connection.execute(query)).all())


async def add_revision(connection: AsyncConnection, court_id: CourtId, sitting_id: SittingId, revision: Revision) -> None:
    """Append a correction; nothing earlier is touched."""
    operation = {"type": revision.operation.type, "part": revision.part, **asdict(revision.operation)}
    await connection.execute(
        insert(revisions).values(
            id=revision.id, court_id=court_id, utterance_id=revision.utterance_id, sitting_id=sitting_id,
            operation=operation, author_id=revision.author_id, at=revision.at,
        )
    )  # fmt: skip


async def recorded_segments(
    connection: AsyncConnection, sitting_id: SittingId, track_id: str, t0_ms: int, t1_ms: int
) -> tuple[RecordedSegment, ...]:
    """The stored segments of a track that hold sound of [t0_ms, t1_ms), in order."""
    query = (
        select(segments.c.index, segments.c.t0_ms, segments.c.t1_ms, segments.c.object_key)
        .where(segments.c.sitting_id == sitting_id, segments.c.track_id == track_id)
        .where(segments.c.t0_ms < t1_ms, segments.c.t1_ms > t0_ms)
        .order_by(segments.c.index)
    )
    return tuple(RecordedSegment(*row) for row in (await connection.execute(query)))


async def recorded_tracks(connection: AsyncConnection, sitting_id: SittingId) -> tuple[RecordedTrack, ...]:
    """Every voice of a sitting as it was recorded, the tracks in order of their ids."""
    c = segments.c
    query = select(c.track_id, c.index, c.t0_ms, c.t1_ms, c.object_key, c.access)
    query = query.where(c.sitting_id == sitting_id, c.kind == "audio").order_by(c.track_id, c.index)
    tracks: dict[str, list[RecordedSegment]] = {}
    for track_id, *fields in await connection.execute(query):
        tracks.setdefault(track_id, []).append(RecordedSegment(*fields))
    return tuple(RecordedTrack(track_id, tuple(found)) for track_id, found in tracks.items())


async def recorded_until(connection: AsyncConnection, sitting_id: SittingId, track_id: str) -> Recording:
    """How much of a track's recording is in the store."""
    where = segments.c.sitting_id == sitting_id, segments.c.track_id == track_id
    row = (await connection.execute(select(func.max(segments.c.t1_ms), func.count()).where(*where))).one()
    ends = select(track_ends.c.segments).where(track_ends.c.sitting_id == sitting_id, track_ends.c.track_id == track_id)
    expected = (await connection.execute(ends)).scalar()
    sitting = select(sittings.c.closed_at, sittings.c.sealed_at).where(sittings.c.id == sitting_id)
    closed_at, sealed_at = (await connection.execute(sitting)).one()
    until_ms = -1 if row[0] is None else int(row[0])
    whole = expected is not None and row[1] >= expected
    return Recording(until_ms, whole, _aware(closed_at) if closed_at else None, sealed_at is not None)


async def _has_line(connection: AsyncConnection, new: Utterance) -> bool:
    """Whether lines of the same track cover more than half of it."""
    query = (
        select(utterances.c.t0_ms, utterances.c.t1_ms)
        .where(utterances.c.sitting_id == new.sitting_id, utterances.c.track_id == new.track_id)
        .where(utterances.c.t0_ms < new.t1_ms, utterances.c.t1_ms > new.t0_ms, utterances.c.version == new.version)
    )
    spans = await connection.execute(query)
    covered_ms = sum(min(t1_ms, new.t1_ms) - max(t0_ms, new.t0_ms) for t0_ms, t1_ms in spans)
    return bool(covered_ms * 2 > new.t1_ms - new.t0_ms)


async def revisions_of(connection: AsyncConnection, sitting_id: SittingId) -> list[Revision]:
    """The corrections of a sitting's lines, in order of time."""
    query = select(revisions).where(revisions.c.sitting_id == sitting_id).order_by(revisions.c.at, revisions.c.id)
    return [_revision(row) for row in (await connection.execute(query)).mappings()]


def _insert_or_ignore(connection: AsyncConnection) -> Any:
    """INSERT … ON CONFLICT DO NOTHING in the database's dialect."""
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    return module.insert(utterances).on_conflict_do_nothing()


def _utterance(row: RowMapping) -> Utterance:
    return Utterance(
        id=row["id"], sitting_id=SittingId(row["sitting_id"]), participant_id=ParticipantId(row["participant_id"]),
        track_id=row["track_id"], t0_ms=row["t0_ms"], t1_ms=row["t1_ms"], text=row["text"], raw_text=row["raw_text"],
        confidence=row["confidence"], words=tuple(Word(**word) for word in row["words"]), engine=Engine(**row["engine"]),
        origin=row["origin"], version=row["version"], level_db=row["level_db"],
        marks=tuple(Mark(MarkKind(mark["kind"]), mark["start"], mark["end"], mark["note"]) for mark in row["marks"]),
    )  # fmt: skip


def _revision(row: RowMapping) -> Revision:
    fields = dict(row["operation"])
    kind, part = fields.pop("type", None), fields.pop("part", "")
    if kind not in _OPERATIONS:
        raise UnknownOperation(str(kind))
    try:
        operation = _OPERATIONS[kind](**fields)
    except TypeError as error:  # of this kind, but not as this version knows it
        raise UnknownOperation(str(kind)) from error
    return Revision(row["id"], row["utterance_id"], operation, ParticipantId(row["author_id"]), _aware(row["at"]), part)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)  # SQLite keeps no zone
