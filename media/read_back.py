"""Is it on the disk? Each open segment is read back from its file and judged by the last sound or picture found there (S5).

Nothing is taken from the writer's memory: the file is opened anew, forced to the disk, dropped from the page cache and read
on from where the last reading ended. `fdatasync` here also bounds what a power cut can take to one look and one cluster.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from media.webm import Unreadable, clusters_of

READ_BYTES = 8 * 1024 * 1024  # at most so much of one file in one look; ten seconds of the best camera are a third of it
TAIL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A segment that is being written: `t0_ms` is the record time of its beginning."""

    track_id: str
    path: Path
    t0_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found of a track. `until_ms`: record time of the last whole block read so far; None: nothing yet.

    `code` is "" or file_changed (replaced, cut, overwritten, removed) | io_error | disk_full.
    """

    until_ms: int | None
    new_bytes: int = 0
    code: str = ""
    evidence: str = ""


@dataclass(slots=True)
class _Place:
    """How far a file has been read. `tail` is the end of the last cluster: it must still be there at the next look."""

    path: Path
    inode: int = 0
    offset: int = 0  # behind the last whole cluster
    tail: bytes = b""
    until_ms: int | None = None  # of this track, in this or an earlier file


class ReadBack:
    """Remembers how far each track has been read. look() blocks: call it from a thread, one call at a time."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def look(self, files: Iterable[OpenFile]) -> Mapping[str, Seen]:
        """By track id. What is not among `files` is forgotten, but for how far its track had come."""
        return {file.track_id: self._look_at(file) for file in files}

    def until_ms(self, track_id: str) -> int | None:
        """Record time up to which this track was read back."""
        place = self._places.get(track_id)
        return place.until_ms if place else None

    def forget(self, keep: Iterable[str]) -> None:
        """Tracks that have ended need no place."""
        kept = set(keep)
        self._places = {track_id: place for track_id, place in self._places.items() if track_id in kept}

    def _look_at(self, file: OpenFile) -> Seen:
        place = self._places.get(file.track_id)
        if place is None or place.path != file.path:
            place = self._places[file.track_id] = _Place(file.path, until_ms=place.until_ms if place else None)
        try:
            data, size_bytes = _read_on(file.path, place)
        except FileNotFoundError:
            return Seen(place.until_ms, code="file_changed", evidence="file missing")
        except _Changed as changed:
            return Seen(place.until_ms, code="file_changed", evidence=str(changed))
        except OSError as error:
            return Seen(place.until_ms, code=fault_of(error), evidence=f"errno {error.errno} on reading back")
        return _taken(file, place, data, size_bytes)


def _taken(file: OpenFile, place: _Place, data: bytes, size_bytes: int) -> Seen:
    """Go on to the end of the last whole cluster in `data`, which begins with the place's tail."""
    before, tail_bytes = place.offset, len(place.tail)
    try:
        for start, end, t_ms in clusters_of(data, tail_bytes):
            place.offset = before - tail_bytes + end
            place.tail = data[max(start, end - TAIL_BYTES) : end]
            place.until_ms = max(place.until_ms or 0, file.t0_ms + t_ms)
    except Unreadable as unreadable:
        return Seen(place.until_ms, code="file_changed", evidence=f"{unreadable} behind byte {place.offset} of {size_bytes}")
    return Seen(place.until_ms, place.offset - before)


class _Changed(Exception):
    """The file is not the one that was read before."""


def _read_on(path: Path, place: _Place) -> tuple[bytes, int]:
    """The bytes behind the place, from the disk itself where the system allows it, and the size of the file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.fdatasync(descriptor)
        stat = os.fstat(descriptor)
        if place.inode and stat.st_ino != place.inode:
            raise _Changed("file replaced")
        if stat.st_size < place.offset:
            raise _Changed(f"file cut from {place.offset} to {stat.st_size} bytes")
        place.inode = stat.st_ino
        with contextlib.suppress(OSError):  # not every file system knows it; reading is what counts
            os.posix_fadvise(descriptor, place.offset, 0, os.POSIX_FADV_DONTNEED)
        data = os.pread(descriptor, READ_BYTES, place.offset - len(place.tail))
        if data[: len(place.tail)] != place.tail:
            raise _Changed(f"other bytes than were read before, up to {place.offset}")
        return data, stat.st_size
    finally:
        os.close(descriptor)


def fault_of(error: OSError) -> str:
    """The fault that an error of the system is: disk_full or io_error."""
    return "disk_full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "io_error"
