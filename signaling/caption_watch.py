"""Can captions be made? Judged by what the transcripts role reports; nobody is left to wonder why nothing is written (S16).

In memory only. Silence counts as trouble: a role that died says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import structlog

from hearing.timeline import Clock
from transcripts.health import CaptionHealth

log = structlog.get_logger("signaling.captions")

SILENCE_S = 20.0
STARTS_WITHIN_S = 90.0  # after our own start; a large model takes long to load

CaptionState = Literal["off", "starting", "on", "delayed", "unavailable"]
SILENT = "captions_silent"
_SILENT_WORDS = "语音识别服务没有回应；请联系技术人员查看 transcripts 服务"


@dataclass(frozen=True, slots=True)
class Captions:
    """What holds now. `detail` is "what; what to do", "" when nothing is wrong; `codes` the same for machines."""

    state: CaptionState
    detail: str = ""
    codes: tuple[str, ...] = ()


OFF = Captions("off")


class CaptionWatch:
    """Hears CaptionHealth; `state()` judges by the clock. Not `wanted`: captions are switched off in this court."""

    def __init__(self, clock: Clock, *, wanted: bool) -> None:
        self._clock = clock
        self._wanted = wanted
        self._since_s = clock.monotonic()
        self._heard: CaptionHealth | None = None
        self._heard_s = 0.0

    def heard(self, health: CaptionHealth) -> None:
        if self._heard is None or self._heard != health:
            codes = [f"{trouble.use}:{trouble.code}" for trouble in health.troubles]
            (log.warning if codes else log.info)("captions", state=health.state, troubles=codes)
        self._heard, self._heard_s = health, self._clock.monotonic()

    def state(self) -> Captions:
        now_s, health = self._clock.monotonic(), self._heard
        if health is None:
            if not self._wanted:
                return OFF
            starting = now_s - self._since_s < STARTS_WITHIN_S
            return Captions("starting") if starting else Captions("unavailable", _SILENT_WORDS, (SILENT,))
        if now_s - self._heard_s > SILENCE_S:
            return Captions("unavailable", _SILENT_WORDS, (SILENT,))
        detail = "\n".join(trouble.message for trouble in health.troubles)
        codes = tuple(trouble.code for trouble in health.troubles)
        match health.state:
            case "starting":
                return Captions("starting", detail, codes)
            case "failed":
                return Captions("unavailable", detail, codes)
            case "away":
                return Captions("delayed", detail, codes)
            case "on":
                return Captions("on", detail, codes)
