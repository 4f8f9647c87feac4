"""The transcripts role in a process of its own, as in production: its CPU can be counted, and it can be killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

from storage.clock import SystemClock
from transcripts.settings import TranscriptSettings
from transcripts.worker import serve

READY_WITHIN_S = 120.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class RoleProcess:
    """One life of the role: started by `start()`, ended by `kill()`, as power would be cut."""

    def __init__(self, settings: TranscriptSettings) -> None:
        context = multiprocessing.get_context("spawn")
        self._ready = context.Event()
        self._process = context.Process(target=_run, args=(settings, self._ready), daemon=True)

    async def start(self) -> None:
        """Return once captions can be made."""
        self._process.start()
        if not await asyncio.to_thread(self._ready.wait, READY_WITHIN_S):
            self.kill()
            raise TimeoutError("the transcripts role did not become ready")

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        self._process.kill()
        self._process.join()

    def cpu_s(self) -> float:
        """User and system time of all its threads so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _run(settings: TranscriptSettings, ready: Event) -> None:
    asyncio.run(serve(settings, SystemClock(), ready=ready.set))
