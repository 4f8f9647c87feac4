"""The sittings one worker holds: opened by a first table, closed for good, or let go.

A sitting is let go, as at a restart, when another worker has it or when its table has grown too old: signaling answers each
sign of life with the newest number of every sitting, and a table of which it has not been said for `table_life_s` that it
is the newest holds no longer (fail closed). Until then media flows and is recorded without signaling.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping

import structlog

from hearing.audience import GrantTable
from hearing.model import SittingId
from media.aiortc_bridge import now_ms
from media.control import MediaError
from media.courtroom import Courtroom, Surroundings
from media.outlet import Outlet
from media.spool import FinishedSitting, Spool

_log = structlog.get_logger()


class Holdings:
    """`held` are the courtrooms by sitting. One process of the host holds a sitting at a time: the spool's claim says which."""

    def __init__(self, spool: Spool, around: Surroundings) -> None:
        self.held: dict[SittingId, Courtroom] = {}
        self._closing: dict[SittingId, Courtroom] = {}
        self._spool = spool
        self._around = around
        self._claims: dict[SittingId, int] = {}
        self._leaving: set[SittingId] = set()
        self._sure_ms: dict[SittingId, float] = {}  # when the table in force was last known to be the newest
        self._opening = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def courtroom(self, sitting_id: str) -> Courtroom:
        """Raises MediaError sitting_unknown."""
        courtroom = self.held.get(SittingId(sitting_id))
        if courtroom is None:
            raise MediaError("sitting_unknown", "媒体服务器还没有这个庭次的授权表")
        return courtroom

    def people(self) -> list[int]:
        """How many are connected, by sitting."""
        return [courtroom.people for courtroom in self.held.values()]

    def outlets(self) -> Iterator[Outlet]:
        """Where packets leave."""
        for courtroom in self.held.values():
            yield from courtroom.outlets

    async def apply(self, table: GrantTable) -> int:
        """Put a table in force; the first one opens the courtroom. Raises MediaError sitting_held."""
        courtroom = self.held.get(table.sitting_id) or await self._open(table.sitting_id)
        if table.number >= courtroom.number:
            self._sure_ms[table.sitting_id] = now_ms()
        return courtroom.apply(table)

    def recording(self, sitting_id: SittingId) -> Courtroom | None:
        """The courtroom whose segments are being written, also while it closes."""
        return self.held.get(sitting_id) or self._closing.get(sitting_id)

    async def _open(self, sitting_id: SittingId) -> Courtroom:
        async with self._opening:
            if sitting_id in self._leaving:
                raise MediaError("sitting_held", "该庭次正在结束")
            if sitting_id not in self.held:
                await self._claim(sitting_id)
                await asyncio.to_thread(self._spool.repair, sitting_id)
                self.held[sitting_id] = Courtroom(sitting_id, self._around)
                self._sure_ms[sitting_id] = now_ms()
            return self.held[sitting_id]

    async def _claim(self, sitting_id: SittingId) -> None:
        """Raises MediaError sitting_held while another process writes the sitting; a full disk does not stop a hearing."""
        try:
            await asyncio.to_thread(self._spool.make_room, sitting_id)
            claim = self._spool.claim(sitting_id)
        except OSError as error:
            _log.error("sitting_not_claimed", sitting_id=sitting_id, errno=error.errno)
            return
        if claim is None:
            raise MediaError("sitting_held", "该庭次还在另一个媒体服务进程中")
        self._claims[sitting_id] = claim

    async def finish(self, sitting_id: SittingId) -> FinishedSitting:
        """Close a sitting for good, also one of which only the spool knows. Raises MediaError sitting_held."""
        async with self._opening:
            if sitting_id in self._leaving:
                raise MediaError("sitting_held", "该庭次正在结束")
            if sitting_id not in self.held:
                await self._claim(sitting_id)
            self._leaving.add(sitting_id)
        try:
            await self._close(sitting_id, "stop")
            return await asyncio.to_thread(self._spool.finish, sitting_id)
        finally:
            self._give_up(sitting_id)

    async def release(self, sitting_id: SittingId) -> None:
        """Close it here as at a restart; its recording can go on elsewhere."""
        if sitting_id in self._leaving or sitting_id not in self.held:
            return
        self._leaving.add(sitting_id)
        try:
            await self._close(sitting_id, "rotate")
        finally:
            self._give_up(sitting_id)

    async def _close(self, sitting_id: SittingId, closed_by: str) -> None:
        courtroom = self.held.pop(sitting_id, None)
        if courtroom is not None:
            self._closing[sitting_id] = courtroom
            try:
                await courtroom.close(closed_by)
            finally:
                del self._closing[sitting_id]

    def _give_up(self, sitting_id: SittingId) -> None:
        self._leaving.discard(sitting_id)
        self._sure_ms.pop(sitting_id, None)
        claim = self._claims.pop(sitting_id, None)
        if claim is not None:
            os.close(claim)

    # --- is the table still the newest? ----------------------------------------------------

    def heard(self, newest: Mapping[str, int], elsewhere: Iterable[str]) -> None:
        """Signaling's word about the sittings we told it we hold."""
        now = now_ms()
        for sitting_id, courtroom in self.held.items():
            if courtroom.number >= newest.get(sitting_id, courtroom.number + 1):
                self._sure_ms[sitting_id] = now
        for moved in {SittingId(sitting_id) for sitting_id in elsewhere} & self.held.keys():
            self._let_go(moved, "elsewhere")

    def look(self, now: float) -> None:
        """Let go of what nobody vouches for any more; called with every beat, before the courtrooms'."""
        life_ms = self._around.settings.table_life_s * 1000
        for sitting_id in tuple(self.held):
            if now - self._sure_ms[sitting_id] > life_ms:
                self._let_go(sitting_id, "table_too_old")

    def _let_go(self, sitting_id: SittingId, reason: str) -> None:
        if sitting_id in self._leaving:
            return
        _log.warning("sitting_let_go", sitting_id=sitting_id, reason=reason, number=self.held[sitting_id].number)
        self.held[sitting_id].silence("rotate")
        task = asyncio.create_task(self.release(sitting_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- start and end of the process ------------------------------------------------------

    def mend(self) -> list[tuple[SittingId, FinishedSitting]]:
        """At the start (blocks): close as "repair" what a crash left open; answers the finished sittings nobody was told of."""
        unreported: list[tuple[SittingId, FinishedSitting]] = []
        for sitting_id in self._spool.sittings():
            try:
                claim = self._spool.claim(sitting_id)
            except FileNotFoundError:  # shipped and cleared meanwhile
                continue
            if claim is None:
                continue
            try:
                for segment in self._spool.repair(sitting_id):
                    _log.warning("segment_repaired", track_id=segment.track_id, index=segment.index, t1_ms=segment.t1_ms)
                unreported += self._spool.unreported(sitting_id)
            finally:
                os.close(claim)
        return unreported

    async def leave(self) -> None:
        """The process ends: close segments cleanly, but do not call any sitting finished."""
        await asyncio.gather(*(self.release(sitting_id) for sitting_id in tuple(self.held)))
        await asyncio.gather(*self._tasks)
