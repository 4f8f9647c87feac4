"""Two real Chromium pages with fake devices through a real media worker: pictures are decoded, sound is heard."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from hearing.model import ParticipantId
from media.spool import Spool
from tests.integration.media_rig import CLOCK, SITTING, Rig, all_to_all, rig, table

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
]  # fmt: skip
BOTH = ["a", "b"]


@contextlib.asynccontextmanager
async def page_server(one: Rig) -> AsyncIterator[str]:
    """Stands in for signaling: relays offers and answers between page and worker."""

    async def index(_: web.Request) -> web.FileResponse:
        return web.FileResponse(Path(__file__).parent / "media_smoke.html")

    async def join(request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        offers = await one.control.connect(SITTING, ParticipantId(name), f"peer_{name}")
        return web.json_response(
            {"offers": [{"connection": o.connection, "revision": o.revision, "sdp": o.sdp} for o in offers]}
        )

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        await one.control.answer(SITTING, f"peer_{body['name']}", body["connection"], body["revision"], body["sdp"])
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.get("/", index), web.post("/join", join), web.post("/answer", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    finally:
        await runner.cleanup()


async def relay_offers(one: Rig, pages: dict[str, Any]) -> None:
    """Hand every offer.made to its page, in order."""
    done = 0
    while True:
        offers = one.of("offer.made")
        for offer in offers[done:]:
            page = pages[offer["participant_id"]]
            await page.evaluate("offer => answer(offer)", {k: offer[k] for k in ("connection", "revision", "sdp")})
        done = len(offers)
        await asyncio.sleep(0.05)


def inbound(stats: dict[str, list[dict[str, Any]]], kind: str) -> dict[str, Any]:
    found = [s for s in stats["down"] if s["type"] == "inbound-rtp" and s["kind"] == kind]
    return found[0] if found else {}


async def test_two_browsers_see_and_hear_each_other_and_are_recorded(tmp_path: Path) -> None:
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    from playwright.async_api import async_playwright

    async with rig(tmp_path) as one, page_server(one) as url, async_playwright() as playwright:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pages: dict[str, Any] = {}
        relay = asyncio.create_task(relay_offers(one, pages))
        try:
            for name in BOTH:
                pages[name] = await browser.new_page()
                await pages[name].goto(url)
                await pages[name].evaluate("name => join(name)", name)
            opened = CLOCK.now()
            await one.control.apply_grants(
                table(2, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened)
            )
            for name in BOTH:
                await everything_arrives(pages[name])
            keep_answers(await pages["b"].evaluate("[answer_up, answer_down]"))
            await one.control.close_sitting(SITTING)
        finally:
            relay.cancel()
            await browser.close()
        recorded = {segment.track_id: segment for segment, _ in Spool(one.spool).closed()}
        assert {"a-audio", "a-video", "b-audio", "b-video"} <= recorded.keys()
        assert recorded["a-audio"].filled_ms < 400
        assert [r for r in one.of("speaking") if r["speaking"]]  # the fake microphone beeps


async def test_a_camera_comes_in_layers_and_the_larger_is_shown(tmp_path: Path) -> None:
    if not Path(CHROMIUM).exists():
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    from playwright.async_api import async_playwright

    async with rig(tmp_path) as one, page_server(one) as url, async_playwright() as playwright:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        pages: dict[str, Any] = {}
        relay = asyncio.create_task(relay_offers(one, pages))
        try:
            for name in BOTH:
                pages[name] = await browser.new_page()
                await pages[name].goto(url)
                await pages[name].evaluate("name => join(name, { width: 1280, height: 720 })", name)
            async with asyncio.timeout(40):
                while inbound(await pages["b"].evaluate("stats()"), "video").get("frameHeight", 0) < 360:
                    await asyncio.sleep(0.3)
            sent = [s for s in (await pages["a"].evaluate("stats()"))["up"] if s["type"] == "outbound-rtp" and s.get("rid")]
            got = inbound(await pages["b"].evaluate("stats()"), "video")
        finally:
            relay.cancel()
            await browser.close()
        assert {s["rid"] for s in sent} == {"l", "m", "h"}
        assert {"l", "m"} <= {s["rid"] for s in sent if s["packetsSent"] > 10}
        assert all(s.get("rtxSsrc") for s in sent)
        assert got["packetsLost"] == 0  # no hole where the layer changed


async def everything_arrives(page: Any) -> None:
    """Frames go on being decoded and the beep is heard; raises TimeoutError."""
    async with asyncio.timeout(20):
        heard, frames = 0.0, -1
        while heard <= 0 or frames < 20:
            stats = await page.evaluate("stats()")
            heard = max(heard, inbound(stats, "audio").get("audioLevel", 0))
            frames = inbound(stats, "video").get("framesDecoded", 0)
            await asyncio.sleep(0.2)
    assert inbound(stats, "video")["keyFramesDecoded"] >= 1


def keep_answers(answers: list[str]) -> None:
    """With MEDIA_SMOKE_KEEP set to a folder, renew the answers that the unit tests of media.sdp read."""
    folder = os.environ.get("MEDIA_SMOKE_KEEP")
    if folder:
        for name, text in zip(("up", "down"), answers, strict=True):
            Path(folder, f"chromium_{name}_answer.sdp").write_text(text)
