"""A segment on its way from the spool: verified, its key reserved, the places that hold it already."""

from __future__ import annotations

import asyncio
import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SM3, Hash
from pydantic import TypeAdapter, ValidationError

from media.backlog import Waiting
from media.control import SegmentStored
from media.spool import SpooledSegment
from storage.data_keys import DataKeys, KeptObject
from storage.encrypted import EncryptedStore
from storage.envelope import Damaged, Envelope
from storage.objects import ObjectMissing, StorageError, StoreUnavailable, segment_key

_SEGMENT = TypeAdapter(SpooledSegment)


class Held(Exception):
    """This segment cannot be shipped for a reason of its own; the message is a stable code."""


class DatabaseAway(Exception):
    """No key can be reserved or confirmed now; the segment waits."""


@dataclass(slots=True)
class Parcel:
    """`laid` names the places that have given back exactly `stored_sha256`."""

    waiting: Waiting
    segment: SpooledSegment
    kept: KeptObject
    sm3: str
    stored_sha256: str = ""
    laid: set[str] = field(default_factory=set)

    def report(self) -> SegmentStored:
        s = self.segment
        return SegmentStored(
            sitting_id=s.sitting_id, participant_id=s.participant_id, track_id=s.track_id, kind=s.kind, codec=s.codec,
            index=s.index, t0_ms=s.t0_ms, t1_ms=s.t1_ms, started_at=s.started_at, bytes=s.bytes, sha256=s.sha256, sm3=self.sm3,
            prev_sha256=s.prev_sha256, object_key=self.kept.object_key, packets=s.packets, lost_packets=s.lost_packets,
            filled_ms=s.filled_ms, muted_ms=s.muted_ms, closed_by=s.closed_by, access=s.access,
        )  # fmt: skip

    def free(self) -> None:
        """The media file goes first: a sidecar alone is shipped again from the stores, a file alone would stay for ever."""
        self.waiting.media.unlink(missing_ok=True)
        self.waiting.sidecar.unlink(missing_ok=True)


class Packing:
    """Makes parcels of what waits, and their encrypted bytes. Raises Held, DatabaseAway, StoreUnavailable, OSError."""

    def __init__(self, court_id: str, keys: DataKeys, objects: EncryptedStore) -> None:
        self._court_id = court_id
        self._keys = keys
        self._objects = objects

    async def pack(self, waiting: Waiting) -> Parcel:
        """Verify the bytes against the recorder's hash and reserve their key."""
        segment = await asyncio.to_thread(_read_sidecar, waiting.sidecar)
        key = segment_key(self._court_id, segment.sitting_id, segment.track_id, segment.index)
        data = await self._content(waiting.media, key)
        sha256, sm3 = await asyncio.to_thread(_digests, data)
        if sha256 != segment.sha256 or len(data) != segment.bytes:
            raise Held("sha256_differs")
        try:
            kept = await self._keys.in_class(segment.access).reserve(key, len(data), sha256)
        except StoreUnavailable as error:
            raise DatabaseAway(str(error)) from error
        except StorageError as error:  # object_exists: another content is the record under this name
            raise Held(error.code) from error
        return Parcel(waiting, segment, kept, sm3)

    async def sealed(self, parcel: Parcel) -> bytes:
        """The bytes that are to lie in both places: the same every time, for the key stays the same."""
        data = await self._content(parcel.waiting.media, parcel.kept.object_key)
        sealed = await asyncio.to_thread(_encrypt, parcel.kept, data)  # verifies again: the disk was read again
        if not parcel.stored_sha256:
            parcel.stored_sha256 = await asyncio.to_thread(lambda: hashlib.sha256(sealed).hexdigest())
        return sealed

    async def confirm(self, parcel: Parcel) -> None:
        """Both places have it: from now on it can be read by everybody who may."""
        try:
            await self._keys.confirm(parcel.kept, parcel.stored_sha256)
        except StoreUnavailable as error:
            raise DatabaseAway(str(error)) from error
        except StorageError as error:
            raise Held(error.code) from error

    async def renew(self, parcel: Parcel) -> None:
        """Under this stored key lies something else: the next pack() takes another."""
        try:
            await self._keys.renew(parcel.kept)
        except StoreUnavailable as error:
            raise DatabaseAway(str(error)) from error

    async def _content(self, media: Path, key: str) -> bytes:
        """From the spool; from the stores when an earlier run was cut off between freeing file and sidecar."""
        try:
            return await asyncio.to_thread(media.read_bytes)
        except FileNotFoundError:
            try:
                return await self._objects.get(key)
            except (ObjectMissing, Damaged):
                raise Held("media_file_missing") from None


def _read_sidecar(path: Path) -> SpooledSegment:
    try:
        return _SEGMENT.validate_json(path.read_bytes())
    except ValidationError:
        raise Held("sidecar_unreadable") from None


def _digests(data: bytes) -> tuple[str, str]:
    """SHA-256 and SM3 (GB/T 32905)."""
    sm3 = Hash(SM3())
    sm3.update(data)
    return hashlib.sha256(data).hexdigest(), sm3.finalize().hex()


def _encrypt(kept: KeptObject, data: bytes) -> bytes:
    if hashlib.sha256(data).hexdigest() != kept.content_sha256:
        raise Held("sha256_differs")
    return b"".join(Envelope(kept.key, kept.object_key, kept.content_bytes).encrypt(io.BytesIO(data)))
