"""From the start of a role until its engines work: tried again, and told all the while (transcripts/health.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal

import numpy as np
import structlog

from transcripts.engines import USES, Engines, prepare
from transcripts.health import CaptionHealth, EngineTrouble, Use
from transcripts.http_engine import HttpRecognizer
from transcripts.recognizer import SAMPLE_RATE_HZ, EngineProblem, Recognizer
from transcripts.settings import TranscriptSettings

log = structlog.get_logger(__name__)

REPEAT_S = 5.0
LOOK_S = 0.5
TRY_AGAIN_S = 5.0
AGAIN_S = (15.0, 30.0, 60.0, 120.0, 300.0)  # a person may have put it right; a large model is not hashed every minute


STARTING = CaptionHealth("starting")
Tell = Callable[[CaptionHealth], Awaitable[None]]


def health_of(engines: Engines) -> CaptionHealth:
    """How the engines are now; only an endpoint can fail, and come back, after it was tried."""
    now = tuple(
        EngineTrouble(use, problem.code, problem.message if use == "live" else f"{USES[use]}：{problem.message}")
        for use, endpoint in _endpoints(engines).items()
        if (problem := endpoint.trouble) is not None
    )
    state: Literal["away", "on"] = "away" if any(trouble.use == "live" for trouble in now) else "on"
    return CaptionHealth(state, (*now, *engines.troubles))


def _endpoints(engines: Engines) -> dict[Use, HttpRecognizer]:
    uses: dict[Use, Recognizer | None] = {"live": engines.live, "final": engines.final, "second": engines.second}
    return {use: engine for use, engine in uses.items() if isinstance(engine, HttpRecognizer)}


async def try_again(engines: Engines) -> None:
    """For ever: ask an endpoint that failed whether it is back, so that this is known before somebody speaks."""
    silence = np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)
    while True:
        await asyncio.sleep(TRY_AGAIN_S)
        for endpoint in _endpoints(engines).values():
            if endpoint.trouble is not None:
                with suppress(EngineProblem):
                    await asyncio.to_thread(endpoint.recognise, silence)


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
    settings: TranscriptSettings, failed: Callable[[EngineProblem], None], *, captions: bool = True
) -> Engines:
    """The engines, as soon as they can be made: a role that cannot work says so and waits, it does not die over and over."""
    attempt = 0
    while True:
        try:
            return await asyncio.to_thread(lambda: prepare(settings, captions=captions))
        except EngineProblem as problem:
            wait_s = AGAIN_S[min(attempt, len(AGAIN_S) - 1)]
            log.error("transcripts.unusable", code=problem.code, problem=problem.message, retry_s=wait_s)  # noqa: TRY400
            failed(problem)
            attempt += 1
            await asyncio.sleep(wait_s)
