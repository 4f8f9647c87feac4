"""The ObjectStore port and the key scheme. Keys are relative, use "/" and hold ids only, never names."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

MOST_KEY_CHARACTERS = 300  # = the width of object_key columns
_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")  # no leading dot: no climbing, nothing hidden


class StorageError(Exception):
    """Base of what an object store can raise; `code` is stable."""

    code = "storage_error"


class ObjectExists(StorageError):
    """Under this key stands another content, and what is stored is never replaced."""

    code = "object_exists"


class ObjectMissing(StorageError):
    """Nothing stands under this key."""

    code = "object_missing"


class InvalidKey(StorageError):
    """Not a key of the key scheme: absolute, climbing, too long, or with characters that are not kept for keys."""

    code = "invalid_key"


class StoreUnavailable(StorageError):
    """The store cannot be reached or cannot write now (disk full, network): try again later, nothing is lost."""

    code = "store_unavailable"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store holds under a key."""

    key: str
    bytes: int
    sha256: str


class NotReplaceable(StorageError):
    """This place cannot keep a damaged object beside a good one, so it stays as it is: an operator must act."""

    code = "not_replaceable"


class ObjectStore(Protocol):
    """Write-once objects. Every implementation passes tests/contracts/object_store_suite.py.

    Raises ObjectExists (a different content is already there), ObjectMissing, InvalidKey, StoreUnavailable.
    """

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        """Store durably (fsync or the store's acknowledgement); putting identical bytes again is allowed."""

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes [start, end) of an object; what lies beyond its end is left out."""

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The same bytes in chunks."""

    async def stat(self, key: str) -> StoredObject:
        """Size and hash of what the store holds now, computed from the stored bytes."""

    def list(self, prefix: str) -> AsyncIterator[str]:
        """Every key that starts with `prefix`, in order."""


@runtime_checkable
class ClassedStore(Protocol):
    """A store that keeps the keys of each access class apart (storage.encrypted)."""

    def in_class(self, key_class: str) -> ObjectStore:
        """The same objects; what is put through this one belongs to the class."""


def in_class(store: ObjectStore, key_class: str) -> ObjectStore:
    """The store for objects of this access class; a store without keys of its own keeps all classes alike."""
    return store.in_class(key_class) if isinstance(store, ClassedStore) else store


class Replaceable(Protocol):
    """What a place itself (folder, bucket) can do besides, for the heal job alone: what is damaged is kept, never deleted."""

    async def replace(self, key: str, data: AsyncIterator[bytes] | bytes) -> str:
        """Put these bytes where a damaged object lies; returns where that one lies now. Raises NotReplaceable."""


@runtime_checkable
class Erasable(Protocol):
    """What a place itself can do besides, for lawful destruction alone (record.destruction): the key of the object is gone."""

    async def locked_until(self, key: str) -> datetime | None:
        """Until when the place's own rule keeps this object; None: it does not. Raises StoreUnavailable."""

    async def erase(self, key: str) -> bool:
        """Remove what lies under this key, every version of it. True: nothing is left (also when nothing was there); False: the
        place does not let us. Raises StoreUnavailable.
        """


def is_key_part(text: str) -> bool:
    """Whether this may stand between two slashes of a key."""
    return _PART.fullmatch(text) is not None


def check_key(key: str) -> list[str]:
    """The parts of a key; raises InvalidKey for what is none."""
    parts = key.split("/")
    if len(key) > MOST_KEY_CHARACTERS or not all(map(is_key_part, parts)):
        raise InvalidKey(f"not a key: {key!r}")
    return parts


def segment_key(court_id: str, sitting_id: str, track_id: str, index: int) -> str:
    """Key of one recorded segment."""
    return f"courts/{court_id}/sittings/{sitting_id}/tracks/{track_id}/{index:06d}.webm"


def exhibit_key(court_id: str, exhibit_id: str) -> str:
    """Key of an exhibit's untouched original bytes."""
    return f"courts/{court_id}/exhibits/{exhibit_id}/original"


def exhibit_page_key(court_id: str, exhibit_id: str, page: int) -> str:
    """Key of a derived page picture (PNG)."""
    return f"courts/{court_id}/exhibits/{exhibit_id}/pages/{page:04d}.png"


def manifest_key(court_id: str, sitting_id: str) -> str:
    """Key of a sitting's signed manifest."""
    return f"courts/{court_id}/sittings/{sitting_id}/manifest.json"


def signature_key(court_id: str, sitting_id: str) -> str:
    return f"courts/{court_id}/sittings/{sitting_id}/manifest.sig.json"
