"""The judge cannot open unknowingly, sees a broken recording within ten seconds on desk and phone, and signs what is stated of it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from storage.clock import SystemClock
from tests.browser.people import launch, write_camera
from tests.browser.scene import Scene, come_in, set_down, until

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(400)]

WITHIN_S = 15.0  # ten, and room for a busy machine
DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
PICTURES = Path(os.environ.get("RED_STATE_PICTURES", "/nonexistent"))


async def picture(scene: Scene, key: str, name: str) -> None:
    """For people who want to look: only where RED_STATE_PICTURES names a folder."""
    if PICTURES.is_dir():
        await scene.people[key].page.screenshot(path=PICTURES / f"{name}.png")


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


async def test_from_a_red_preflight_to_a_signed_statement(scene: Scene) -> None:
    judge, clerk = scene.people["presiding_judge"], scene.people["clerk"]
    await come_in(scene, judge)
    await judge.locate("open-lobby").click()
    await refused_without_the_clerk(scene)
    await come_in(scene, clerk)
    await judge.locate("preflight-again").click()
    await expect(judge.page.locator(".state.green")).to_be_visible()
    await picture(scene, "presiding_judge", "preflight-green")
    await judge.locate("open-dialog").get_by_test_id("dialog-confirm").click()
    await expect(judge.page.locator('[data-testid="recording"][data-recording="on"]')).to_be_visible()
    await red_while_a_file_is_gone(scene)
    await one_store_away_is_amber(scene)
    await judge.locate("adjourn-sitting").click()
    await judge.locate("adjourn-dialog").get_by_test_id("dialog-confirm").click()
    await asyncio.sleep(4)
    await judge.locate("resume-sitting").click()
    await judge.locate("resume-dialog").get_by_test_id("dialog-confirm").click()
    await asyncio.sleep(3)
    await judge.locate("close-sitting").first.click()
    await judge.locate("close-dialog").get_by_test_id("dialog-confirm").click()
    await confirmed_and_signed(scene)
    assert [problem for person in scene.everyone() for problem in person.problems] == []


async def refused_without_the_clerk(scene: Scene) -> None:
    judge = scene.people["presiding_judge"]
    await judge.locate("open-sitting").click()
    missing = judge.page.locator('[data-testid="preflight-check"][data-code="clerk"][data-state="fail"]')
    await expect(missing).to_be_visible()
    await expect(judge.page.locator('[data-testid="preflight-check"][data-code="store_b"][data-state="ok"]')).to_be_visible()
    confirm = judge.locate("open-dialog").get_by_test_id("dialog-confirm")
    await expect(confirm).to_be_disabled()
    await picture(scene, "presiding_judge", "preflight")
    await judge.locate("preflight-override").click()
    await expect(confirm).to_be_disabled()
    await judge.locate("preflight-reason").fill("书记员网络中断，由审判员代为记录，经双方当事人同意开庭。")
    await expect(confirm).to_be_enabled()
    await picture(scene, "presiding_judge", "preflight-override")


async def red_while_a_file_is_gone(scene: Scene) -> None:
    """Somebody removes the file that the clerk's voice is written to."""
    judge, clerk = scene.people["presiding_judge"], scene.people["clerk"]
    part = scene.server.folder / "data"
    await until("a segment is being written", lambda: _has(part, clerk.participant_id))
    await asyncio.sleep(4)  # it has been read back once
    for path in part.rglob(f"*{clerk.participant_id}-audio/*.part"):
        path.unlink()
    began = SystemClock().monotonic()
    red = judge.page.locator('[data-testid="alarm-fault"][data-code="file_changed"]')
    await expect(red).to_be_visible(timeout=WITHIN_S * 1000)
    print(f"red after {SystemClock().monotonic() - began:.1f} s")
    await expect(clerk.page.locator('[data-testid="alarm-fault"]')).to_be_visible()
    await expect(judge.page.get_by_role("alert").filter(has_text="录音录像故障")).to_be_visible()
    await expect(red).to_contain_text("起，已")
    await asyncio.sleep(2)
    await picture(scene, "presiding_judge", "red-desk")
    await judge.page.set_viewport_size(PHONE)
    await expect(red).to_be_visible()
    await picture(scene, "presiding_judge", "red-phone")
    await judge.page.set_viewport_size(DESK)
    await expect(red).to_have_count(0, timeout=40_000)  # the next segment is well


async def one_store_away_is_amber(scene: Scene) -> None:
    store = scene.server.folder / "data-copy"
    away = store.with_name("data-copy.away")
    store.rename(away)
    store.write_text("not a folder")
    warning = scene.people["presiding_judge"].page.locator('[data-testid="alarm-warning"]').first
    await expect(warning).to_be_visible(timeout=60_000)
    await picture(scene, "presiding_judge", "amber-desk")
    store.unlink()
    away.rename(store)
    await expect(warning).to_have_count(0, timeout=90_000)


async def _has(folder: Path, participant_id: str) -> bool:
    return any(path.stat().st_size > 1_000 for path in folder.rglob(f"*{participant_id}-audio/*.part"))


async def confirmed_and_signed(scene: Scene) -> None:
    address = f"{scene.address}/sittings/{scene.created.sitting_id}/record"
    for key, state in (("clerk", "confirmed"), ("presiding_judge", "signed")):
        person = scene.people[key]

        async def listed(person=person) -> bool:  # noqa: ANN001
            await person.page.goto(address)
            await asyncio.sleep(2)
            return await person.locate("statement").count() == 2

        await until("the statements are drafted", listed, within_s=90)
        for kind in ("course", "fault"):
            row = person.page.locator(f'[data-testid="statement"][data-kind="{kind}"]')
            await row.get_by_role("button").click()
            await expect(person.locate("statement-page")).to_be_visible()
            await asyncio.sleep(1)
            if key == "clerk":
                await person.locate("statement-remarks").fill("录音录像由书记员赵琳负责。")
            await picture(scene, key, f"statement-{kind}-{key}")
            await person.locate("statement-dialog").get_by_test_id("dialog-confirm").click()
            await expect(
                person.page.locator(f'[data-testid="statement"][data-kind="{kind}"][data-state="{state}"]')
            ).to_have_count(1)
            await person.locate("statement-dialog").get_by_test_id("dialog-cancel").click()
    await picture(scene, "presiding_judge", "record-page")
    if PICTURES.is_dir():
        page = scene.people["presiding_judge"].page
        await page.locator('[data-testid="statement"][data-kind="course"]').get_by_role("button").click()
        source = await page.get_by_test_id("statement-page").get_attribute("src")
        await page.goto(f"{scene.address}{source}")
        await page.set_viewport_size({"width": 794, "height": 1123})  # A4 at 96 dpi
        await picture(scene, "presiding_judge", "av3")
