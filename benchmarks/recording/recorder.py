"""What recording costs the media worker: CPU per recorded publisher and bytes written per second.

    python -m benchmarks.recording.recorder --publishers 6 --seconds 20 --rounds 3

The same publishers send to a worker that records them and to one that does not; the two take turns, each in a fresh process.
The difference is the recorder (and the tap, which listens as in session). Nobody watches: forwarding costs the same, nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.sfu.clients import Leg, Place, Publisher
from benchmarks.sfu.court_server import CourtWorker
from benchmarks.sfu.meter import cpu_s
from benchmarks.sfu.servers import own_address
from media.aiortc_bridge import Certificate
from media.settings import Network

WARM_UP_S = 3.0


async def measured(publishers: int, seconds: float, *, recorded: bool) -> dict[str, float]:
    """One run: CPU seconds per second, and growth of the spool."""
    place = Place(Network(addresses=(own_address(),), loopback=False), Certificate())
    with tempfile.TemporaryDirectory(prefix="recording-benchmark-") as folder:
        server = CourtWorker(place, None, Path(folder), recorded=recorded)
        sending: list[asyncio.Task[None]] = []
        people = [Publisher(Leg(place, offers=False), n / publishers) for n in range(publishers)]
        try:
            await server.start(publishers, 0)
            for n, person in enumerate(people):
                await server.publish(n, person)
                sending.append(asyncio.create_task(person.run()))
            await asyncio.sleep(WARM_UP_S)
            cpu, spool, sent = cpu_s(server.pid), spool_bytes(folder), sum(p.octets for p in people)
            await asyncio.sleep(seconds)
            return {
                "cpu": (cpu_s(server.pid) - cpu) / seconds,
                "spool_bytes_per_s": (spool_bytes(folder) - spool) / seconds,
                "sent_bytes_per_s": (sum(p.octets for p in people) - sent) / seconds,
            }
        finally:
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)
            for person in people:
                await person.leg.close()
            await server.close()


def spool_bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder, "spool").rglob("*.webm*") if path.is_file())


async def run(publishers: int, seconds: float, rounds: int) -> dict[str, Any]:
    plain, recorded = [], []
    for _ in range(rounds):
        plain.append(await measured(publishers, seconds, recorded=False))
        recorded.append(await measured(publishers, seconds, recorded=True))
    without, with_ = (statistics.median(one["cpu"] for one in runs) for runs in (plain, recorded))
    return {
        "publishers": publishers,
        "seconds": seconds,
        "rounds": rounds,
        "cpu_percent_of_a_core": {"not_recorded": round(100 * without, 1), "recorded": round(100 * with_, 1)},
        "cpu_percent_per_recorded_publisher": round(100 * (with_ - without) / publishers, 2),
        "spool_kib_per_s": round(statistics.median(one["spool_bytes_per_s"] for one in recorded) / 1024, 1),
        "sent_kib_per_s": round(statistics.median(one["sent_bytes_per_s"] for one in recorded) / 1024, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--publishers", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(run(options.publishers, options.seconds, options.rounds))))


if __name__ == "__main__":
    main()
