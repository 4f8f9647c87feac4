"""An object store in a folder: write-once files, durable before they are acknowledged."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from storage.durable import sync_folder
from storage.incoming import chunks_of
from storage.objects import ObjectExists, ObjectMissing, StoredObject, StoreUnavailable, check_key, is_key_part

_CHUNK_BYTES = 256 * 1024
_ABANDONED_S = 3600
_INCOMING = ".incoming"  # unfinished writes; not a possible key
_QUARANTINE = ".quarantine"  # damaged objects that were replaced: evidence, never deleted by the program


class FolderStore:
    """ObjectStore in a folder (satisfies storage.objects.ObjectStore). Blocking work runs in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._swept = False

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        """Store durably: file and folder are on disk when this returns. Identical bytes again are allowed."""
        path = self._path(key)
        temporary = await asyncio.to_thread(self._incoming)
        try:
            stored = await self._write(key, temporary, data)
            await asyncio.to_thread(_keep, temporary, path, self._root, stored)
        finally:
            await asyncio.to_thread(temporary.unlink, missing_ok=True)
        return stored

    async def replace(self, key: str, data: AsyncIterator[bytes] | bytes) -> str:
        """Put these bytes in place of a damaged object, which is set aside beside the objects; returns where it lies now."""
        path = self._path(key)
        aside = self._root / _QUARANTINE / f"{key}.{secrets.token_hex(4)}"
        with _write_errors():
            await asyncio.to_thread(_set_aside, path, aside)
        await self.put(key, data)
        return aside.relative_to(self._root).as_posix()

    async def locked_until(self, key: str) -> datetime | None:  # noqa: ARG002  a folder has no rule of its own
        """Satisfies storage.objects.Erasable."""
        return None

    async def erase(self, key: str) -> bool:
        """Remove the object, and what was set aside of it as damaged; folders that are left empty go too."""
        path = self._path(key)
        with _write_errors():
            await asyncio.to_thread(_remove, path, self._root, key)
        return True

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes [start, end); what lies beyond the end of the object is left out."""
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The same bytes in chunks of at most 256 KiB."""
        path = self._path(key)
        with _read_errors(key):
            file = await asyncio.to_thread(path.open, "rb")
            try:
                await asyncio.to_thread(file.seek, start)
                left = None if end is None else max(0, end - start)
                while left is None or left > 0:
                    chunk = await asyncio.to_thread(file.read, _CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
                    if not chunk:
                        break
                    left = None if left is None else left - len(chunk)
                    yield chunk
            finally:
                await asyncio.to_thread(file.close)

    async def stat(self, key: str) -> StoredObject:
        """Size and hash of the stored bytes, read from disk now."""
        path = self._path(key)
        with _read_errors(key):
            return await asyncio.to_thread(_measure, key, path)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        """Every key that starts with `prefix`, in order."""
        for key in await asyncio.to_thread(lambda: sorted(self._keys(prefix))):
            yield key

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*check_key(key))

    def _incoming(self) -> Path:
        folder = self._root / _INCOMING
        with _write_errors():
            folder.mkdir(parents=True, exist_ok=True)
            own = folder / secrets.token_hex(16)
            own.touch(exist_ok=False)
            if not self._swept:
                _sweep(own)
                self._swept = True
        return own

    async def _write(self, key: str, temporary: Path, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        digest, size = hashlib.sha256(), 0
        with _write_errors():
            file = await asyncio.to_thread(temporary.open, "wb")
        try:
            async for chunk in chunks_of(data):
                digest.update(chunk)
                size += len(chunk)
                with _write_errors():
                    await asyncio.to_thread(file.write, chunk)
            with _write_errors():
                await asyncio.to_thread(_sync, file)
        finally:
            await asyncio.to_thread(file.close)
        return StoredObject(key, size, digest.hexdigest())

    def _keys(self, prefix: str) -> Iterator[str]:
        # Only the deepest whole folder of the prefix is walked: a sitting's keys do not cost the whole archive.
        base = self._root.joinpath(*[part for part in prefix.split("/")[:-1] if is_key_part(part)])
        for folder, folders, files in os.walk(base):
            folders[:] = [name for name in folders if name not in {_INCOMING, _QUARANTINE}]
            for name in files:
                key = Path(folder, name).relative_to(self._root).as_posix()
                if key.startswith(prefix):
                    yield key


def _sweep(own: Path) -> None:
    """Remove what writers that were killed left behind; a living writer's file is never an hour older than a fresh one."""
    newest_s = own.stat().st_mtime
    for left in own.parent.iterdir():
        with suppress(FileNotFoundError):  # another writer finished meanwhile
            if left.stat().st_mtime < newest_s - _ABANDONED_S:
                left.unlink()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _keep(temporary: Path, path: Path, root: Path, stored: StoredObject) -> None:
    """Give the finished file its name. A hard link, unlike a rename, cannot replace what another writer put first."""
    with _write_errors():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(temporary, path)
        except FileExistsError:
            if _measure(stored.key, path).sha256 != stored.sha256:
                raise ObjectExists(f"another content stands under {stored.key}") from None
        # The name is durable when its folder is, and the folders above, which may be as new as the file.
        for folder in (path.parent, *path.parent.parents):
            sync_folder(folder)
            if folder == root:
                break


def _set_aside(path: Path, aside: Path) -> None:
    aside.parent.mkdir(parents=True, exist_ok=True)
    path.rename(aside)
    sync_folder(aside.parent)
    sync_folder(path.parent)


def _remove(path: Path, root: Path, key: str) -> None:
    aside = root / _QUARANTINE / key
    for gone in (path, *aside.parent.glob(f"{aside.name}.*")):
        if gone.exists():
            gone.unlink()
            sync_folder(gone.parent)
    for folder in path.parents:
        if folder == root or not folder.is_dir() or any(folder.iterdir()):
            break
        folder.rmdir()


def _measure(key: str, path: Path) -> StoredObject:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return StoredObject(key, file.tell(), digest.hexdigest())


@contextmanager
def _read_errors(key: str) -> Iterator[None]:
    """Translate what the file system says while reading into the port's errors."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectMissing(f"nothing stands under {key}") from error
    except OSError as error:
        raise _unavailable(error) from error


@contextmanager
def _write_errors() -> Iterator[None]:
    """While writing nothing can be missing: every failure is the store's."""
    try:
        yield
    except OSError as error:
        raise _unavailable(error) from error


_REASONS = {
    errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full", errno.EROFS: "read_only", errno.EACCES: "access_denied",
    errno.EPERM: "access_denied", errno.ESTALE: "unreachable", errno.ENOTCONN: "unreachable",
    errno.EHOSTDOWN: "unreachable", errno.ETIMEDOUT: "timeout",
}  # fmt: skip


def _unavailable(error: OSError) -> StoreUnavailable:
    """The reason names what an operator can mend; "io_error" is the disk's own."""
    return StoreUnavailable(_REASONS.get(error.errno or 0, "io_error"))
