"""The shipper against a real S3 server (SeaweedFS) behind a network that fails in every way: nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import minio.api
import minio.time
import pytest
from minio.error import S3Error

from media import ship_health
from media.settings import ShipperSettings
from media.shipper import Shipper
from storage import depot as depots
from storage import s3
from storage.objects import ObjectExists
from storage.s3 import S3Store
from storage.stores import Stores
from tests.integration.media_rig import CLOCK, SITTING, TOKEN, all_to_all, opus_tone, rig, table
from tests.integration.shipping_bed import ShippingBed, shipping_bed, two_stores, until
from tests.integration.test_media_recording import end_session
from tests.integration.test_media_recording import record as start_session
from tests.net.fault_proxy import FaultProxy, fault_proxy
from tests.s3_server import Seaweed, seaweed

_NUMBERS = itertools.count()
SEGMENT_BYTES = 300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules at a quicker pace."""
    for module, name, value in (
        (ship_health, "REPORT_EVERY_S", 0.2), (ship_health, "PROBE_AFTER_S", 1.0), (ship_health, "LOOK_EVERY_S", 0.2),
        (depots, "LONGEST_PAUSE_S", 1.0), (depots, "PROBE_WITHIN_S", 1.5), (s3, "CONNECT_S", 2.0), (s3, "READ_S", 3.0),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


def new_bucket(server: Seaweed, **options: Any) -> str:
    name = f"ship-{next(_NUMBERS)}"
    server.new_bucket(name, **options)
    return name


@asynccontextmanager
async def sitting(folder: Path, server: Seaweed) -> AsyncIterator[tuple[ShippingBed, FaultProxy]]:
    """Store A behind the proxy, store B straight, the shipper running."""
    with fault_proxy(server.endpoint) as proxy:
        a = S3Store(server.address(new_bucket(server), endpoint=proxy.endpoint))
        b = S3Store(server.address(new_bucket(server)))
        async with shipping_bed(folder, a, b) as bed, bed.shipping():
            yield bed, proxy


async def record(bed: ShippingBed, seconds: float) -> None:
    """Two tracks go on closing segments."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for track in ("a-audio", "b-audio"):
            await asyncio.to_thread(bed.segment, track, SEGMENT_BYTES)
        await asyncio.sleep(0.3)


def code_of(bed: ShippingBed, store: str) -> str:
    return str(bed.health()[-1][store]["code"]) if bed.health() else ""


def refused(proxy: FaultProxy) -> None:
    proxy.refuse()


def black_hole(proxy: FaultProxy) -> None:
    proxy.black_hole = True
    proxy.reset_connections()


def storm(proxy: FaultProxy) -> None:
    proxy.answers = (503, b"SlowDown")
    proxy.reset_connections()


def balancer_page(proxy: FaultProxy) -> None:
    proxy.answers = (502, b"")
    proxy.reset_connections()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (black_hole, "timeout"), (storm, "server_error"),
        pytest.param(refused, "unreachable", marks=pytest.mark.long),
        pytest.param(balancer_page, "server_error", marks=pytest.mark.long),
    ],
)  # fmt: skip
async def test_a_store_that_fails_in_a_sitting_costs_nothing(
    tmp_path: Path, server: Seaweed, fault: Callable[[FaultProxy], None], code: str
) -> None:
    async with sitting(tmp_path, server) as (bed, proxy):
        await record(bed, 0.5)
        await until(lambda: not bed.waiting() and code_of(bed, "a") == "ok")
        fault(proxy)
        await record(bed, 1.5)
        await until(lambda: code_of(bed, "a") == code, 10)
        assert code_of(bed, "b") == "ok"
        assert bed.waiting()
        proxy.restore()
        await record(bed, 0.5)
        await until(lambda: not bed.waiting() and code_of(bed, "a") == "ok", 15)
        await bed.assert_whole()


async def test_an_upload_cut_in_the_middle_is_made_again(tmp_path: Path, server: Seaweed) -> None:
    async with sitting(tmp_path, server) as (bed, proxy):
        proxy.cut_after_bytes, proxy.cuts = SEGMENT_BYTES // 2, 5
        await record(bed, 1.0)
        await until(lambda: not bed.waiting())
        assert proxy.cuts == 0
        await bed.assert_whole()


async def test_a_slow_store_is_named_and_does_not_hold_up_the_other(
    tmp_path: Path, server: Seaweed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depots, "SLOW_S", 1.0)
    async with sitting(tmp_path, server) as (bed, proxy):
        proxy.bytes_per_s = 2 * SEGMENT_BYTES
        await record(bed, 2.0)
        await until(lambda: code_of(bed, "a") == "slow", 10)
        assert code_of(bed, "b") == "ok"
        proxy.bytes_per_s = 0.0
        await until(lambda: not bed.waiting())
        await bed.assert_whole()


async def test_both_away_and_back(tmp_path: Path, server: Seaweed) -> None:
    with fault_proxy(server.endpoint) as proxy:
        a, b = (S3Store(server.address(new_bucket(server), endpoint=proxy.endpoint)) for _ in "ab")
        async with shipping_bed(tmp_path, a, b) as bed, bed.shipping():
            proxy.refuse()
            await record(bed, 1.5)
            await until(lambda: (code_of(bed, "a"), code_of(bed, "b")) == ("unreachable", "unreachable"))
            waiting = len(bed.waiting())
            assert waiting == len(bed.contents)
            proxy.restore()
            await until(lambda: not bed.waiting())
            await bed.assert_whole()


@pytest.mark.parametrize(
    ("change", "code"), [({"secret_key": "wrong"}, "access_denied"), ({"bucket": "nowhere"}, "bucket_missing")]
)
async def test_what_an_operator_set_wrong_is_named_and_mended_by_a_restart(
    tmp_path: Path, server: Seaweed, change: dict[str, str], code: str
) -> None:
    good, other = server.address(new_bucket(server)), S3Store(server.address(new_bucket(server)))
    wrong = S3Store(server.address(**{"bucket": good.bucket, **change}))  # type: ignore[arg-type]
    async with shipping_bed(tmp_path, wrong, other) as bed:
        async with bed.shipping():
            await record(bed, 0.5)
            await until(lambda: code_of(bed, "a") == code)
            assert len(bed.waiting()) == len(bed.contents)
        bed.stores = type(bed.stores)(S3Store(good), other, bed.stores.keys)
        async with bed.shipping():
            await until(lambda: not bed.waiting())
        await bed.assert_whole()


async def test_a_clock_that_is_wrong_is_named(tmp_path: Path, server: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = [S3Store(server.address(new_bucket(server))) for _ in "ab"]
    really = minio.time.utcnow
    monkeypatch.setattr(minio.api.time, "utcnow", lambda: really() + timedelta(hours=1))
    async with shipping_bed(tmp_path, *stores) as bed, bed.shipping():
        await record(bed, 0.3)
        await until(lambda: code_of(bed, "a") == "clock_skew")
        assert bed.waiting()
        monkeypatch.setattr(minio.api.time, "utcnow", really)
        await until(lambda: not bed.waiting())
        await bed.assert_whole()


async def test_locked_buckets_take_everything_and_give_nothing_up(tmp_path: Path, server: Seaweed) -> None:
    names = [new_bucket(server, locked_days=1) for _ in "ab"]
    async with shipping_bed(tmp_path, *(S3Store(server.address(name)) for name in names)) as bed:
        for _ in range(3):
            bed.segment()
        assert not await bed.shipper().ship_all()
        await bed.assert_whole()
        client = server.client()
        for item in client.list_objects(names[0], recursive=True, include_version=True):
            assert item.object_name is not None
            if item.object_name != depots.PROBE_KEY:
                with pytest.raises(S3Error):
                    client.remove_object(names[0], item.object_name, version_id=item.version_id)
        key = (await bed.stores.keys.find(bed.stored()[0]["object_key"])).stored_key
        with pytest.raises(ObjectExists):
            await bed.stores.first.put(key, b"another content")
        await bed.assert_whole()


async def test_half_a_minute_without_store_a_in_a_running_sitting(tmp_path: Path, server: Seaweed) -> None:
    """Real media worker, real sound, real shipper: what was said while the store was away is in both stores, equal and whole."""
    with fault_proxy(server.endpoint) as proxy:
        a = S3Store(server.address(new_bucket(server), endpoint=proxy.endpoint))
        b = S3Store(server.address(new_bucket(server)))
        async with (
            rig(tmp_path, segment_s=2.0) as one,
            two_stores(tmp_path / "stores", a, b) as stores,
            aiohttp.ClientSession() as http,
        ):
            await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
            speaker = await one.join("a")
            speaker.talk(opus_tone(40.0))
            await asyncio.sleep(0.3)
            settings = ShipperSettings(one.spool, one.settings.signaling_url, "court_1", "shipper", TOKEN, poll_s=0.2)
            shipping = asyncio.create_task(Shipper(settings, stores, http, CLOCK).run())
            opened = await start_session(one, 0.0)
            await one.until(lambda: one.of("segment.stored"), 10)
            proxy.refuse()
            reported = len(one.of("segment.stored"))
            await asyncio.sleep(30)
            assert len(one.of("segment.stored")) <= reported + 1  # what was under way
            assert one.of("store.health")[-1]["a"]["code"] == "unreachable"
            assert one.of("store.health")[-1]["backlog_segments"] >= 13
            proxy.restore()
            await asyncio.sleep(2)
            await end_session(one, opened)
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished") and not list(one.spool.rglob("*.webm")), 15)
            shipping.cancel()
            await asyncio.gather(shipping, return_exceptions=True)
            await assert_sound_whole(one.of("segment.stored"), one.of("recording.finished")[0]["tracks"], stores)


async def assert_sound_whole(reports: list[dict[str, Any]], tracks: list[dict[str, Any]], stores: Stores) -> None:
    [track] = tracks
    assert [report["index"] for report in reports] == list(range(track["segments"]))
    assert [report["prev_sha256"] for report in reports] == ["", *(report["sha256"] for report in reports[:-1])]
    assert reports[-1]["sha256"] == track["last_sha256"]
    assert [report["t0_ms"] for report in reports[1:]] == [report["t1_ms"] for report in reports[:-1]]
    assert reports[-1]["t1_ms"] > 32_000
    for report in reports:
        kept = await stores.keys.find(report["object_key"])
        assert [(await place.stat(kept.stored_key)).sha256 for place in (stores.first, stores.second)] == [
            kept.stored_sha256
        ] * 2
        data = await stores.objects().get(report["object_key"])
        assert hashlib.sha256(data).hexdigest() == report["sha256"]


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_ten_minutes_without_a_store(tmp_path: Path, server: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full length, at the real pace of a recording of eight tracks."""
    for module, name, value in ((depots, "LONGEST_PAUSE_S", 10.0), (s3, "READ_S", 30.0), (ship_health, "PROBE_AFTER_S", 10.0)):
        monkeypatch.setattr(module, name, value)
    async with sitting(tmp_path, server) as (bed, proxy):
        await record(bed, 5)
        proxy.refuse()
        for _ in range(60):
            for n in range(8):
                await asyncio.to_thread(bed.segment, f"p{n}-audio", SEGMENT_BYTES)
            await asyncio.sleep(10)
        assert len(bed.waiting()) == 480
        assert bed.health()[-1]["oldest_age_s"] > 590
        proxy.restore()
        await until(lambda: not bed.waiting(), 120)
        await bed.assert_whole()
