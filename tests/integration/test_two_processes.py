"""Two signaling processes behind one address (Redis manager): an act given at one reaches the people of the other."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

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


async def _joined(at: Bed, links_from: Bed, key: str) -> Browser:
    at.links[key] = await links_from.fresh_link(key)
    return await at.joined(key)
