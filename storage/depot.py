"""One of the two places as the shipper uses it: put, read back, and always known how it is."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from storage.clock import SystemClock
from storage.objects import ObjectExists, ObjectMissing, ObjectStore, StorageError, StoredObject, StoreUnavailable

PROBE_KEY = "probe"
"""A tiny object in each place that only shows that it takes and gives; it belongs to nobody."""

PROBE_WITHIN_S = 5.0
SLOW_S = 10.0
"""A segment of some megabytes that takes longer to lay down and read back: the place is slow."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
OK, SLOW, DAMAGED, UNHEARD = "ok", "slow", "damaged", "unheard"

log = structlog.get_logger("storage.depot")


class Damaged(StorageError):
    """The place does not give back what was put into it."""

    code = "read_back_differs"


class Depot:
    """A place and its state: `code` is "ok", "slow", "unheard" or the reason of the last failure, `since` when that began."""

    def __init__(self, name: str, store: ObjectStore, clock: SystemClock) -> None:
        self.name = name
        self.code = UNHEARD
        self.since: datetime = clock.now()
        self._store = store
        self._clock = clock
        self._heard_s = -LONGEST_PAUSE_S
        self._pause_s = 0.0
        self._again_at_s = 0.0

    @property
    def rest_s(self) -> float:
        """How long it is better left alone; 0 when it works."""
        return max(0.0, self._again_at_s - self._clock.monotonic()) if self._pause_s else 0.0

    @property
    def unheard_s(self) -> float:
        """Since it last said anything, good or bad."""
        return self._clock.monotonic() - self._heard_s

    async def lay(self, key: str, data: bytes, sha256: str, *, perhaps_there: bool = False) -> None:
        """Put and read back: when this returns, the place has given back exactly these bytes.

        `perhaps_there`: an earlier run may have put it; then it is read first, and not sent again.
        Raises StoreUnavailable (its message is a code), Damaged.
        """
        began_s = self._clock.monotonic()
        try:
            returned = await self._there(key) if perhaps_there else None
            if returned is None:
                await self._store.put(key, data)
                returned = await self._store.stat(key)
        except (ObjectExists, ObjectMissing) as error:
            self._is(DAMAGED)
            raise Damaged(key) from error
        except StoreUnavailable as error:
            self._failed(str(error))
            raise
        if returned.sha256 != sha256:
            self._is(DAMAGED)
            raise Damaged(key)
        self._worked(SLOW if self._clock.monotonic() - began_s > SLOW_S else OK)

    async def _there(self, key: str) -> StoredObject | None:
        try:
            return await self._store.stat(key)
        except ObjectMissing:
            return None

    async def probe(self) -> None:
        """Ask for a sign of life; what comes of it stands in `code`. Never raises."""
        try:
            async with asyncio.timeout(PROBE_WITHIN_S):
                await self._store.put(PROBE_KEY, b"probe")
        except TimeoutError:
            self._failed("timeout")
        except StorageError as error:
            self._failed(str(error) if isinstance(error, StoreUnavailable) else error.code)
        else:
            self._worked(self.code if self.code in {SLOW, DAMAGED} else OK)  # a tiny object cannot take these back

    def _worked(self, code: str) -> None:
        self._pause_s = 0.0
        self._is(code)

    def _failed(self, code: str) -> None:
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._again_at_s = self._clock.monotonic() + self._pause_s
        self._is(code)

    def _is(self, code: str) -> None:
        self._heard_s = self._clock.monotonic()
        if code != self.code:
            (log.info if code == OK else log.error)("store", store=self.name, state=code, before=self.code)
            self.code, self.since = code, self._clock.now()
