"""Is the media plane there, and does it hold the newest tables? Judged by each worker's own reports.

Silence is told to people first; what a dead worker held goes on at another one; at last it is told to the law (J20, S11).
"""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from hearing.commands import SuspendForFault
from hearing.errors import CourtError
from hearing.model import SYSTEM, SittingId, SittingState
from media.control import MediaError, WorkerAlive
from signaling.acts import Acts
from signaling.broadcast import Broadcast
from signaling.parts import Parts
from signaling.protocol import MediaLost
from signaling.recording_watch import RecordingWatch
from signaling.steering import Steering
from storage.ids import new_id

log = structlog.get_logger("signaling.media_watch")

TICK_S = 0.5
ANSWER_WITHIN_S = 2.0
ASK_AFTER_S, ASK_RECORDER_AFTER_S = 1.5, 4.0  # with several processes: a report that was due went to another one, or nowhere


class MediaWatch:
    """Hears the workers; `run()` looks at the clock."""

    def __init__(self, parts: Parts, acts: Acts, steering: Steering, broadcast: Broadcast, recording: RecordingWatch) -> None:
        self._parts = parts
        self._acts = acts
        self._steering = steering
        self._broadcast = broadcast
        self._recording = recording
        self._fleet = steering.fleet
        self._told_lost: set[str] = set()
        self._given_up: set[str] = set()

    # --- what workers say ------------------------------------------------------------------

    async def alive(self, report: WorkerAlive) -> dict[str, object]:
        """A sign of life. Answers what the worker may rely on: which table is the newest, and which sittings are not its own.

        A worker whose table is older, or that does not hold what it should, is sent the newest.
        """
        url = self._fleet.known(report.control_url)
        standings = await self._parts.hearings.standings()
        if url is None:
            log.warning("report of an unknown worker", control_url=report.control_url)
            return {"newest": {}, "elsewhere": sorted(report.in_force)}
        await self._heard(url, report.people)
        newest = {s.sitting_id: s.number for s in standings if s.media_worker_url == url}
        for sitting_id, number in newest.items():
            if report.in_force.get(sitting_id, -1) < number:
                await self._steering.catch_up(sitting_id)
        elsewhere = [s.sitting_id for s in standings if s.sitting_id in report.in_force and s.sitting_id not in newest]
        return {"newest": newest, "elsewhere": elsewhere}

    async def _heard(self, url: str, people: int) -> None:
        self._fleet.heard(url, people)
        self._given_up.discard(url)
        if url in self._told_lost:  # it may have missed tables
            self._told_lost.discard(url)
            log.info("media is back", worker=url)
            await self._steering.resend(url)

    async def restarted(self, control_url: str) -> None:
        """A worker came up with nothing: send all its tables, then let browsers connect again."""
        url = self._fleet.known(control_url)
        if url is None:
            log.warning("start of an unknown worker", control_url=control_url)
            return
        self._fleet.heard(url, 0)
        self._told_lost.discard(url)
        self._given_up.discard(url)
        await self._steering.resend(url, to_a_new_worker=True)
        await self._tell_lost(url, MediaLost(reason="worker_restarted"))

    # --- what the clock says ---------------------------------------------------------------

    async def run(self) -> None:
        """For ever: look at the silence of the workers and of the recorders."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.look()
            except Exception:
                log.exception("look failed")

    async def look(self) -> None:
        if self._parts.settings.redis_url is not None:
            await self._ask_the_unheard()
        for sitting_id in self._recording.stale():
            await self._broadcast.refresh(sitting_id)
        for url in self._fleet.urls:
            await self._look_at(url, self._fleet.silence_s(url))

    async def _ask_the_unheard(self) -> None:
        """Reports go to one of several signaling processes: the others ask, before they believe in silence and alarm twice."""
        quiet = [url for url in self._fleet.urls if self._fleet.silence_s(url) > ASK_AFTER_S]
        sittings = self._recording.unheard(ASK_RECORDER_AFTER_S)
        await asyncio.gather(*map(self._ask_worker, quiet), *map(self._ask_recorder, sittings))

    async def _ask_worker(self, url: str) -> None:
        with contextlib.suppress(MediaError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._parts.media(url).metrics()
            self._fleet.heard(url)

    async def _ask_recorder(self, sitting_id: SittingId) -> None:
        with contextlib.suppress(MediaError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                report = await (await self._steering.worker(sitting_id)).recorder_health(sitting_id)
            if report is not None:
                self._recording.heard(report)

    async def _look_at(self, url: str, silence_s: float) -> None:
        settings = self._parts.settings
        if silence_s > settings.media_silence_s and url not in self._told_lost:
            self._told_lost.add(url)
            log.warning("media is silent", worker=url, silence_s=round(silence_s, 1))
            await self._tell_lost(url, MediaLost(reason="unreachable"))
        if silence_s > settings.move_after_s and url not in self._given_up and await self._is_dead(url):
            self._given_up.add(url)
            moved = await self._steering.evacuate(url)
            log.warning("worker given up", worker=url, moved=len(moved))
            for sitting_id in moved:
                await self._tell(sitting_id, MediaLost(reason="worker_restarted"))
        if silence_s > settings.suspend_after_s:
            for _, sitting in await self._parts.hearings.live_sittings(url):
                if sitting.state is SittingState.IN_SESSION:
                    await self._suspend(sitting.id)

    async def _is_dead(self, url: str) -> bool:
        """Unheard here, and it does not answer either, while another one is there to take over."""
        if not any(self._fleet.is_there(other) for other in self._fleet.urls if other != url):
            return False
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await self._parts.media(url).metrics()
        except (MediaError, TimeoutError):
            return True
        return False

    async def _tell_lost(self, url: str, message: MediaLost) -> None:
        for _, sitting in await self._parts.hearings.live_sittings(url):
            await self._broadcast.send_to(sitting.id, sitting.present, message)

    async def _tell(self, sitting_id: SittingId, message: MediaLost) -> None:
        _, sitting = await self._parts.hearings.load(sitting_id)
        await self._broadcast.send_to(sitting_id, sitting.present, message)

    async def _suspend(self, sitting_id: SittingId) -> None:
        try:
            await self._acts.give(sitting_id, SuspendForFault(cause="音视频服务中断"), SYSTEM, new_id("fault"))
        except CourtError as error:  # the judge was faster, or the database is away: looked at again in the next round
            log.warning("not suspended", sitting_id=sitting_id, code=error.code)
