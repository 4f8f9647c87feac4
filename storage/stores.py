"""The object storage of an installation: two places (S6), everything encrypted with keys that lie in neither (S23)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from storage.clock import SystemClock
from storage.copies import Copies, Pace
from storage.data_keys import DataKeys
from storage.database import Database
from storage.encrypted import EncryptedStore
from storage.envelope import Algorithm
from storage.faults import FaultWatch
from storage.folder import FolderStore
from storage.key_ring import KeyRing
from storage.mirror import Copy, MirroredStore
from storage.objects import ObjectStore
from storage.s3 import S3Address, S3Store
from storage.watch import Watch

Place = Path | S3Address
"""Where one of the two copies lies: a folder or a bucket."""

DEFAULT_CLASS = "parties"


@dataclass(frozen=True, slots=True)
class Stores:
    """`first` and `second` hold the same objects, encrypted; `keys` opens them."""

    first: ObjectStore
    second: ObjectStore
    keys: DataKeys
    watch: Watch = field(default_factory=Watch)

    def objects(self, *, copies: int = 2) -> EncryptedStore:
        """The store that everybody uses. `copies`: how many must lie before put() returns (see MirroredStore)."""
        return EncryptedStore(MirroredStore(self.first, self.second, copies=copies, watch=self.watch), self.keys)

    def each(self, pace: Pace | None = None) -> Copies:
        """Every copy by itself, for the verify and heal jobs."""
        return Copies((Copy("A", self.first, self.watch), Copy("B", self.second, self.watch)), self.keys, pace)


def open_stores(first: Place, second: Place, database: Database, key_folder: Path, algorithm: Algorithm) -> Stores:
    """Nothing is asked of either place yet: one that is away is found out by whoever uses it."""
    clock = SystemClock()
    keys = DataKeys(database, KeyRing(key_folder), clock, algorithm, DEFAULT_CLASS)
    return Stores(_opened(first), _opened(second), keys, FaultWatch(database, clock))


def _opened(place: Place) -> ObjectStore:
    return FolderStore(place) if isinstance(place, Path) else S3Store(place)
