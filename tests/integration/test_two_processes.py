"""Two signaling processes behind one address (Redis manager): an act given at one reaches the people of the other."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from pydantic import TypeAdapter

from hearing.events import FaultBegan
from hearing.ledger import read_entry
from hearing.model import SittingId
from media.control import RecorderHealth, TrackFault
from signaling import media_watch
from tests.integration.signaling_bed import Bed, Browser, court_house, parts_for, running, until
from tests.servers import free_port, missing

pytestmark = pytest.mark.redis


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A private Redis without persistence."""
    port = free_port()
    try:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL, cwd=tmp_path
        )  # fmt: skip
    except FileNotFoundError:
        missing("redis-server")
    client = redis.Redis(port=port)
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    client.close()
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(timeout=10)


async def test_an_act_at_one_process_reaches_the_people_of_the_other(tmp_path: Path, redis_url: str) -> None:
    async with court_house(tmp_path, redis_url=redis_url) as first:
        other = parts_for(tmp_path, free_port(), first.media, court_id="court_test", redis_url=redis_url)
        async with running(other):
            second = replace(first, url=other.settings.base_url, parts=other, browsers=first.browsers)
            judge = await first.in_session()
            plaintiff = await _joined(second, first, "plaintiff")
            ack = await judge.send("stage.go", stage="identity")
            await until(lambda: plaintiff.named("sitting.updated") and plaintiff.view["number"] >= ack["number"])
            assert plaintiff.view["stage"] == "identity"
            assert plaintiff.view["me"] == first.ids["plaintiff"]
            await plaintiff.send("hand.raise")
            await until(lambda: judge.view["hands"] != [])
            for browser in first.browsers:
                await browser.close()
        await other.database.close()


@pytest.mark.long
async def test_who_is_not_told_of_a_recorder_asks_and_a_fault_is_one(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports go to the first process alone; the second neither alarms of silence nor writes the fault a second time."""
    monkeypatch.setattr(media_watch, "ASK_AFTER_S", 0.3)
    monkeypatch.setattr(media_watch, "ASK_RECORDER_AFTER_S", 0.3)
    quick = {"redis_url": redis_url, "recorder_silence_s": 1.5}
    async with court_house(tmp_path, **quick) as first:
        other = parts_for(tmp_path, free_port(), first.media, court_id="court_test", **quick)
        async with running(other):
            second = replace(first, url=other.settings.base_url, parts=other, browsers=first.browsers)
            await first.in_session()
            clerk = await second.joined("clerk")
            fault = TrackFault(f"{first.ids['plaintiff']}-audio", "track_silent", "nothing new", 1_200)
            well = RecorderHealth(SittingId(first.sitting_id), True, 3, 9, "")
            first.media.health = well
            telling = asyncio.create_task(_tell(first))
            await until(lambda: clerk.view["recording"] == "on")
            await asyncio.sleep(4)  # much longer than a silence may be
            assert await _faults(first) == []
            first.media.health = replace(well, ok=False, detail="track_silent", faults=(fault,))
            await until(lambda: [a["code"] for a in clerk.view["alarms"] if a["severity"] == "fault"] == ["track_silent"], 20)
            await asyncio.sleep(2)
            assert await _faults(first) == [("track_silent", fault.track_id)]
            telling.cancel()
            for browser in first.browsers:
                await browser.close()
        await other.database.close()


async def _tell(bed: Bed) -> None:
    """What the recorder reports twice a second, to this process."""
    while True:
        assert bed.media.health is not None
        await bed.report({"type": "recorder.health", **TypeAdapter(RecorderHealth).dump_python(bed.media.health, mode="json")})
        await asyncio.sleep(0.5)


async def _faults(bed: Bed) -> list[tuple[str, str]]:
    entries = await bed.parts.hearings.ledger(SittingId(bed.sitting_id))
    told = [read_entry(sealed.entry).event for sealed in entries]
    return [(event.code, event.tracks) for event in told if isinstance(event, FaultBegan)]


async def _joined(at: Bed, links_from: Bed, key: str) -> Browser:
    at.links[key] = await links_from.fresh_link(key)
    return await at.joined(key)
