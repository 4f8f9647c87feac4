"""What stands in the spool and in the store after a session, seen with an independent decoder."""

import asyncio
import hashlib
import io
import itertools
import os
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

from hearing.audience import RECORDER, Kind
from media.settings import ShipperSettings
from media.shipper import Shipper
from media.spool import Spool, SpooledSegment
from tests.integration.media_nack import lose_upstream
from tests.integration.media_rig import CLOCK, SITTING, TOKEN, Rig, all_to_all, opus_tone, rig, table, vp8_picture
from tests.integration.shipping_bed import two_stores

BOTH = ["a", "b"]


def files_open_for_writing() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            flags = int(Path(f"/proc/self/fdinfo/{entry.name}").read_text().split("flags:")[1].split()[0], 8)
            target = str(entry.readlink())
        except OSError:
            continue
        if flags & (os.O_WRONLY | os.O_RDWR) and "/spool/" in target:
            found.append(target)
    return found


def segments(one: Rig, track_id: str) -> list[tuple[SpooledSegment, Path]]:
    return [(segment, path) for segment, path in Spool(one.spool).closed() if segment.track_id == track_id]


def decoded_audio(paths: list[Path]) -> np.ndarray:
    """48 kHz mono samples of all segments, one after another."""
    samples = []
    for path in paths:
        with av.open(str(path)) as container:
            samples += [frame.to_ndarray().astype(np.float32)[0] for frame in container.decode(audio=0)]
    return np.concatenate(samples)


async def record(one: Rig, seconds: float, prepared: object = None) -> datetime:
    """A session of `seconds` from a moment 150 ms ago, as if the table had been on its way so long; returns its opening."""
    opened = CLOCK.now() - timedelta(milliseconds=150)
    await one.control.apply_grants(table(2, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
    await asyncio.sleep(seconds)
    return opened


async def end_session(one: Rig, opened: datetime, number: int = 3) -> datetime:
    now = CLOCK.now()
    await one.control.apply_grants(table(number, BOTH, {}, opened_at=opened, effective_at=now))
    return now


async def test_a_tone_is_recorded_with_its_true_length_under_loss(tmp_path: Path) -> None:
    async with rig(tmp_path, segment_s=2.0) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice, _ = await one.join("a"), await one.join("b")
        lose_upstream(alice, every=14)
        talk = alice.talk(opus_tone(9.0))
        await asyncio.sleep(1.5)
        assert not one.spool.exists() or not list(one.spool.rglob("*.part"))
        opened = await record(one, 6.0)
        assert files_open_for_writing()
        ended = await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        assert files_open_for_writing() == []
        talk.cancel()
        wall_ms = (ended - opened) / timedelta(milliseconds=1)
        found = segments(one, "a-audio")
        assert [segment.index for segment, _ in found] == list(range(len(found)))
        assert len(found) >= 3
        assert found[0][0].t0_ms == 0
        assert found[-1][0].t1_ms == pytest.approx(wall_ms, abs=40)
        assert found[-1][0].closed_by == "stop"
        for (before, _), (after, _) in itertools.pairwise(found):
            assert after.t0_ms == before.t1_ms
            assert after.prev_sha256 == before.sha256
        for segment, path in found:
            assert hashlib.sha256(path.read_bytes()).hexdigest() == segment.sha256
        samples = decoded_audio([path for _, path in found])
        assert len(samples) / 48 == pytest.approx(wall_ms, abs=100)
        loud = np.abs(samples).reshape(-1, 960).max(axis=1) > 0.05 if len(samples) % 960 == 0 else np.abs(samples) > 0.05
        assert loud.mean() > 0.97  # repaired by NACK; what was not is silence
        middle = samples[48_000:96_000]
        assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=2)
        await one.until(lambda: one.of("recording.finished"))
        ends = {end["track_id"]: end for end in one.of("recording.finished")[0]["tracks"]}
        assert ends["a-audio"]["segments"] == len(found)
        assert ends["a-audio"]["last_sha256"] == found[-1][0].sha256
        assert one.of("recorder.health")[-1]["ok"]


async def test_video_is_recorded_from_keyframe_to_keyframe(tmp_path: Path) -> None:
    async with rig(tmp_path, segment_s=2.0) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        show = alice.show(vp8_picture(120, keyframe_every=15))
        await asyncio.sleep(0.5)
        opened = await record(one, 5.0)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        show.cancel()
        found = segments(one, "a-video")
        assert len(found) >= 2
        frames = 0
        for segment, path in found:
            with av.open(str(path)) as container:
                packets = [packet for packet in container.demux(video=0) if packet.size]
                assert packets[0].is_keyframe
                assert container.duration / 1000 == pytest.approx(segment.t1_ms - segment.t0_ms, abs=1)
            with av.open(str(path)) as container:
                frames += sum(1 for _ in container.decode(video=0))
            assert segment.codec == "vp8"
            assert segment.packets == len(packets)
        span_s = (found[-1][0].t1_ms - found[0][0].t0_ms) / 1000
        assert frames == pytest.approx(span_s * 15, abs=3)


async def test_sound_that_stops_coming_for_long_is_filled_and_declared(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        alice.show(vp8_picture(110))  # the connection lives
        talk = alice.talk(opus_tone(3.0))
        opened = await record(one, 1.5)
        talk.cancel()
        stopped_ms = (CLOCK.now() - opened) / timedelta(milliseconds=1)
        await asyncio.sleep(3.0)
        again = alice.talk(opus_tone(3.0))
        again_ms = (CLOCK.now() - opened) / timedelta(milliseconds=1)
        await asyncio.sleep(1.5)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        again.cancel()
        [gap] = [report for report in one.of("gap.found") if report["kind"] == "audio"]
        assert gap["cause"] == "no_media"
        assert (gap["t0_ms"], gap["t1_ms"]) == (pytest.approx(stopped_ms, abs=400), pytest.approx(again_ms, abs=400))
        filled_ms = sum(segment.filled_ms for segment, _ in segments(one, "a-audio"))
        assert filled_ms == pytest.approx(gap["t1_ms"] - gap["t0_ms"], abs=100)


async def test_a_muted_span_is_silence_of_the_same_length(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        talk = alice.talk(opus_tone(8.0))
        await asyncio.sleep(0.3)
        opened = await record(one, 2.0)
        muted = {k: v for k, v in all_to_all(BOTH, recorded=True).items() if k != ("a", Kind.AUDIO)}
        mute_at = CLOCK.now()
        await one.control.apply_grants(table(3, BOTH, muted, opened_at=opened, effective_at=mute_at))
        await asyncio.sleep(1.5)
        unmute_at = CLOCK.now()
        await one.control.apply_grants(
            table(4, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=unmute_at)
        )
        await asyncio.sleep(1.5)
        ended = await end_session(one, opened, 5)
        await one.control.close_sitting(SITTING)
        talk.cancel()
        [(segment, path)] = segments(one, "a-audio")
        muted_ms = (unmute_at - mute_at) / timedelta(milliseconds=1)
        assert segment.muted_ms == pytest.approx(muted_ms, abs=60)
        assert segment.lost_packets == 0
        samples = decoded_audio([path])
        assert len(samples) / 48 == pytest.approx((ended - opened) / timedelta(milliseconds=1), abs=60)
        start = int((mute_at - opened) / timedelta(milliseconds=1) * 48)
        assert np.abs(samples[start + 4800 : start + int(muted_ms * 48) - 4800]).max() < 0.01
        assert np.abs(samples[start - 24_000 : start - 4_800]).max() > 0.1


async def test_nothing_is_written_before_the_session_and_in_recess(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        talk = alice.talk(opus_tone(12.0))
        await one.until(lambda: bob.count("a-audio") > 10)
        assert not [path for path in one.spool.rglob("*") if path.is_file()]
        opened = await record(one, 1.5)
        await end_session(one, opened)
        await asyncio.sleep(1.2)
        assert files_open_for_writing() == []
        assert list(one.spool.rglob("*.part")) == []
        count, before = bob.count("a-audio"), len(list(one.spool.rglob("*.webm")))
        await asyncio.sleep(0.5)
        assert bob.count("a-audio") == count
        resumed = CLOCK.now()
        await one.control.apply_grants(table(4, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=resumed))
        await asyncio.sleep(1.0)
        await end_session(one, opened, 5)
        await one.control.close_sitting(SITTING)
        talk.cancel()
        found = segments(one, "a-audio")
        assert before == 1
        assert len(found) == 2
        assert found[1][0].t0_ms == pytest.approx((resumed - opened) / timedelta(milliseconds=1), abs=1)
        assert not one.of("gap.found")


async def test_leaving_and_coming_back_is_a_declared_gap(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        alice.talk(opus_tone(9.0))
        await asyncio.sleep(0.3)
        opened = await record(one, 1.5)
        await one.control.disconnect(SITTING, alice.peer_id)
        await alice.vanish()
        await asyncio.sleep(1.0)
        again = await one.join("a")
        again.talk(opus_tone(9.0))
        await asyncio.sleep(1.5)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        found = [segment for segment, _ in segments(one, "a-audio")]
        assert [segment.closed_by for segment in found] == ["leave", "stop"]
        await one.until(lambda: one.of("gap.found"))
        [gap] = [report for report in one.of("gap.found") if report["kind"] == "audio"]
        assert gap["cause"] == "leave"
        assert gap["t0_ms"] == pytest.approx(found[0].t1_ms, abs=30)
        assert gap["t1_ms"] == pytest.approx(found[1].t0_ms, abs=1)


async def test_the_shipper_frees_the_spool_only_after_reading_back(tmp_path: Path) -> None:
    async with rig(tmp_path, segment_s=1.0) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        alice.talk(opus_tone(5.0))
        await asyncio.sleep(0.3)
        opened = await record(one, 2.5)
        settings = ShipperSettings(one.spool, one.settings.signaling_url, "court_1", "media-1", TOKEN)
        async with aiohttp.ClientSession() as session, two_stores(tmp_path / "stores") as stores:
            shipper = Shipper(settings, stores, session, CLOCK)
            (tmp_path / "stores" / "b").write_text("a file where the folder should be")
            assert await shipper.ship_all()
            assert list(one.spool.rglob("*.webm"))
            assert not one.of("segment.stored")
            await end_session(one, opened)
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished"))
            await asyncio.sleep(0.1)
            (tmp_path / "stores" / "b").unlink()
            one.accept_reports = False
            assert await shipper.ship_all()
            assert list(one.spool.rglob("*.webm"))
            one.accept_reports = True
            assert not await shipper.ship_all()
            assert list(one.spool.iterdir()) == []
            stored = [report for report in one.of("segment.stored") if report["track_id"] == "a-audio"]
            assert [report["index"] for report in stored] == list(range(len(stored)))
            for report in stored:
                data = await stores.objects().get(report["object_key"])
                assert hashlib.sha256(data).hexdigest() == report["sha256"]
                assert hashlib.new("sm3", data).hexdigest() == report["sm3"]
                with av.open(io.BytesIO(data)) as container:
                    samples = sum(frame.samples for frame in container.decode(audio=0))
                    assert samples / 48 == report["t1_ms"] - report["t0_ms"]


async def test_a_changed_segment_is_not_shipped(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        alice.talk(opus_tone(3.0))
        await asyncio.sleep(0.3)
        opened = await record(one, 1.0)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        [(_, path)] = segments(one, "a-audio")
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        async with aiohttp.ClientSession() as session, two_stores(tmp_path / "stores") as stores:
            settings = ShipperSettings(one.spool, one.settings.signaling_url, "court_1", "media-1", TOKEN)
            assert await Shipper(settings, stores, session, CLOCK).ship_all()
        assert not list((tmp_path / "stores").rglob("*.webm*"))
        assert path.exists()


async def test_only_the_granted_are_recorded(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        grants = {k: [to for to in v if to != RECORDER or k[0] != "b"] for k, v in all_to_all(BOTH, recorded=True).items()}
        await one.control.apply_grants(table(1, [*BOTH, "w"], {}))
        people = [await one.join(name) for name in (*BOTH, "w")]
        for person in people:
            person.talk(opus_tone(3.0))
        await asyncio.sleep(0.3)
        opened = CLOCK.now()
        await one.control.apply_grants(table(2, [*BOTH, "w"], grants, opened_at=opened, effective_at=opened))
        await asyncio.sleep(1.2)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        recorded = {segment.track_id: segment for segment, _ in Spool(one.spool).closed()}
        assert "w-audio" not in recorded
        assert recorded["a-audio"].packets > 40
        assert recorded["b-audio"].packets == 0
        assert recorded["b-audio"].muted_ms > 1_000


async def test_who_is_let_in_later_is_recorded_from_then_on(tmp_path: Path) -> None:
    """A witness is connected long before the call; nothing of that time belongs to the witness's track."""
    async with rig(tmp_path) as one:
        three = [*BOTH, "w"]
        await one.control.apply_grants(table(1, three, all_to_all(BOTH, recorded=False)))
        for name in three:
            (await one.join(name)).talk(opus_tone(8.0))
        await asyncio.sleep(0.3)
        opened = CLOCK.now()
        grants = all_to_all(BOTH, recorded=True)
        await one.control.apply_grants(table(2, three, grants, opened_at=opened, effective_at=opened))
        await asyncio.sleep(2.5)
        called = CLOCK.now()
        grants = all_to_all(three, recorded=True)
        await one.control.apply_grants(table(3, three, grants, opened_at=opened, effective_at=called))
        await asyncio.sleep(1.5)
        await end_session(one, opened, 4)
        await one.control.close_sitting(SITTING)
        [(witness, _)] = segments(one, "w-audio")
        [(alice, _)] = segments(one, "a-audio")
        assert witness.t0_ms == pytest.approx((called - opened) / timedelta(milliseconds=1), abs=1)
        assert witness.muted_ms == 0
        assert alice.t0_ms == pytest.approx(0, abs=1)
        assert not one.of("gap.found")
