"""The folder store against the contract, and what only a folder can show."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.folder import FolderStore
from storage.objects import ObjectStore, StoreUnavailable
from tests.contracts.object_store_suite import CONTENT, KEY, ObjectStoreSuite, in_pieces


class TestFolderStore(ObjectStoreSuite):
    """The folder store keeps the contract."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return FolderStore(tmp_path / "objects")


async def test_a_folder_survives_the_process(tmp_path: Path) -> None:
    await FolderStore(tmp_path).put(KEY, CONTENT)
    assert await FolderStore(tmp_path).get(KEY) == CONTENT
    assert (tmp_path / KEY).read_bytes() == CONTENT


async def test_tampering_on_disk_shows_in_stat(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    stored = await store.put(KEY, CONTENT)
    (tmp_path / KEY).write_bytes(CONTENT[:-1] + b"!")
    assert (await store.stat(KEY)).sha256 != stored.sha256


async def test_unfinished_writes_leave_no_file_behind(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put(KEY, in_pieces(CONTENT))
    await store.put(KEY, in_pieces(CONTENT))
    assert list((tmp_path / ".incoming").iterdir()) == []


async def test_what_a_killed_writer_left_is_swept_and_a_living_ones_is_not(tmp_path: Path) -> None:
    (tmp_path / ".incoming").mkdir()
    dead, living = tmp_path / ".incoming" / "dead", tmp_path / ".incoming" / "living"
    for path in (dead, living):
        path.write_bytes(b"half")
    os.utime(dead, (0, 0))
    await FolderStore(tmp_path).put(KEY, CONTENT)
    assert list((tmp_path / ".incoming").iterdir()) == [living]


async def test_file_and_folders_are_synced_before_the_acknowledgement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def watched(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await FolderStore(tmp_path).put(KEY, CONTENT)
    assert ".incoming" in synced[0]
    folders = [tmp_path / KEY, *(tmp_path / KEY).parents]
    assert synced[1:] == [str(folder) for folder in folders[1 : folders.index(tmp_path) + 1]]


async def test_a_store_that_cannot_write_says_so(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        await FolderStore(tmp_path / "objects").put(KEY, CONTENT)
