"""How shipping goes, for signaling: every 3 s, also when nothing is recorded, with a sign of life of each store every 10 s."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import structlog

from media.backlog import Waiting
from media.control import PlaceState, StoreHealth
from media.reporter import post
from media.settings import ShipperSettings
from media.spool import Spool
from storage.clock import SystemClock
from storage.depot import OK, Depot

REPORT_EVERY_S = 3.0
PROBE_AFTER_S = 10.0
LOOK_EVERY_S = 1.0
_log = structlog.get_logger()


class Shipping:
    """The shipper tells what it meets; `run` reports it. `code` is "ok" or what lies between spool and stores."""

    def __init__(
        self, settings: ShipperSettings, depots: tuple[Depot, Depot], session: aiohttp.ClientSession, clock: SystemClock
    ) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self.depots = depots
        self.code = OK
        self._since = clock.now()
        self._waiting: list[Waiting] = []
        self._held: dict[Path, str] = {}

    # --- what the shipper meets ------------------------------------------------------------

    def is_now(self, code: str, problem: str = "") -> None:
        if code != self.code:
            (_log.info if code == OK else _log.error)("shipping", state=code, before=self.code, problem=problem)
            self.code, self._since = code, self._clock.now()

    def saw(self, waiting: list[Waiting]) -> None:
        self._waiting = waiting

    def holds(self, waiting: Waiting, code: str) -> None:
        """Say it once: a segment that stays is tried again."""
        if self._held.get(waiting.sidecar) != code:
            self._held[waiting.sidecar] = code
            _log.error("segment_not_shipped", segment=waiting.name, problem=code)

    def freed(self, waiting: Waiting) -> None:
        self._held.pop(waiting.sidecar, None)

    # --- what signaling hears --------------------------------------------------------------

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reporting())
            for depot in self.depots:
                group.create_task(self._probing(depot))

    async def _probing(self, depot: Depot) -> None:
        """A place that is in use says how it is by that; only silence is asked about."""
        while True:
            if depot.unheard_s >= PROBE_AFTER_S:
                await depot.probe()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _reporting(self) -> None:
        settings = self._settings
        while True:
            report = await asyncio.to_thread(self.report)
            await post(self._session, settings.signaling_url, settings.internal_token, settings.worker_id, [report])
            await asyncio.sleep(REPORT_EVERY_S)

    def report(self) -> StoreHealth:
        """What holds now. Reads the disk."""
        waiting = self._waiting
        oldest_s = self._clock.now().timestamp() - min((one.closed_s for one in waiting), default=0.0) if waiting else 0.0
        still = {one.sidecar for one in waiting}
        a, b = (PlaceState(depot.code, depot.since) for depot in self.depots)
        return StoreHealth(
            host=self._settings.worker_id, a=a, b=b, shipping=PlaceState(self.code, self._since),
            backlog_segments=len(waiting), backlog_bytes=sum(one.bytes for one in waiting), oldest_age_s=max(0.0, oldest_s),
            spool_free_bytes=Spool(self._settings.spool).free_bytes(),
            held=dict(Counter(code for path, code in list(self._held.items()) if path in still)),
        )  # fmt: skip
