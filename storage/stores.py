"""The object storage of an installation: two places (S6), everything encrypted with keys that lie in neither (S23)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from storage.clock import SystemClock
from storage.data_keys import DataKeys
from storage.database import Database
from storage.encrypted import EncryptedStore
from storage.envelope import Algorithm
from storage.folder import FolderStore
from storage.key_ring import KeyRing
from storage.mirror import MirroredStore
from storage.objects import ObjectStore
from storage.s3 import S3Address, S3Store

Place = Path | S3Address
"""Where one of the two copies lies: a folder or a bucket."""

DEFAULT_CLASS = "parties"


@dataclass(frozen=True, slots=True)
class Stores:
    """`first` and `second` hold the same objects, encrypted; `keys` opens them."""

    first: ObjectStore
    second: ObjectStore
    keys: DataKeys

    def objects(self, *, copies: int = 2) -> EncryptedStore:
        """The store that everybody uses. `copies`: how many must lie before put() returns (see MirroredStore)."""
        return EncryptedStore(MirroredStore(self.first, self.second, copies=copies), self.keys)


def open_stores(first: Place, second: Place, database: Database, key_folder: Path, algorithm: Algorithm) -> Stores:
    """Nothing is asked of either place yet: one that is away is found out by whoever uses it."""
    keys = DataKeys(database, KeyRing(key_folder), SystemClock(), algorithm, DEFAULT_CLASS)
    return Stores(_opened(first), _opened(second), keys)


def _opened(place: Place) -> ObjectStore:
    return FolderStore(place) if isinstance(place, Path) else S3Store(place)
