"""Our worker beside Janus' videoroom: the same clients, the same streams, the same cipher, taking turns.

    python -m benchmarks.sfu.compare                                   # 6 x 50, court and janus-1, three rounds
    python -m benchmarks.sfu.compare --servers court,janus-1,janus,court-recorded --rounds 5 --seconds 10
    python -m benchmarks.sfu.compare --servers court-python,court-compiled,janus-1 --json out.json

Prints each run as one line of JSON and a table at the end. A run with delivery below the limit is void and done again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.sfu.janus_server import is_installed
from benchmarks.sfu.load import SERVERS, arguments

YARDSTICK = "janus-1"
DISTURBED = 1.15  # a probe this much slower than the fastest of all runs: somebody else was at work

Run = dict[str, Any]


def one_run(server: str, options: list[str]) -> Run:
    """A fresh load process; a failure is a void run that says why."""
    command = [sys.executable, "-m", "benchmarks.sfu.load", "--server", server, *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        errors = [line for line in ended.stderr.splitlines() if "Error" in line]
        return {"server": server, "error": errors[-1][:300] if errors else f"exit status {ended.returncode}"}
    result: Run = json.loads(ended.stdout.splitlines()[-1])
    return result


def valid_run(server: str, options: list[str], limits: argparse.Namespace, round_number: int) -> list[Run]:
    """Run until delivery is good enough, at most `repeats` times more; all attempts, the void ones marked."""
    attempts: list[Run] = []
    for _ in range(limits.repeats + 1):
        run = {"round": round_number, **one_run(server, options)}
        run["void"] = "error" in run or not limits.min_delivery <= run["delivery"] <= 2 - limits.min_delivery
        attempts.append(run)
        print(json.dumps(run), flush=True)
        if not run["void"]:
            break
    return attempts


def mark_disturbed(runs: list[Run]) -> None:
    """Compare each run's probes with the fastest probe of all."""
    fastest_ms = min((run[key] for run in runs for key in PROBES if key in run), default=0.0)
    for run in runs:
        slowest_ms = max((run[key] for key in PROBES if key in run), default=0.0)
        run["disturbed"] = slowest_ms > DISTURBED * fastest_ms or run.get("others_on_core_percent", 0.0) > 10.0


PROBES = ("probe_before_ms", "probe_after_ms")


def summary(server: str, runs: list[Run]) -> Run:
    """Medians over the valid runs of a server, and the ratio to the yardstick run by run of the same round."""
    own = [run for run in runs if run["server"] == server]
    valid = [run for run in own if not run["void"]]
    yardstick = {run["round"]: run["cpu_us_per_packet"] for run in runs if run["server"] == YARDSTICK and not run["void"]}
    ratios = [run["cpu_us_per_packet"] / yardstick[run["round"]] for run in valid if run["round"] in yardstick]
    row: Run = {
        "server": server,
        "valid": len(valid),
        "void": len(own) - len(valid),
        "disturbed": sum(r["disturbed"] for r in valid),
    }
    for key in COLUMNS:
        values = [run[key] for run in valid if run[key] is not None]
        row[key] = round(median(values), 3) if values else None
    costs = [run["cpu_us_per_packet"] for run in valid]
    row["cpu_us_range"] = [min(costs), max(costs)] if costs else None
    row["ratio"] = round(median(ratios), 2) if ratios else None
    row["ratio_range"] = [round(min(ratios), 2), round(max(ratios), 2)] if ratios else None
    return row


COLUMNS = (
    "cpu_us_per_packet", "latency_p50_ms", "latency_p99_ms", "reference_p50_ms", "reference_p99_ms", "delivery", "rss_mb",
    "join_cpu_ms",
)  # fmt: skip


def table(rows: list[Run]) -> str:
    """The summary as Markdown."""
    head = [
        "server", "runs (void, disturbed)", "µs CPU/packet (range)", f"ratio to {YARDSTICK} (range)", "latency p50 ms", "p99 ms",
        "of it the load's own p50 / p99", "delivery", "RSS MB", "join ms CPU",
    ]  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [
            row["server"], f"{row['valid']} ({row['void']}, {row['disturbed']})",
            _with_range(row["cpu_us_per_packet"], row["cpu_us_range"]), _with_range(row["ratio"], row["ratio_range"]),
            row["latency_p50_ms"], row["latency_p99_ms"], f"{row['reference_p50_ms']} / {row['reference_p99_ms']}",
            row["delivery"], row["rss_mb"], row["join_cpu_ms"],
        ]  # fmt: skip
        lines.append("| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def _with_range(value: float | None, limits: list[float] | None) -> str | None:
    return None if value is None or limits is None else f"{value} ({limits[0]}–{limits[1]})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[arguments()],
        conflict_handler="resolve",
    )
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--servers", default="court,janus-1", help=f"any of {', '.join(SERVERS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2, help="how often a void run is repeated")
    parser.add_argument("--min-delivery", type=float, default=0.99)
    parser.add_argument("--json", type=Path, help="write all runs and the summary here")
    given = parser.parse_args()
    servers = given.servers.split(",")
    if unknown := set(servers) - set(SERVERS):
        parser.error(f"unknown servers: {', '.join(sorted(unknown))}")
    if any(server.startswith("janus") for server in servers) and not is_installed():
        parser.error("janus is not installed (Debian: apt install janus)")
    options = [
        f"--publishers={given.publishers}", f"--subscribers={given.subscribers}", f"--seconds={given.seconds}",
        f"--warm-up={given.warm_up}", f"--loss={given.loss}", f"--server-core={given.server_core}",
        f"--load-core={given.load_core}", *(["--unpinned"] if given.unpinned else []), *(["--no-rtx"] if given.no_rtx else []),
    ]  # fmt: skip
    runs: list[Run] = []
    for round_number in range(1, given.rounds + 1):
        for server in servers:
            runs += valid_run(server, options, given, round_number)
    mark_disturbed(runs)
    rows = [summary(server, runs) for server in servers]
    print(f"\n{given.publishers} publishers x {given.subscribers} subscribers, {given.seconds} s, load now {os.getloadavg()}\n")
    print(table(rows))
    if given.json:
        given.json.write_text(json.dumps({"options": options, "runs": runs, "summary": rows}, indent=1))


if __name__ == "__main__":
    main()
