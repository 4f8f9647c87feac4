"""Which pictures one client gets, and in which layer, within what its path carries. Pure: no clock, no packets.

Sound is not dealt with here: it goes first and is taken off the budget before (S13). Of the pictures, a shared screen
comes first (its text must be sharp), then the floor holder and the bench, then those who spoke last, then the others.
Everyone gets the smallest layer before anyone gets a larger one, both in that order.
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

    `refused` says why nothing is sent whatever the path carries: hidden (not on the page), crowd (beyond last-N).
    """

    track_id: str
    layers: tuple[Layer, ...]
    refused: str = ""


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
    """Deal out the budget in the order of `demands`.

    Two limits make the hysteresis: what is sent already (`current`, layer name by track id) may stay within `keep_bps`;
    only what fits into the smaller `raise_bps` is added. The whole never costs more than `keep_bps`.
    """
    level: dict[str, int] = {}
    spent = 0.0

    def reach(demand: Demand, to: int) -> bool:
        """Move one picture to layer `to` if the limit that holds for it allows."""
        nonlocal spent
        at = level.get(demand.track_id)
        added = demand.layers[to].bps - (demand.layers[at].bps if at is not None else 0.0)
        names = [layer.name for layer in demand.layers]
        held = current.get(demand.track_id, "")
        limit = keep_bps if held in names and names.index(held) >= to else raise_bps
        if spent + added > min(limit, keep_bps):
            return False
        level[demand.track_id] = to
        spent += added
        return True

    wanted = [demand for demand in demands if demand.layers and not demand.refused]
    for demand in wanted:
        reach(demand, 0)
    for demand in wanted:
        if demand.track_id in level:
            for to in range(1, len(demand.layers)):
                if not reach(demand, to):
                    break
    return tuple(_chosen(demand, level.get(demand.track_id)) for demand in demands)


def _chosen(demand: Demand, level: int | None) -> Chosen:
    if level is not None:
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
