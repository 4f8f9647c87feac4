"""Keeps the media plane in step with the law: every committed act's grant table reaches the worker, in order, for sure.

A worker fails closed and forgets all at a restart, so tables are also sent whole again whenever it comes up, comes back, or
says that it holds an older one. Numbers are the ledger's: a worker takes only higher ones, so sending twice does no harm.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hearing import store
from hearing.audience import GrantTable
from hearing.model import Hearing, Sitting, SittingId, SittingState
from hearing.service import Outcome, grants_of
from hearing.states import LIVE, OVER
from media.control import MediaControl, MediaError
from signaling.errands import Errands
from signaling.fleet import Fleet
from signaling.parts import Parts

log = structlog.get_logger("signaling.steering")

RETRY_FIRST_S = 0.25
RETRY_LONGEST_S = 2.0
PASSING = frozenset({"media_unreachable", "sitting_held"})
"""Refusals that pass: the worker is away, or the one before it has not let go of the sitting yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """One table to send; `last` closes the sitting at the worker behind it.

    `acted`: an act of this moment led to it. `worker_url`: who held the sitting then, so that nobody need be asked first.
    """

    table: GrantTable
    last: bool
    acted: bool
    worker_url: str | None


class Steering:
    """One ordered queue of tables per sitting, emptied by one task at a time.

    `applied(seconds)` is told how long after the act its table was in force.
    """

    def __init__(self, parts: Parts, errands: Errands, fleet: Fleet, applied: Callable[[float], None]) -> None:
        self._parts = parts
        self._errands = errands
        self.fleet = fleet
        self._applied = applied
        self._queues: dict[SittingId, asyncio.Queue[Order]] = {}
        self._sending: set[SittingId] = set()

    # --- which worker ----------------------------------------------------------------------

    async def worker(self, sitting_id: SittingId) -> MediaControl:
        """The worker that holds this sitting. At first use, and when that one is no more, it is placed on the lightest."""
        url = await self._parts.hearings.worker_of(sitting_id)
        return self._parts.media(url if url in self.fleet.urls else await self._move(sitting_id, url))

    async def _move(self, sitting_id: SittingId, away_from: str | None) -> str:
        """Place the sitting anew, unless another process has; returns the worker that holds it now."""
        standings = await self._parts.hearings.standings()
        placed = Counter(s.media_worker_url for s in standings if s.media_worker_url is not None)
        chosen = self.fleet.lightest(placed, without=(away_from,))
        holder = await self._parts.hearings.place(sitting_id, chosen, instead_of=away_from)
        log.info("sitting placed", sitting_id=sitting_id, worker=holder, instead_of=away_from)
        return holder or chosen

    async def evacuate(self, worker_url: str) -> list[SittingId]:
        """A worker is dead: what it held goes on at the others. Answers the sittings that moved."""
        current = await self._held_by(worker_url)
        for hearing, sitting in current:
            await self._move(sitting.id, worker_url)
            self._drop_waiting(sitting.id)
            self._enqueue(hearing, sitting)
        return [sitting.id for _, sitting in current]

    # --- what to send ----------------------------------------------------------------------

    def follow(self, outcome: Outcome) -> None:
        """Send the table an act led to. `effective_at` is the time of the deciding event, not of sending."""
        if outcome.events and outcome.sitting.state in LIVE | OVER:
            self._enqueue(outcome.hearing, outcome.sitting, acted=True, worker_url=outcome.media_worker_url)

    def _enqueue(self, hearing: Hearing, sitting: Sitting, *, acted: bool = False, worker_url: str | None = None) -> None:
        order = Order(grants_of(hearing, sitting), sitting.state in OVER, acted, worker_url)
        self._queues.setdefault(sitting.id, asyncio.Queue()).put_nowait(order)
        if sitting.id not in self._sending:
            self._sending.add(sitting.id)
            self._errands.start(self._send_all(sitting.id), f"grants {sitting.id}")

    async def resend(self, worker_url: str | None = None, *, to_a_new_worker: bool = False) -> None:
        """After a start on either side: the newest tables of what this worker holds, of all when none is named."""
        for hearing, sitting in await self._held_by(worker_url):
            if to_a_new_worker:
                self._drop_waiting(sitting.id)
            self._enqueue(hearing, sitting)

    async def catch_up(self, sitting_id: SittingId) -> None:
        """The worker holds an older table than the newest, and none is on its way: one was lost."""
        if sitting_id not in self._sending:
            log.info("worker is behind, sending the newest table", sitting_id=sitting_id)
            self._enqueue(*await self._parts.hearings.load(sitting_id))

    async def _held_by(self, worker_url: str | None) -> list[tuple[Hearing, Sitting]]:
        """Every live sitting, and every closed one that is not sealed: a worker that died while it closed one must be told
        again.
        """
        current = list(await self._parts.hearings.live_sittings(worker_url))
        async with self._parts.database.read() as connection:
            closed = await store.sittings_in(connection, frozenset({SittingState.CLOSED}))
        unfinished = [
            row.sitting.id
            for row in closed
            if row.sealed_at is None and row.media_worker_url is not None and worker_url in {None, row.media_worker_url}
        ]
        return current + [await self._parts.hearings.load(sitting_id) for sitting_id in unfinished]

    def _drop_waiting(self, sitting_id: SittingId) -> None:
        """Older tables say nothing to a worker that holds none. One that was only away must see each: it records by them."""
        queue = self._queues.get(sitting_id)
        while queue is not None and not queue.empty():
            queue.get_nowait()

    # --- sending ---------------------------------------------------------------------------

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
        table, url = order.table, order.worker_url
        delay_s = RETRY_FIRST_S
        while True:
            try:
                worker = self._parts.media(url) if url in self.fleet.urls else await self.worker(table.sitting_id)
                in_force = await worker.apply_grants(table)
                if order.acted:
                    self._applied((self._parts.clock.now() - table.effective_at).total_seconds())
                if order.last:
                    await worker.close_sitting(table.sitting_id)
            except MediaError as error:
                if error.code not in PASSING:
                    log.warning("grants refused", sitting_id=table.sitting_id, number=table.number, code=error.code)
                    return
                url = None  # it may have moved
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, RETRY_LONGEST_S)
            else:
                log.info("grants sent", sitting_id=table.sitting_id, number=table.number, in_force=in_force)
                return
