"""Everything about the cost of the record, one after the other: a table for people, then one JSON object.

python -m benchmarks.recording.all [--quick] [--json recording.json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.sfu.meter import probe_ms

ROOT = Path(__file__).resolve().parents[2]
FULL = {
    "recorder": ("--publishers=6", "--seconds=20", "--rounds=3"),
    "shipping s3": ("--to=s3", "--segments=300"),
    "shipping folder": ("--to=folder", "--segments=300"),
    "verifying": ("--mib=500", "--rounds=5"),
}
QUICK = {
    "recorder": ("--publishers=2", "--seconds=3", "--rounds=1"),
    "shipping s3": ("--to=s3", "--segments=24", "--kib=300"),
    "shipping folder": ("--to=folder", "--segments=24", "--kib=300"),
    "verifying": ("--mib=30", "--rounds=1"),
}


def measured(name: str, options: tuple[str, ...]) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.recording.{name.partition(' ')[0]}", *options]
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def flat(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []
    for name, value in values.items():
        lines += flat(value, f"{before}{name}.") if isinstance(value, dict) else [(f"{before}{name}", value)]
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small: shows that it runs, measures nothing worth telling")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    results: dict[str, Any] = {"probe_ms": round(probe_ms(None), 1)}
    for name, arguments in (QUICK if options.quick else FULL).items():
        results[name] = measured(name, arguments)
        print(f"\n{name}")
        for line, value in flat(results[name]):
            print(f"  {line:<42} {value}")
    results["probe_after_ms"] = round(probe_ms(None), 1)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
