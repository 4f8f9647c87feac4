"""An object store on an S3-compatible server: the one module that imports the minio client.

Write once: every upload carries `If-None-Match: *`, so that a server which knows it (RFC 9110 13.1.2; SeaweedFS, MinIO, AWS)
refuses a second content under a key. Retention is the bucket's own rule (object lock), set by who runs the store: the
application does not hold the right to delete (AV-15).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import ENABLED
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from storage.incoming import Incoming, collected
from storage.objects import NotReplaceable, ObjectExists, ObjectMissing, StoredObject, StoreUnavailable, check_key

CHUNK_BYTES = 256 * 1024
PART_BYTES = 16 * 1024 * 1024  # of an upload larger than this; a smaller one is a single request
CONNECT_S, READ_S = 5.0, 30.0
CONNECTIONS = 16

_MISSING = frozenset({"NoSuchKey", "NoSuchObject"})
_UNLOCKED = frozenset({
    "ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration", "NoSuchObjectLegalHold", "InvalidRequest",
})  # fmt: skip
_REFUSED = frozenset({"AccessDenied", "InvalidRequest", "MethodNotAllowed"})  # by the credentials, or by the object's lock
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_REASONS = {
    "NoSuchBucket": "bucket_missing", "AccessDenied": "access_denied", "InvalidAccessKeyId": "access_denied",
    "SignatureDoesNotMatch": "access_denied", "RequestTimeTooSkewed": "clock_skew", "InsufficientStorage": "disk_full",
    "XMinioStorageFull": "disk_full", "QuotaExceeded": "disk_full", "SlowDown": "server_error",
}  # fmt: skip
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where the bucket is. `endpoint` is host:port."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    secure: bool = True


class S3Store:
    """ObjectStore in a bucket (satisfies storage.objects.ObjectStore). The client's blocking calls run in threads."""

    def __init__(self, address: S3Address) -> None:
        self._bucket = address.bucket
        self._bucket_seen = False
        # Threads of its own: calls that wait for a server that says nothing must not hold up everybody's.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")
        self._client = _client(address, _WriteOncePool)
        self._replacing = _client(address, urllib3.PoolManager)  # for replace() alone

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        """Store durably (the server's acknowledgement). Identical bytes again are allowed."""
        check_key(key)
        async with collected(data) as incoming:
            stored = StoredObject(key, incoming.bytes, incoming.sha256)
            with _errors(key):
                try:
                    await self._call(self._upload, key, incoming)
                except S3Error as error:
                    if error.code not in _TAKEN:
                        raise
                    if await self.stat(key) != stored:
                        raise ObjectExists(key) from None
        return stored

    async def replace(self, key: str, data: AsyncIterator[bytes] | bytes) -> str:
        """A new version in place of a damaged object, which the bucket keeps as an older version; returns its version id.

        Raises NotReplaceable where the bucket keeps no versions (one with object lock always does).
        """
        check_key(key)
        async with collected(data) as incoming:
            with _errors(key):
                if (await self._call(self._client.get_bucket_versioning, self._bucket)).status != ENABLED:
                    raise NotReplaceable("the bucket keeps no versions")
                damaged = await self._call(self._client.stat_object, self._bucket, key)
                incoming.file.seek(0)
                part_bytes = PART_BYTES if incoming.bytes > PART_BYTES else 0
                file: Any = incoming.file
                await self._call(self._replacing.put_object, self._bucket, key, file, incoming.bytes, part_size=part_bytes)
        return f"version {damaged.version_id}"

    async def locked_until(self, key: str) -> datetime | None:
        """The bucket's retention of the newest version (object lock); a legal hold has no end. Satisfies Erasable."""
        check_key(key)
        with _errors(key):
            return await self._call(self._lock_of, key)

    def _lock_of(self, key: str) -> datetime | None:
        client, bucket = self._client, self._bucket
        if _unless_unlocked(lambda: client.get_object_lock_config(bucket)) is None:
            return None
        if _unless_unlocked(lambda: client.is_object_legal_hold_enabled(bucket, key)):
            return datetime.max.replace(tzinfo=UTC)
        retention = _unless_unlocked(lambda: client.get_object_retention(bucket, key))
        return retention.retain_until_date if retention is not None else None

    async def erase(self, key: str) -> bool:
        """Every version is removed, where the credentials and the bucket's rule allow it. Satisfies Erasable."""
        check_key(key)
        with _errors(key):
            return await self._call(self._remove_versions, key)

    def _remove_versions(self, key: str) -> bool:
        found = list(self._client.list_objects(self._bucket, prefix=key, include_version=True))
        for version in found:
            if version.object_name != key:
                continue
            try:
                self._client.remove_object(self._bucket, key, version_id=version.version_id)
            except S3Error as error:
                if error.code in _REFUSED:
                    return False
                raise
        return True

    async def _call(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *args, **kwargs))

    def _upload(self, key: str, incoming: Incoming) -> None:
        self._look_for_bucket()
        incoming.file.seek(0)
        part_bytes = PART_BYTES if incoming.bytes > PART_BYTES else 0
        file: Any = incoming.file
        self._client.put_object(self._bucket, key, file, incoming.bytes, part_size=part_bytes)

    def _look_for_bucket(self) -> None:
        """Once: some servers make a bucket by themselves, one without the court's retention rule."""
        if self._bucket_seen:
            return
        try:
            self._bucket_seen = self._client.bucket_exists(self._bucket)
        except S3Error as error:
            if error.code != "AccessDenied":  # an answer to HEAD has no body to say why: the upload itself will
                raise
        else:
            if not self._bucket_seen:
                raise StoreUnavailable("bucket_missing")

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes [start, end); what lies beyond the end of the object is left out."""
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The same bytes in chunks of at most 256 KiB."""
        check_key(key)
        with _errors(key):
            response = await self._opened(key, start, end)
            if response is None:
                return
            try:
                left = int(response.headers["Content-Length"])
                while left > 0:
                    chunk = await self._call(response.read, min(left, CHUNK_BYTES))
                    if not chunk:
                        raise StoreUnavailable("cut_off")
                    left -= len(chunk)
                    yield chunk
            finally:
                response.close()
                response.release_conn()

    async def _opened(self, key: str, start: int, end: int | None) -> Any:
        """The answer to a GET of what the range leaves of the object; None when that is nothing."""
        if start == 0 and end is None:
            return await self._call(self._client.get_object, self._bucket, key)
        size = (await self._call(self._client.stat_object, self._bucket, key)).size or 0
        stop = size if end is None else min(end, size)
        if start >= stop:
            return None
        return await self._call(self._client.get_object, self._bucket, key, start, stop - start)

    async def stat(self, key: str) -> StoredObject:
        """Size and hash of what the store holds now, computed from the stored bytes."""
        digest, size = hashlib.sha256(), 0
        async for chunk in self.stream(key):
            digest.update(chunk)
            size += len(chunk)
        return StoredObject(key, size, digest.hexdigest())

    def _keys(self, prefix: str) -> list[str]:
        found = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)
        return sorted(item.object_name for item in found if item.object_name is not None)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Every key that starts with `prefix`, in order."""
        with _errors(prefix):
            for key in await self._call(self._keys, prefix):
                yield key


def _unless_unlocked(ask: Callable[[], _T]) -> _T | None:
    """None where the server says that there is no lock of this kind."""
    try:
        return ask()
    except S3Error as error:
        if error.code in _UNLOCKED | _MISSING:
            return None
        raise


def _client(address: S3Address, pool: type[urllib3.PoolManager]) -> Minio:
    return Minio(
        address.endpoint,
        access_key=address.access_key,
        secret_key=address.secret_key,
        region=address.region,
        secure=address.secure,
        http_client=pool(
            num_pools=4,
            maxsize=CONNECTIONS,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
            retries=False,  # who puts decides about trying again; the spool waits
        ),
    )


class _WriteOncePool(urllib3.PoolManager):
    """Adds `If-None-Match: *` to what creates an object: a single PUT, and the end of an upload in parts."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **kw: Any) -> Any:  # type: ignore[override]
        creates = (method == "PUT" and "partNumber=" not in url) or (method == "POST" and "uploadId=" in url)
        if creates:
            kw["headers"] = {**(kw.get("headers") or {}), "If-None-Match": "*"}
        return super().urlopen(method, url, redirect=redirect, **kw)


@contextmanager
def _errors(key: str) -> Iterator[None]:
    """What the client raises, in the words of the port. The reason names what an operator can mend."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            raise ObjectMissing(key) from None
        raise StoreUnavailable(_reason(error)) from error
    except (MinioException, ServerError, InvalidResponseError) as error:
        raise StoreUnavailable("server_error") from error
    except urllib3.exceptions.SSLError as error:
        raise StoreUnavailable("tls") from error
    except urllib3.exceptions.NewConnectionError as error:
        raise StoreUnavailable("unreachable") from error
    except (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.ReadTimeoutError) as error:
        raise StoreUnavailable("timeout") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise StoreUnavailable("unreachable") from error


def _reason(error: S3Error) -> str:
    known = _REASONS.get(error.code or "")
    if known is not None:
        return known
    return "server_error" if error.response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
