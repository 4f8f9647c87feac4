"""Does forwarding grow with the number of media workers? One room on each of N workers at the same time.

    python -m benchmarks.sfu.workers --workers 1,2,4

A hearing lives on one worker and workers share nothing, so N workers should carry N times the packets at the same CPU per
packet. Worker n runs on core n; the load of room n on the cores after the workers', or, where there are not enough, beside
a worker ("shared" in the table: then the machine is the limit and only the CPU per packet says anything).
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.sfu.compare import one_run
from benchmarks.sfu.meter import cores_available


def together(workers: int, options: list[str]) -> dict[str, Any]:
    """Run one room on each of so many workers at once."""
    cores = cores_available()
    spare = cores[workers:] or cores
    pinned = [[f"--server-core={cores[n % len(cores)]}", f"--load-core={spare[n % len(spare)]}"] for n in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        runs = list(pool.map(lambda on_cores: one_run("court", options + on_cores), pinned))
    if errors := [run["error"] for run in runs if "error" in run]:
        sys.exit(f"{len(errors)} of {workers} rooms failed: {errors[0]}")
    packets = sum(run["out_packets_per_s"] for run in runs)
    return {
        "workers": workers,
        "shared": len(cores) < 2 * workers,
        "packets_per_s": packets,
        "cpu_us_per_packet": round(sum(run["cpu_us_per_packet"] * run["out_packets_per_s"] for run in runs) / packets, 2),
        "delivery_worst": min(run["delivery"] for run in runs),
        "latency_p99_ms_worst": max(run["latency_p99_ms"] for run in runs),
        "rss_mb": [run["rss_mb"] for run in runs],
        "probe_ms": [run[key] for run in runs for key in ("probe_before_ms", "probe_after_ms")],
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown; growth is against the first row."""
    first = rows[0]
    lines = [
        "| workers | packets/s | growth | µs CPU/packet | against one | worst delivery | worst p99 ms | cores shared |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        growth, cost = row["packets_per_s"] / first["packets_per_s"], row["cpu_us_per_packet"] / first["cpu_us_per_packet"]
        lines.append(
            f"| {row['workers']} | {row['packets_per_s']} | {growth:.2f} | {row['cpu_us_per_packet']} | {cost:.2f} "
            f"| {row['delivery_worst']} | {row['latency_p99_ms_worst']} | {'yes' if row['shared'] else 'no'} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", default="1,2", help="how many at once, one after another")
    parser.add_argument("--publishers", type=int, default=6)
    parser.add_argument("--subscribers", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--no-rtx", action="store_true", help="subscribers refuse RTX: no probes, plain retransmissions")
    given = parser.parse_args()
    options = [f"--publishers={given.publishers}", f"--subscribers={given.subscribers}", f"--seconds={given.seconds}"]
    options += ["--no-rtx"] if given.no_rtx else []
    rows = []
    for workers in map(int, given.workers.split(",")):
        rows.append(together(workers, options))
        print(json.dumps(rows[-1]), flush=True)
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
