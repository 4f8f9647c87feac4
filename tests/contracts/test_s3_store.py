"""The S3 store against the contract, on a real SeaweedFS, and what only a server can show."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest
from minio.error import S3Error

from storage.clock import SystemClock
from storage.objects import ObjectMissing, ObjectStore, StoreUnavailable
from storage.s3 import PART_BYTES, S3Store
from tests.contracts.object_store_suite import CONTENT, KEY, ObjectStoreSuite, in_pieces
from tests.s3_server import Seaweed, seaweed

_NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def bucket(server: Seaweed) -> str:
    name = f"court-{next(_NUMBERS)}"
    server.new_bucket(name)
    return name


@pytest.fixture
def store(server: Seaweed, bucket: str) -> ObjectStore:
    return S3Store(server.address(bucket))


class TestS3Store(ObjectStoreSuite):
    """The contract."""


async def test_a_large_object_goes_up_in_parts_and_is_written_once(store: ObjectStore) -> None:
    large = CONTENT * 20
    assert len(large) > PART_BYTES
    stored = await store.put(KEY, in_pieces(large, 1_000_000))
    assert await store.stat(KEY) == stored
    with pytest.raises(Exception, match=KEY):
        await store.put(KEY, large[:-1])
    assert await store.stat(KEY) == stored


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"secret_key": "wrong"}, "access_denied"), ({"access_key": "nobody"}, "access_denied"), ({"endpoint": "127.0.0.1:9"}, "unreachable")],
)  # fmt: skip
async def test_what_an_operator_can_mend_is_named(server: Seaweed, bucket: str, change: dict[str, str], reason: str) -> None:
    store = S3Store(server.address(bucket, **change))
    for attempt in (store.put(KEY, b"x"), store.get(KEY), store.stat(KEY)):
        with pytest.raises(StoreUnavailable, match=reason):
            await attempt


async def test_a_missing_bucket_is_named(server: Seaweed) -> None:
    with pytest.raises(StoreUnavailable, match="bucket_missing"):
        await S3Store(server.address("nowhere")).put(KEY, b"x")


async def test_a_locked_bucket_keeps_what_it_holds(server: Seaweed) -> None:
    server.new_bucket("locked", locked_days=1)
    store = S3Store(server.address("locked"))
    await store.put(KEY, CONTENT)
    version = server.client().stat_object("locked", KEY).version_id
    with pytest.raises(S3Error):
        server.client().remove_object("locked", KEY, version_id=version)
    assert await store.get(KEY) == CONTENT


async def test_what_the_bucket_keeps_is_told_and_what_it_does_not_keep_can_be_erased(server: Seaweed, bucket: str) -> None:
    """For lawful destruction (record.destruction): every version goes, or the bucket's rule says until when it stays."""
    free, locked_bucket = S3Store(server.address(bucket)), f"{bucket}-locked"
    server.new_bucket(locked_bucket, locked_days=1)
    locked = S3Store(server.address(locked_bucket))
    for store in (free, locked):
        await store.put(KEY, CONTENT)
    assert await free.locked_until(KEY) is None
    assert await free.erase(KEY)
    assert await free.erase(KEY), "what is gone is gone"
    with pytest.raises(ObjectMissing):
        await free.get(KEY)
    until = await locked.locked_until(KEY)
    assert until is not None
    assert timedelta(hours=23) < until - SystemClock().now() < timedelta(hours=25)
    assert not await locked.erase(KEY)
    assert await locked.get(KEY) == CONTENT
