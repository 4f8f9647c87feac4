"""Objects encrypted at rest: an ObjectStore before another, with a key of its own for each object from the first write."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

from storage.data_keys import DataKeys, KeptObject
from storage.envelope import CHUNK_BYTES, TAG_BYTES, Envelope
from storage.incoming import Incoming, collected
from storage.objects import ObjectStore, StoredObject, StoreUnavailable, check_key

RESERVING_TRIES = 3


class EncryptedStore:
    """ObjectStore whose objects lie encrypted in `inner` (satisfies storage.objects.ObjectStore).

    Order: the key is a committed row, then the inner store has the bytes, then the row says so. A crash between leaves a
    reservation that the next put of the same content uses again, with the same bytes. Raises envelope.Damaged when what
    the inner store gives back is not what was stored.
    """

    def __init__(self, inner: ObjectStore, keys: DataKeys) -> None:
        self._inner = inner
        self._keys = keys

    def in_class(self, key_class: str) -> EncryptedStore:
        """The same store; what is put through this one belongs to another access class (S21)."""
        return EncryptedStore(self._inner, self._keys.in_class(key_class))

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        check_key(key)
        async with collected(data) as incoming:
            kept = await self._reserve(key, incoming)
            if not kept.is_stored:
                stored = await self._inner.put(kept.stored_key, _sealed(kept, incoming))
                await self._keys.confirm(kept, stored.sha256)
        return StoredObject(key, kept.content_bytes, kept.content_sha256)

    async def _reserve(self, key: str, incoming: Incoming) -> KeptObject:
        """Two first writers of one name meet in the database; the later one looks again."""
        for _ in range(RESERVING_TRIES - 1):
            try:
                return await self._keys.reserve(key, incoming.bytes, incoming.sha256)
            except StoreUnavailable:
                await asyncio.sleep(0)
        return await self._keys.reserve(key, incoming.bytes, incoming.sha256)

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Whole chunks are read and authenticated; what lies outside [start, end) of them is cut off."""
        check_key(key)
        kept = await self._keys.find(key)
        stop = kept.content_bytes if end is None else min(end, kept.content_bytes)
        if start >= stop:
            return
        envelope = Envelope(kept.key, key, kept.content_bytes)
        at, to, number = envelope.span(start, stop)
        skip, left = start % CHUNK_BYTES, stop - start
        async for sealed in _pieces(self._inner.stream(kept.stored_key, start=at, end=to)):
            content = envelope.decrypt(number, sealed)[skip : skip + left]
            yield content
            number, skip, left = number + 1, 0, left - len(content)
        if left:
            raise StoreUnavailable("the store ended an object before its end")

    async def stat(self, key: str) -> StoredObject:
        """Size and hash of the content, decrypted from the stored bytes now."""
        digest, size = hashlib.sha256(), 0
        async for chunk in self.stream(key):
            digest.update(chunk)
            size += len(chunk)
        return StoredObject(key, size, digest.hexdigest())

    async def list(self, prefix: str) -> AsyncIterator[str]:
        for name in await self._keys.names(prefix):
            yield name


async def _sealed(kept: KeptObject, incoming: Incoming) -> AsyncIterator[bytes]:
    incoming.file.seek(0)
    pieces = Envelope(kept.key, kept.object_key, kept.content_bytes).encrypt(incoming.file)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stored bytes in pieces of one chunk with its tag."""
    size = CHUNK_BYTES + TAG_BYTES
    waiting = bytearray()
    async for data in stream:
        waiting += data
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)
