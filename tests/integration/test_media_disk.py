"""A disk that refuses, and one that does not keep up: the track goes on, the span is declared."""

import asyncio
import errno
from pathlib import Path

import pytest

from media import segment_writer
from media.segment_writer import SegmentWriter
from media.spool import Spool
from media.webm import WebmWriter
from tests.integration.media_rig import CLOCK, SITTING, all_to_all, opus_tone, rig, table
from tests.integration.test_media_recording import BOTH, decoded_audio, end_session, segments


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_full_disk_is_a_declared_gap_and_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """What was written of the open segment is kept: repaired at once, or when there is room again."""
    written, add = [0], WebmWriter.add

    def full_for_a_while(self: WebmWriter, t_ms: int, data: bytes, keyframe: bool) -> None:
        written[0] += 1
        if written[0] in ({60} if at_once else {60, 61}):
            raise OSError(errno.ENOSPC, "no space left")
        add(self, t_ms, data, keyframe)

    monkeypatch.setattr(segment_writer.WebmWriter, "add", full_for_a_while)
    async with rig(tmp_path) as one:
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
        alice = await one.join("a")
        alice.talk(opus_tone(8.0))
        await one.until(lambda: [r for r in one.of("recorder.health") if not r["ok"]])
        await asyncio.sleep(3.5)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        found = segments(one, "a-audio")
        assert [segment.index for segment, _ in found] == [0, 1]
        assert [segment.closed_by for segment, _ in found] == ["repair", "stop"]
        assert found[1][0].prev_sha256 == found[0][0].sha256
        assert not list(one.spool.rglob("*.mended"))
        [gap] = one.of("gap.found")
        assert gap["cause"] == "disk_full"
        assert gap["t0_ms"] == (found[0][0].t1_ms)
        assert gap["t1_ms"] == found[-1][0].t0_ms
        for segment, path in found:
            assert len(decoded_audio([path])) / 48 == segment.t1_ms - segment.t0_ms


async def test_a_slow_disk_is_a_declared_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = [False]
    monkeypatch.setattr(SegmentWriter, "is_full", property(lambda _: full[0]))
    async with rig(tmp_path) as one:
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
        alice = await one.join("a")
        alice.talk(opus_tone(6.0))
        await asyncio.sleep(2.0)
        full[0] = True
        await asyncio.sleep(1.0)
        full[0] = False
        await asyncio.sleep(1.5)
        await end_session(one, opened)
        await one.control.close_sitting(SITTING)
        found = [segment for segment, _ in Spool(one.spool).closed() if segment.track_id == "a-audio"]
        assert len(found) == 2
        [gap] = one.of("gap.found")
        assert (gap["cause"], gap["t0_ms"], gap["t1_ms"]) == ("overflow", found[0].t1_ms, found[1].t0_ms)
        assert gap["t1_ms"] - gap["t0_ms"] == pytest.approx(1_000, abs=300)
