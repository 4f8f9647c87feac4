"""Objects encrypted at rest: an ObjectStore before another, with a key of its own for each object from the first write."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from storage.data_keys import DataKeys, KeptObject
from storage.envelope import CHUNK_BYTES, TAG_BYTES, Damaged, Envelope
from storage.incoming import Incoming, collected
from storage.mirror import Copy, MirroredStore
from storage.objects import ObjectMissing, ObjectStore, StorageError, StoredObject, StoreUnavailable, check_key
from storage.watch import Fault, Watch

RESERVING_TRIES = 3


class EncryptedStore:
    """ObjectStore whose objects lie encrypted in `inner` (satisfies storage.objects.ObjectStore).

    Order: the key is a committed row, then the inner store has the bytes, then the row says so. A crash between leaves a
    reservation that the next put of the same content uses again, with the same bytes. Over a mirror, what one copy cannot
    give whole comes from the other, chunk by chunk; raises envelope.Damaged when neither is what was stored.
    """

    def __init__(self, inner: ObjectStore, keys: DataKeys) -> None:
        self._inner = inner
        self._keys = keys
        self._watch = Watch()  # of a single store; a mirror has its own

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
        async with aclosing(read_from(self._copies(), kept, start, stop)) as content:
            async for chunk in content:
                yield chunk

    def _copies(self) -> tuple[Copy, ...]:
        if isinstance(self._inner, MirroredStore):
            return self._inner.reading_order()
        return (Copy("A", self._inner, self._watch),)

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


async def read_from(copies: Sequence[Copy], kept: KeptObject, start: int, stop: int) -> AsyncGenerator[bytes]:
    """Content [start, stop), each chunk from the first copy that gives it whole; a copy that fails is made known.

    Raises Damaged, ObjectMissing, StoreUnavailable when no copy gives a chunk.
    """
    at, failures = start, dict[str, tuple[int, StorageError]]()
    while at < stop:
        usable = [copy for copy in copies if copy.name not in failures or failures[copy.name][0] < at]
        if not usable:
            raise _worst([error for _, error in failures.values()])
        copy = usable[0]
        try:
            async with aclosing(_opened(copy, kept, at, stop, patient=len(usable) == 1)) as content:
                async for chunk in content:
                    at += len(chunk)
                    yield chunk
        except (Damaged, ObjectMissing, StoreUnavailable) as error:
            failures[copy.name] = (at, error)
            if not isinstance(error, StoreUnavailable):
                fault = Fault.DAMAGED if isinstance(error, Damaged) else Fault.MISSING
                await copy.watch.noticed(copy.name, kept.stored_key, fault)


def _worst(errors: list[StorageError]) -> StorageError:
    """A store that is away may have it whole: that is said before damage, and damage before absence."""
    return min(errors, key=lambda error: (StoreUnavailable, Damaged, ObjectMissing).index(type(error)))


async def _opened(copy: Copy, kept: KeptObject, start: int, stop: int, *, patient: bool) -> AsyncGenerator[bytes]:
    """Content [start, stop) of one copy."""
    envelope = Envelope(kept.key, kept.object_key, kept.content_bytes)
    at, to, number = envelope.span(start, stop)
    skip, left = start % CHUNK_BYTES, stop - start
    async with aclosing(copy.stream(kept.stored_key, start=at, end=to, patient=patient)) as stored:
        async for sealed in pieces(stored):
            content = envelope.decrypt(number, sealed)[skip : skip + left]
            yield content
            number, skip, left = number + 1, 0, left - len(content)
    if left:
        raise Damaged("the object ends before its end")


async def pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
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
