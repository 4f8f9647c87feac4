"""What stands closed in the spool and waits to be shipped, seen by file names alone: cheap with a day's backlog too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from pathlib import Path

_SIDECAR = re.compile(r"(\d{6,})\.json")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A closed segment. `closed_s`: when its sidecar appeared, in seconds of the file system's clock."""

    sidecar: Path
    index: int
    closed_s: float
    bytes: int  # of the media file; 0 when it is gone

    @property
    def media(self) -> Path:
        return self.sidecar.with_suffix(".webm")

    @property
    def track(self) -> Path:
        return self.sidecar.parent

    @property
    def name(self) -> str:
        """For logs: ids and a number."""
        return f"{self.track.parent.name}/{self.track.name}/{self.index:06d}"


def waiting_in(spool: Path) -> list[Waiting]:
    """Oldest first; of one track always by number, whatever the clock did. Raises OSError."""
    found: list[tuple[float, Waiting]] = []
    for track in _folders(_folders([spool])):
        segments = sorted(_segments(track), key=lambda one: one.index)
        times = accumulate((one.closed_s for one in segments), max)
        found += zip(times, segments, strict=True)
    return [one for _, one in sorted(found, key=itemgetter(0))]  # stable: numbers stay in order


def _folders(parents: Iterable[Path]) -> Iterator[Path]:
    """A folder that goes away while we look holds nothing that waits."""
    for parent in parents:
        try:
            with os.scandir(parent) as entries:
                inside = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except FileNotFoundError:
            continue
        yield from map(Path, inside)


def _segments(track: Path) -> Iterator[Waiting]:
    sizes: dict[str, int] = {}
    sidecars: list[tuple[str, int, float]] = []
    try:
        with os.scandir(track) as entries:
            for entry in entries:
                if match := _SIDECAR.fullmatch(entry.name):
                    sidecars.append((entry.path, int(match[1]), entry.stat().st_mtime))
                elif entry.name.endswith(".webm"):
                    sizes[entry.name] = entry.stat().st_size
    except FileNotFoundError:
        return
    for path, index, closed_s in sidecars:
        yield Waiting(Path(path), index, closed_s, sizes.get(f"{Path(path).stem}.webm", 0))
