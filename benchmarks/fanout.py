"""CPU per packet of the fan-out, compiled and in Python: `python -m benchmarks.fanout [--endpoints 50]` prints JSON.

Real endpoints (ICE, DTLS, SRTP) over loopback in one process; the receivers throw datagrams away before decryption, and only
the sending is measured. Loopback charges the kernel's receiving to the sender, for both loops alike. The loops take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import time

from media import fanout
from media.aiortc_bridge import Certificate, Endpoint
from media.rtp_rewrite import build
from media.settings import Network

LOOPBACK = Network(addresses=("127.0.0.1",))
PAYLOAD_BYTES = 1_100
BURST = 10
ROUNDS = 6


async def joined(certificate: Certificate) -> tuple[Endpoint, Endpoint]:
    server = Endpoint(controlling=True, network=LOOPBACK, certificate=certificate)
    client = Endpoint(controlling=False, network=LOOPBACK, certificate=certificate)
    await server.gather()
    await client.gather()
    await asyncio.gather(
        server.start(client.local, "server", use_candidates=False),
        client.start(server.local, "client"),
    )
    client.drop = lambda _: True
    return server, client


async def us_per_packet(out: fanout.FanOut, first: int, packets: int, endpoints: int) -> float:
    """CPU microseconds for one packet to one endpoint, in bursts that leave the receivers time to empty their buffers."""
    used_s = 0.0
    for burst in range(packets // BURST):
        ready = [
            build(96, sequence & 0xFFFF, sequence * 3_000 & 0xFFFFFFFF, 7, bytes(PAYLOAD_BYTES))
            for sequence in range(first + burst * BURST, first + (burst + 1) * BURST)
        ]
        before = time.process_time()
        for packet in ready:
            out.send(packet)
        used_s += time.process_time() - before
        await asyncio.sleep(0.02 + endpoints * BURST * 20e-6)
    return used_s * 1e6 / (packets * endpoints)


async def measure(endpoints: int, packets: int) -> dict[str, object]:
    certificate = Certificate()
    pairs = [await joined(certificate) for _ in range(endpoints)]
    found: dict[str, list[float]] = {"compiled": [], "python": []}
    first = 0
    for turn in range(2 * ROUNDS):
        loop = "compiled" if turn % 2 == 0 else "python"
        if fanout.use_compiled(loop == "compiled") != (loop == "compiled"):
            continue
        out = fanout.FanOut([server for server, _ in pairs])
        found[loop].append(await us_per_packet(out, first, packets, endpoints))
        first += packets
    medians = {loop: round(statistics.median(values), 2) for loop, values in found.items() if values}
    result = {
        "endpoints": endpoints,
        "packet_bytes": PAYLOAD_BYTES + 12,
        "packets_per_round": packets,
        "us_per_packet": {loop: [round(value, 2) for value in values] for loop, values in found.items()},
        "median_us_per_packet": medians,
        "ratio": round(medians["compiled"] / medians["python"], 3) if len(medians) == len(found) else None,
        "dropped": sum(server.outlet.dropped for server, _ in pairs),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }
    for server, client in pairs:
        await client.close()
        await server.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=50)
    parser.add_argument("--packets", type=int, default=200)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(arguments.endpoints, arguments.packets)), indent=2))


if __name__ == "__main__":
    main()
