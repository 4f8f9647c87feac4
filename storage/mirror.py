"""Two stores that hold the same objects (S6): a second copy in another place, and reading goes on when one is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

import structlog

from storage.incoming import Incoming, collected
from storage.objects import ObjectMissing, ObjectStore, StorageError, StoredObject, StoreUnavailable
from storage.watch import Fault, Watch

log = structlog.get_logger("storage.mirror")

PATIENCE_S = 2.0
"""So long a reader waits for the next bytes of one copy where there is another; a network that swallows everything says nothing
for much longer (storage.s3: 5 s to connect, 30 s to answer)."""


@dataclass(frozen=True, slots=True)
class Copy:
    """One of the places. `name` is A or B, as in COURT_STORE_A and COURT_STORE_B."""

    name: str
    store: ObjectStore
    watch: Watch

    async def stream(self, key: str, *, start: int = 0, end: int | None = None, patient: bool) -> AsyncGenerator[bytes]:
        """The bytes of this copy; who is not patient gets StoreUnavailable (slow) after PATIENCE_S without any."""
        reach = self.watch.reach[self.name]
        async with aclosing(self.store.stream(key, start=start, end=end)) as chunks:  # type: ignore[type-var]
            try:
                while (chunk := await _next(chunks, None if patient else PATIENCE_S)) is not None:
                    reach.worked()
                    yield chunk
            except StoreUnavailable:
                reach.failed()
                raise
            except ObjectMissing:
                reach.worked()
                raise


class MirroredStore:
    """ObjectStore over two (satisfies storage.objects.ObjectStore).

    `copies` says how many must hold an object before put() returns: 2 where the original is freed afterwards (the spool), 1
    where a person waits; the copy that is missing then is made by the heal job, and `watch` is told.
    """

    def __init__(self, first: ObjectStore, second: ObjectStore, *, copies: int = 2, watch: Watch | None = None) -> None:
        self.watch = watch or Watch()
        self._copies = (Copy("A", first, self.watch), Copy("B", second, self.watch))
        self._needed = copies

    def reading_order(self) -> tuple[Copy, ...]:
        """The first before the second, but what was out of reach lately last."""
        resting = {copy.name: self.watch.reach[copy.name].is_resting() for copy in self._copies}
        return tuple(sorted(self._copies, key=lambda copy: resting[copy.name]))

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        """One after the other: the first decides between two writers."""
        async with collected(data) as incoming:
            stored, problem = None, None
            for copy in self._copies if self._needed > 1 else self.reading_order():
                try:
                    stored = await self._put(copy, key, incoming, waits=self._needed > 1 or stored is None)
                except StoreUnavailable as error:
                    if problem is not None or self._needed > 1:
                        raise
                    problem, absent = error, copy.name
        assert stored is not None, "with both stores away the second raised"
        if problem is not None:
            log.warning("copy missing", store=absent, key=key, reason=str(problem))
            await self.watch.noticed(absent, key, Fault.MISSING)
        return stored

    async def _put(self, copy: Copy, key: str, incoming: Incoming, *, waits: bool) -> StoredObject:
        """`waits` is false where the object lies elsewhere already: a person does not wait for a place that is away."""
        reach = self.watch.reach[copy.name]
        if not waits and reach.is_resting():
            raise StoreUnavailable("resting")
        try:
            stored = await copy.store.put(key, incoming.stream())
        except StoreUnavailable:
            reach.failed()
            raise
        reach.worked()
        return stored

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """From one store; from the other what that one does not have, or can no longer give."""
        sent = 0
        first, second = self.reading_order()
        try:
            async for chunk in first.stream(key, start=start, end=end, patient=False):
                sent += len(chunk)
                yield chunk
        except (ObjectMissing, StoreUnavailable) as error:
            log.warning("reading the other copy", store=second.name, key=key, reason=type(error).__name__)
            with _both(error):
                async for chunk in second.stream(key, start=start + sent, end=end, patient=True):
                    yield chunk

    async def stat(self, key: str) -> StoredObject:
        try:
            return await self._copies[0].store.stat(key)
        except (ObjectMissing, StoreUnavailable) as error:
            with _both(error):
                return await self._copies[1].store.stat(key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """The keys of both stores, in order. Raises StoreUnavailable when one cannot be asked: half a list would mislead."""
        keys: set[str] = set()
        for copy in self._copies:
            keys |= {key async for key in copy.store.list(prefix)}
        for key in sorted(keys):
            yield key


async def _next(chunks: AsyncIterator[bytes], within_s: float | None) -> bytes | None:
    try:
        async with asyncio.timeout(within_s):
            return await anext(chunks, None)
    except TimeoutError:
        raise StoreUnavailable("slow") from None


@contextmanager
def _both(first: StorageError) -> Iterator[None]:
    """What neither store gives is missing only where both said so: one that is away may have it."""
    try:
        yield
    except ObjectMissing:
        if isinstance(first, StoreUnavailable):
            raise first from None
        raise
