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
PROVEN_SHARE = 0.87  # an estimate may be half as much again as what was sent: an addition must have been sent as padding
SETTLE_MS = 4_000.0  # after an addition the estimate must have seen it
FIRST_TRY_MS = 30_000.0  # after a fall
OTHER_PATH = 3.0
YOUNG_MS = 15_000.0  # of a connection's life its estimate is still being found
FRESH_MS, FRESH_DIP = 30_000.0, 2.0  # an addition begins with a keyframe, whose queue halves an estimate that was modest
GROWTH = 1.25  # so much more room than at the last change is news
WAIT_MS, MAX_WAIT_MS = 30_000.0, 240_000.0  # without news, between a change and the next addition
SHORT_LIVED_MS = 60_000.0  # an addition that fell within this time was a mistake: the wait doubles
CARRIED_MS = 60_000.0  # what the path carried until so lately, it carries again at once: a tile was small, a page hidden
START_BPS, START_MS = 1_500_000.0, 3_000.0  # until the client's first estimate, for so long; then it sends none
COST_MEMORY_MS = 4_000.0
NOMINAL_BPS = {"l": 120_000.0, "m": 400_000.0, "h": 900_000.0, "single": 400_000.0}


class Costs:
    """What each layer costs, smoothed: one keyframe must not look like a change of the camera.

    Until a layer has been measured for the first time it is taken to cost what is usual; a still screen costs far less.
    """

    def __init__(self) -> None:
        self._bps: dict[tuple[str, str], float] = {}
        self._at_ms = 0.0

    def update(self, measured: Mapping[tuple[str, str], float], now_ms: float) -> None:
        """Take the measured rates by (track id, layer); what is not named any more is forgotten."""
        weight = min(1.0, max(0.0, (now_ms - self._at_ms) / COST_MEMORY_MS))
        self._at_ms = now_ms
        old = self._bps
        self._bps = {
            key: old[key] + weight * (bps - old[key]) if key in old else _first_cost(key[1], bps)
            for key, bps in measured.items()
            if bps > 0 or key in old
        }

    def of(self, track_id: str, layer: str) -> float:
        return self._bps.get((track_id, layer), NOMINAL_BPS.get(layer, 0.0))


def _first_cost(layer: str, bps: float) -> float:
    """The first measurement holds a keyframe, or a picture that has hardly begun."""
    usual = NOMINAL_BPS.get(layer, bps)
    return min(usual, max(bps, usual / 4))


class Viewer:
    """What one client gets. `wanted_bps`: what its path must carry for the next improvement; None: nothing is missing."""

    def __init__(self, now_ms: float) -> None:
        self.chosen: tuple[Chosen, ...] = ()
        self.wanted_bps: float | None = None
        self._born_ms = now_ms
        self._short = Recent(SHORT_DIP_MS)
        self._long = Recent(LONG_DIP_MS)
        self._room = Recent(RAISE_MS)
        self._changed_ms = self._raised_ms = self._fell_ms = now_ms - MAX_WAIT_MS
        self._raised_bps = self._mark_bps = 0.0  # room there was at the last addition, and at one that failed
        self._wait_ms = WAIT_MS
        self._carried = Recent(CARRIED_MS)
        self._shape: dict[str, tuple[str, ...]] = {}

    @property
    def current(self) -> dict[str, str]:
        """The layer of every picture that is sent."""
        return {choice.track_id: choice.layer.name for choice in self.chosen if choice.layer is not None}

    def choose(
        self, demands: Sequence[Demand], estimate: DownEstimate, proven_bps: float, sent_bps: float, now_ms: float
    ) -> None:
        """Deal again: `chosen` and `wanted_bps` are renewed.

        `proven_bps`: what was really sent all the time lately, padding included; `sent_bps`: of pictures now.
        """
        before = _levels(demands, self.current)
        keep_bps, raise_bps = self._limits(estimate, now_ms)
        fits = estimate.bps is not None and not estimate.lossy and estimate.bps >= sent_bps
        if estimate.bps is not None:
            raise_bps = min(raise_bps, proven_bps * PROVEN_SHARE)
        if fits:  # an estimate that nothing has pushed against says nothing against what is sent, whatever that may cost
            keep_bps = max(keep_bps, _cost_bps(demands, self.current))
        is_new_shape = self._is_new_shape(demands)
        again_bps = self._carried.largest if is_new_shape else 0.0
        self.chosen = allocate(demands, self.current, keep_bps, max(raise_bps if self._may_raise(now_ms) else 0.0, again_bps))
        after = _levels(demands, self.current)
        if estimate.bps is not None and before != after and not is_new_shape:
            self._note_change(any(after[track_id] < before[track_id] for track_id in after), now_ms)
        if fits:
            self._carried.add(_cost_bps(demands, self.current), now_ms)
        step_bps = next_step_bps(demands, self.chosen)
        self.wanted_bps = None
        if step_bps is not None:  # a little more than is asked for below
            news_bps = GROWTH * self._mark_bps if now_ms - self._fell_ms < self._wait_ms else 0.0
            self.wanted_bps = 1.05 * max(step_bps * RAISE_MARGIN, step_bps / PROVEN_SHARE, news_bps)

    def _is_new_shape(self, demands: Sequence[Demand]) -> bool:
        """Whether something else is wanted than last time: what changes then, the path is not the cause of."""
        before = self._shape
        self._shape = {d.track_id: tuple(layer.name for layer in d.layers) for d in demands if d.layers and not d.refused}
        return self._shape != before

    def _may_raise(self, now_ms: float) -> bool:
        young = now_ms - self._born_ms < YOUNG_MS
        after_fall = self._fell_ms == self._changed_ms and not young
        if now_ms - self._changed_ms < (FIRST_TRY_MS if after_fall else SETTLE_MS):
            return False
        return self._room.smallest >= GROWTH * self._mark_bps or now_ms - self._fell_ms >= self._wait_ms

    def _limits(self, estimate: DownEstimate, now_ms: float) -> tuple[float, float]:
        """What may stay and what may be added to."""
        if estimate.bps is None:
            unknown = START_BPS if now_ms - self._born_ms < START_MS else float("inf")
            return unknown, unknown
        for recent in (self._short, self._long, self._room):
            recent.add(estimate.bps, now_ms)
        if self._fell_ms == self._changed_ms:  # far below where something was added in vain, the path has become another one
            self._mark_bps = min(self._mark_bps, OTHER_PATH * self._room.smallest)
        keep_bps = float(estimate.bps)
        if not estimate.lossy:
            keep_bps = max(min(self._short.largest, keep_bps * SHORT_DIP), min(self._long.largest, keep_bps * LONG_DIP))
            if now_ms - self._raised_ms < FRESH_MS:
                keep_bps = max(keep_bps, min(self._raised_bps, estimate.bps * FRESH_DIP))
        return keep_bps, self._room.smallest / RAISE_MARGIN

    def _note_change(self, fell: bool, now_ms: float) -> None:
        self._changed_ms = now_ms
        if not fell:
            self._raised_ms, self._raised_bps = now_ms, self._room.smallest
            return
        if now_ms - self._raised_ms < SHORT_LIVED_MS:
            self._wait_ms, self._mark_bps = min(MAX_WAIT_MS, self._wait_ms * 2), self._raised_bps
            self._raised_ms = now_ms - SHORT_LIVED_MS  # what falls now as well falls for the same reason
        elif now_ms - self._fell_ms > SHORT_LIVED_MS:
            self._wait_ms, self._mark_bps = WAIT_MS, 0.0
        self._fell_ms = now_ms
        self._carried = Recent(CARRIED_MS)


def _cost_bps(demands: Sequence[Demand], chosen: Mapping[str, str]) -> float:
    """What the layers that are sent now cost, as far as they are still wanted."""
    levels = _levels(demands, chosen)
    return sum(d.layers[levels[d.track_id]].bps for d in demands if levels.get(d.track_id, -1) >= 0)


def _levels(demands: Sequence[Demand], chosen: Mapping[str, str]) -> dict[str, int]:
    """Layer index of every picture that is wanted; -1: nothing of it."""
    return {d.track_id: d.level(chosen.get(d.track_id, "")) for d in demands if d.layers and not d.refused}
