"""One client's pictures over time: the deals of allocation.py, held still so that nothing flickers. Pure: times are handed in.

The estimate of a path swings by itself (AIMD: 15 % down at each sign of a queue, slowly up). What is sent stays through such
swings and falls only with a lasting or deep fall or with loss. What was dropped comes back only when the estimate has had
room for it for a while, and each return that did not last doubles the wait for the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from media.allocation import Chosen, Demand, allocate, next_step_bps
from media.estimate import DownEstimate, Recent

SHORT_DIP_MS, SHORT_DIP = 2_000.0, 1.5  # what is sent outlives a dip of the estimate of so long and so deep
LONG_DIP_MS, LONG_DIP = 8_000.0, 1.2
RAISE_MS, RAISE_MARGIN = 4_000.0, 1.25  # a layer is added when there was room, and so much more, for so long
SETTLE_MS = 4_000.0  # after a change the estimate must have seen it
FRESH_MS, FRESH_DIP = 30_000.0, 2.0  # an addition begins with a keyframe, whose queue halves an estimate that was modest
GROWTH = 1.25  # so much more room than at the last change is news
WAIT_MS, MAX_WAIT_MS = 30_000.0, 240_000.0  # without news, between a change and the next addition
SHORT_LIVED_MS = 60_000.0  # an addition that fell within this time was a mistake: the wait doubles
START_BPS, START_MS = 1_500_000.0, 3_000.0  # until the client's first estimate, for so long; then it sends none
AUDIO_MARGIN = 1.1
COST_MEMORY_MS = 4_000.0
NOMINAL_BPS = {"l": 120_000.0, "m": 400_000.0, "h": 900_000.0, "single": 400_000.0}


class Costs:
    """What each layer costs, smoothed: one keyframe must not look like a change of the camera."""

    def __init__(self) -> None:
        self._bps: dict[tuple[str, str], float] = {}
        self._at_ms = 0.0

    def update(self, measured: Mapping[tuple[str, str], float], now_ms: float) -> None:
        """Take the measured rates by (track id, layer); what is not named any more is forgotten."""
        weight = min(1.0, max(0.0, (now_ms - self._at_ms) / COST_MEMORY_MS))
        self._at_ms = now_ms
        old = self._bps
        self._bps = {
            key: (before := old.get(key, NOMINAL_BPS.get(key[1], bps))) + weight * (bps - before)
            for key, bps in measured.items()
        }

    def of(self, track_id: str, layer: str) -> float:
        return self._bps.get((track_id, layer), NOMINAL_BPS.get(layer, 0.0))


class Viewer:
    """What one client gets. `wanted_bps`: what its path must carry for the next improvement; None: nothing is missing."""

    def __init__(self, now_ms: float) -> None:
        self.chosen: tuple[Chosen, ...] = ()
        self.wanted_bps: float | None = None
        self._born_ms = now_ms
        self._short = Recent(SHORT_DIP_MS)
        self._long = Recent(LONG_DIP_MS)
        self._room = Recent(RAISE_MS)
        self._changed_ms = self._raised_ms = now_ms - MAX_WAIT_MS
        self._changed_bps = 0.0
        self._wait_ms = WAIT_MS

    @property
    def current(self) -> dict[str, str]:
        """The layer of every picture that is sent."""
        return {choice.track_id: choice.layer.name for choice in self.chosen if choice.layer is not None}

    def choose(self, demands: Sequence[Demand], estimate: DownEstimate, audio_bps: float, now_ms: float) -> None:
        """Deal again: `chosen` and `wanted_bps` are renewed."""
        before = _levels(demands, self.current)
        keep_bps, raise_bps = self._limits(estimate, audio_bps * AUDIO_MARGIN, now_ms)
        self.chosen = allocate(demands, self.current, keep_bps, raise_bps if self._may_raise(now_ms) else 0.0)
        after = _levels(demands, self.current)
        if estimate.bps is not None and before != after:
            self._note_change(any(after[track_id] < before[track_id] for track_id in after), now_ms)
        step_bps = next_step_bps(demands, self.chosen)
        self.wanted_bps = None
        if step_bps is not None:  # a little more than _limits() and _may_raise() ask for
            news_bps = 0.0 if now_ms - self._changed_ms >= self._wait_ms else GROWTH * self._changed_bps
            self.wanted_bps = 1.02 * max(step_bps * RAISE_MARGIN + audio_bps * AUDIO_MARGIN, news_bps)

    def _may_raise(self, now_ms: float) -> bool:
        since_ms = now_ms - self._changed_ms
        news = self._room.smallest >= GROWTH * self._changed_bps
        return since_ms >= self._wait_ms or (news and since_ms >= SETTLE_MS)

    def _limits(self, estimate: DownEstimate, audio_bps: float, now_ms: float) -> tuple[float, float]:
        """What may stay and what may be added to, for pictures."""
        if estimate.bps is None:
            unknown = START_BPS if now_ms - self._born_ms < START_MS else float("inf")
            return unknown, unknown
        for recent in (self._short, self._long, self._room):
            recent.add(estimate.bps, now_ms)
        keep_bps = float(estimate.bps)
        if not estimate.lossy:
            keep_bps = max(min(self._short.largest, keep_bps * SHORT_DIP), min(self._long.largest, keep_bps * LONG_DIP))
            if now_ms - self._raised_ms < FRESH_MS:
                keep_bps = max(keep_bps, min(self._changed_bps, estimate.bps * FRESH_DIP))
        return max(0.0, keep_bps - audio_bps), max(0.0, (self._room.smallest - audio_bps) / RAISE_MARGIN)

    def _note_change(self, fell: bool, now_ms: float) -> None:
        room_bps = self._short.largest if fell else self._room.smallest
        if fell and now_ms - self._raised_ms < SHORT_LIVED_MS:
            self._wait_ms = min(MAX_WAIT_MS, self._wait_ms * 2)
            room_bps = max(room_bps, self._changed_bps)  # that much was not enough
        elif fell:
            self._wait_ms = WAIT_MS
        else:
            self._raised_ms = now_ms
        self._changed_ms, self._changed_bps = now_ms, room_bps


def _levels(demands: Sequence[Demand], chosen: Mapping[str, str]) -> dict[str, int]:
    """Layer index of every picture that is wanted; -1: nothing of it."""
    return {d.track_id: d.level(chosen.get(d.track_id, "")) for d in demands if d.layers and not d.refused}
