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

    async def resend_all(self) -> None:
        """After a start on either side: the newest table of every live sitting."""
        for hearing, sitting in await self._parts.hearings.live_sittings():
            self._resend(hearing, sitting)

    def _resend(self, hearing: Hearing, sitting: Sitting) -> None:
        """The newest table of a sitting; older ones that still wait say nothing to a worker that holds none."""
        queue = self._queues.setdefault(sitting.id, asyncio.Queue())
        while not queue.empty():
            queue.get_nowait()
        self._enqueue(hearing, sitting)

    async def push(self, sitting_id: SittingId) -> None:
        """The newest table of a live sitting at once, past the queue; the numbers keep the order right."""
        hearing, sitting = await self._parts.hearings.load(sitting_id)
        if sitting.state in LIVE:
            worker = await self.worker(sitting_id)
            await worker.apply_grants(grants_of(hearing, sitting))

    async def close_unfinished(self) -> None:
        """Sittings closed while this process was down may still be held by the worker."""
        async with self._parts.database.read() as connection:
            closed = await store.sittings_in(connection, frozenset({SittingState.CLOSED}))
        for row in closed:
            if row.sealed_at is None and row.media_worker_url is not None:
                self._enqueue(*await self._parts.hearings.load(row.sitting.id))

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
