"""Three hours, twelve people, 25 000 segments: the page opens fast, jumps anywhere, and holds no more the longer it plays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page, expect

from hearing import events as law
from hearing.model import Participant, Role, Stage
from storage.clock import SystemClock
from storage.objects import ObjectStore, StoredObject
from tests.browser.replayed_court import SEGMENT_MS, TINTS, Replayed, at, audio_segments, picture_segment, replayed_court, sound
from tests.browser.test_replay import SEEK, browser, open_record, playing, shot

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

DURATION_MS = 3 * 3_600_000
RECESS = (5_400_000, 6_000_000)
SPEAKS_MS, PAUSE_MS = 3200, 800
SENTENCES = (
    "对该证据的真实性没有异议，但对关联性不予认可。",
    "这笔款项是货款，不是还款，双方另有合同。",
    "请审判长传唤证人到庭。",
    "没有。",
)
STAGES = (Stage.IDENTITY, Stage.INVESTIGATION, Stage.EVIDENCE, Stage.DEBATE)
RECORD_BYTES = 1_500_000  # as sent; the index of segments is not in it
OPEN_MS, SEEK_MS, SLACK = 3000.0, 1000.0, 3.0
HEAP_GROWTH_BYTES = 40_000_000
FETCHED_AROUND = 12 * 2 * 8  # segments behind one jump: everybody's, a window of them


class SameBytes:
    """A labelled stand-in for a store: behind the key of any segment stand the same bytes of its kind."""

    def __init__(self, real: ObjectStore, audio: bytes, video: bytes) -> None:
        self._real = real
        self._bytes = {"audio": audio, "video": video}

    def _made(self, key: str) -> bytes | None:
        return self._bytes[key.split("/")[-2].rpartition("-")[2]] if "/tracks/" in key else None

    async def put(self, key: str, data: AsyncIterator[bytes] | bytes) -> StoredObject:
        return await self._real.put(key, data)

    async def get(self, key: str, *, start: int = 0, end: int | None = None) -> bytes:
        made = self._made(key)
        return await self._real.get(key, start=start, end=end) if made is None else made[start:end]

    async def stream(self, key: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        yield await self.get(key, start=start, end=end)

    async def stat(self, key: str) -> StoredObject:
        return await self._real.stat(key)

    def list(self, prefix: str) -> AsyncIterator[str]:
        return self._real.list(prefix)


async def record_three_hours(court: Replayed, audio: bytes, video: bytes) -> int:
    """Everyone speaks in turns; a recess in the middle. Returns how many segments there are."""
    judge = court.person(Role.PRESIDING_JUDGE)
    events: list[tuple[law.Event, Participant]] = [(law.LobbyOpened(at(-60_000)), judge)]
    events += [(law.ParticipantEntered(at(-50_000 + i), person.id), person) for i, person in enumerate(court.people)]
    events.append((law.SittingOpened(at(0)), judge))
    before = Stage.OPENING
    for number, stage in enumerate(STAGES):
        events.append((law.StageEntered(at(60_000 + number * 2_500_000), stage, before), judge))
        before = stage
    events += [(law.SittingAdjourned(at(RECESS[0]), None), judge), (law.SittingResumed(at(RECESS[1])), judge)]
    events.append((law.SittingClosed(at(DURATION_MS)), judge))
    await court.tell(sorted(events, key=lambda told: told[0].at))
    runs = ((0, RECESS[0]), (RECESS[1], DURATION_MS))
    for person in court.people:
        for kind, data in (("audio", audio), ("video", video)):
            starts = [t0 for run in runs for t0 in range(run[0], run[1], SEGMENT_MS)]
            for index, t0 in enumerate(starts):
                court.add_segment(f"{person.id}-{kind}", kind, index, (t0, t0 + SEGMENT_MS), data)
    await court.write_segments()
    people = [person for person in court.people if person.role is not Role.OBSERVER]
    begins = [t0 for run in runs for t0 in range(run[0] + 1000, run[1] - 5000, SPEAKS_MS + PAUSE_MS)]
    await court.say([(people[(i * 7) % len(people)].id, t0, t0 + SPEAKS_MS, SENTENCES[i % 4]) for i, t0 in enumerate(begins)])
    await court.close_the_sitting()
    return len(court.rows)


async def memory(page: Page) -> dict[str, Any]:
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    heap = await session.send("Runtime.getHeapUsage")
    buffered = await page.evaluate(
        """() => [...document.querySelectorAll('[data-track]')].map((one) => {
          let sum = 0;
          for (let i = 0; i < one.buffered.length; i += 1) sum += one.buffered.end(i) - one.buffered.start(i);
          return sum;
        })"""
    )
    nodes = await page.evaluate("() => document.querySelectorAll('*').length")
    return {"heap": int(heap["usedSize"]), "buffered_s": round(sum(buffered)), "most_s": round(max(buffered)), "nodes": nodes}


async def test_three_hours_of_twelve_people(tmp_path: Path) -> None:
    tone = sound(SEGMENT_MS, 200, [(0, SEGMENT_MS)])
    ((_, audio),) = audio_segments(np.asarray(tone), (0, SEGMENT_MS), SEGMENT_MS)
    video = picture_segment(SEGMENT_MS, (320, 180), TINTS[0])
    same: list[SameBytes] = []

    def instead(store: ObjectStore) -> ObjectStore:
        same.append(SameBytes(store, audio, video))
        return same[0]

    async with replayed_court(tmp_path, DURATION_MS, store=instead) as court, browser() as started:
        count = await record_three_hours(court, audio, video)
        clock = SystemClock()
        begin = clock.monotonic()
        page = await open_record(started, court, "clerk")
        opened_ms = (clock.monotonic() - begin) * 1000
        sizes = await page.evaluate(
            """() => performance.getEntriesByType('resource').filter((one) => /\\/record$|\\/segments\\/\\d+$/.test(one.name))
              .map((one) => [one.name.split('/').at(-1), one.encodedBodySize, one.decodedBodySize, Math.round(one.duration)])"""
        )
        print(f"{count} segments; the page stands after {opened_ms:.0f} ms; [answer, bytes sent, bytes of JSON, ms]: {sizes}")
        assert max(sent for name, sent, *_ in sizes if name == "record") < RECORD_BYTES
        assert opened_ms < OPEN_MS * SLACK
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.url.endswith(".webm") else None)
        await page.get_by_test_id("record-play").click()
        await playing(page)
        took = []
        before: dict[str, Any] = {}
        for number, to_ms in enumerate((60_000, 10_000_000, 3_000_000, 9_000_000, 4_500_000, 7_000_000, 1_200_000, 8_200_000)):
            took.append(await page.evaluate(SEEK, {"to_ms": to_ms}))
            await page.wait_for_timeout(3000)
            if number == 1:
                before = await memory(page)
        await shot(page, "record-long")
        after = await memory(page)
        print(f"jumps, ms: {[round(one) for one in took]}; {len(asked)} segment requests; memory {before} → {after}")
        assert min(took) > 0
        assert sorted(took)[len(took) // 2] < SEEK_MS * SLACK
        assert after["heap"] - before["heap"] < HEAP_GROWTH_BYTES
        assert after["most_s"] < 120
        assert len(asked) < FETCHED_AROUND * (len(took) + 1) < count
        await expect(page.get_by_test_id("record-line").first).to_be_visible()
        assert after["nodes"] < 6000
