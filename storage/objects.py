"""The ObjectStore port and the key scheme. Keys are relative, use "/" and hold ids only, never names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store holds under a key."""

    key: str
    bytes: int
    sha256: str


class ObjectStore(Protocol):
    """Write-once objects. Every implementation passes tests/contracts/object_store_suite.py.

    Raises ObjectExists (a different content is already there), ObjectMissing, StoreUnavailable.
    """

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        """Store durably (fsync or the store's acknowledgement); putting identical bytes again is allowed."""

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes [start, end) of an object."""

    def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]: ...

    async def stat(self, key: str) -> StoredObject: ...

    def list(self, prefix: str) -> AsyncIterator[str]: ...


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
