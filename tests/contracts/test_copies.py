"""Each copy is looked at where it lies and made good from the other: in folders and in buckets of a real SeaweedFS."""

from __future__ import annotations

import asyncio
import io
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from storage.copies import Copies, NotHealed, Pace
from storage.data_keys import DataKeys, KeptObject
from storage.database import Database
from storage.encrypted import EncryptedStore
from storage.envelope import CHUNK_BYTES, HEADER_BYTES, TAG_BYTES, Damaged
from storage.folder import FolderStore
from storage.migrate import migrate
from storage.mirror import Copy, MirroredStore
from storage.objects import ObjectStore, StoreUnavailable
from storage.s3 import S3Address, S3Store
from storage.watch import Fault, Reach, Watch
from tests.contracts.object_store_suite import CONTENT, KEY
from tests.contracts.test_encrypted_store import keys_of
from tests.contracts.test_mirrored_store import Away
from tests.s3_server import Seaweed, seaweed

_NUMBERS = itertools.count()
_LOCKED_DAYS = 1


class Noticing(Watch):
    """Remembers what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, Fault]] = []

    async def noticed(self, store: str, stored_key: str, fault: Fault) -> None:
        assert stored_key.startswith(KEY)
        self.told.append((store, fault))


@dataclass
class Place:
    """One store and how its objects come to harm behind the program's back; `lose` is None where nothing can be lost."""

    store: ObjectStore
    write: Callable[[str, bytes], Awaitable[None]]
    lose: Callable[[str], Awaitable[None]] | None
    evidence: Callable[[str], list[bytes]]


@dataclass
class Bed:
    """Two places and what is over them."""

    places: dict[str, Place]
    keys: DataKeys
    watch: Noticing

    @property
    def objects(self) -> EncryptedStore:
        return EncryptedStore(MirroredStore(self.places["A"].store, self.places["B"].store, watch=self.watch), self.keys)

    @property
    def copies(self) -> Copies:
        return Copies([Copy(name, place.store, self.watch) for name, place in self.places.items()], self.keys)

    async def stored(self, content: bytes = CONTENT) -> KeptObject:
        await self.objects.put(KEY, content)
        return await self.keys.find(KEY)

    async def change(self, name: str, kept: KeptObject, at: int = 100_000) -> bytes:
        """Flip a bit of one copy; returns what lies there then."""
        data = bytearray(await self.places[name].store.get(kept.stored_key))
        data[at] ^= 1
        await self.places[name].write(kept.stored_key, bytes(data))
        return bytes(data)


def folder_place(root: Path) -> Place:
    async def write(key: str, data: bytes) -> None:
        (root / key).write_bytes(data)

    async def lose(key: str) -> None:
        (root / key).unlink()

    def evidence(key: str) -> list[bytes]:
        return [path.read_bytes() for path in (root / ".quarantine").glob(f"{key}.*")]

    return Place(FolderStore(root), write, lose, evidence)


def bucket_place(server: Seaweed, *, locked: bool = True) -> Place:
    name, client = f"court-{next(_NUMBERS)}", server.client()
    server.new_bucket(name, locked_days=_LOCKED_DAYS if locked else None)

    async def write(key: str, data: bytes) -> None:
        client.put_object(name, key, io.BytesIO(data), len(data))

    async def lose(key: str) -> None:
        client.remove_object(name, key)

    def evidence(key: str) -> list[bytes]:
        now = client.stat_object(name, key).version_id
        versions = client.list_objects(name, prefix=key, recursive=True, include_version=True)
        older = [one.version_id for one in versions if one.version_id != now]
        return [client.get_object(name, key, version_id=version).read() for version in older]

    return Place(S3Store(server.address(name)), write, lose, evidence)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/court.db"
    await migrate(url)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture(params=["folders", "buckets"])
def bed(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Bed:
    if request.param == "folders":
        places = {name: folder_place(tmp_path / name) for name in "AB"}
    else:
        server: Seaweed = request.getfixturevalue("server")
        places = {name: bucket_place(server) for name in "AB"}
    return Bed(places, keys_of(database, tmp_path), Noticing())


async def test_what_is_whole_is_left_alone(bed: Bed) -> None:
    assert await bed.copies.faults(await bed.stored()) == {}
    assert await bed.copies.faults(await bed.keys.find(KEY)) == {}


@pytest.mark.parametrize("name", ["A", "B"])
async def test_a_missing_copy_is_put_again(bed: Bed, name: str) -> None:
    kept = await bed.stored()
    before = await bed.places[name].store.get(kept.stored_key)
    lose = bed.places[name].lose
    assert lose is not None
    await lose(kept.stored_key)
    faults = await bed.copies.faults(kept)
    assert faults == {name: Fault.MISSING}
    await bed.copies.heal(kept, faults)
    assert await bed.places[name].store.get(kept.stored_key) == before
    assert await bed.copies.faults(kept) == {}


@pytest.mark.parametrize("name", ["A", "B"])
async def test_a_damaged_copy_is_replaced_and_kept_as_evidence(bed: Bed, name: str) -> None:
    kept = await bed.stored()
    before = await bed.places[name].store.get(kept.stored_key)
    damaged = await bed.change(name, kept)
    faults = await bed.copies.faults(kept)
    assert faults == {name: Fault.DAMAGED}
    notes = await bed.copies.heal(kept, faults)
    assert notes[name]  # says where
    assert await bed.places[name].store.get(kept.stored_key) == before
    assert damaged in bed.places[name].evidence(kept.stored_key)
    assert await bed.copies.faults(kept) == {}
    assert [key async for key in bed.places[name].store.list("")] == [kept.stored_key]  # what is set aside is no object


@pytest.mark.parametrize("at", [3, -1])
async def test_header_and_last_byte_count(bed: Bed, at: int) -> None:
    kept = await bed.stored()
    await bed.change("B", kept, at)
    assert await bed.copies.faults(kept) == {"B": Fault.DAMAGED}


async def test_a_viewer_gets_what_is_whole_chunk_by_chunk_and_both_faults_are_noticed(bed: Bed) -> None:
    kept = await bed.stored()
    chunk = CHUNK_BYTES + TAG_BYTES
    await bed.change("A", kept, HEADER_BYTES + 2 * chunk + 5)
    await bed.change("B", kept, HEADER_BYTES + 5 * chunk + 5)
    assert await bed.objects.get(KEY) == CONTENT
    assert (
        await bed.objects.get(KEY, start=3 * CHUNK_BYTES - 7, end=6 * CHUNK_BYTES)
        == CONTENT[3 * CHUNK_BYTES - 7 : 6 * CHUNK_BYTES]
    )
    assert {("A", Fault.DAMAGED), ("B", Fault.DAMAGED)} == set(bed.watch.told)
    await bed.copies.heal(kept, await bed.copies.faults(kept))  # and neither is needed whole to make both whole
    assert await bed.copies.faults(kept) == {}


async def test_a_missing_first_copy_is_no_error_for_the_viewer(bed: Bed) -> None:
    kept = await bed.stored()
    lose = bed.places["A"].lose
    assert lose is not None
    await lose(kept.stored_key)
    assert await bed.objects.get(KEY) == CONTENT
    assert bed.watch.told == [("A", Fault.MISSING)]


async def test_what_is_gone_in_both_is_not_invented(bed: Bed) -> None:
    kept = await bed.stored()
    for name in "AB":
        await bed.change(name, kept)
    faults = await bed.copies.faults(kept)
    assert set(faults) == {"A", "B"}
    with pytest.raises(NotHealed, match="两份副本"):
        await bed.copies.heal(kept, faults)
    with pytest.raises(Damaged):
        await bed.objects.get(KEY)


async def test_a_bucket_without_versions_keeps_its_damaged_object_and_says_so(
    server: Seaweed, tmp_path: Path, database: Database
) -> None:
    places = {"A": folder_place(tmp_path / "A"), "B": bucket_place(server, locked=False)}
    bed = Bed(places, keys_of(database, tmp_path), Noticing())
    kept = await bed.stored()
    damaged = await bed.change("B", kept)
    with pytest.raises(NotHealed, match="B 库的存储桶未开启版本"):
        await bed.copies.heal(kept, await bed.copies.faults(kept))
    assert await bed.places["B"].store.get(kept.stored_key) == damaged


async def test_a_store_that_holds_nothing_is_not_filled_unasked(tmp_path: Path, database: Database) -> None:
    bed = Bed({name: folder_place(tmp_path / name) for name in "AB"}, keys_of(database, tmp_path), Noticing())
    for number in range(5):
        await bed.objects.put(f"{KEY}{number}", bytes([number]) * 1000)
    (tmp_path / "B").rename(tmp_path / "not-mounted")
    kept = await bed.keys.find(f"{KEY}0")
    with pytest.raises(NotHealed, match="未挂载"):
        await bed.copies.heal(kept, await bed.copies.faults(kept))
    assert not (tmp_path / "B").exists()
    await bed.copies.heal(kept, await bed.copies.faults(kept), fill=True)
    assert await bed.copies.faults(kept) == {}


async def test_a_store_that_is_away_is_not_a_store_without_objects(tmp_path: Path, database: Database) -> None:
    bed = Bed({name: folder_place(tmp_path / name) for name in "AB"}, keys_of(database, tmp_path), Noticing())
    kept = await bed.stored()
    copies = Copies([Copy("A", bed.places["A"].store, bed.watch), Copy("B", Away(), bed.watch)], bed.keys)
    with pytest.raises(StoreUnavailable, match="B: unreachable"):
        await copies.faults(kept)
    (tmp_path / "A" / kept.stored_key).unlink()
    with pytest.raises(StoreUnavailable):  # one has lost it and the other is away: that is not "missing"
        await EncryptedStore(MirroredStore(bed.places["A"].store, Away()), bed.keys).get(KEY)


async def test_healing_twice_at_once_leaves_one_good_copy_and_the_evidence(bed: Bed) -> None:
    kept = await bed.stored()
    damaged = await bed.change("A", kept)
    faults = await bed.copies.faults(kept)
    await bed.copies.heal(kept, faults)
    await bed.copies.heal(kept, faults)  # another job that had seen the same
    assert await bed.copies.faults(kept) == {}
    assert bed.places["A"].evidence(kept.stored_key).count(damaged) == 1


class Silent(Away):
    """A network that swallows everything."""

    asked = 0

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        self.asked += 1
        await asyncio.Event().wait()
        yield b""


async def test_a_black_hole_is_waited_for_once_and_asked_again_after_a_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database
) -> None:
    monkeypatch.setattr("storage.mirror.PATIENCE_S", 0.2)
    now_s, hole, watch = 0.0, Silent(), Noticing()
    watch.reach["A"] = Reach(lambda: now_s)
    keys, second = keys_of(database, tmp_path), FolderStore(tmp_path / "b")
    await EncryptedStore(MirroredStore(FolderStore(tmp_path / "a"), second), keys).put(KEY, CONTENT)
    store = EncryptedStore(MirroredStore(hole, second, watch=watch), keys)
    assert await store.get(KEY) == CONTENT
    assert hole.asked == 1
    for _ in range(20):
        assert await store.get(KEY, end=10) == CONTENT[:10]
    assert (hole.asked, watch.told) == (1, [])  # out of reach is not lost: no fault
    now_s = 5.1
    reads = await asyncio.gather(*(store.get(KEY, end=10) for _ in range(10)))  # half-open: one of them tries
    assert reads == [CONTENT[:10]] * 10
    assert hole.asked == 2
    now_s = 12.0  # the second rest is twice as long
    await store.get(KEY, end=10)
    assert hole.asked == 2


def test_a_store_that_is_back_is_first_again() -> None:
    now_s = 0.0
    reach = Reach(lambda: now_s)
    reach.failed()
    assert reach.is_resting()
    now_s = 5.1
    assert not reach.is_resting()
    assert reach.is_resting()  # somebody is trying
    reach.worked()
    assert not reach.is_resting()


async def test_the_pace_is_kept() -> None:
    pace, began_s = Pace(bytes_per_s=1_000_000), time.monotonic()
    for _ in range(6):
        await pace.spend(50_000)
    assert time.monotonic() - began_s >= 0.2


async def test_a_server_that_swallows_everything_costs_one_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: Database
) -> None:
    monkeypatch.setattr("storage.mirror.PATIENCE_S", 0.5)
    held: list[asyncio.StreamWriter] = []

    async def swallow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    hole = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        endpoint = f"127.0.0.1:{hole.sockets[0].getsockname()[1]}"
        keys, second = keys_of(database, tmp_path), FolderStore(tmp_path / "b")
        await EncryptedStore(MirroredStore(FolderStore(tmp_path / "a"), second), keys).put(KEY, CONTENT)
        store = EncryptedStore(MirroredStore(S3Store(S3Address(endpoint, "court", "k", "s", secure=False)), second), keys)
        took_s = []
        for _ in range(10):
            began_s = time.monotonic()
            assert await store.get(KEY) == CONTENT
            took_s.append(time.monotonic() - began_s)
        assert took_s[0] >= 0.5
        assert sum(took_s[1:]) < 2.0
        assert len(held) == 1
    finally:
        for writer in held:
            writer.close()
        hole.close()
