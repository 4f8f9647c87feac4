"""Look at each copy of an object where it lies, and make a faulty one good from the other (A10).

Nothing is ever overwritten or deleted: what is missing is put, what is damaged is set aside as evidence and put anew, and
where a place cannot do that (a bucket without versions) it is said and left to an operator.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import cast

from storage.clock import SystemClock
from storage.data_keys import DataKeys, KeptObject
from storage.encrypted import pieces
from storage.envelope import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, Damaged, Envelope, chunks_in
from storage.incoming import collected
from storage.mirror import Copy
from storage.objects import NotReplaceable, ObjectMissing, Replaceable, StorageError, StoreUnavailable
from storage.watch import Fault

PROBE_KEY = "probe"
SAMPLE, FEW = 12, 3
_CLOCK = SystemClock()


class NotHealed(StorageError):
    """A faulty copy stays as it is; the message is for people."""

    code = "not_healed"


@dataclass
class Pace:
    """So many bytes a second at most, on average over the job, so that hearings keep the disks and the network. 0: no limit."""

    bytes_per_s: float = 0.0
    _ahead_until_s: float = field(default=0.0)

    async def spend(self, count: int) -> None:
        if self.bytes_per_s <= 0:
            return
        now_s = _CLOCK.monotonic()
        self._ahead_until_s = max(self._ahead_until_s, now_s) + count / self.bytes_per_s
        if self._ahead_until_s - now_s > 0.05:  # shorter sleeps cost more than they give
            await asyncio.sleep(self._ahead_until_s - now_s)


class Copies:
    """The copies of every object of an installation, one by one. Raises StoreUnavailable when a place is away altogether."""

    def __init__(self, copies: Sequence[Copy], keys: DataKeys, pace: Pace | None = None) -> None:
        self._copies = tuple(copies)
        self._keys = keys
        self._pace = pace or Pace()

    async def faults(self, kept: KeptObject) -> dict[str, Fault]:
        """What is wrong with which copy: stored bytes hashed in each place, content hashed once of those that agree."""
        found: dict[str, Fault] = {}
        content_known = False
        for copy in self._copies:
            fault = await self._fault(copy, kept, with_content=not content_known)
            if fault is None:
                content_known = True
            else:
                found[copy.name] = fault
        return found

    async def _fault(self, copy: Copy, kept: KeptObject, *, with_content: bool) -> Fault | None:
        try:
            stored, content = await self._hashes(copy, kept, with_content=with_content)
        except ObjectMissing:
            return Fault.MISSING
        except Damaged:
            return Fault.DAMAGED
        except StoreUnavailable:
            await self._must_answer(copy)
            return Fault.UNREADABLE
        whole = stored == kept.stored_sha256 and content in (None, kept.content_sha256)
        return None if whole else Fault.DAMAGED

    async def _hashes(self, copy: Copy, kept: KeptObject, *, with_content: bool) -> tuple[str, str | None]:
        """SHA-256 of the stored bytes and of what they hold; raises Damaged where they do not open."""
        stored, content = hashlib.sha256(), hashlib.sha256()
        envelope, number = Envelope(kept.key, kept.object_key, kept.content_bytes), 0

        async def sealed() -> AsyncGenerator[bytes]:
            skip = HEADER_BYTES
            async for chunk in copy.store.stream(kept.stored_key):
                stored.update(chunk)
                await self._pace.spend(len(chunk))
                yield chunk[skip:]
                skip = max(0, skip - len(chunk))

        async with aclosing(sealed()) as stream:
            async for piece in pieces(stream):
                if with_content:
                    content.update(envelope.decrypt(number, piece))
                    number += 1
        return stored.hexdigest(), content.hexdigest() if with_content else None

    async def _must_answer(self, copy: Copy) -> None:
        """Raises StoreUnavailable when the place gives nothing at all: then this object is not what is wrong."""
        try:
            await copy.store.get(PROBE_KEY, start=0, end=1)
        except ObjectMissing:
            return
        except StoreUnavailable as error:
            raise StoreUnavailable(f"{copy.name}: {error}") from error

    async def heal(self, kept: KeptObject, faults: dict[str, Fault], *, fill: bool = False) -> dict[str, str]:
        """Make every faulty copy good; returns for each where the damaged one lies now ("" where there was none).

        `fill` allows filling a place that holds nothing else. Raises NotHealed; StoreUnavailable when a place is away.
        """
        notes: dict[str, str] = {}
        for copy in self._copies:
            if copy.name in faults:
                notes[copy.name] = await self._make_good(copy, kept, faults, fill=fill)
        return notes

    async def _make_good(self, copy: Copy, kept: KeptObject, faults: dict[str, Fault], *, fill: bool) -> str:
        if faults[copy.name] is Fault.MISSING and not fill and await self.looks_empty(copy):
            raise NotHealed(f"{copy.name} 库看来是空的（未挂载或已更换），未自动补写；确认后运行 court check --all --fill")
        note = ""
        async with collected(self._good_bytes(kept, faults)) as incoming:
            if incoming.sha256 != kept.stored_sha256:
                raise NotHealed("重建的内容与入库时的散列不符")
            if faults[copy.name] is Fault.MISSING:
                await copy.store.put(kept.stored_key, incoming.stream())
            else:
                note = await self._replace(copy, kept, incoming.stream())
        if await self._fault(copy, kept, with_content=True) is not None:
            raise NotHealed(f"{copy.name} 库写入后回读不符")
        return note

    async def _replace(self, copy: Copy, kept: KeptObject, data: AsyncIterator[bytes]) -> str:
        """Looked at once more right before: another heal job may have been here."""
        if await self._fault(copy, kept, with_content=True) is None:
            return ""
        try:
            return await cast("Replaceable", copy.store).replace(kept.stored_key, data)
        except NotReplaceable:
            raise NotHealed(f"{copy.name} 库的存储桶未开启版本，受损副本无法替换；完好内容见另一库") from None

    async def _good_bytes(self, kept: KeptObject, faults: dict[str, Fault]) -> AsyncGenerator[bytes]:
        """The stored bytes from a good copy; where there is none, chunk by chunk from whichever copy still opens."""
        good = [copy for copy in self._copies if copy.name not in faults]
        if good:
            async for chunk in good[0].store.stream(kept.stored_key):
                yield chunk
            return
        envelope = Envelope(kept.key, kept.object_key, kept.content_bytes)
        yield envelope.header
        for number in range(chunks_in(kept.content_bytes)):
            yield await self._sealed_chunk(envelope, kept, number)

    async def _sealed_chunk(self, envelope: Envelope, kept: KeptObject, number: int) -> bytes:
        size = CHUNK_BYTES + TAG_BYTES
        at = HEADER_BYTES + number * size
        for copy in self._copies:
            try:
                sealed = await copy.store.get(kept.stored_key, start=at, end=at + size)
                envelope.decrypt(number, sealed)
            except (ObjectMissing, Damaged, StoreUnavailable):
                continue
            return sealed
        raise NotHealed("两份副本均已损坏或缺失，无法修复")

    async def looks_empty(self, copy: Copy) -> bool:
        """Whether the place has none of what was stored: a disk that is not mounted must not get a second archive."""
        found, asked = await self.found(copy.name)
        return found == 0 and asked >= FEW

    async def found(self, name: str) -> tuple[int, int]:
        """(how many of a few objects lie in this place, how many were looked for)."""
        store = next(copy.store for copy in self._copies if copy.name == name)
        stored_keys, found = await self._keys.sample(SAMPLE), 0
        for stored_key in stored_keys:
            with suppress(ObjectMissing):
                await store.get(stored_key, start=0, end=1)
                found += 1
        return found, len(stored_keys)
