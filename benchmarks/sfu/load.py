"""One run: start one server, join publishers and subscribers, measure for a while, print one JSON object.

    python -m benchmarks.sfu.load --server court --publishers 6 --subscribers 50 --seconds 8

compare.py starts a fresh process of this for each run. See README.md for the method.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sfu.clients import Leg, Place, Publisher, Subscriber, give_feedback
from benchmarks.sfu.court_server import CourtWorker
from benchmarks.sfu.janus_server import Janus
from benchmarks.sfu.meter import Sample, cpu_s, probe_ms, quantile, rss_bytes, threads
from benchmarks.sfu.reference import Reference
from benchmarks.sfu.servers import Server, own_address
from media.aiortc_bridge import Certificate
from media.settings import Network

SERVERS = ("court", "court-python", "court-compiled", "court-recorded", "janus-1", "janus")
JOINING_AT_ONCE = 4
SETTLE_WITHIN_S = 45.0  # our worker adds pictures for a new client as its path proves itself
SETTLED_MS = 20.0
SETTLED_PACKETS = 100  # audio packets of six publishers in a third of a second
DRAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is made of. Cores None: leave placement to the system (tests)."""

    server: str
    publishers: int
    subscribers: int
    seconds: float
    warm_up_s: float
    loss: float
    rtx: bool
    server_core: int | None
    load_core: int | None


def make_server(plan: Plan, place: Place, folder: Path) -> Server:
    address = place.network.addresses[0]
    match plan.server:
        case "court":
            return CourtWorker(place, plan.server_core, folder)
        case "court-recorded":
            return CourtWorker(place, plan.server_core, folder, recorded=True)
        case "court-python" | "court-compiled":
            return CourtWorker(place, plan.server_core, folder, fanout=plan.server.removeprefix("court-"))
        case "janus-1":
            return Janus(address, plan.server_core, folder, event_loops=1)
        case _:
            return Janus(address, plan.server_core, folder, event_loops=None)


async def run(plan: Plan) -> dict[str, Any]:
    """Carry out the plan. Raises when a client cannot connect."""
    before_ms = probe_ms(plan.server_core)
    if plan.load_core is not None:
        os.sched_setaffinity(0, {plan.load_core})
    place = Place(Network(addresses=(own_address(),), loopback=False), Certificate())
    with tempfile.TemporaryDirectory(prefix="sfu-benchmark-") as folder:
        server = make_server(plan, place, Path(folder))
        try:
            await server.start(plan.publishers, plan.subscribers)
            result = await _measured(plan, server, place)
        finally:
            await server.close()
    return {
        "server": plan.server, "version": server.version, "publishers": plan.publishers, "subscribers": plan.subscribers,
        **result, "probe_before_ms": round(before_ms, 1), "probe_after_ms": round(probe_ms(plan.server_core), 1),
    }  # fmt: skip


async def _measured(plan: Plan, server: Server, place: Place) -> dict[str, Any]:
    sources = Sources(plan, place)
    subscribers = [Subscriber(Leg(place, rtx=plan.rtx), is_witness=n == 0, loss=plan.loss) for n in range(plan.subscribers)]
    feedback = asyncio.create_task(give_feedback(subscribers))
    try:
        await sources.start(server)
        joined_at, joined_cpu_s = time.perf_counter(), cpu_s(server.pid)
        await _join_all(server, subscribers)
        join = {
            "join_wall_s": round(time.perf_counter() - joined_at, 2),
            "join_cpu_ms": round((cpu_s(server.pid) - joined_cpu_s) * 1000 / max(1, plan.subscribers), 1),
        }
        await _settle(plan, subscribers)
        return {**join, **await _window(plan, server, sources, subscribers)}
    finally:
        feedback.cancel()
        await sources.stop()
        for leg in [*(p.leg for p in sources.publishers), *(s.leg for s in subscribers)]:
            await leg.close()


class Sources:
    """The publishers of a run and the tasks that make them send."""

    def __init__(self, plan: Plan, place: Place) -> None:
        offers = plan.server.startswith("janus")
        self.publishers = [Publisher(Leg(place, offers=offers), n / plan.publishers) for n in range(plan.publishers)]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, server: Server) -> None:
        for n, publisher in enumerate(self.publishers):
            await server.publish(n, publisher)
            self._tasks.append(asyncio.create_task(publisher.run()))

    async def stop(self) -> None:
        """Raises what made a publisher stop by itself."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for problem in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(problem, BaseException) and not isinstance(problem, asyncio.CancelledError):
                raise problem

    @property
    def sent(self) -> tuple[int, int]:
        """Packets and payload bytes so far."""
        return sum(p.packets for p in self.publishers), sum(p.octets for p in self.publishers)


async def _join_all(server: Server, subscribers: list[Subscriber]) -> None:
    """A few at a time, as people come."""
    gate = asyncio.Semaphore(JOINING_AT_ONCE)

    async def join(number: int, subscriber: Subscriber) -> None:
        async with gate:
            await server.subscribe(number, subscriber)

    await asyncio.gather(*(join(n, subscriber) for n, subscriber in enumerate(subscribers)))


async def _settle(plan: Plan, subscribers: list[Subscriber]) -> None:
    """Wait until every subscriber gets every stream and what piled up while they joined has been sent.

    Raises TimeoutError when streams are missing. A server that does not catch up is measured as it is.
    """
    wanted, witness = 2 * plan.publishers, subscribers[0]
    deadline = time.perf_counter() + SETTLE_WITHIN_S
    while missing := sum(len(subscriber.streams) < wanted for subscriber in subscribers):
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{missing} of {len(subscribers)} subscribers do not receive all {wanted} streams")
        await asyncio.sleep(0.1)
    while (quantile(witness.latencies_ms[-SETTLED_PACKETS:], 0.9) or 0.0) > SETTLED_MS and time.perf_counter() < deadline:
        await asyncio.sleep(0.1)
    await asyncio.sleep(plan.warm_up_s)


async def _window(plan: Plan, server: Server, sources: Sources, subscribers: list[Subscriber]) -> dict[str, Any]:
    """The measured time itself."""
    reference, witness = await Reference.open(), subscribers[0]
    sources.publishers[0].on_audio_sent = reference.send
    gc.collect()
    gc.freeze()  # this process' own collector should not add to the latency it measures
    witness.latencies_ms.clear()
    (sent, octets), got, own_s = sources.sent, [s.packets for s in subscribers], time.process_time()
    nacked = sum(s.nacked for s in subscribers)
    first = Sample.of(server.pid, plan.server_core)
    await asyncio.sleep(plan.seconds)
    last = Sample.of(server.pid, plan.server_core)
    forwarded, own_s = sum(s.packets for s in subscribers) - sum(got), time.process_time() - own_s
    rss_mb, thread_count = round(rss_bytes(server.pid) / 1e6, 1), threads(server.pid)
    await sources.stop()
    await asyncio.sleep(DRAIN_S)  # delivery counts all that was sent in the window, when nothing is on its way any more
    reference.close()
    sent, octets = sources.sent[0] - sent, sources.sent[1] - octets
    each = [(s.packets - before) / max(1, sent) for s, before in zip(subscribers, got, strict=True)]
    wall_s = last.at_s - first.at_s
    return {
        "seconds": round(wall_s, 2),
        "loss": plan.loss,
        "rtx": plan.rtx,
        "srtp": witness.leg.srtp_profile,
        "in_packets_per_s": round(sent / wall_s, 1),
        "in_mbps": round(octets * 8 / wall_s / 1e6, 3),
        "out_packets_per_s": round(forwarded / wall_s),
        "delivery": round(sum(each) / len(each), 4),
        "worst_subscriber": round(min(each), 4),
        **_cpu(first, last, forwarded),
        **_percentiles("latency", witness.latencies_ms),
        **_percentiles("reference", reference.latencies_ms),
        "rss_mb": rss_mb,
        "threads": thread_count,
        "load_cpu_percent": round(100 * own_s / wall_s, 1),
        "nacked": sum(s.nacked for s in subscribers) - nacked,
        "keyframes_asked": sum(p.keyframes_asked for p in sources.publishers),
    }


def _cpu(first: Sample, last: Sample, forwarded: int) -> dict[str, float]:
    """What the server used between two readings, and what others used of its core."""
    wall_s, used_s = last.at_s - first.at_s, last.cpu_s - first.cpu_s
    others_s = max(0.0, last.core_busy_s - first.core_busy_s - used_s)
    return {
        "cpu_us_per_packet": round(used_s / max(1, forwarded) * 1e6, 2),
        "cpu_percent": round(100 * used_s / wall_s, 1),
        "kernel_percent_of_cpu": round(100 * (last.system_s - first.system_s) / max(0.01, used_s)),
        "others_on_core_percent": round(100 * others_s / wall_s, 1),
    }


def _percentiles(name: str, values_ms: list[float]) -> dict[str, float | None]:
    return {f"{name}_{label}_ms": _ms(quantile(values_ms, q)) for label, q in (("p50", 0.50), ("p99", 0.99))}


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=SERVERS, default="court")
    parser.add_argument("--publishers", type=int, default=6)
    parser.add_argument("--subscribers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured time")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds between the last join and the measurement")
    parser.add_argument("--loss", type=float, default=0.0, help="share of packets each subscriber loses (and NACKs)")
    parser.add_argument("--no-rtx", action="store_true", help="subscribers refuse RTX: no probes, plain retransmissions")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--unpinned", action="store_true", help="leave the placement to the system")
    return parser


def main() -> None:
    given = arguments().parse_args()
    plan = Plan(
        given.server, given.publishers, given.subscribers, given.seconds, given.warm_up, given.loss, not given.no_rtx,
        None if given.unpinned else given.server_core, None if given.unpinned else given.load_core,
    )  # fmt: skip
    print(json.dumps(asyncio.run(run(plan)), ensure_ascii=False))


if __name__ == "__main__":
    main()
