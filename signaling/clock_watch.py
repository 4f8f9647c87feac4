"""Is the server's clock sane? A record's times are worth what the clock is (AV-4: 同步录制时间)."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from hearing.timeline import Clock
from storage.clock import kernel_clock
from storage.database import Database

TICK_S = 1.0
STEP_S = 1.0
"""Wall clock against steady clock: more is a step (a person or NTP set the clock), less is slewing."""
REMEMBERED_S = 600.0
APART_S = 1.0


@dataclass(frozen=True, slots=True)
class ClockState:
    """`synchronised` None: the system does not say. `apart_s` is from the database's own clock; None: it has none."""

    stepped_s: float
    synchronised: bool | None
    max_error_ms: float | None
    apart_s: float | None


class ClockWatch:
    """`run()` looks for steps; `state()` tells all that is known."""

    def __init__(self, clock: Clock, database: Database) -> None:
        self._clock = clock
        self._database = database
        self._offset_s = self._offset()
        self._steps: deque[tuple[float, float]] = deque()

    def _offset(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(TICK_S)

    def look(self) -> None:
        """Remember a step of the wall clock."""
        offset_s, now_s = self._offset(), self._clock.monotonic()
        if abs(offset_s - self._offset_s) > STEP_S:
            self._steps.append((now_s, offset_s - self._offset_s))
            self._offset_s = offset_s
        while self._steps and now_s - self._steps[0][0] > REMEMBERED_S:
            self._steps.popleft()

    async def state(self) -> ClockState:
        self.look()
        stepped_s = max((step for _, step in self._steps), key=abs, default=0.0)
        kernel = kernel_clock()
        return ClockState(
            stepped_s, kernel.synchronised if kernel else None, kernel.max_error_ms if kernel else None, await self._apart_s()
        )

    def apart_s(self, there: datetime, took_ms: int) -> float:
        """How far another host's clock is from ours, less what asking took."""
        return max(0.0, abs((self._clock.now() - there) / timedelta(seconds=1)) - took_ms / 1000)

    async def _apart_s(self) -> float | None:
        """SQLite lives on this machine and has our clock."""
        if self._database.is_sqlite:
            return None
        began = self._clock.now()
        async with self._database.read() as connection:
            there: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
        ended = self._clock.now()
        return max(0.0, (there - ended).total_seconds(), (began - there).total_seconds())
