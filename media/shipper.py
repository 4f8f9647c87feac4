"""Spool → both stores: verify, encrypt, put, read back from each and compare, report, and only then free the spool.

The spool is the queue: nothing is lost by stopping anywhere. Each store has a lane of its own, so that one that is slow or away
holds up neither the other nor the recording: the other goes on getting its copies, once each, and what is missing is made up
when the store is back. A segment is reported, in the order of its track, when both stores have given it back.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

import aiohttp
import structlog

from media.backlog import Waiting, waiting_in
from media.parcel import DatabaseAway, Held, Packing, Parcel
from media.reporter import Answer, post
from media.settings import ShipperSettings
from media.ship_health import Shipping
from storage.clock import SystemClock
from storage.depot import OK, SLOW, Damaged, Depot
from storage.objects import StorageError, StoreUnavailable
from storage.stores import Stores

AT_ONCE = 4  # segments under way to one store: hides its latency; some 10 MB each are in memory
MOST_AHEAD = 2000  # segments looked at beyond those that are freed: bounds what is remembered while a store is away
BATCH = 50
MAX_PAUSE_S = 10.0
HELD_S, LONGEST_HELD_S = 30.0, 600.0
LAST_WORK_S = 8.0
_log = structlog.get_logger()


@dataclass(slots=True)
class _Hold:
    """A segment that is left alone until `again_at_s`, each time for longer."""

    again_at_s: float
    pause_s: float


class Shipper:
    """Ships the closed segments of one media host."""

    def __init__(self, settings: ShipperSettings, stores: Stores, session: aiohttp.ClientSession, clock: SystemClock) -> None:
        self._settings = settings
        self._session = session
        self._clock = clock
        self._packing = Packing(settings.court_id, stores.keys, stores.objects())
        self._one_packs = asyncio.Lock()
        self._parcels: dict[Path, Parcel] = {}
        self._chain: dict[Path, tuple[int, str]] = {}
        self._held: dict[Path, _Hold] = {}
        self._seen: tuple[float, list[Waiting]] = (0.0, [])
        depots = (Depot("a", stores.first, clock), Depot("b", stores.second, clock))
        self.shipping = Shipping(settings, depots, session, clock)

    # --- for ever, or once -----------------------------------------------------------------

    async def run(self) -> None:
        """Ship until cancelled."""
        async with asyncio.TaskGroup() as group:
            for depot in self.shipping.depots:
                group.create_task(self._lane(depot))
            group.create_task(self._finishing())
            group.create_task(self.shipping.run())

    async def ship_all(self) -> bool:
        """Ship everything that stands in the spool now; True when something had to stay."""
        waiting = self._look()
        await asyncio.gather(*(self._lay_all(depot, waiting) for depot in self.shipping.depots))
        await self._finish(self._look())
        return bool(self._look())

    async def _lane(self, depot: Depot) -> None:
        while True:
            waiting = await asyncio.to_thread(self._look, self._settings.poll_s)
            went_well = depot.rest_s == 0 and await self._lay_all(depot, waiting)
            pause_s = self._settings.poll_s if went_well else max(depot.rest_s, self._settings.poll_s)
            await asyncio.sleep(pause_s)

    async def _finishing(self) -> None:
        pause_s = self._settings.poll_s
        while True:
            await asyncio.sleep(pause_s)
            went_well = await self._finish(await asyncio.to_thread(self._look))
            pause_s = self._settings.poll_s if went_well else min(MAX_PAUSE_S, pause_s * 2)

    def _look(self, within_s: float = 0.0) -> list[Waiting]:
        """What waits; `within_s`: as seen at most so long ago."""
        at_s, seen = self._seen
        now_s = self._clock.monotonic()
        if now_s - at_s < within_s:
            return seen
        try:
            waiting = waiting_in(self._settings.spool)
        except OSError as error:
            self.shipping.is_now("spool_unreadable", type(error).__name__)
            return []
        self._seen = (now_s, waiting)
        self.shipping.saw(waiting)
        if self.shipping.code == "spool_unreadable":
            self.shipping.is_now(OK)
        return waiting

    # --- one lane --------------------------------------------------------------------------

    async def _lay_all(self, depot: Depot, waiting: list[Waiting]) -> bool:
        """Lay down what this place does not have yet, oldest first; False when it, or the database, stopped us.

        A place that was away gets one segment first: several at once would all wait for it in vain.
        """
        todo = iter([one for one in islice(waiting, MOST_AHEAD) if self._needs(depot, one)])
        if depot.code not in {OK, SLOW} and not await self._lay_one(depot, todo):
            return False
        results = await asyncio.gather(*(self._lay_one(depot, todo, on=True) for _ in range(AT_ONCE)))
        return all(results)

    async def _lay_one(self, depot: Depot, todo: Iterator[Waiting], *, on: bool = False) -> bool:
        """The next of `todo`, or with `on` one after the other; False when the place or the database is away."""
        for waiting in todo:
            try:
                await self._lay(depot, waiting)
            except (StoreUnavailable, DatabaseAway) as error:
                if isinstance(error, DatabaseAway):
                    self.shipping.is_now("database", str(error))
                return False
            except (Held, StorageError, OSError) as error:
                self._hold(waiting, error)
            if not on:
                break
        return True

    def _needs(self, depot: Depot, waiting: Waiting) -> bool:
        hold = self._held.get(waiting.sidecar)
        if hold is not None and self._clock.monotonic() < hold.again_at_s:
            return False
        parcel = self._parcels.get(waiting.sidecar)
        return parcel is None or depot.name not in parcel.laid

    async def _lay(self, depot: Depot, waiting: Waiting) -> None:
        parcel = await self._packed(waiting)
        sealed = await self._packing.sealed(parcel)
        try:
            await depot.lay(parcel.kept.stored_key, sealed, parcel.stored_sha256, perhaps_there=not parcel.kept.is_new)
        except Damaged:
            self._parcels.pop(waiting.sidecar, None)
            await self._packing.renew(parcel)  # what lies there stays, unread; the next try has a name of its own
            raise
        parcel.laid.add(depot.name)

    async def _packed(self, waiting: Waiting) -> Parcel:
        """Packed once for both lanes."""
        async with self._one_packs:
            parcel = self._parcels.get(waiting.sidecar)
            if parcel is None:
                parcel = self._parcels[waiting.sidecar] = await self._packing.pack(waiting)
                if self.shipping.code == "database":
                    self.shipping.is_now(OK)
            return parcel

    def _hold(self, waiting: Waiting, error: Exception) -> None:
        """It stays where it is and is tried again later; those behind it go on."""
        if isinstance(error, FileNotFoundError) and not waiting.sidecar.exists():
            return  # shipped by another, or cleared away: nothing waits any more
        before = self._held.get(waiting.sidecar)
        pause_s = HELD_S if before is None else min(LONGEST_HELD_S, 2 * before.pause_s)
        self._held[waiting.sidecar] = _Hold(self._clock.monotonic() + pause_s, pause_s)
        code = error.code if isinstance(error, StorageError) else str(error) if isinstance(error, Held) else "spool_unreadable"
        self.shipping.holds(waiting, code)

    # --- both have it ----------------------------------------------------------------------

    async def _finish(self, waiting: list[Waiting]) -> bool:
        """Confirm, report and free what lies in both places; False when something stopped us."""
        ready = self._ready(waiting)
        went_well = True
        for start in range(0, len(ready), BATCH):
            went_well = await self._finish_batch(ready[start : start + BATCH])
            if not went_well:
                break
        await asyncio.to_thread(self._clear_finished)
        return went_well

    def _ready(self, waiting: list[Waiting]) -> list[Parcel]:
        """Of each track what lies in both places, up to the first that does not; a held one is passed over."""
        ready: list[Parcel] = []
        by_track = sorted(waiting, key=lambda one: str(one.track))  # stable: numbers stay in order
        for _, track in groupby(by_track, key=lambda one: one.track):
            for one in track:
                parcel = self._parcels.get(one.sidecar)
                if parcel is not None and len(parcel.laid) == len(self.shipping.depots):
                    ready.append(parcel)
                elif one.sidecar not in self._held:
                    break
        return ready

    async def _finish_batch(self, parcels: list[Parcel]) -> bool:
        confirmed: list[Parcel] = []
        for parcel in parcels:
            try:
                self._check_chain(parcel)
                await self._packing.confirm(parcel)
            except DatabaseAway as error:
                self.shipping.is_now("database", str(error))
                break
            except Held as error:
                self._hold(parcel.waiting, error)
                self._parcels.pop(parcel.waiting.sidecar, None)
            else:
                confirmed.append(parcel)
        return await self._report(confirmed) and self.shipping.code != "database"

    def _check_chain(self, parcel: Parcel) -> None:
        """The chain goes on from the segment shipped before."""
        segment, track = parcel.segment, parcel.waiting.track
        before = self._chain.get(track)
        if segment.index == 0 and segment.prev_sha256:
            raise Held("chain_broken")
        if before is not None and segment.index == before[0] + 1 and segment.prev_sha256 != before[1]:
            raise Held("chain_broken")
        self._chain[track] = (segment.index, segment.sha256)

    async def _report(self, parcels: list[Parcel]) -> bool:
        """Report a batch; one by one when signaling cannot use one of them, to find which."""
        if not parcels:
            return True
        problem, refused = await self._post(parcels)
        if problem:
            self.shipping.is_now("signaling_away", problem)
            return False
        if self.shipping.code == "signaling_away":
            self.shipping.is_now(OK)
        if refused and len(parcels) > 1:
            return all([await self._report([parcel]) for parcel in parcels])
        for parcel in parcels:
            if refused:
                self._hold(parcel.waiting, Held("report_refused"))
            else:
                await asyncio.to_thread(parcel.free)
                self._held.pop(parcel.waiting.sidecar, None)
                self.shipping.freed(parcel.waiting)
            self._parcels.pop(parcel.waiting.sidecar, None)
        return True

    async def _post(self, parcels: list[Parcel]) -> tuple[str, int]:
        """What went wrong ("": nothing), and how many reports signaling could not use."""
        answers: list[Answer] = []
        settings = self._settings
        problem = await post(
            self._session, settings.signaling_url, settings.internal_token, settings.worker_id,
            [parcel.report() for parcel in parcels], on_answer=answers.append,
        )  # fmt: skip
        return problem, int(answers[0].get("refused", 0)) if answers else 0

    def _clear_finished(self) -> None:
        """Remove the folders of sittings that are reported finished and hold no segment any more."""
        for marker in self._settings.spool.glob("*/reported.json"):
            folder = marker.parent
            if not any(folder.glob("*/[0-9]*")):
                shutil.rmtree(folder)
                self._chain = {track: end for track, end in self._chain.items() if track.parent != folder}


async def ship_forever(settings: ShipperSettings, stores: Stores, clock: SystemClock) -> None:
    """Run the shipper of one media host until cancelled; then empty the spool, as far as that goes at once."""
    async with aiohttp.ClientSession() as session:
        shipper = Shipper(settings, stores, session, clock)
        try:
            await shipper.run()
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORK_S):
                    await shipper.ship_all()
