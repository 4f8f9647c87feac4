"""Keeps the media plane in step with the law: every committed act's grant table reaches the worker, in order, for sure.

The worker fails closed and forgets all at a restart, so tables are also sent whole again whenever it comes up or comes
back. Numbers are the ledger's: the worker takes only higher ones, so sending twice does no harm.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from hearing import store
from hearing.audience import GrantTable
from hearing.model import Hearing, Sitting, SittingId, SittingState
from hearing.service import Outcome, grants_of
from hearing.states import LIVE, OVER
from media.control import MediaControl, MediaError
from signaling.errands import Errands
from signaling.parts import Parts

log = structlog.get_logger("signaling.steering")

RETRY_FIRST_S = 0.25
RETRY_LONGEST_S = 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """One table to send; `last` closes the sitting at the worker behind it."""

    table: GrantTable
    last: bool


class Steering:
    """One ordered queue of tables per sitting, emptied by one task at a time."""

    def __init__(self, parts: Parts, errands: Errands) -> None:
        self._parts = parts
        self._errands = errands
        self._queues: dict[SittingId, asyncio.Queue[Order]] = {}
        self._sending: set[SittingId] = set()
        self._placed: dict[SittingId, str] = {}

    async def worker(self, sitting_id: SittingId) -> MediaControl:
        """The worker that holds this sitting; placed on the one of the settings at first use."""
        url = self._parts.settings.media_url
        if self._placed.get(sitting_id) != url:
            await self._parts.hearings.place(sitting_id, url)
            self._placed[sitting_id] = url
        return self._parts.media(url)

    def follow(self, outcome: Outcome) -> None:
        """Send the table an act led to. `effective_at` is the time of the deciding event, not of sending."""
        if outcome.events and outcome.sitting.state in LIVE | OVER:
            self._enqueue(outcome.hearing, outcome.sitting)

    def _enqueue(self, hearing: Hearing, sitting: Sitting) -> None:
        order = Order(grants_of(hearing, sitting), last=sitting.state in OVER)
        self._queues.setdefault(sitting.id, asyncio.Queue()).put_nowait(order)
        if sitting.id not in self._sending:
            self._sending.add(sitting.id)
            self._errands.start(self._send_all(sitting.id), f"grants {sitting.id}")

    async def resend_all(self, *, to_a_new_worker: bool = False) -> None:
        """After a start on either side: the newest table of every live sitting, and the end of every closed one that is not
        sealed: a worker that died while it closed one must be told again.
        """
        current = list(await self._parts.hearings.live_sittings())
        async with self._parts.database.read() as connection:
            closed = await store.sittings_in(connection, frozenset({SittingState.CLOSED}))
        unfinished = [row.sitting.id for row in closed if row.sealed_at is None and row.media_worker_url is not None]
        current += [await self._parts.hearings.load(sitting_id) for sitting_id in unfinished]
        for hearing, sitting in current:
            if to_a_new_worker:
                self._drop_waiting(sitting.id)
            self._enqueue(hearing, sitting)

    def _drop_waiting(self, sitting_id: SittingId) -> None:
        """Older tables say nothing to a worker that holds none. One that was only away must see each: it records by them."""
        queue = self._queues.get(sitting_id)
        while queue is not None and not queue.empty():
            queue.get_nowait()

    async def push(self, sitting_id: SittingId) -> None:
        """The newest table of a live sitting at once, past the queue; the numbers keep the order right."""
        hearing, sitting = await self._parts.hearings.load(sitting_id)
        if sitting.state in LIVE:
            worker = await self.worker(sitting_id)
            await worker.apply_grants(grants_of(hearing, sitting))

    async def _send_all(self, sitting_id: SittingId) -> None:
        queue = self._queues[sitting_id]
        try:
            while not queue.empty():
                await self._send(queue.get_nowait())
        finally:
            self._sending.discard(sitting_id)

    async def _send(self, order: Order) -> None:
        """Until the worker has it. A table that the worker refuses for good is logged: the next one may pass."""
        table = order.table
        delay_s = RETRY_FIRST_S
        while True:
            try:
                worker = await self.worker(table.sitting_id)
                in_force = await worker.apply_grants(table)
                if order.last:
                    await worker.close_sitting(table.sitting_id)
            except MediaError as error:
                if error.code != "media_unreachable":
                    log.warning("grants refused", sitting_id=table.sitting_id, number=table.number, code=error.code)
                    return
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_LONGEST_S)
            else:
                log.info("grants sent", sitting_id=table.sitting_id, number=table.number, in_force=in_force)
                return
