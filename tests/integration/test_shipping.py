"""The shipper over stores that fail in every way: nothing is lost, nothing goes twice, and what is wrong has a code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media import ship_health
from media import shipper as shipping
from storage import depot as depots
from storage.folder import FolderStore
from storage.objects import ObjectStore, StoredObject, StoreUnavailable
from tests.integration.shipping_bed import ShippingBed, shipping_bed, until


class Faulty:
    """A store that can be away, hang, or give back other bytes than were put. Counts what it is given."""

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner
        self.away = ""
        self.hangs = False
        self.delay_s = 0.0
        self.damages = 0
        self.puts: list[str] = []
        self.put_bytes = 0
        self.most_at_once = 0
        self._now = 0

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await self._put(key, data)
        finally:
            self._now -= 1

    async def _put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        if self.hangs:
            await asyncio.sleep(3600)
        await asyncio.sleep(self.delay_s)
        if self.away:
            raise StoreUnavailable(self.away)
        assert isinstance(data, bytes)
        if key != depots.PROBE_KEY:
            self.puts.append(key)
            self.put_bytes += len(data)
            if self.damages:
                self.damages -= 1
                data = data[:-1] + bytes([data[-1] ^ 1])
        return await self.inner.put(key, data)

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        return b"".join([chunk async for chunk in self.stream(key, start=start, end=end)])

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        if self.away:
            raise StoreUnavailable(self.away)
        async for chunk in self.inner.stream(key, start=start, end=end):
            yield chunk

    async def stat(self, key: str) -> StoredObject:
        if self.away:
            raise StoreUnavailable(self.away)
        return await self.inner.stat(key)

    async def list(self, prefix: str) -> AsyncIterator[str]:
        async for key in self.inner.list(prefix):
            yield key


@pytest.fixture
async def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ShippingBed, Faulty, Faulty]]:
    monkeypatch.setattr(ship_health, "REPORT_EVERY_S", 0.2)
    a, b = Faulty(FolderStore(tmp_path / "a")), Faulty(FolderStore(tmp_path / "b"))
    async with shipping_bed(tmp_path, a, b) as bed:
        yield bed, a, b


Two = tuple[ShippingBed, Faulty, Faulty]


async def test_everything_lies_twice_and_the_spool_is_free(two: Two) -> None:
    bed, a, b = two
    a.delay_s = 0.1
    for track in ("a-audio", "a-video", "b-audio"):
        for _ in range(5):
            bed.segment(track)
    assert not await bed.shipper().ship_all()
    await bed.assert_whole()
    assert len(a.puts) == len(b.puts) == 15
    assert 1 < a.most_at_once <= shipping.AT_ONCE


async def test_a_store_that_is_away_costs_the_other_nothing(two: Two) -> None:
    bed, a, b = two
    b.away = "bucket_missing"
    async with bed.shipping():
        for _ in range(6):
            bed.segment()
        await until(lambda: len(a.puts) == 6)
        await until(lambda: bed.health() and bed.health()[-1]["b"]["code"] == "bucket_missing")
        assert bed.health()[-1]["a"]["code"] == "ok"
        assert not bed.stored()
        assert len(bed.waiting()) == 6
        bed.segment()  # the recording goes on
        await until(lambda: len(a.puts) == 7)
        b.away = ""
        await until(lambda: not bed.waiting())
        await until(lambda: bed.health()[-1]["b"]["code"] == "ok" and bed.health()[-1]["backlog_segments"] == 0)
    assert len(a.puts) == len(set(a.puts)) == 7  # each once, whatever the other did
    assert len(b.puts) == 7
    await bed.assert_whole()


async def test_a_restart_in_the_middle_sends_nothing_twice(two: Two) -> None:
    bed, a, b = two
    b.away = "unreachable"
    for _ in range(4):
        bed.segment()
    assert await bed.shipper().ship_all()
    sent = a.put_bytes
    assert await bed.shipper().ship_all()
    b.away = ""
    assert not await bed.shipper().ship_all()
    assert a.put_bytes == sent
    await bed.assert_whole()


async def test_both_away_nothing_is_lost_and_it_catches_up_by_itself(two: Two) -> None:
    bed, a, b = two
    a.away = b.away = "unreachable"
    async with bed.shipping():
        for n in range(30):
            bed.segment(f"p{n % 3}-audio")
        await until(lambda: bed.health() and bed.health()[-1]["backlog_segments"] == 30)
        await until(lambda: {bed.health()[-1][place]["code"] for place in "ab"} == {"unreachable"})
        health = bed.health()[-1]
        assert health["backlog_bytes"] == 30 * 20_000
        assert health["oldest_age_s"] > 0
        a.away = b.away = ""
        await until(lambda: not bed.waiting())
    await bed.assert_whole()


async def test_the_order_of_a_track_is_kept_and_the_oldest_goes_first(two: Two) -> None:
    bed, _, b = two
    for _ in range(8):
        bed.segment("a-audio")
        bed.segment("b-audio")
    b.away = "unreachable"
    shipper = bed.shipper()
    await shipper.ship_all()
    b.away = ""
    await shipper.ship_all()
    await bed.assert_whole()
    numbers = [int(key.partition("/a-audio/" if "/a-audio/" in key else "/b-audio/")[2][:6]) for key in b.puts]
    # Those under way at the same time may overtake one another; what is reported does not (assert_whole).
    assert all(abs(number - wanted) <= shipping.AT_ONCE for number, wanted in zip(numbers, sorted(numbers), strict=True))


async def test_a_store_that_says_nothing_is_found_by_asking(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depots, "PROBE_WITHIN_S", 0.3)
    bed, a, _ = two
    a.hangs = True
    async with bed.shipping():
        await until(lambda: bed.health() and bed.health()[-1]["a"]["code"] == "timeout", 10)
        assert bed.health()[-1]["b"]["code"] == "ok"


async def test_a_store_that_changes_bytes_is_found_by_reading_back(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "HELD_S", 0.5)
    bed, a, _ = two
    bed.segment()
    a.damages = 1
    shipper = bed.shipper()
    assert await shipper.ship_all()
    report = shipper.shipping.report()
    assert (report.a.code, report.held) == ("damaged", {"read_back_differs": 1})
    assert len(bed.waiting()) == 1
    await asyncio.sleep(0.6)
    assert not await shipper.ship_all()  # under another name: what lies there is never overwritten
    await bed.assert_whole()
    assert len(set(a.puts)) == 2


async def test_a_segment_with_a_fault_of_its_own_stays_and_the_others_go(two: Two) -> None:
    bed, a, _ = two
    bed.segment("a-audio")
    bad = bed.segment("a-audio")
    bed.segment("a-audio")
    bed.segment("b-audio")
    whole = bad.read_bytes()
    bad.write_bytes(b"x" + whole[1:])
    shipper = bed.shipper()
    assert await shipper.ship_all()
    assert bed.waiting() == [bad]
    assert [(s["track_id"], s["index"]) for s in bed.stored() if s["track_id"] == "a-audio"] == [("a-audio", 0), ("a-audio", 2)]
    assert shipper.shipping.report().held == {"sha256_differs": 1}
    assert len(a.puts) == 3


async def test_what_signaling_cannot_use_is_not_freed(two: Two) -> None:
    bed, _, _ = two
    for _ in range(3):
        bed.segment("a-audio")
    strange = bed.segment("x-audio")
    bed.unusable = lambda report: report.get("track_id") == "x-audio"
    shipper = bed.shipper()
    assert await shipper.ship_all()
    assert bed.waiting() == [strange]
    assert shipper.shipping.report().held == {"report_refused": 1}


async def test_without_signaling_nothing_is_freed(two: Two) -> None:
    bed, a, b = two
    for _ in range(3):
        bed.segment()
    bed.accepts = False
    shipper = bed.shipper()
    assert await shipper.ship_all()
    assert len(bed.waiting()) == 3
    assert shipper.shipping.report().shipping.code == "signaling_away"
    bed.accepts = True
    assert not await shipper.ship_all()
    assert shipper.shipping.report().shipping.code == "ok"
    assert len(a.puts) == len(b.puts) == 3
    await bed.assert_whole()


async def test_a_sidecar_whose_media_file_was_freed_is_shipped_from_the_stores(two: Two) -> None:
    bed, _, _ = two
    media = bed.segment()
    bed.accepts = False
    await bed.shipper().ship_all()
    media.unlink()  # as when power goes between freeing file and sidecar
    bed.accepts = True
    assert not await bed.shipper().ship_all()
    await bed.assert_whole()


async def test_the_bytes_ahead_of_a_store_that_is_away_are_bounded(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "MOST_AHEAD", 5)
    bed, a, b = two
    for _ in range(12):
        bed.segment()
    b.away = "unreachable"
    shipper = bed.shipper()
    for _ in range(3):
        await shipper.ship_all()
    assert len(a.puts) == 5
    b.away = ""
    for _ in range(3):
        await shipper.ship_all()
    await bed.assert_whole()


async def test_a_disk_that_changes_bytes_between_the_two_copies_is_found(two: Two) -> None:
    bed, a, b = two
    media = bed.segment()
    b.away = "unreachable"
    shipper = bed.shipper()
    assert await shipper.ship_all()
    whole = media.read_bytes()
    media.write_bytes(b"x" + whole[1:])
    b.away = ""
    assert await shipper.ship_all()
    assert (b.puts, bed.stored(), bed.waiting()) == ([], [], [media])
    assert shipper.shipping.report().held == {"sha256_differs": 1}
    assert len(a.puts) == 1
