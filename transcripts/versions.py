"""Rows of the versions of a transcript (终稿识别): asked for, under way, finished; each has its job in the queue.

Functions take the caller's connection, so that they join its transaction. Lines of a version are written together with how
far it has come: after a crash the pass goes on exactly there, and no line is written twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import CourtId, ParticipantId, SittingId, SittingState
from storage.ids import new_id
from storage.queue import enqueue
from storage.tables import jobs, sittings, transcript_versions, utterances
from transcripts.bleed import Bleed
from transcripts.model import Engine, Utterance
from transcripts.store import machine_lines

FINAL = "final"  # kind of the job; payload {"sitting_id", "version", "engine"}
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
GAVE_UP = "gave_up"  # the queue tried as often as it does

_versions = transcript_versions


class Overtaken(Exception):
    """Another worker has gone on with this version meanwhile: what was read here is dropped."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version and how far it is. `problem` is a code ("" without any); `progress` 0 … 1."""

    sitting_id: SittingId
    court_id: CourtId
    number: int
    engine: Engine | None  # None until a worker took it
    state: str
    problem: str
    requested_by: ParticipantId | None
    created_at: datetime
    finished_at: datetime | None
    done_to: Mapping[str, int]
    bleed: tuple[Bleed, ...]
    progress: float


async def ask_for(
    connection: AsyncConnection, sitting_id: str, court_id: str, now: datetime,
    *, requested_by: str | None = None, engine: str = FINAL,
) -> int | None:  # fmt: skip
    """Write another version and its job in this transaction; None while one is waited for. Wake FINAL afterwards."""
    await connection.execute(select(sittings.c.id).where(sittings.c.id == sitting_id).with_for_update())
    known = await versions_of(connection, sitting_id)
    if any(version.state in (WAITING, RUNNING) for version in known):
        return None
    number = max((version.number for version in known), default=0) + 1
    await connection.execute(
        insert(_versions).values(
            id=new_id("tver"), court_id=court_id, sitting_id=sitting_id, number=number, engine={}, state=WAITING,
            requested_by=requested_by, created_at=now,
        )
    )  # fmt: skip
    await enqueue(connection, FINAL, {"sitting_id": sitting_id, "version": number, "engine": engine}, court_id, now)
    return number


async def versions_of(connection: AsyncConnection, sitting_id: str) -> tuple[Version, ...]:
    """All versions of a sitting but the live draft, in order of their numbers."""
    rows = (await connection.execute(_with_job(sitting_id).order_by(_versions.c.number))).mappings()
    return tuple(_version(row) for row in rows)


async def version_of(connection: AsyncConnection, sitting_id: str, number: int) -> Version | None:
    row = (await connection.execute(_with_job(sitting_id).where(_versions.c.number == number))).mappings().one_or_none()
    return _version(row) if row else None


async def lines_of_version(connection: AsyncConnection, version: Version) -> tuple[Utterance, ...]:
    """What the machine wrote in this version, without what another microphone heard better."""
    left_out = {one.id for one in version.bleed}
    said = await machine_lines(connection, version.sitting_id, version.number)
    return tuple(utterance for utterance in said if utterance.id not in left_out)


async def begin(connection: AsyncConnection, version: Version, engine: Engine) -> None:
    """A worker has taken it."""
    await _change(connection, version, state=RUNNING, engine=asdict(engine))


async def advance(
    connection: AsyncConnection, version: Version, track_id: str, span: tuple[int, int],
    lines: Sequence[Utterance], progress: float, now: datetime, problem: str = "",
) -> Version:  # fmt: skip
    """Write the lines of a stretch [from, to) of a track and that the track is read up to its end.

    Raises Overtaken where the track does not stand at the stretch's beginning any more.
    """
    row = select(_versions.c.done_to, _versions.c.state).where(_is(version)).with_for_update()
    done_to, state = (await connection.execute(row)).one()
    if state != RUNNING or done_to.get(track_id) != version.done_to.get(track_id):
        raise Overtaken(track_id)
    if lines:
        rows = [{**asdict(line), "court_id": version.court_id, "created_at": now} for line in lines]
        await connection.execute(insert(utterances), rows)
    await _change(connection, version, done_to={**done_to, track_id: span[1]}, problem=problem)
    await connection.execute(update(jobs).where(_job_of(version), jobs.c.state == RUNNING).values(progress=progress))
    found = await version_of(connection, version.sitting_id, version.number)
    assert found is not None
    return found


async def finish(connection: AsyncConnection, version: Version, bleed: Sequence[Bleed], problem: str, now: datetime) -> None:
    """It is whole; `problem`: what of the recording could not be read."""
    rows = [asdict(one) for one in bleed]
    await _change(connection, version, state=DONE, bleed=rows, problem=problem, finished_at=now)


async def fail(connection: AsyncConnection, version: Version, problem: str, now: datetime) -> None:
    await _change(connection, version, state=FAILED, problem=problem, finished_at=now)


async def note_problem(connection: AsyncConnection, version: Version, problem: str) -> None:
    """Why it does not go on just now."""
    await _change(connection, version, problem=problem)


async def in_session(connection: AsyncConnection) -> bool:
    """Whether any sitting is in session now."""
    query = select(sittings.c.id).where(sittings.c.state == SittingState.IN_SESSION.value).limit(1)
    return (await connection.execute(query)).first() is not None


async def _change(connection: AsyncConnection, version: Version, **values: object) -> None:
    await connection.execute(update(_versions).where(_is(version)).values(**values))


def _is(version: Version) -> ColumnElement[bool]:
    return and_(_versions.c.sitting_id == version.sitting_id, _versions.c.number == version.number)


def _job_of(version: Version) -> ColumnElement[bool]:
    payload = jobs.c.payload
    return and_(
        jobs.c.kind == FINAL,
        payload["sitting_id"].as_string() == version.sitting_id,
        payload["version"].as_integer() == version.number,
    )


def _with_job(sitting_id: str) -> Select[Any]:
    """Rows with the state and progress of their job: a job that was given up speaks for its version."""
    mine = and_(
        jobs.c.kind == FINAL,
        jobs.c.payload["sitting_id"].as_string() == _versions.c.sitting_id,
        jobs.c.payload["version"].as_integer() == _versions.c.number,
    )
    job_state = select(func.max(jobs.c.state)).where(mine).scalar_subquery().label("job_state")
    progress = select(func.max(jobs.c.progress)).where(mine).scalar_subquery().label("progress")
    return select(_versions, job_state, progress).where(_versions.c.sitting_id == sitting_id)


def _version(row: RowMapping) -> Version:
    state, problem, progress = row["state"], row["problem"], float(row["progress"] or 0.0)
    if row["job_state"] == FAILED and state in (WAITING, RUNNING):
        state, problem = FAILED, problem or GAVE_UP
    return Version(
        sitting_id=SittingId(row["sitting_id"]), court_id=CourtId(row["court_id"]), number=row["number"],
        engine=Engine(**row["engine"]) if row["engine"] else None, state=state, problem=problem,
        requested_by=ParticipantId(row["requested_by"]) if row["requested_by"] else None,
        created_at=row["created_at"], finished_at=row["finished_at"], done_to=dict(row["done_to"]),
        bleed=tuple(Bleed(**one) for one in row["bleed"]), progress=1.0 if state == DONE else progress,
    )  # fmt: skip
