"""An unbroken line of sound: audio frames placed by their time, lost and muted spans filled with silence of equal length.

The media clock advances only by what is written, and is held to the record clock: what is missing is filled, what would
push the line ahead of time is dropped. So media duration equals wall time (S4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from media.opus import LOST_SILENCE, MUTED_SILENCE, SILENCE_MS, UNSENT_SILENCE, duration_ms

TOLERANCE_MS = 40.0  # between the media clock and a frame's own time, before the line is corrected
TOO_LATE_MS = 200.0  # beyond what clocks differ: sound that came after its place had been filled
PAUSE_MS = 1_000.0  # a sender that saves on silence (DTX) sends something at least every 400 ms; longer is a device at a stand


class Fill(Enum):
    """Why a block is silence."""

    LOST = LOST_SILENCE
    MUTED = MUTED_SILENCE
    UNSENT = UNSENT_SILENCE


@dataclass(frozen=True, slots=True)
class Block:
    """One Opus packet on the line; times in milliseconds of the record clock."""

    t_ms: float
    duration_ms: float
    payload: bytes
    fill: Fill | None = None


class Permission:
    """When a track may be written: changes by the time of the deciding event, not by when we heard of it."""

    __slots__ = ("_changes",)

    def __init__(self, from_ms: float, granted: bool) -> None:
        self._changes: list[tuple[float, bool]] = [(from_ms, granted)]

    def change(self, from_ms: float, granted: bool) -> None:
        """In force from `from_ms` on; later changes already known are replaced."""
        self._changes = [change for change in self._changes if change[0] < from_ms] or [(from_ms, granted)]
        if self._changes[-1][1] != granted:
            self._changes.append((from_ms, granted))

    def at(self, t_ms: float) -> bool:
        granted = self._changes[0][1]
        for from_ms, now_granted in self._changes:
            if from_ms > t_ms:
                break
            granted = now_granted
        return granted

    def spans(self, start_ms: float, end_ms: float) -> Iterator[tuple[float, bool]]:
        """(end of span, granted) for the spans between two moments."""
        for from_ms, _ in self._changes:
            if start_ms < from_ms < end_ms:
                yield from_ms, self.at(start_ms)
                start_ms = from_ms
        yield end_ms, self.at(start_ms)


class AudioLine:
    """The media clock of one audio track; `position_ms` is where the next block goes, `dropped` what came too late for it."""

    __slots__ = ("_permission", "dropped", "position_ms")

    def __init__(self, start_ms: float, permission: Permission) -> None:
        self.position_ms = start_ms
        self.dropped = 0
        self._permission = permission

    def add(self, t_ms: float, payload: bytes, *, after_loss: bool) -> Iterator[Block]:
        """Place one packet heard at `t_ms`, after silence where the line has a hole before it."""
        length_ms = duration_ms(payload)
        if length_ms == 0.0 or not self._permission.at(t_ms):
            return
        behind_ms = t_ms - self.position_ms
        if behind_ms > TOLERANCE_MS or (after_loss and behind_ms > 0):
            yield from self.fill_until(t_ms, Fill.LOST if after_loss or behind_ms > PAUSE_MS else Fill.UNSENT)
        elif behind_ms < -TOLERANCE_MS:
            muted_within = not self._permission.at(t_ms + length_ms)  # the packet of the act itself comes when it is over
            self.dropped += behind_ms < -TOO_LATE_MS and not muted_within
            return
        yield self._block(length_ms, payload, None)

    def fill_until(self, t_ms: float, missing: Fill = Fill.LOST) -> Iterator[Block]:
        """Silence up to `t_ms` (to the nearest whole block); `missing`: why nothing is there although it was granted."""
        for end_ms, granted in self._permission.spans(self.position_ms, t_ms):
            fill = missing if granted else Fill.MUTED
            for _ in range(round((end_ms - self.position_ms) / SILENCE_MS)):
                yield self._block(SILENCE_MS, fill.value, fill)

    def _block(self, length_ms: float, payload: bytes, fill: Fill | None) -> Block:
        block = Block(self.position_ms, length_ms, payload, fill)
        self.position_ms += length_ms
        return block
