"""One participant's presence in the media plane: the connection up, the connection down, and how both are doing."""

from __future__ import annotations

import asyncio
import contextlib

from hearing.model import ParticipantId
from media.aiortc_bridge import now_ms
from media.control import MediaError, Offer
from media.downlink import Downlink
from media.link import Link
from media.outlet import Outlet
from media.uplink import Uplink

CONNECT_WITHIN_MS = 20_000.0
PROBE_AFTER_MS = 1_200.0  # a quiet connection is asked for consent (RFC 7675) before it is called dead
PROBES_AT_ONCE = 8  # to a connection that does not answer: each waits one and a half seconds


class Peer:
    """At most one lives per participant; `state` is new, connected, lost or closed."""

    def __init__(self, peer_id: str, up: Uplink, down: Downlink, silence_s: float) -> None:
        self.peer_id = peer_id
        self.participant_id: ParticipantId = up.participant_id
        self.up = up
        self.down = down
        self.state = "new"
        self._silence_ms = silence_s * 1000
        self._created_ms = now_ms()
        self._probes: dict[str, set[asyncio.Task[bool]]] = {"up": set(), "down": set()}

    def link(self, connection: str) -> Uplink | Downlink:
        """The connection by its wire name; raises MediaError connection_unknown."""
        if connection == "up":
            return self.up
        if connection == "down":
            return self.down
        raise MediaError("connection_unknown", f"没有名为 {connection} 的连接")

    async def gather(self) -> tuple[Offer, Offer]:
        """Open the sockets of both connections and make their first offers."""
        await asyncio.gather(self.up.gather(), self.down.gather())
        return self.up.make_offer(), self.down.make_offer()

    @property
    def outlets(self) -> tuple[Outlet, Outlet]:
        return self.up.endpoint.outlet, self.down.endpoint.outlet

    @property
    def is_connected(self) -> bool:
        return self.up.is_connected and self.down.is_connected

    def is_lost(self, now: float) -> bool:
        """True when it never connected in time, or a connection ended or has been silent too long."""
        links: tuple[Link, ...] = (self.up, self.down)
        if any(link.endpoint.state in {"closed", "failed"} for link in links):
            return True
        if not self.is_connected:
            return now - self._created_ms > CONNECT_WITHIN_MS
        return max(link.silent_ms(now) for link in links) > self._silence_ms

    def probe_if_quiet(self, now: float) -> None:
        """Ask quiet connections for a sign of life; called a few times a second, so that one lost question is no silence."""
        for link in (self.up, self.down):
            probes = self._probes[link.name]
            if link.is_connected and link.silent_ms(now) > PROBE_AFTER_MS and len(probes) < PROBES_AT_ONCE:
                task = asyncio.create_task(link.endpoint.probe())
                probes.add(task)
                task.add_done_callback(probes.discard)

    def restarts_due(self, now: float) -> list[Link]:
        """The connections whose path has just broken: each needs an offer with new ICE credentials."""
        return [link for link in (self.up, self.down) if link.restart_due(now)]

    @property
    def quality(self) -> str:
        """good, fair, poor or lost, from loss and round trip."""
        if self.state == "lost":
            return "lost"
        loss, rtt_ms = max(self.up.loss, self.down.loss), self.down.rtt_ms or 0.0
        if loss < 0.03 and rtt_ms < 250:
            return "good"
        return "fair" if loss < 0.10 and rtt_ms < 500 else "poor"

    async def close(self) -> None:
        """Free both connections. Order: probes, up (nothing more comes in), down."""
        probes = [task for tasks in self._probes.values() for task in tasks]
        for task in probes:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*probes, return_exceptions=True)
        await self.up.close()
        await self.down.close()
