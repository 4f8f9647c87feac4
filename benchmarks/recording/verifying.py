"""How fast `court verify` reads a package, beside plain `sha256sum` over the same files.

    python -m benchmarks.recording.verifying --mib 500 --rounds 5
    python -m benchmarks.recording.verifying --package DIR

Without --package one is made: a real sealed hearing whose segments hold noise of that size. The two programs take turns, each in
a process of its own, after one reading of all files, so that both read from the page cache. `court verify` hashes with SHA-256
and SM3, follows the chains, rebuilds the Merkle tree and checks signatures; `verify.py` is the same in the package, under
`python3` alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from record.package import Archive, export_hearing
from tests.integration import record_case


async def make_package(folder: Path, mib: int) -> Path:
    segments = sum(len(spans) for _, _, spans in record_case.TRACKS.values())
    size = mib * 1024**2 // segments
    record_case.webm = lambda kind, ms, seed: os.urandom(size)  # type: ignore[assignment]  # noqa: ARG005  sizes, not pictures
    async with record_case.open_full_case(folder) as case:
        return await export_hearing(Archive(case.database, case.objects, case.key), record_case.HEARING, folder / "package")


def timed(command: list[str], cwd: Path) -> float:
    began_s = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began_s


def run(package: Path, rounds: int) -> dict[str, Any]:
    files = [str(path) for path in sorted(package.rglob("*")) if path.is_file()]
    mib = sum(Path(path).stat().st_size for path in files) / 1024**2
    root = Path(__file__).resolve().parents[2]
    commands = {
        "court_verify": [sys.executable, "-m", "court", "verify", str(package)],
        "verify_py": [sys.executable, str(package / "verify.py"), str(package)],
        "sha256sum": ["sha256sum", *files],
    }
    timed(commands["sha256sum"], root)
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            took[name].append(timed(command, root))
    seconds = {name: statistics.median(values) for name, values in took.items()}
    return {
        "mib": round(mib, 1), "files": len(files), "rounds": rounds,
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "mib_per_s": {name: round(mib / value, 1) for name, value in seconds.items()},
        "court_verify_to_sha256sum": round(seconds["court_verify"] / seconds["sha256sum"], 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--package", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="verify-benchmark-") as folder:
        package = options.package or asyncio.run(make_package(Path(folder), options.mib))
        print(json.dumps(run(package.resolve(), options.rounds)))


if __name__ == "__main__":
    main()
