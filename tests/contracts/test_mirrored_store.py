"""Two stores as one, against the contract, and what happens when one of them is away or lost."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.folder import FolderStore
from storage.mirror import MirroredStore
from storage.objects import ObjectExists, ObjectStore, StoredObject, StoreUnavailable
from tests.contracts.object_store_suite import CONTENT, KEY, ObjectStoreSuite


class Away:
    """A store that cannot be reached; or that stops in the middle of a read."""

    def __init__(self, inner: ObjectStore | None = None, after_bytes: int = 0) -> None:
        self._inner = inner
        self._after_bytes = after_bytes

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        raise StoreUnavailable("unreachable")

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        raise StoreUnavailable("unreachable")

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if self._inner is not None:
            yield await self._inner.get(key, start=start, end=start + self._after_bytes)
        raise StoreUnavailable("unreachable")

    async def stat(self, key: str) -> StoredObject:
        raise StoreUnavailable("unreachable")

    async def list(self, prefix: str) -> AsyncIterator[str]:
        raise StoreUnavailable("unreachable")
        yield prefix


@pytest.fixture
def folders(tmp_path: Path) -> tuple[FolderStore, FolderStore]:
    return FolderStore(tmp_path / "a"), FolderStore(tmp_path / "b")


@pytest.fixture
def store(folders: tuple[FolderStore, FolderStore]) -> ObjectStore:
    return MirroredStore(*folders)


class TestMirroredStore(ObjectStoreSuite):
    """The contract."""

    async def test_both_hold_it(self, store: ObjectStore, folders: tuple[FolderStore, FolderStore]) -> None:
        stored = await store.put(KEY, CONTENT)
        assert [await folder.stat(KEY) for folder in folders] == [stored, stored]


async def test_two_copies_are_two_copies(folders: tuple[FolderStore, FolderStore]) -> None:
    for pair in ((Away(), folders[0]), (folders[0], Away())):
        with pytest.raises(StoreUnavailable):
            await MirroredStore(*pair).put(KEY, CONTENT)
    stored = await MirroredStore(*folders).put(KEY, CONTENT)  # it comes back: what one had already is welcome again
    assert await folders[1].stat(KEY) == stored


async def test_one_copy_is_enough_where_a_person_waits(folders: tuple[FolderStore, FolderStore]) -> None:
    mirror = MirroredStore(Away(), folders[1], copies=1)
    await mirror.put(KEY, CONTENT)
    assert await mirror.get(KEY) == CONTENT
    with pytest.raises(StoreUnavailable):
        await MirroredStore(Away(), Away(), copies=1).put(KEY, CONTENT)


async def test_a_lost_copy_is_read_from_the_other(tmp_path: Path, folders: tuple[FolderStore, FolderStore]) -> None:
    mirror = MirroredStore(*folders)
    stored = await mirror.put(KEY, CONTENT)
    shutil.rmtree(tmp_path / "a")
    assert await mirror.get(KEY, start=5) == CONTENT[5:]
    assert await mirror.stat(KEY) == stored


async def test_a_read_goes_on_where_the_first_store_stopped(folders: tuple[FolderStore, FolderStore]) -> None:
    await MirroredStore(*folders).put(KEY, CONTENT)
    mirror = MirroredStore(Away(folders[0], after_bytes=300_000), folders[1])
    assert await mirror.get(KEY, start=7) == CONTENT[7:]


async def test_a_different_content_in_one_store_is_refused(folders: tuple[FolderStore, FolderStore]) -> None:
    await folders[1].put(KEY, b"other")
    with pytest.raises(ObjectExists):
        await MirroredStore(*folders).put(KEY, CONTENT)
