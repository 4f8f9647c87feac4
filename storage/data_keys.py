"""The keys of objects at rest, as rows: reserved before anything is stored, confirmed when it is."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.clock import SystemClock
from storage.database import Database
from storage.envelope import Algorithm, Damaged, DataKey
from storage.key_ring import KeyRing, UnknownKey, Wrapped
from storage.objects import ObjectExists, ObjectMissing, StoreUnavailable
from storage.tables import data_keys

_c = data_keys.c


class KeyDestroyed(ObjectMissing):
    """The object's key was lawfully destroyed: what lies in the stores can be read by nobody any more."""

    code = "object_destroyed"


@dataclass(frozen=True, slots=True)
class KeptObject:
    """One object's row: what is stored, where, and the key that opens it."""

    object_key: str
    stored_key: str
    key: DataKey
    content_bytes: int
    content_sha256: str
    stored_sha256: str
    is_stored: bool
    is_new: bool = False  # reserved by this very call: nothing can lie under its stored key yet


@dataclass(frozen=True, slots=True)
class Destroyed:
    """An object whose key was destroyed by ruling: a declared gap of the record, not damage."""

    object_key: str
    content_sha256: str
    destroyed_at: datetime
    ruling: str


@dataclass(frozen=True, slots=True)
class Unopened:
    """An object whose key does not open: its wrapping key is not here, or its row was changed."""

    object_key: str
    reason: str


class DataKeys:
    """Rows of data_keys, opened with the key ring. Raises StoreUnavailable when the database is away."""

    def __init__(self, database: Database, ring: KeyRing, clock: SystemClock, algorithm: Algorithm, key_class: str) -> None:
        self._database = database
        self.ring = ring
        self._clock = clock
        self._algorithm = algorithm
        self._key_class = key_class

    def in_class(self, key_class: str) -> DataKeys:
        """The same rows; what is reserved through this one belongs to another access class."""
        return DataKeys(self._database, self.ring, self._clock, self._algorithm, key_class)

    async def reserve(self, object_key: str, content_bytes: int, content_sha256: str) -> KeptObject:
        """The key under which exactly this content is stored; the same content again gets the same key.

        A reservation for another content that was never stored is replaced. Raises ObjectExists when it was.
        """
        async with self._transaction() as connection:
            row = await _row(connection, object_key, lock=True)
            if row is not None and row["content_sha256"] != content_sha256 and row["stored_at"] is not None:
                raise ObjectExists(object_key)
            is_new = row is None or row["content_sha256"] != content_sha256
            if row is None or is_new:
                values = self._fresh(object_key, content_bytes, content_sha256)
                if row is None:
                    await connection.execute(insert(data_keys).values(object_key=object_key, **values))
                else:
                    await connection.execute(update(data_keys).where(_c.object_key == object_key).values(**values))
                row = await _row(connection, object_key)
        assert row is not None
        return replace(self._opened(row), is_new=is_new)

    async def confirm(self, kept: KeptObject, stored_sha256: str) -> None:
        """The stores have it. Raises ObjectExists when another writer's content took the name meanwhile."""
        mine = (_c.object_key == kept.object_key) & (_c.stored_key == kept.stored_key)
        async with self._transaction() as connection:
            found = await connection.scalar(select(_c.stored_at).where(mine))
            values = {"stored_sha256": stored_sha256} | ({} if found else {"stored_at": self._clock.now()})
            result = await connection.execute(update(data_keys).where(mine).values(**values))
            if result.rowcount != 1:
                raise ObjectExists(kept.object_key)

    async def renew(self, kept: KeptObject) -> None:
        """Give up a reservation whose bytes a store did not keep as they were: the next reserve() has another stored key.

        A confirmed object stays as it is.
        """
        unconfirmed = (_c.object_key == kept.object_key) & (_c.stored_key == kept.stored_key) & _c.stored_at.is_(None)
        async with self._transaction() as connection:
            await connection.execute(delete(data_keys).where(unconfirmed))

    async def find(self, object_key: str) -> KeptObject:
        """A stored object; raises ObjectMissing, KeyDestroyed, key_ring.UnknownKey."""
        async with self._reading() as connection:
            row = await _row(connection, object_key)
        if row is None or row["stored_at"] is None:
            raise ObjectMissing(object_key)
        return self._opened(row)

    async def names(self, prefix: str) -> list[str]:
        """Keys of stored objects, in order."""
        async with self._reading() as connection:
            wanted = _c.object_key.startswith(prefix, autoescape=True) & _c.stored_at.is_not(None) & _c.wrapped.is_not(None)
            return sorted((await connection.execute(select(_c.object_key).where(wanted))).scalars())

    async def move(self, object_key: str, key_class: str) -> None:
        """Put an object into another access class: its key is wrapped anew, its bytes stay as they are (locked or not)."""
        async with self._transaction() as connection:
            row = await _row(connection, object_key, lock=True)
            if row is None:
                raise ObjectMissing(object_key)
            await self._wrap_anew(connection, row, key_class)

    async def under(self, prefix: str, after: str = "", limit: int = 100) -> list[KeptObject | Destroyed | Unopened]:
        """Stored objects whose key begins with `prefix`, in order, behind `after`; also those that nobody can open."""
        async with self._reading() as connection:
            wanted = _c.object_key.startswith(prefix, autoescape=True) & _c.stored_at.is_not(None) & (_c.object_key > after)
            rows = await connection.execute(select(data_keys).where(wanted).order_by(_c.object_key).limit(limit))
            found = list(rows.mappings())
        return [self._any(row) for row in found]

    async def count(self, prefix: str, after: str = "") -> int:
        """How many objects under() would give in all."""
        async with self._reading() as connection:
            wanted = _c.object_key.startswith(prefix, autoescape=True) & _c.stored_at.is_not(None) & (_c.object_key > after)
            return int((await connection.execute(select(func.count()).select_from(data_keys).where(wanted))).scalar_one())

    async def sample(self, limit: int) -> list[str]:
        """Names in the stores of some objects: the oldest and the newest."""
        async with self._reading() as connection:
            lies = select(_c.stored_key).where(_c.stored_at.is_not(None)).limit(limit // 2)
            old = (await connection.execute(lies.order_by(_c.stored_at))).scalars()
            new = (await connection.execute(lies.order_by(_c.stored_at.desc()))).scalars()
            return sorted({*old, *new})

    async def rewrap(self, key_class: str, limit: int = 200) -> int:
        """Wrap keys of a class that are under an older wrapping key by the newest; returns how many (0: none is left)."""
        async with self._transaction() as connection:
            newest = self.ring.newest(key_class)
            old = (_c.key_class == key_class) & (_c.wrapping_key != newest) & _c.wrapped.is_not(None)
            rows = list((await connection.execute(select(data_keys).where(old).limit(limit).with_for_update())).mappings())
            for row in rows:
                await self._wrap_anew(connection, row, key_class)
        return len(rows)

    async def destroy(self, object_key: str, ruling: str) -> None:
        """Lawful destruction where nothing can be deleted: the key goes, the row stays and says when and by which ruling."""
        async with self._transaction() as connection:
            values = {"wrapped": None, "destroyed_at": self._clock.now(), "ruling": ruling}
            result = await connection.execute(
                update(data_keys).where(_c.object_key == object_key, _c.destroyed_at.is_(None)).values(**values)
            )
            if result.rowcount != 1:
                raise ObjectMissing(object_key)

    async def destroy_under(self, connection: AsyncConnection, prefix: str, ruling: str, keep: Sequence[str] = ()) -> int:
        """The same for everything whose key begins with `prefix`, but for `keep`, in the caller's transaction; how many."""
        wanted = _c.object_key.startswith(prefix, autoescape=True) & _c.destroyed_at.is_(None) & _c.object_key.not_in(keep)
        values = {"wrapped": None, "destroyed_at": self._clock.now(), "ruling": ruling}
        result = await connection.execute(update(data_keys).where(wanted).values(**values))
        return int(result.rowcount)

    async def destroyed_by(self, ruling: str, after: str = "", limit: int = 100) -> list[tuple[str, str]]:
        """(object key, stored key) of what this ruling destroyed, in order, behind `after`."""
        wanted = (_c.ruling == ruling) & (_c.object_key > after)
        query = select(_c.object_key, _c.stored_key).where(wanted).order_by(_c.object_key).limit(limit)
        async with self._reading() as connection:
            return [(row.object_key, row.stored_key) for row in await connection.execute(query)]

    async def stored_names(self, prefix: str) -> list[tuple[str, str, int]]:
        """(object key, stored key, bytes) of what can still be opened under a prefix, in order."""
        wanted = _c.object_key.startswith(prefix, autoescape=True) & _c.destroyed_at.is_(None)
        query = select(_c.object_key, _c.stored_key, _c.content_bytes).where(wanted).order_by(_c.object_key)
        async with self._reading() as connection:
            return [tuple(row) for row in await connection.execute(query)]

    async def _wrap_anew(self, connection: AsyncConnection, row: RowMapping, key_class: str) -> None:
        kept = self._opened(row)
        wrapped = self.ring.wrap(kept.key.algorithm, kept.key.secret, key_class, kept.object_key)
        values = {"key_class": key_class, "wrapping_key": wrapped.wrapping_key, "wrapped": wrapped.secret}
        await connection.execute(update(data_keys).where(_c.object_key == kept.object_key).values(**values))

    def _fresh(self, object_key: str, content_bytes: int, content_sha256: str) -> dict[str, Any]:
        key = DataKey.new(self._algorithm)
        wrapped = self.ring.wrap(key.algorithm, key.secret, self._key_class, object_key)
        return {
            "stored_key": f"{object_key}.{secrets.token_hex(6)}", "algorithm": key.algorithm.value,
            "key_class": self._key_class,
            "wrapping_key": wrapped.wrapping_key, "wrapped": wrapped.secret, "prefix": key.prefix, "stored_sha256": "",
            "content_bytes": content_bytes, "content_sha256": content_sha256, "reserved_at": self._clock.now(),
            "stored_at": None,
        }  # fmt: skip

    def _any(self, row: RowMapping) -> KeptObject | Destroyed | Unopened:
        try:
            return self._opened(row)
        except KeyDestroyed:
            return Destroyed(row["object_key"], row["content_sha256"], row["destroyed_at"], row["ruling"])
        except (UnknownKey, Damaged) as error:
            return Unopened(row["object_key"], error.code)

    def _opened(self, row: RowMapping) -> KeptObject:
        if row["wrapped"] is None:
            raise KeyDestroyed(row["object_key"])
        algorithm = Algorithm(row["algorithm"])
        secret = self.ring.unwrap(algorithm, Wrapped(row["wrapping_key"], row["wrapped"]), row["object_key"])
        return KeptObject(
            row["object_key"], row["stored_key"], DataKey(algorithm, secret, row["prefix"]), row["content_bytes"],
            row["content_sha256"], row["stored_sha256"], row["stored_at"] is not None,
        )  # fmt: skip

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        with _database_errors():
            async with self._database.transaction() as connection:
                yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with _database_errors():
            async with self._database.read() as connection:
                yield connection


@contextmanager
def _database_errors() -> Iterator[None]:
    """The database's failures in the words of the store's port."""
    try:
        yield
    except IntegrityError as error:
        raise StoreUnavailable("another writer was first") from error
    except (DBAPIError, TimeoutError, ConnectionError) as error:
        raise StoreUnavailable("database") from error


async def _row(connection: AsyncConnection, object_key: str, *, lock: bool = False) -> RowMapping | None:
    query = select(data_keys).where(_c.object_key == object_key)
    result = await connection.execute(query.with_for_update() if lock else query)
    return result.mappings().first()
