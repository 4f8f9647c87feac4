"""Which pictures one client gets, and in which layer, within what its path carries. Pure: no clock, no packets.

Sound is not dealt with here: it goes first and is taken off the budget before (S13). Of the pictures, a shared screen
comes first (its text must be sharp), then the floor holder and the bench, then those who spoke last, then the others.
Everyone gets the smallest layer before anyone gets a larger one, always in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HIDDEN, CROWD, BANDWIDTH = "hidden", "crowd", "bandwidth"
PAUSED = "paused"
SMALL_TILE_PX, MEDIUM_TILE_PX = 240, 480  # up to these heights a quarter and a half of the camera's picture are enough
FULL_SIZE_PX = 1 << 15  # what a page that says nothing of its tiles is taken to show
RIDS = ("l", "m", "h")


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that comes in now: its name (l, m, h, single) and what it costs."""

    name: str
    bps: float


@dataclass(frozen=True, slots=True)
class Demand:
    """One picture, as one client wants it. `layers` from small to large, none larger than the client has use for.

    `rank` 0 counts most; those of equal rank do not displace one another. `refused` says why nothing is sent whatever the
    path carries: hidden (not on the page), crowd (beyond last-N).
    """

    track_id: str
    layers: tuple[Layer, ...]
    rank: int = 0
    refused: str = ""

    def level(self, layer: str) -> int:
        """Where a layer of this name stands; -1 when it is none of them."""
        return next((at for at, one in enumerate(self.layers) if one.name == layer), -1)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is sent of one picture: a layer, or None with the reason."""

    track_id: str
    layer: Layer | None
    reason: str = ""


def useful(layers: Sequence[Layer], tile_px: int) -> tuple[Layer, ...]:
    """The layers up to the smallest that fills a tile of this height; a single layer is useful at any height."""
    most = 0 if tile_px <= SMALL_TILE_PX else 1 if tile_px <= MEDIUM_TILE_PX else 2
    fitting = tuple(layer for layer in layers if layer.name not in RIDS or RIDS.index(layer.name) <= most)
    return fitting or tuple(layers[:1])


def allocate(demands: Sequence[Demand], current: Mapping[str, str], keep_bps: float, raise_bps: float) -> tuple[Chosen, ...]:
    """Deal out the budget by rank: the smallest layer to everyone, then the next larger one to everyone, and so on.

    Two limits make the hysteresis: what is sent already (`current`, layer name by track id) may stay within `keep_bps`; only
    what fits into the smaller `raise_bps` is added, or what takes the place of something that counts less. Among equals,
    what is sent already goes first. The whole never costs more than `keep_bps`.
    """
    wanted = [demand for demand in demands if demand.layers and not demand.refused]
    held = {demand.track_id: demand.level(current.get(demand.track_id, "")) for demand in wanted}
    held_bps = sum(demand.layers[held[demand.track_id]].bps for demand in wanted if held[demand.track_id] >= 0)
    levels = {demand.track_id: -1 for demand in wanted}
    spent = 0.0
    for to in range(max((len(demand.layers) for demand in wanted), default=0)):
        for demand in sorted(wanted, key=lambda d: (d.rank, held[d.track_id] < to)):
            name = demand.track_id
            if levels[name] != to - 1 or to >= len(demand.layers):
                continue
            limit = raise_bps
            if held[name] >= to:
                limit = keep_bps
            elif any(other.rank > demand.rank and held[other.track_id] >= to for other in wanted):
                limit = max(raise_bps, held_bps)
            added = demand.layers[to].bps - (demand.layers[to - 1].bps if to else 0.0)
            if spent + added <= min(limit, keep_bps):
                levels[name] = to
                spent += added
    return tuple(_chosen(demand, levels.get(demand.track_id, -1)) for demand in demands)


def _chosen(demand: Demand, level: int) -> Chosen:
    if level >= 0:
        return Chosen(demand.track_id, demand.layers[level])
    return Chosen(demand.track_id, None, demand.refused or (BANDWIDTH if demand.layers else ""))


def cost_bps(chosen: Sequence[Chosen]) -> float:
    return sum(choice.layer.bps for choice in chosen if choice.layer is not None)


def next_step_bps(demands: Sequence[Demand], chosen: Sequence[Chosen]) -> float | None:
    """What the cheapest improvement would make the whole cost; None when everyone has all they want."""
    steps = []
    by_id = {choice.track_id: choice.layer for choice in chosen}
    for demand in demands:
        if demand.refused or not demand.layers:
            continue
        layer = by_id.get(demand.track_id)
        above = 0 if layer is None else demand.layers.index(layer) + 1
        if above < len(demand.layers):
            steps.append(demand.layers[above].bps - (layer.bps if layer is not None else 0.0))
    return cost_bps(chosen) + min(steps) if steps else None
