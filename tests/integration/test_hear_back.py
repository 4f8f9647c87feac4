"""The clerk hears what was just written: the tone that was sent comes back from the disk, and a file at a stand says so (C35)."""

import asyncio
import math
from pathlib import Path

import pytest

from hearing.access import AccessClass
from media import courtroom, recorder_health
from media.control import MediaError, WrittenTrack
from media.segment_writer import OpenSegment, SegmentWriter
from tests.integration.media_rig import CLOCK, SITTING, Rig, all_to_all, opus_tone, rig, table
from tests.tones import has_tone

TONE_HZ, OTHER_HZ = 523.0, 880.0
SINE_PEAK_DBFS = 20 * math.log10(8_000 / 32_768)
PEOPLE = ["a", "b"]


async def until_written(one: Rig, state: str, playable_ms: int = 0) -> WrittenTrack:
    """What is said of a's sound once it is in this state."""
    async with asyncio.timeout(15):
        while True:
            tracks = {track.track_id: track for track in await one.control.written_tracks(SITTING)}
            track = tracks.get("a-audio")
            if track is not None and track.state == state and track.playable_ms >= playable_ms:
                return track
            await asyncio.sleep(0.1)


async def nothing_is_heard(one: Rig, track_id: str) -> bool:
    with pytest.raises(MediaError) as refused:
        await one.control.written_sound(SITTING, track_id, AccessClass.SEALED)
    return refused.value.code == "nothing_written"


async def test_the_tone_that_was_sent_comes_back_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swallow, add = [False], SegmentWriter._add

    def swallowing(self: SegmentWriter, segment: OpenSegment, *rest: object) -> None:
        if not swallow[0]:
            add(self, segment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentWriter, "_add", swallowing)
    monkeypatch.setattr(courtroom, "HEALTH_MS", 400.0)
    monkeypatch.setattr(recorder_health, "STALLED_AFTER_MS", 3_000.0)
    async with rig(tmp_path, segment_s=1.0) as one:
        opened = CLOCK.now()
        grants = all_to_all(PEOPLE, recorded=True)
        await one.control.apply_grants(table(1, PEOPLE, grants, opened_at=opened, effective_at=opened))
        assert await one.control.written_tracks(SITTING) == ()
        alice, bob = await one.join("a"), await one.join("b")
        alice.talk(opus_tone(20.0, TONE_HZ))
        bob.talk(opus_tone(20.0, OTHER_HZ))
        track = await until_written(one, "written", playable_ms=2_500)
        assert track.peak_dbfs == pytest.approx(SINE_PEAK_DBFS, abs=1.5)
        assert track.rms_dbfs == pytest.approx(SINE_PEAK_DBFS - 3.0, abs=1.5)
        heard = await one.control.written_sound(SITTING, "a-audio", AccessClass.PARTIES)
        assert heard.t1_ms - heard.t0_ms >= 2_500
        assert (has_tone(heard.webm, TONE_HZ), has_tone(heard.webm, OTHER_HZ)) == (True, False)
        swallow[0] = True
        stopped = await until_written(one, "not_written")
        assert (stopped.rms_dbfs, stopped.peak_dbfs) == (None, None)
        assert (stopped.age_ms or 0) > 3_000
        await one.control.apply_grants(table(2, PEOPLE, all_to_all(PEOPLE, recorded=False), opened_at=opened))  # 休庭, 调解
        assert await one.control.written_tracks(SITTING) == ()
        assert await nothing_is_heard(one, "a-audio")
