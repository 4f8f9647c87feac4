"""Could this host record now? Write into the spool, force it to the disk, read it back (J3: before 宣布开庭)."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hearing.timeline import Clock
from media.control import SpoolProbe
from media.read_back import fault_of
from storage.ids import new_id

PROBE_BYTES = 256 * 1024


def probe_spool(root: Path, clock: Clock) -> SpoolProbe:
    """Blocks. The file is gone again whatever happens; a probe that a crash left is removed by the next one."""
    began_s = clock.monotonic()
    for left in root.glob(".probe-*"):
        left.unlink(missing_ok=True)
    path, data = root / f".{new_id('probe').replace('_', '-')}", secrets.token_bytes(PROBE_BYTES)
    try:
        code = "ok" if _written_and_read(path, data) == data else "differs"
        room = os.statvfs(root)
        free_bytes = room.f_bavail * room.f_frsize
    except OSError as error:
        code, free_bytes = fault_of(error), 0
    finally:
        path.unlink(missing_ok=True)
    return SpoolProbe(code, round((clock.monotonic() - began_s) * 1000), free_bytes, clock.now())


def _written_and_read(path: Path, data: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        return os.pread(descriptor, len(data) + 1, 0)
    finally:
        os.close(descriptor)
