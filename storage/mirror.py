"""Two stores that hold the same objects (S6): a second copy in another place, and reading goes on when one is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import structlog

from storage.incoming import collected
from storage.objects import ObjectMissing, ObjectStore, StoredObject, StoreUnavailable

log = structlog.get_logger("storage.mirror")


class MirroredStore:
    """ObjectStore over two (satisfies storage.objects.ObjectStore).

    `copies` says how many must hold an object before put() returns: 2 where the original is freed afterwards (the spool), 1
    where a person waits; the copy that is missing then is made by the verify job, and said.
    """

    def __init__(self, first: ObjectStore, second: ObjectStore, *, copies: int = 2) -> None:
        self._stores = (first, second)
        self._copies = copies

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        async with collected(data) as incoming:
            incoming.file.seek(0)
            content = await asyncio.to_thread(incoming.file.read)
        stored, problem = None, None
        for name, store in zip("AB", self._stores, strict=True):  # one after the other: the first decides between two writers
            try:
                stored = await store.put(key, content)
            except StoreUnavailable as error:
                if problem is not None or self._copies > 1:
                    raise
                problem = error
                log.warning("copy missing", store=name, key=key, reason=str(error))
        assert stored is not None, "with both stores away the second raised"
        return stored

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """From the first store; from the second what the first does not have, or can no longer give."""
        sent = 0
        try:
            async for chunk in self._stores[0].stream(key, start=start, end=end):
                sent += len(chunk)
                yield chunk
        except (ObjectMissing, StoreUnavailable) as error:
            log.warning("reading the second copy", key=key, reason=type(error).__name__)
            async for chunk in self._stores[1].stream(key, start=start + sent, end=end):
                yield chunk

    async def stat(self, key: str) -> StoredObject:
        try:
            return await self._stores[0].stat(key)
        except (ObjectMissing, StoreUnavailable):
            return await self._stores[1].stat(key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """The keys of both stores, in order. Raises StoreUnavailable when one cannot be asked: half a list would mislead."""
        keys: set[str] = set()
        for store in self._stores:
            keys |= {key async for key in store.list(prefix)}
        for key in sorted(keys):
            yield key
