"""The clerk corrects the machine draft in real Chromium: in the courtroom, then on the record page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.browser.people import FLAGS, chromium
from tests.integration.signaling_bed import PASSWORD, STAFF, Bed, court_house
from tests.integration.test_drafting import say
from tests.rehearsing import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(240)]

SPOKEN: tuple[tuple[str, int, str, list[dict[str, Any]]], ...] = (
    ("presiding", 1000, "现在开庭。请原告陈述诉讼请求和事实、理由。", []),
    ("plaintiff", 7000, "请求判令被告李某归还借款本金50000元，并支付利息。", [
        {"kind": "name", "start": 6, "end": 8, "note": "黎某"}, {"kind": "number", "start": 14, "end": 20, "note": "五万块"},
    ]),
    ("defendant", 15_000, "对借条的真实性没有意义，但钱不是我用的。我是他妻子，我来说。", [
        {"kind": "negation", "start": 7, "end": 9, "note": ""}, {"kind": "second_opinion", "start": 9, "end": 11, "note": "异议"},
        {"kind": "negation", "start": 14, "end": 16, "note": ""},
    ]),
    ("defendant", 23_000, "转账凭证在证据二里。", [{"kind": "low_confidence", "start": 5, "end": 8, "note": ""}]),
)  # fmt: skip


@asynccontextmanager
async def page_of(key: str, bed: Bed, viewport: tuple[int, int] = (1440, 900)) -> AsyncIterator[Page]:
    """A signed-in page of a member of staff, with a microphone and a camera that beep."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS])
        context = await browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]}, locale="zh-CN", timezone_id="Asia/Shanghai"
        )
        page = await context.new_page()
        page.set_default_timeout(20_000)
        await page.goto(f"{bed.url.replace('127.0.0.1', 'localhost')}/sign-in")
        await page.get_by_test_id("sign-in-login").fill(STAFF[key])
        await page.get_by_test_id("sign-in-password").fill(PASSWORD)
        await page.get_by_test_id("sign-in-submit").click()
        await expect(page.get_by_test_id("sign-in-submit")).to_have_count(0)
        try:
            yield page
        finally:
            await browser.close()


async def shot(page: Page, name: str) -> None:
    """A picture for who looks at the screens (COURT_SHOTS names the folder)."""
    if folder := os.environ.get("COURT_SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as house:
        shutil.copytree(os.environ.get("COURT_DIST", ROOT / "web" / "dist"), tmp_path / "dist", dirs_exist_ok=True)
        yield house


async def enter(page: Page, bed: Bed) -> None:
    await page.goto(f"{bed.url.replace('127.0.0.1', 'localhost')}/sittings/{bed.sitting_id}/lobby")
    await page.get_by_test_id("devices-start").click()
    await expect(page.get_by_test_id("preview")).to_be_visible()
    await page.get_by_test_id("discipline-tick").check()
    await page.get_by_test_id("enter").click()
    await expect(page.get_by_test_id("courtroom")).to_be_visible()


def row(page: Page, line_id: str) -> Any:
    return page.locator(f'[data-line="{line_id}"]')


async def test_the_clerk_corrects_in_the_courtroom_and_on_the_record_page(bed: Bed) -> None:
    judge = await bed.in_session()
    party = await bed.joined("plaintiff")
    async with page_of("clerk", bed) as page:
        await enter(page, bed)
        ids = [await say(bed, who, t0_ms, text, marks) for who, t0_ms, text, marks in SPOKEN]
        words = row(page, ids[2]).locator("button.words")
        await expect(words.locator("[data-mark=second_opinion]")).to_have_text("意义")
        await expect(page.get_by_test_id("draft-next")).to_contain_text("3")
        await shot(page, "courtroom")
        await page.get_by_test_id("draft-next").click()
        await page.keyboard.press("Enter")  # opens the line that has the focus
        await expect(row(page, ids[1]).get_by_test_id("draft-editor")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("draft-editor")).to_have_count(0)
        await words.click()
        await page.keyboard.press("Control+A")
        await page.keyboard.type("对借条的真实性没有异议，但钱不是我用的。我是他妻子，我来说。")
        await shot(page, "courtroom-editing")
        await page.keyboard.press("Enter")
        await expect(row(page, ids[2])).to_contain_text("没有异议")
        await expect(row(page, ids[2])).to_contain_text("已更正")
        changed = [data for name, data in party.events if name == "captions.edited"]
        assert [one["text"] for data in changed for one in data["captions"]] == [
            "对借条的真实性没有异议，但钱不是我用的。我是他妻子，我来说。"
        ]
        await shot(page, "courtroom-edited")
    assert (await judge.send("sitting.close"))["ok"]
    async with page_of("clerk", bed) as page:
        await page.goto(f"{bed.url.replace('127.0.0.1', 'localhost')}/sittings/{bed.sitting_id}/record")
        await expect(page.get_by_test_id("record-line").first).to_be_visible()
        await shot(page, "record")
        await on_the_record_page(page, bed, ids)
        await page.set_viewport_size({"width": 390, "height": 844})
        await row(page, ids[2]).scroll_into_view_if_needed()
        await shot(page, "record-phone")


async def on_the_record_page(page: Page, bed: Bed, ids: list[str]) -> None:
    """Split at the caret, give the second half to another, look at what became of the line."""
    await page.get_by_test_id("draft-correct").click()
    words = row(page, ids[2]).locator("button.words")
    await words.click()
    box = row(page, ids[2]).locator("textarea")
    await box.evaluate("(box) => { box.setSelectionRange(20, 20); box.dispatchEvent(new Event('select')) }")
    await page.get_by_test_id("draft-split").click()
    second = page.locator(f'[data-line^="{ids[2]}/"]')
    await expect(second).to_contain_text("我是他妻子，我来说。")
    await second.locator("button.words").click()
    await shot(page, "record-editing")
    await page.get_by_test_id("draft-speaker").select_option(bed.ids["third"])
    await expect(second).to_contain_text("赵某")
    await second.locator("button.words").click()
    await second.get_by_role("button", name="更正经过").click()
    await expect(second.get_by_test_id("line-history")).to_contain_text("改发言人为")
    await shot(page, "record-history")
    await page.keyboard.press("Escape")
    await page.get_by_test_id("versions").locator("summary").click()
    await shot(page, "record-files")
    async with page.expect_download() as download:
        await page.get_by_test_id("file-stm").click()
    text = Path(await (await download.value).path()).read_text(encoding="utf-8")
    assert "我 是 他 妻 子" in text
