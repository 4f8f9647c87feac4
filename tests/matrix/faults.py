"""What can happen to a running court, done to a rehearsal's server from outside: its processes, files and clock."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storage.clock import SystemClock
from tests.rehearsing import pid_of

RESTARTS_S = 12.0  # of a role, with people coming back by themselves
FSIZE_BYTES = 2_048


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` is told the rehearsal's folder and returns what ends the fault, `lasts_s` later."""

    name: str
    begin: Callable[[Path], Callable[[], None]]
    lasts_s: float = 0.0
    settle_s: float = RESTARTS_S


def _nothing() -> None:
    return


def kill(role: str) -> Callable[[Path], Callable[[], None]]:
    def begin(folder: Path) -> Callable[[], None]:
        os.kill(pid_of(folder, role), signal.SIGKILL)
        return _nothing

    return begin


def take_away(*stores: str) -> Callable[[Path], Callable[[], None]]:
    """A file stands where the store's folder was: not even root can write there."""

    def begin(folder: Path) -> Callable[[], None]:
        places = [folder / store for store in stores]
        for place in places:
            place.rename(place.with_name(place.name + ".away"))
            place.write_text("away", encoding="ascii")

        def end() -> None:
            for place in places:
                place.unlink()
                place.with_name(place.name + ".away").rename(place)

        return end

    return begin


def refuse_disk(folder: Path) -> Callable[[], None]:
    """No file of the media role may grow over 2 KiB: the disk refuses every segment, as a full one does."""
    pid = pid_of(folder, "media")
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (FSIZE_BYTES, hard))
    return lambda: _lift(pid, hard)


def _lift(pid: int, hard: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def lock_database(folder: Path) -> Callable[[], None]:
    """Another process holds the database's one write lock."""
    connection = sqlite3.connect(folder / "data" / "court.db", timeout=5, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")

    def end() -> None:
        connection.execute("ROLLBACK")
        connection.close()

    return end


def set_clock(folder: Path) -> Callable[[], None]:
    """The machine's wall clock is put forward by a minute; nobody puts it back."""
    (folder / "clock").write_text("60", encoding="ascii")
    return _nothing


def kill_and_cut(folder: Path) -> Callable[[], None]:
    """The media role dies, and the last kilobytes of its open segments are gone or zero, as after a power cut."""
    os.kill(pid_of(folder, "media"), signal.SIGKILL)
    for n, part in enumerate(sorted((folder / "data" / "spool").rglob("*.part"))):
        size = part.stat().st_size
        with part.open("r+b") as file:
            file.truncate(max(0, size - 700))
            if n % 2:
                file.truncate(size)
    return _nothing


STORE_A, STORE_B = "data/objects", "data-copy"
FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill media", kill("media")),
        Fault("kill shipper", kill("shipper")),
        Fault("kill jobs", kill("jobs")),
        Fault("kill transcripts", kill("transcripts")),
        Fault("kill signaling", kill("signaling")),
        Fault("store A down", take_away(STORE_A), 10.0, 4.0),
        Fault("store B down", take_away(STORE_B), 10.0, 4.0),
        Fault("both stores down", take_away(STORE_A, STORE_B), 10.0, 4.0),
        Fault("disk full", refuse_disk, 8.0, 6.0),
        Fault("database locked 30 s", lock_database, 30.0, 8.0),
        Fault("clock jump", set_clock, 0.0, 6.0),
        Fault("truncated segment", kill_and_cut),
    )
}


def clock_shim(folder: Path) -> dict[str, str]:
    """Settings of a process whose wall clock set_clock() can move."""
    library = folder / "clock_jump.so"
    source = Path(__file__).with_name("clock_jump.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_JUMP_FILE": str(folder / "clock")}


def strike(fault: Fault, folder: Path, struck: list[datetime], problems: list[str]) -> threading.Thread:
    """The fault from beginning to end, on a thread of its own; notes when it began."""

    def act() -> None:
        try:
            struck.append(SystemClock().now())
            end = fault.begin(folder)
            time.sleep(fault.lasts_s)
            end()
        except Exception as error:
            problems.append(f"{fault.name}: {error!r}")
            print(problems[-1], file=sys.stderr)

    thread = threading.Thread(target=act)
    thread.start()
    return thread
