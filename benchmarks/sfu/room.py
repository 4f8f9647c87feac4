"""A whole courtroom for a while: everyone sends sound and camera and receives all others, recorded as in session.

    python -m benchmarks.sfu.room                        # 12 people, 10 minutes, somebody comes back every 20 s
    python -m benchmarks.sfu.room --people 12 --minutes 180 --rejoin-every 0 --json room.json

One sample a second of the worker's memory and CPU; the time from the connect command to the first packet of somebody else
for everyone who joins; a table by minute and one JSON object at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.sfu.clients import Leg, Place, Publisher, Subscriber, give_feedback
from benchmarks.sfu.court_server import CourtWorker, Participant
from benchmarks.sfu.meter import cpu_s, probe_ms, quantile, rss_bytes
from benchmarks.sfu.servers import own_address
from media.aiortc_bridge import Certificate, now_ms
from media.settings import Network

FIRST_PACKET_WITHIN_S = 15.0
WARM_UP_S = 120.0  # memory may grow until then: caches, recorder, allocator
EDGE_S = 30.0  # memory is compared between means over so long


@dataclass(frozen=True, slots=True)
class Reading:
    """One second of the worker."""

    at_s: float
    cpu_percent: float
    rss_mb: float
    sent: int  # packets of all people since the beginning
    received: int


class Person:
    """Somebody in the room; comes back as a new peer with new connections."""

    def __init__(self, name: str, phase: float, place: Place, worker: CourtWorker, *, rtx: bool) -> None:
        self.name = name
        self.sent = self.received = 0  # over earlier connections
        self.subscriber: Subscriber | None = None
        self._phase = phase
        self._place = place
        self._rtx = rtx
        self._worker = worker
        self._publisher: Publisher | None = None
        self._participant: Participant | None = None
        self._sending: asyncio.Task[None] | None = None

    async def join(self) -> float:
        """Come in; returns the milliseconds from the connect command to the first packet. Raises TimeoutError."""
        self._publisher = Publisher(Leg(self._place), self._phase)
        self.subscriber = Subscriber(Leg(self._place, rtx=self._rtx))
        asked_ms = now_ms()
        self._participant = await self._worker.join(self.name, self._publisher.leg, self.subscriber.leg)
        self._sending = asyncio.create_task(self._publisher.run())
        async with asyncio.timeout(FIRST_PACKET_WITHIN_S):
            while self.subscriber.first_ms is None:
                await asyncio.sleep(0.005)
        return self.subscriber.first_ms - asked_ms

    async def leave(self) -> None:
        self.sent, self.received = self.totals
        subscriber, self.subscriber, self._publisher = self.subscriber, None, None
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)
        if subscriber is not None and self._participant is not None:
            await self._participant.leave()

    @property
    def totals(self) -> tuple[int, int]:
        """Packets sent and received since the beginning."""
        sent = self._publisher.packets if self._publisher is not None else 0
        return self.sent + sent, self.received + (self.subscriber.packets if self.subscriber is not None else 0)


@dataclass(slots=True)
class Room:
    """The people, and what was measured of them."""

    people: list[Person]
    worker: CourtWorker
    joins_ms: list[float] = field(default_factory=list)
    failed_joins: int = 0
    readings: list[Reading] = field(default_factory=list)

    async def fill(self) -> None:
        """Everyone joins one after another; the first finds nobody to receive from before the second has come."""
        first = asyncio.create_task(self.people[0].join())
        for person in self.people[1:]:
            self.joins_ms.append(await person.join())
        await first

    async def rejoin_forever(self, every_s: float) -> None:
        """Somebody leaves and comes back, each in turn."""
        for n in count():
            await asyncio.sleep(every_s)
            person = self.people[n % len(self.people)]
            await person.leave()
            try:
                self.joins_ms.append(await person.join())
            except TimeoutError:
                self.failed_joins += 1

    async def give_feedback(self) -> None:
        """RR, REMB and NACKs of whoever is here."""
        while True:
            present = [person.subscriber for person in self.people if person.subscriber is not None]
            feedback = asyncio.create_task(give_feedback(present))
            await asyncio.sleep(1.0)
            feedback.cancel()

    async def watch(self, seconds: float) -> None:
        """A reading a second."""
        loop, pid = asyncio.get_running_loop(), self.worker.pid
        began_s = due_s = last_s = loop.time()
        used_s = cpu_s(pid)
        while loop.time() - began_s < seconds:
            due_s += 1.0
            await asyncio.sleep(due_s - loop.time())
            now_s, now_used_s = loop.time(), cpu_s(pid)
            totals = [person.totals for person in self.people]
            percent = 100 * (now_used_s - used_s) / (now_s - last_s)
            sent, received = sum(s for s, _ in totals), sum(r for _, r in totals)
            self.readings.append(Reading(now_s - began_s, percent, rss_bytes(pid) / 1e6, sent, received))
            last_s, used_s = now_s, now_used_s


async def run(given: argparse.Namespace) -> dict[str, Any]:
    """Fill the room, watch it, empty it."""
    core = None if given.unpinned else given.server_core
    before_ms = probe_ms(core)
    if not given.unpinned:
        os.sched_setaffinity(0, {given.load_core})
    place = Place(Network(addresses=(own_address(),), loopback=False), Certificate())
    with tempfile.TemporaryDirectory(prefix="sfu-room-") as folder:
        worker = CourtWorker(place, core, Path(folder), recorded=not given.unrecorded)
        try:
            await worker.open()
            names = [f"person{n}" for n in range(given.people)]
            await worker.grant(names, {name: [other for other in names if other != name] for name in names})
            rtx = not given.no_rtx
            room = Room([Person(name, n / len(names), place, worker, rtx=rtx) for n, name in enumerate(names)], worker)
            await sit(room, given.minutes * 60, given.rejoin_every)
        finally:
            await worker.close()
    return {
        "people": given.people, "minutes": given.minutes, "recorded": not given.unrecorded, "rejoin_every_s": given.rejoin_every,
        "rtx": not given.no_rtx,
        **results(room), "reports": worker.signaling.counts,
        "probe_before_ms": round(before_ms, 1), "probe_after_ms": round(probe_ms(core), 1),
    }  # fmt: skip


async def sit(room: Room, seconds: float, rejoin_every_s: float) -> None:
    """From the first who comes to the last who goes."""
    background = [asyncio.create_task(room.give_feedback())]
    try:
        await room.fill()
        if rejoin_every_s:
            background.append(asyncio.create_task(room.rejoin_forever(rejoin_every_s)))
        await room.watch(seconds)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        for person in room.people:
            await person.leave()


def results(room: Room) -> dict[str, Any]:
    """What the readings say."""
    readings, joins = room.readings, room.joins_ms
    settled = [reading for reading in readings if reading.at_s >= min(WARM_UP_S, readings[-1].at_s / 2)]
    early = [r.rss_mb for r in settled if r.at_s < settled[0].at_s + EDGE_S]
    late = [r.rss_mb for r in settled if r.at_s > settled[-1].at_s - EDGE_S]
    return {
        "cpu_percent_mean": round(mean(r.cpu_percent for r in readings), 1),
        "cpu_percent_worst_second": round(max(r.cpu_percent for r in readings), 1),
        "rss_mb_at_end": round(late[-1], 1),
        "growth_mb": round(median(late) - median(early), 2),
        "growth_measured_from_s": round(settled[0].at_s),
        "joins": len(joins),
        "failed_joins": room.failed_joins,
        "join_p50_ms": _rounded(quantile(joins, 0.5)),
        "join_p95_ms": _rounded(quantile(joins, 0.95)),
        "join_worst_ms": _rounded(max(joins, default=None)),
        "by_minute": by_minute(readings, len(room.people)),
    }


def by_minute(readings: list[Reading], people: int) -> list[dict[str, float]]:
    """Means of each minute. Delivery counts everything sent by anyone, also while somebody was away to rejoin."""
    rows = []
    for minute in range(int(readings[-1].at_s // 60) + 1):
        part = [reading for reading in readings if minute <= reading.at_s / 60 < minute + 1]
        if len(part) < 2:
            continue
        sent, received = part[-1].sent - part[0].sent, part[-1].received - part[0].received
        rows.append({
            "minute": minute + 1, "cpu_percent": round(mean(r.cpu_percent for r in part), 1),
            "rss_mb": round(part[-1].rss_mb, 1), "delivery": round(received / max(1, sent * (people - 1)), 4),
            "packets_per_s": round(received / (part[-1].at_s - part[0].at_s)),
        })  # fmt: skip
    return rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def table(result: dict[str, Any]) -> str:
    """The minutes as Markdown."""
    lines = ["| minute | CPU % of a core | RSS MB | delivery | packets/s out |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['minute']} | {row['cpu_percent']} | {row['rss_mb']} | {row['delivery']} | {row['packets_per_s']} |"
        for row in result["by_minute"]
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rejoin-every", type=float, default=20.0, help="seconds; 0: everyone stays")
    parser.add_argument("--unrecorded", action="store_true", help="without recorder and tap")
    parser.add_argument("--no-rtx", action="store_true", help="nobody accepts RTX: no probes, plain retransmissions")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--unpinned", action="store_true", help="leave the placement to the system")
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    result = asyncio.run(run(given))
    print(table(result) + "\n")
    print(json.dumps(result))
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
