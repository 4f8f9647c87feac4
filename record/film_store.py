"""SQL of the films (合成录像): which one of a sitting is valid today, how far the making of it is, and asking for one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import SittingState
from record import store
from record.film_plan import FILM_CLASS
from record.model import Material
from record.package_items import Item, folder_of, made
from record.verify import canonical
from storage.ids import new_id
from storage.queue import enqueue
from storage.tables import films, jobs, sittings

FILM = "film"  # kind of the job; payload {"sitting_id"}
_VERSION = 1  # of what a film looks like


@dataclass(frozen=True, slots=True)
class Film:
    """A finished film; `statement` says what it was made from and is signed."""

    object_key: str
    size_bytes: int
    sha256: str
    duration_ms: int
    statement: bytes
    signature: bytes
    made_at: datetime


@dataclass(frozen=True, slots=True)
class FilmStatus:
    """`state`: none (not asked for) | queued | making | ready | failed. `progress`: 0 … 1."""

    state: str
    progress: float = 0.0
    film: Film | None = None


async def recipe_of(connection: AsyncConnection, sitting_id: str) -> str | None:
    """What a film made today would be made from: the sealed manifest and the orders on access. None: not sealed yet.

    A film of another recipe is not handed out: an order may have closed what it shows.
    """
    query = select(sittings.c.sealed_manifest_sha256).where(sittings.c.id == sitting_id)
    manifest_sha256 = (await connection.execute(query)).scalar()
    if not manifest_sha256:
        return None
    orders = [(o.track_id, o.t0_ms, o.t1_ms, o.access.value) for o in await store.orders_of(connection, sitting_id)]
    return hashlib.sha256(canonical([_VERSION, manifest_sha256, orders])).hexdigest()


async def film_of(connection: AsyncConnection, sitting_id: str) -> Film | None:
    """The film that is valid today."""
    recipe = await recipe_of(connection, sitting_id)
    query = select(films).where(films.c.sitting_id == sitting_id, films.c.recipe == recipe)
    row = (await connection.execute(query)).mappings().one_or_none()
    return Film(**{name: row[name] for name in Film.__dataclass_fields__}) if row else None


async def status_of(connection: AsyncConnection, sitting_id: str) -> FilmStatus:
    """How it stands with a sitting's film."""
    if film := await film_of(connection, sitting_id):
        return FilmStatus("ready", 1.0, film)
    query = select(jobs.c.state, jobs.c.progress).where(_of(sitting_id))
    row = (await connection.execute(query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(1))).one_or_none()
    match row.state if row else None:
        case "waiting":
            return FilmStatus("queued")
        case "running":
            return FilmStatus("making", row.progress if row else 0.0)
        case "failed":
            return FilmStatus("failed")
        case _:
            return FilmStatus("none")


async def ask_for(connection: AsyncConnection, sitting_id: str, court_id: str, now: datetime) -> bool:
    """Write the job in this transaction, unless one waits, or the film is there, or nothing is sealed. Wake FILM afterwards.

    One that runs does not count: it may have begun before the order on account of which another film is wanted.
    """
    if await recipe_of(connection, sitting_id) is None or await film_of(connection, sitting_id):
        return False
    waiting = select(jobs.c.id).where(_of(sitting_id), jobs.c.state == "waiting").limit(1)
    if (await connection.execute(waiting)).first():
        return False
    await enqueue(connection, FILM, {"sitting_id": sitting_id}, court_id, now)
    return True


async def write_progress(connection: AsyncConnection, sitting_id: str, progress: float) -> None:
    await connection.execute(update(jobs).where(_of(sitting_id), jobs.c.state == "running").values(progress=progress))


def _of(sitting_id: str) -> ColumnElement[bool]:
    return and_(jobs.c.kind == FILM, jobs.c.payload["sitting_id"].as_string() == sitting_id)


async def write_film(connection: AsyncConnection, material: Material, recipe: str, film: Film) -> None:
    """One row for each recipe; a second film of the same recipe is passed over."""
    taken = select(films.c.id).where(films.c.sitting_id == material.sitting.id, films.c.recipe == recipe)
    if (await connection.execute(taken)).first() is None:
        row = {name: getattr(film, name) for name in Film.__dataclass_fields__}
        ids = {"id": new_id("film"), "court_id": material.sitting.court_id, "sitting_id": material.sitting.id}
        await connection.execute(insert(films).values(**ids, recipe=recipe, **row))


async def in_session(connection: AsyncConnection) -> bool:
    """Whether any sitting is in session now."""
    query = select(sittings.c.id).where(sittings.c.state == SittingState.IN_SESSION.value).limit(1)
    return (await connection.execute(query)).first() is not None


async def film_items(connection: AsyncConnection, material: Material) -> Sequence[Item]:
    """The film and its signed statement in the sitting's folder of a package."""
    film = await film_of(connection, material.sitting.id)
    if film is None:
        return ()
    path, access = f"{folder_of(material)}/film.mp4", FILM_CLASS.value
    return (
        Item(path, film.sha256, film.size_bytes, key=film.object_key, access=access),
        made(f"{path}.json", film.statement, access),
        made(f"{path}.json.sig.json", film.signature, access),
    )
