"""Whose file is opened next: so few at once that hostile ones cannot eat the machine, and no hearing takes every place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary


class Turns:
    """`places` at once in all, one at a time for a hearing; who waits is served in order."""

    def __init__(self, places: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._hearings: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, hearing_id: str) -> AsyncIterator[None]:
        own = self._hearings.setdefault(hearing_id, asyncio.Lock())
        async with own, self._places:
            yield
