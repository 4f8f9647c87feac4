"""The encrypted store against the contract, on both databases and with both algorithms; and what its keys are good for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from storage.clock import SystemClock
from storage.data_keys import DataKeys, KeyDestroyed
from storage.database import Database
from storage.encrypted import EncryptedStore
from storage.envelope import Algorithm, Damaged
from storage.folder import FolderStore
from storage.key_ring import KeyRing, UnknownKey
from storage.migrate import migrate
from storage.mirror import MirroredStore
from storage.objects import ObjectExists, ObjectMissing, ObjectStore, StoreUnavailable
from storage.tables import data_keys
from tests.contracts.object_store_suite import CONTENT, KEY, ObjectStoreSuite, listed
from tests.contracts.test_mirrored_store import Away


def keys_of(database: Database, folder: Path, algorithm: Algorithm = Algorithm.AES_256_GCM) -> DataKeys:
    return DataKeys(database, KeyRing(folder / "keys"), SystemClock(), algorithm, "parties")


@pytest.fixture
def inner(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "objects")


@pytest.fixture
def store(court_database: Database, tmp_path: Path, inner: FolderStore) -> ObjectStore:
    return EncryptedStore(inner, keys_of(court_database, tmp_path))


class TestEncryptedStore(ObjectStoreSuite):
    """The contract, with AES."""


class TestEncryptedStoreWithSm4(ObjectStoreSuite):
    """The contract, with the national algorithm; one database is enough for it."""

    @pytest.fixture
    async def store(self, tmp_path: Path, inner: FolderStore) -> AsyncIterator[ObjectStore]:
        url = f"sqlite:///{tmp_path}/sm4.db"
        await migrate(url)
        database = Database(url)
        yield EncryptedStore(inner, keys_of(database, tmp_path, Algorithm.SM4_GCM))
        await database.close()


async def test_nothing_lies_there_in_clear(store: ObjectStore, inner: FolderStore, tmp_path: Path) -> None:
    await store.put(KEY, b"testimony of the plaintiff " * 9000)
    files = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert b"testimony" not in files[0].read_bytes()


async def test_a_changed_object_is_damaged_and_not_a_different_object(store: ObjectStore, tmp_path: Path) -> None:
    await store.put(KEY, CONTENT)
    file = next(path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    stored = bytearray(file.read_bytes())
    stored[len(stored) // 2] ^= 1
    file.write_bytes(stored)
    with pytest.raises(Damaged):
        await store.stat(KEY)
    assert await store.get(KEY, end=100) == CONTENT[:100]  # what is whole can still be read


async def test_a_put_that_was_cut_off_goes_on_with_the_same_bytes(
    court_database: Database, tmp_path: Path, inner: FolderStore
) -> None:
    keys, second = keys_of(court_database, tmp_path), FolderStore(tmp_path / "second")
    for _ in range(3):  # the second store is away: every try leaves the same object in the first
        with pytest.raises(StoreUnavailable):
            await EncryptedStore(MirroredStore(inner, Away()), keys).put(KEY, CONTENT)
        with pytest.raises(ObjectMissing):
            await EncryptedStore(inner, keys).get(KEY)
    store = EncryptedStore(MirroredStore(inner, second), keys)
    await store.put(KEY, CONTENT)
    assert await store.get(KEY) == CONTENT
    assert len(await listed(inner, "")) == 1
    assert await listed(inner, "") == await listed(second, "")


async def test_a_name_whose_first_content_was_never_stored_can_be_used_for_another(
    court_database: Database, tmp_path: Path, inner: FolderStore
) -> None:
    keys = keys_of(court_database, tmp_path)
    with pytest.raises(StoreUnavailable):
        await EncryptedStore(Away(), keys).put(KEY, b"first")
    late = await keys.reserve(KEY, 5, "f" * 64)  # a writer that is overtaken
    store = EncryptedStore(inner, keys)
    await store.put(KEY, b"second")
    with pytest.raises(ObjectExists):
        await keys.confirm(late, "0" * 64)
    assert await store.get(KEY) == b"second"


async def test_sealing_moves_the_key_and_not_the_bytes(court_database: Database, tmp_path: Path, inner: FolderStore) -> None:
    keys = keys_of(court_database, tmp_path)
    store = EncryptedStore(inner, keys)
    await store.put(KEY, CONTENT)
    before = await listed(inner, "")
    await keys.move(KEY, "sealed")
    assert await store.get(KEY) == CONTENT
    assert await listed(inner, "") == before
    (tmp_path / "keys" / "sealed-1.key").rename(tmp_path / "sealed-1.key")  # a process that may not have this class
    with pytest.raises(UnknownKey):
        await store.get(KEY)


async def test_destruction_is_of_the_key_and_says_so(court_database: Database, tmp_path: Path, inner: FolderStore) -> None:
    keys = keys_of(court_database, tmp_path)
    store = EncryptedStore(inner, keys)
    await store.put(KEY, CONTENT)
    await keys.destroy(KEY, "（2026）沪0106司惩1号")
    with pytest.raises(KeyDestroyed):
        await store.get(KEY)
    with pytest.raises(ObjectMissing):
        await keys.destroy(KEY, "（2026）沪0106司惩1号")
    assert await listed(store, "") == []
    async with court_database.read() as connection:
        assert (await connection.execute(select(data_keys.c.destroyed_at))).scalar_one() is not None


async def test_a_rotated_key_wraps_what_comes_and_the_old_still_opens(
    court_database: Database, tmp_path: Path, inner: FolderStore
) -> None:
    store, ring = EncryptedStore(inner, keys_of(court_database, tmp_path)), KeyRing(tmp_path / "keys")
    await store.put(KEY, b"old")
    assert ring.rotate("parties") == "parties-2"
    await store.put(KEY + "2", b"new")
    async with court_database.read() as connection:
        used = (await connection.execute(select(data_keys.c.wrapping_key).order_by(data_keys.c.object_key))).scalars().all()
    assert used == ["parties-1", "parties-2"]
    assert [await store.get(KEY), await store.get(KEY + "2")] == [b"old", b"new"]


async def test_keys_are_for_their_owner_alone(store: ObjectStore, tmp_path: Path) -> None:
    await store.put(KEY, b"x")
    assert [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "keys").iterdir()] == ["0o600"]
