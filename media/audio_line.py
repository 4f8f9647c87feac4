"""An unbroken line of sound: audio frames placed by their time, lost and muted spans filled with silence of equal length.

The media clock advances only by what is written, and is held to the record clock: what is missing is filled, what would
push the line ahead of time is dropped. So media duration equals wall time (S4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from media.opus import LOST_SILENCE, MUTED_SILENCE, SILENCE_MS, duration_ms

TOLERANCE_MS = 60.0  # between the media clock and a frame's own time, before the line is corrected


class Fill(Enum):
    """Why a block is silence."""

    LOST = LOST_SILENCE
    MUTED = MUTED_SILENCE


@dataclass(frozen=True, slots=True)
class Block:
    """One Opus packet on the line; times in milliseconds of the record clock."""

    t_ms: float
    duration_ms: float
    payload: bytes
    fill: Fill | None = None


class AudioLine:
    """The media clock of one audio track; `position_ms` is where the next block goes."""

    __slots__ = ("position_ms",)

    def __init__(self, start_ms: float) -> None:
        self.position_ms = start_ms

    def add(self, t_ms: float, payload: bytes, fill: Fill, *, after_loss: bool) -> Iterator[Block]:
        """Place one packet heard at `t_ms`; blocks of `fill` come before it where the line has a hole."""
        length_ms = duration_ms(payload)
        behind_ms = t_ms - self.position_ms
        if length_ms == 0.0 or behind_ms < -TOLERANCE_MS:
            return
        if behind_ms > TOLERANCE_MS or (after_loss and behind_ms > 0):
            yield from self._silence(round(behind_ms / SILENCE_MS), fill)
        yield self._block(length_ms, payload, None)

    def fill_until(self, t_ms: float, fill: Fill) -> Iterator[Block]:
        """Silence up to `t_ms` (to the nearest whole block)."""
        yield from self._silence(round((t_ms - self.position_ms) / SILENCE_MS), fill)

    def _silence(self, blocks: int, fill: Fill) -> Iterator[Block]:
        for _ in range(blocks):
            yield self._block(SILENCE_MS, fill.value, fill)

    def _block(self, length_ms: float, payload: bytes, fill: Fill | None) -> Block:
        block = Block(self.position_ms, length_ms, payload, fill)
        self.position_ms += length_ms
        return block
