"""Begin and end of every fault of a recording go into the sitting's ledger, from where the statement is drafted (AV-4)."""

from __future__ import annotations

import asyncio

import structlog

from hearing.commands import BeginFault, EndFault
from hearing.errors import CourtError
from hearing.model import SYSTEM, Sitting, SittingId
from hearing.states import OVER
from hearing.timeline import Clock
from signaling.acts import Acts
from signaling.alarms import Alarm
from signaling.recording_watch import RecordingWatch
from storage.ids import new_id

log = structlog.get_logger("signaling.faults")

TICK_S = 0.5
HOLD_S = 5.0
"""A fault that comes back within this is still the same one."""


class FaultKeeper:
    """`run()` looks at what is wrong twice a second."""

    def __init__(self, clock: Clock, acts: Acts, recording: RecordingWatch) -> None:
        self._clock = clock
        self._acts = acts
        self._recording = recording
        self._seen_s: dict[tuple[SittingId, str], float] = {}

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            try:
                await self.keep()
            except Exception:
                log.exception("faults not kept")

    async def keep(self) -> None:
        """Compare what is wrong now with what the ledger says. What could not be written is tried again at the next call."""
        for sitting, faults in self._recording.faults():
            if sitting.state not in OVER:
                await self._keep(sitting, faults)

    async def _keep(self, sitting: Sitting, faults: tuple[Alarm, ...]) -> None:
        now_s = self._clock.monotonic()
        known = {fault.code: fault.tracks for fault in sitting.faults}
        for alarm in faults:
            self._seen_s[sitting.id, alarm.code] = now_s
            tracks = " ".join(alarm.tracks)
            if known.get(alarm.code) != tracks:
                await self._write(sitting.id, BeginFault(alarm.code, tracks, alarm.evidence))
        for code in known.keys() - {alarm.code for alarm in faults}:
            if now_s - self._seen_s.get((sitting.id, code), now_s - HOLD_S) >= HOLD_S:
                self._seen_s.pop((sitting.id, code), None)
                await self._write(sitting.id, EndFault(code))

    async def _write(self, sitting_id: SittingId, command: BeginFault | EndFault) -> None:
        try:
            await self._acts.give(sitting_id, command, SYSTEM, new_id("fault"))
        except CourtError as error:  # out of session meanwhile, or the database is away
            log.warning("fault not written", sitting_id=sitting_id, fault=command.code, code=error.code)
        else:
            log.warning("fault", sitting_id=sitting_id, fault=command.code, began=isinstance(command, BeginFault))
