"""What a process costs, read from outside it (Linux /proc), and whether the machine was quiet meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PROBE_ROUNDS = 800
_PROBE_DATA = bytes(1 << 18)


def user_and_system_s(pid: int) -> tuple[float, float]:
    """Time of all threads, living and ended (proc(5): utime and stime of /proc/PID/stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS_PER_S, int(fields[12]) / TICKS_PER_S


def cpu_s(pid: int) -> float:
    return sum(user_and_system_s(pid))


def rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def core_busy_s(core: int) -> float:
    """Time a core has spent on anything but idling, waiting for disks and being away (steal)."""
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            return (sum(map(int, ticks[:8])) - int(ticks[3]) - int(ticks[4]) - int(ticks[7])) / TICKS_PER_S
    return 0.0


def cores_available() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def probe_ms(core: int | None) -> float:
    """Calibration: wall time of a fixed amount of work on `core`. A slower probe means a busier or slower machine."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        began = time.perf_counter()
        for _ in range(PROBE_ROUNDS):
            sha256(_PROBE_DATA).digest()
        return (time.perf_counter() - began) * 1000
    finally:
        os.sched_setaffinity(0, before)


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """The command, kept on one core by taskset (all threads it will start included)."""
    return list(command) if core is None else ["taskset", "-c", str(core), *command]


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of a server process and of its core."""

    at_s: float
    cpu_s: float
    system_s: float  # of it in the kernel
    core_busy_s: float

    @classmethod
    def of(cls, pid: int, core: int | None) -> Sample:
        user_s, system_s = user_and_system_s(pid)
        return cls(time.perf_counter(), user_s + system_s, system_s, core_busy_s(core) if core is not None else 0.0)


def quantile(values: Sequence[float], q: float) -> float | None:
    """The q-quantile by rank, or None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else None
