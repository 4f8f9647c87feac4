"""From the start of a role until its engines work: tried again, and told all the while (transcripts/health.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from transcripts.engines import Engines, prepare
from transcripts.health import CaptionHealth, EngineTrouble
from transcripts.http_engine import HttpRecognizer
from transcripts.recognizer import EngineProblem
from transcripts.settings import TranscriptSettings

log = structlog.get_logger(__name__)

REPEAT_S = 5.0
LOOK_S = 0.5
AGAIN_S = (15.0, 30.0, 60.0, 120.0, 300.0)  # a person may have put it right; a large model is not hashed every minute


STARTING = CaptionHealth("starting")
Tell = Callable[[CaptionHealth], Awaitable[None]]


def health_of(engines: Engines) -> CaptionHealth:
    """How the engines are now; only an endpoint can fail after it was tried."""
    trouble = engines.live.trouble if isinstance(engines.live, HttpRecognizer) else None
    if trouble is None:
        return CaptionHealth("on", engines.troubles)
    return CaptionHealth("away", (EngineTrouble("live", trouble.code, trouble.message), *engines.troubles))


class HealthTeller:
    """Says how it is: at once when that changes, and every few seconds. `look` is asked what holds now."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.look: Callable[[], CaptionHealth] = lambda: STARTING

    async def run(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        told, told_s = None, 0.0
        while True:
            now = self.look()
            if now != told or loop.time() - told_s >= REPEAT_S:
                await self._tell(now)
                told, told_s = now, loop.time()
            await asyncio.sleep(LOOK_S)

    def failed(self, problem: EngineProblem) -> None:
        """From now on captions are said to be unavailable, and why."""
        health = CaptionHealth("failed", (EngineTrouble("live", problem.code, problem.message),))
        self.look = lambda: health


async def engines_when_usable(
    settings: TranscriptSettings, failed: Callable[[EngineProblem], None], *, captions: bool = True,
    again_s: tuple[float, ...] = AGAIN_S,
) -> Engines:  # fmt: skip
    """The engines, as soon as they can be made: a role that cannot work says so and waits, it does not die over and over."""
    attempt = 0
    while True:
        try:
            return await asyncio.to_thread(lambda: prepare(settings, captions=captions))
        except EngineProblem as problem:
            wait_s = again_s[min(attempt, len(again_s) - 1)]
            log.error("transcripts.unusable", code=problem.code, problem=problem.message, retry_s=wait_s)  # noqa: TRY400
            failed(problem)
            attempt += 1
            await asyncio.sleep(wait_s)
