"""What can happen to a running court, done to a rehearsal's server from outside: its processes, files and clock."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.rehearsing import pid_of

BACK_S = 10.0  # until a killed role has started again and people are back by themselves
SPOOL_MB = 64
LATER_S = 0.01


@dataclass(frozen=True, slots=True)
class Ground:
    """What a rehearsal is started with, so that a fault can be done to it. `within`: the command that runs it."""

    environment: dict[str, str] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    settings: str = ""  # lines of the .env file of the server


def _as_always(_folder: Path) -> Ground:
    return Ground()


@dataclass(frozen=True, slots=True)
class Fault:
    """`begin` is told the rehearsal's folder and returns what ends the fault, `lasts_s` later."""

    name: str
    begin: Callable[[Path], Callable[[], None]]
    lasts_s: float = 0.0
    settle_s: float = BACK_S
    ground: Callable[[Path], Ground] = _as_always


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


def small_spool(folder: Path) -> Ground:
    """The spool is a file system of its own: a small tmpfs that the rehearsal mounts in a namespace of its own, without root."""
    spool = str(folder / "data" / "spool")
    script = f'umask 077 && mkdir -p "$0" && mount -t tmpfs -o size={SPOOL_MB}m tmpfs "$0" && exec "$@"'
    within = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, spool)
    return Ground(within=within, settings="COURT_SPOOL_WARN_GB=1\nCOURT_SPOOL_STOP_GB=0\n")


def has_namespaces() -> bool:
    """Whether this machine lets us mount a file system of our own; in some containers nobody may."""
    command = ("unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    with contextlib.suppress(OSError):
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    return False


def spool_of(folder: Path) -> Path:
    """As the server sees it: it may be mounted in a namespace of its own."""
    return Path(f"/proc/{pid_of(folder, 'shipper')}/root{folder}/data/spool")


def fill_disk(folder: Path) -> Callable[[], None]:
    """Somebody else writes the spool's file system full, and takes every byte that becomes free."""
    spool = os.open(spool_of(folder), os.O_DIRECTORY)
    ballast = os.open("ballast", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=spool)
    ended = threading.Event()
    eater = threading.Thread(target=_eat, args=(ballast, ended))
    eater.start()

    def end() -> None:
        ended.set()
        eater.join()
        os.close(ballast)
        os.unlink("ballast", dir_fd=spool)
        os.close(spool)

    return end


def _eat(ballast: int, ended: threading.Event) -> None:
    bite = bytes(1 << 16)
    while not ended.is_set():
        try:
            os.write(ballast, bite)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            time.sleep(LATER_S)


def lock_database(folder: Path) -> Callable[[], None]:
    """Another process holds the database's one write lock."""
    connection = sqlite3.connect(folder / "data" / "court.db", timeout=5, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")

    def end() -> None:
        connection.execute("ROLLBACK")
        connection.close()

    return end


def movable_clock(folder: Path) -> Ground:
    """The wall clock of all processes goes through a library that set_clock() can move."""
    library = folder.parent / "clock_jump.so"
    source = Path(__file__).with_name("clock_jump.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return Ground({"LD_PRELOAD": str(library), "CLOCK_JUMP_FILE": str(folder / "clock")})


def set_clock(folder: Path) -> Callable[[], None]:
    """The machine's wall clock is put forward by a minute; nobody puts it back."""
    (folder / "clock").write_text("60", encoding="ascii")
    return _nothing


def kill_and_cut(folder: Path) -> Callable[[], None]:
    """The media role dies, and the last bytes of its open segments are gone or zero, as after a power cut."""
    os.kill(pid_of(folder, "media"), signal.SIGKILL)
    for n, part in enumerate(sorted(spool_of(folder).rglob("*.part"))):
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
        Fault("disk full", fill_disk, 10.0, 6.0, small_spool),
        Fault("database locked 30 s", lock_database, 30.0, 8.0),
        Fault("clock jump", set_clock, 0.0, 6.0, movable_clock),
        Fault("truncated segment", kill_and_cut),
    )
}


def strike(fault: Fault, folder: Path, problems: list[str]) -> threading.Thread:
    """The fault from beginning to end, on a thread of its own."""

    def act() -> None:
        try:
            end = fault.begin(folder)
            time.sleep(fault.lasts_s)
            end()
        except Exception as error:
            problems.append(f"{fault.name}: {error!r}")
            print(problems[-1], file=sys.stderr)

    thread = threading.Thread(target=act)
    thread.start()
    return thread
