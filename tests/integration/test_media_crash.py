"""kill -9 of the media worker: what is lost, what is said about it."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from media.settings import ShipperSettings
from media.shipper import Shipper
from media.spool import Spool
from tests.integration.media_rig import CLOCK, SITTING, TOKEN, WorkerProcess, all_to_all, opus_tone, rig, table, vp8_picture
from tests.integration.shipping_bed import two_stores
from tests.integration.test_media_recording import BOTH, decoded_audio

MILLISECOND = timedelta(milliseconds=1)


async def test_at_most_two_seconds_are_lost_and_the_gap_is_told(tmp_path: Path) -> None:
    async with rig(tmp_path, own_worker=False, segment_s=4.0) as one:
        worker = WorkerProcess(one.settings)
        await worker.start()
        everyone = all_to_all(BOTH, recorded=True)
        opened = CLOCK.now()
        session = table(1, BOTH, everyone, opened_at=opened, effective_at=opened)
        await one.control.apply_grants(session)
        alice = await one.join("a")
        alice.talk(opus_tone(8.0))
        alice.show(vp8_picture(110))
        await asyncio.sleep(6.5)
        await worker.kill()
        killed_ms = (CLOCK.now() - opened) / MILLISECOND
        await alice.vanish()
        assert list(one.spool.rglob("*.part"))

        await worker.start()
        try:
            repaired = {s.track_id: s for s, _ in Spool(one.spool).closed() if s.closed_by == "repair"}
            assert repaired["a-audio"].t1_ms >= killed_ms - 2_000
            assert repaired["a-video"].t1_ms >= killed_ms - 2_000
            await one.until(lambda: len(one.of("worker.started")) == 2)
            await one.control.apply_grants(session)
            again = await one.join("a")
            again.talk(opus_tone(4.0))
            await asyncio.sleep(2.0)
            ended = CLOCK.now()
            await one.control.apply_grants(table(2, BOTH, {}, opened_at=opened, effective_at=ended))
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished") and one.of("gap.found"))
        finally:
            await worker.kill()

        audio = [(s, path) for s, path in Spool(one.spool).closed() if s.track_id == "a-audio"]
        segments = [segment for segment, _ in audio]
        assert [segment.index for segment in segments] == list(range(len(segments)))
        assert [segment.prev_sha256 for segment in segments] == ["", *(s.sha256 for s in segments[:-1])]
        [gap] = [report for report in one.of("gap.found") if report["kind"] == "audio"]
        assert gap["cause"] == "media_restart"
        assert (gap["t0_ms"], gap["t1_ms"]) == (repaired["a-audio"].t1_ms, segments[-1].t0_ms)
        assert segments[-1].t1_ms == pytest.approx((ended - opened) / MILLISECOND, abs=40)
        for segment, path in audio:
            assert len(decoded_audio([path])) / 48 == segment.t1_ms - segment.t0_ms
        await ship_all(one, len(segments), tmp_path / "stores")


async def ship_all(one: object, audio_segments: int, folder: Path) -> None:
    async with aiohttp.ClientSession() as session, two_stores(folder) as stores:
        settings = ShipperSettings(one.spool, one.settings.signaling_url, "court_1", "media-1", TOKEN)
        await Shipper(settings, stores, session, CLOCK).ship_all()
        assert len([key async for key in stores.objects().list("") if "/a-audio/" in key]) == audio_segments
    assert not list(one.spool.rglob("*.webm"))


async def test_a_sitting_closed_while_the_worker_was_down_is_finished(tmp_path: Path) -> None:
    async with rig(tmp_path, own_worker=False) as one:
        worker = WorkerProcess(one.settings)
        await worker.start()
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
        alice = await one.join("a")
        alice.talk(opus_tone(4.0))
        await asyncio.sleep(2.5)
        await worker.kill()
        await alice.vanish()
        await worker.start()
        try:
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished"))
            await one.until((one.spool / SITTING / "reported.json").exists)
        finally:
            await worker.kill()
        [segment] = [segment for segment, _ in Spool(one.spool).closed()]
        [end] = one.of("recording.finished")[0]["tracks"]
        assert (end["track_id"], end["segments"], end["last_sha256"]) == ("a-audio", 1, segment.sha256)


async def test_a_worker_that_stood_still_writes_nothing_of_what_lies_outside_the_session(tmp_path: Path) -> None:
    async with rig(tmp_path, own_worker=False) as one:
        worker = WorkerProcess(one.settings)
        await worker.start()
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
        alice = await one.join("a")
        alice.talk(opus_tone(12.0))
        await asyncio.sleep(2.0)
        worker.signal(signal.SIGSTOP)
        await asyncio.sleep(1.0)
        ended = CLOCK.now()
        await asyncio.sleep(4.0)
        worker.signal(signal.SIGCONT)
        try:
            await asyncio.sleep(1.0)  # signaling repeats at most every two seconds
            await one.control.apply_grants(table(2, BOTH, {}, opened_at=opened, effective_at=ended))
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished"))
        finally:
            await worker.kill()
        last = max(segment.t1_ms for segment, _ in Spool(one.spool).closed())
        assert last <= (ended - opened) / MILLISECOND + 60
