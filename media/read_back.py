"""Is it on the disk? Each open segment is read back from its file and judged by the last sound or picture found there (S5).

Nothing is taken from the writer's memory: the file is opened anew, forced to the disk, dropped from the page cache and read
on from where the last reading ended. `fdatasync` here also bounds what a power cut can take to one look and one cluster.

Of a file that is to be heard back (C35) the newest clusters are kept as they were read, for some seconds of record time.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hearing.access import AccessClass
from media.webm import Unreadable, clusters_of

READ_BYTES = 8 * 1024 * 1024  # at most so much of one file in one look; ten seconds of the best camera are a third of it
TAIL_BYTES = 4096
KEPT_MS = 12_000  # of record time: what a clerk may hear back, and a little more


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A segment that is being written: `t0_ms` is the record time of its beginning.

    `heard_back`: its newest clusters are kept, and its descriptor, so that its end is read when it was closed meanwhile.
    """

    track_id: str
    path: Path
    t0_ms: int
    access: AccessClass = AccessClass.PARTIES
    heard_back: bool = False


@dataclass(frozen=True, slots=True)
class ReadCluster:
    """A whole cluster, with its checksum, as it was read from the disk. `until_ms`: record time of its last block."""

    file: OpenFile
    until_ms: int
    data: bytes


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

    file: OpenFile
    inode: int = 0
    offset: int = 0  # behind the last whole cluster
    tail: bytes = b""
    until_ms: int | None = None  # of this track, in this or an earlier file
    kept: tuple[ReadCluster, ...] = ()  # of this track, in this or an earlier file; replaced, never changed
    descriptor: int = -1  # of the file, while it may have to be read to its end

    def let_go(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


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

    def kept(self, track_id: str) -> tuple[ReadCluster, ...]:
        """The newest clusters of a track that is heard back, oldest first. May be asked while look() runs."""
        place = self._places.get(track_id)
        return place.kept if place else ()

    def forget(self, keep: Iterable[str]) -> None:
        """Tracks that have ended need no place."""
        kept = set(keep)
        for track_id in [one for one in self._places if one not in kept]:
            self._places.pop(track_id).let_go()

    def _look_at(self, file: OpenFile) -> Seen:
        place = self._place_of(file)
        try:
            data, size_bytes = _read_on(place)
        except FileNotFoundError:
            return Seen(place.until_ms, code="file_changed", evidence="file missing")
        except _Changed as changed:
            return Seen(place.until_ms, code="file_changed", evidence=str(changed))
        except OSError as error:
            return Seen(place.until_ms, code=fault_of(error), evidence=f"errno {error.errno} on reading back")
        return _taken(place, data, size_bytes)

    def _place_of(self, file: OpenFile) -> _Place:
        """Where the reading of this file goes on; of the track's file before, the end is read first."""
        place = self._places.get(file.track_id)
        if place is None:
            place = self._places[file.track_id] = _Place(file)
        elif place.file.path != file.path:
            _read_to_the_end(place)
            place = self._places[file.track_id] = _Place(file, until_ms=place.until_ms, kept=place.kept)
        elif place.file != file:  # of another class since
            place.kept = tuple(replace(one, file=file) if one.file == place.file else one for one in place.kept)
            place.file = file
        return place


def _taken(place: _Place, data: bytes, size_bytes: int) -> Seen:
    """Go on to the end of the last whole cluster in `data`, which begins with the place's tail."""
    before, tail_bytes, new = place.offset, len(place.tail), []
    try:
        for start, end, t_ms in clusters_of(data, tail_bytes):
            place.offset = before - tail_bytes + end
            place.tail = data[max(start, end - TAIL_BYTES) : end]
            place.until_ms = max(place.until_ms or 0, place.file.t0_ms + t_ms)
            new.append(ReadCluster(place.file, place.file.t0_ms + t_ms, data[start:end]))
    except Unreadable as unreadable:
        return Seen(place.until_ms, code="file_changed", evidence=f"{unreadable} behind byte {place.offset} of {size_bytes}")
    if place.file.heard_back and new:
        oldest_ms = new[-1].until_ms - KEPT_MS
        place.kept = tuple(one for one in (*place.kept, *new) if one.until_ms > oldest_ms)
    return Seen(place.until_ms, place.offset - before)


def _read_to_the_end(place: _Place) -> None:
    """The file was closed since the last look, and may be shipped and gone by now: its descriptor still leads to it."""
    if place.descriptor < 0:
        return
    with contextlib.suppress(OSError):
        data = os.pread(place.descriptor, READ_BYTES, place.offset - len(place.tail))
        if data[: len(place.tail)] == place.tail:
            _taken(place, data, place.offset - len(place.tail) + len(data))
    place.let_go()


class _Changed(Exception):
    """The file is not the one that was read before."""


def _read_on(place: _Place) -> tuple[bytes, int]:
    """The bytes behind the place, from the disk itself where the system allows it, and the size of the file."""
    descriptor = os.open(place.file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
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
        if place.file.heard_back:
            place.let_go()
            place.descriptor, descriptor = descriptor, -1
        return data, stat.st_size
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def fault_of(error: OSError) -> str:
    """The fault that an error of the system is: disk_full or io_error."""
    return "disk_full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "io_error"
