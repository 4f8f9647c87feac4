"""Is the media plane there? Judged by its own reports; silence is told to people first and to the law later (J20, S11)."""

from __future__ import annotations

import asyncio

import structlog

from hearing.commands import SuspendForFault
from hearing.errors import CourtError
from hearing.model import SYSTEM, SittingId, SittingState
from hearing.timeline import Clock
from signaling.acts import Acts
from signaling.broadcast import Broadcast
from signaling.parts import Parts
from signaling.protocol import MediaLost
from signaling.recording_watch import RecordingWatch
from signaling.steering import Steering
from storage.ids import new_id

log = structlog.get_logger("signaling.media_watch")

TICK_S = 0.5


class MediaWatch:
    """Hears the worker; `run()` looks at the clock."""

    def __init__(self, parts: Parts, acts: Acts, steering: Steering, broadcast: Broadcast, recording: RecordingWatch) -> None:
        self._parts = parts
        self._clock: Clock = parts.clock
        self._acts = acts
        self._steering = steering
        self._broadcast = broadcast
        self._recording = recording
        self._heard_s: float | None = None
        self._begun_s = parts.clock.monotonic()
        self._told_lost = False

    @property
    def silence_s(self) -> float:
        """Since when the worker is unheard; counted from our own start at first."""
        return self._clock.monotonic() - (self._begun_s if self._heard_s is None else self._heard_s)

    @property
    def is_there(self) -> bool:
        return self._heard_s is not None and self.silence_s <= self._parts.settings.media_silence_s

    async def alive(self) -> None:
        """A sign of life. After a silence the worker may have missed tables."""
        self._heard_s = self._clock.monotonic()
        if self._told_lost:
            self._told_lost = False
            log.info("media is back")
            await self._steering.resend_all()

    async def restarted(self) -> None:
        """The worker came up with nothing: send all tables, then let browsers connect again."""
        self._heard_s = self._clock.monotonic()
        self._told_lost = False
        await self._steering.resend_all(to_a_new_worker=True)
        await self._tell_lost(MediaLost(reason="worker_restarted"))

    async def run(self) -> None:
        """For ever: look at the silence of the worker and of the recorders."""
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.look()
            except Exception:
                log.exception("look failed")

    async def look(self) -> None:
        for sitting_id in self._recording.stale():
            await self._broadcast.refresh(sitting_id)
        if self.silence_s > self._parts.settings.media_silence_s and not self._told_lost:
            self._told_lost = True
            log.warning("media is silent", silence_s=round(self.silence_s, 1))
            await self._tell_lost(MediaLost(reason="unreachable"))
        if self.silence_s > self._parts.settings.suspend_after_s:
            await self._suspend_all()

    async def _tell_lost(self, message: MediaLost) -> None:
        for _, sitting in await self._parts.hearings.live_sittings():
            await self._broadcast.send_to(sitting.id, sitting.present, message)

    async def _suspend_all(self) -> None:
        for _, sitting in await self._parts.hearings.live_sittings():
            if sitting.state is SittingState.IN_SESSION:
                await self._suspend(sitting.id)

    async def _suspend(self, sitting_id: SittingId) -> None:
        try:
            await self._acts.give(sitting_id, SuspendForFault(cause="音视频服务中断"), SYSTEM, new_id("fault"))
        except CourtError as error:  # the judge was faster, or the database is away: looked at again in the next round
            log.warning("not suspended", sitting_id=sitting_id, code=error.code)
