"""The clerk opens 回听 in a running hearing, sees every track's level as written, and hears it; nobody else hears it again."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from tests.browser.people import launch, write_camera
from tests.browser.scene import Scene, come_in, open_sitting, set_down
from tests.tones import sound_of

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(300)]

PICTURES = Path(os.environ.get("HEAR_BACK_PICTURES", "/nonexistent"))
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FETCHED = "async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]"
SENDS = "() => window.__connections.flatMap(c => c.getSenders()).some(s => s.track?.kind === 'audio' && s.track.enabled)"


async def picture(scene: Scene, name: str) -> None:
    """For people who want to look: only where HEAR_BACK_PICTURES names a folder."""
    if PICTURES.is_dir():
        await scene.people["clerk"].page.screenshot(path=PICTURES / f"{name}.png")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    camera = tmp_path / "camera.y4m"
    write_camera(camera)
    async with (
        temporary_server(tmp_path, captions=False) as server,
        Door(server.base_url) as clerk,
        async_playwright() as playwright,
    ):
        scene = await set_down(server, clerk)
        try:
            for key in ("presiding_judge", "clerk"):
                scene.people[key] = await launch(playwright, key, scene.ids[key], None, camera)
                await scene.people[key].page.set_viewport_size(DESK)
            yield scene
        finally:
            for person in scene.everyone():
                await person.browser.close()


async def test_the_clerk_hears_what_was_just_written(scene: Scene) -> None:
    judge, clerk = scene.people["presiding_judge"], scene.people["clerk"]
    await come_in(scene, judge)
    await judge.locate("open-lobby").click()
    await come_in(scene, clerk)
    await clerk.locate("hear-back-open").click()
    await expect(clerk.locate("hear-back-why")).to_contain_text("宣布开庭后")
    await picture(scene, "not-open")
    await clerk.locate("drawer-close").click()
    await open_sitting(scene)
    await clerk.locate("hear-back-open").click()
    mine = clerk.locate(f"hear-back-{judge.participant_id}")
    await expect(mine.locator('[data-testid="hear-back-audio"][data-state="written"]')).to_be_visible(timeout=30_000)
    await expect(mine.get_by_role("meter")).to_have_attribute("aria-valuetext", re.compile("dB"))
    await asyncio.sleep(8)
    async with clerk.page.expect_response("**/hear-back/*.webm") as answered:
        await mine.get_by_test_id("hear-back-play").click()
    await expect(mine).to_contain_text("正在播放")
    assert not await clerk.page.evaluate(SENDS), "the clerk's microphone is held meanwhile"
    await picture(scene, "playing")
    heard = sound_of(bytes(await clerk.page.evaluate(FETCHED, (await answered.value).url)))
    assert len(heard) > 5 * 48_000
    assert float(np.sqrt(np.mean(heard**2))) > 0.001, "the beeps of the judge's microphone"
    await expect(mine.get_by_test_id("hear-back-stop")).to_have_count(0, timeout=15_000)
    assert await clerk.page.evaluate(SENDS)
    await clerk.page.set_viewport_size(PHONE)
    await picture(scene, "phone")
    assert [problem for person in scene.everyone() for problem in person.problems] == []
