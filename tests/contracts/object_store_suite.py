"""What every ObjectStore must do. A store joins by subclassing ObjectStoreSuite and giving a `store` fixture.

class TestFolderStore(ObjectStoreSuite):
@pytest.fixture
def store(self, tmp_path: Path) -> ObjectStore: ...
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from storage.objects import (
    InvalidKey,
    ObjectExists,
    ObjectMissing,
    ObjectStore,
    exhibit_key,
    exhibit_page_key,
    manifest_key,
    segment_key,
    signature_key,
)

KEY = segment_key("court_1", "sit_1", "part_1-audio", 7)
CONTENT = bytes(range(256)) * 4000  # a megabyte and a bit: more than one chunk


async def in_pieces(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def broken_source(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise ConnectionResetError("the sender is gone")


async def listed(store: ObjectStore, prefix: str) -> list[str]:
    return [key async for key in store.list(prefix)]


class ObjectStoreSuite:
    """The contract."""

    async def test_bytes_come_back_as_they_went_in(self, store: ObjectStore) -> None:
        stored = await store.put(KEY, CONTENT)
        assert (stored.key, stored.bytes, stored.sha256) == (KEY, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
        assert await store.get(KEY) == CONTENT
        assert await store.stat(KEY) == stored

    async def test_a_stream_is_stored_as_one_object(self, store: ObjectStore) -> None:
        stored = await store.put(KEY, in_pieces(CONTENT))
        assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
        assert b"".join([chunk async for chunk in store.stream(KEY)]) == CONTENT

    async def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        assert (await store.put(KEY, b"")).bytes == 0
        assert await store.get(KEY) == b""

    @pytest.mark.parametrize(
        ("start", "end"), [(0, 10), (5, None), (300_000, 600_001), (10, 10), (0, 10**9), (2 * 10**6, None), (9, 3)]
    )
    async def test_a_range_is_cut_as_python_cuts(self, store: ObjectStore, start: int, end: int | None) -> None:
        await store.put(KEY, CONTENT)
        assert await store.get(KEY, start=start, end=end) == CONTENT[start:end]
        assert b"".join([chunk async for chunk in store.stream(KEY, start=start, end=end)]) == CONTENT[start:end]

    async def test_the_same_bytes_again_are_welcome(self, store: ObjectStore) -> None:
        first = await store.put(KEY, CONTENT)
        assert await store.put(KEY, in_pieces(CONTENT)) == first

    async def test_other_bytes_are_refused_and_the_first_stay(self, store: ObjectStore) -> None:
        await store.put(KEY, CONTENT)
        with pytest.raises(ObjectExists):
            await store.put(KEY, CONTENT[:-1])
        assert await store.get(KEY) == CONTENT

    async def test_two_writers_at_once_leave_one_whole_object(self, store: ObjectStore) -> None:
        contents = [bytes([n]) * 200_000 for n in range(6)]
        results = await asyncio.gather(*(store.put(KEY, in_pieces(c)) for c in contents), return_exceptions=True)
        kept = await store.get(KEY)
        assert kept in contents
        assert [isinstance(r, ObjectExists) for r in results] == [content != kept for content in contents]

    async def test_a_broken_write_leaves_nothing(self, store: ObjectStore) -> None:
        with pytest.raises(ConnectionResetError):
            await store.put(KEY, broken_source(CONTENT))
        with pytest.raises(ObjectMissing):
            await store.stat(KEY)
        assert await listed(store, "") == []
        await store.put(KEY, CONTENT)

    async def test_what_is_missing_is_said_to_be(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing):
            await store.get(KEY)
        with pytest.raises(ObjectMissing):
            await store.stat(KEY)
        with pytest.raises(ObjectMissing):
            [chunk async for chunk in store.stream(KEY)]
        await store.put(KEY, CONTENT)
        with pytest.raises(ObjectMissing):
            await store.get(KEY.rsplit("/", 1)[0])  # a folder of keys is no object

    async def test_keys_are_listed_by_prefix_in_order(self, store: ObjectStore) -> None:
        keys = [segment_key("court_1", "sit_1", "part_1-audio", n) for n in (2, 0, 10, 1)]
        others = [segment_key("court_1", "sit_12", "part_1-audio", 0), exhibit_key("court_2", "exh_1")]
        for key in keys + others:
            await store.put(key, key.encode())
        assert await listed(store, "courts/court_1/sittings/sit_1/") == sorted(keys)
        assert await listed(store, "courts/court_1/sittings/sit_1") == sorted([*keys, others[0]])
        assert await listed(store, "") == sorted(keys + others)
        assert await listed(store, "courts/court_9/") == []

    @pytest.mark.parametrize(
        "key",
        ["", "/etc/passwd", "../outside", "courts/../../outside", "courts/./x", "courts//x", "courts/x/", "a\\..\\b", "a\0b", "名", "a b", ".hidden", "x" * 301],
    )  # fmt: skip
    async def test_what_is_no_key_is_refused(self, store: ObjectStore, key: str) -> None:
        with pytest.raises(InvalidKey):
            await store.put(key, b"x")
        with pytest.raises(InvalidKey):
            await store.get(key)
        with pytest.raises(InvalidKey):
            await store.stat(key)

    async def test_every_key_of_the_scheme_is_a_key(self, store: ObjectStore) -> None:
        keys = [
            KEY,
            exhibit_key("court_1", "exh_1"),
            exhibit_page_key("court_1", "exh_1", 12),
            manifest_key("court_1", "sit_1"),
            signature_key("court_1", "sit_1"),
        ]
        for key in keys:
            await store.put(key, b"x")
        assert await listed(store, "") == sorted(keys)
