"""Firefox replays a record: sound and pictures of three speakers run in step, and a jump arrives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hearing.model import Role
from tests.browser.firefox import Firefox, firefox, firefox_program
from tests.browser.replayed_court import replayed_court
from tests.browser.scene import until
from tests.browser.test_replay import DURATION_MS, SLACK, SPEAKERS, record_forty_seconds
from tests.integration.signaling_bed import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(300)]

PICTURES = Path(os.environ.get("FIREFOX_PICTURES", "/nonexistent"))
SIGN_IN = """
fetch("/api/sign-in", {{ method: "POST", headers: {{ "Content-Type": "application/json" }}, body: {body} }}).then((r) => r.status)
"""
PLAYERS = """
Promise.resolve([...document.querySelectorAll("[data-track]")].filter((one) => one.currentTime !== undefined).map((one) => ({
  track: one.dataset.track, s: one.currentTime, paused: one.paused, ready: one.readyState,
  frames: one.getVideoPlaybackQuality ? one.getVideoPlaybackQuality().totalVideoFrames : 0,
})))
"""
THIRD_STAGE_S = 13.0
TO_THE_NEXT_STAGE = "Promise.resolve(document.querySelector('[data-testid=\"record-stage-next\"]').click())"
APART_S = 0.35  # asked one after another in a busy machine; how exact it is, is measured with Chromium


async def sound(fox: Firefox) -> list[dict[str, Any]]:
    return [
        one for one in await fox.ask(PLAYERS) if one["track"].endswith("-audio") and not one["paused"] and one["ready"] >= 3
    ]


async def test_firefox_replays_a_record(tmp_path: Path) -> None:
    firefox_program()
    async with replayed_court(tmp_path, DURATION_MS) as court, firefox(tmp_path) as fox:
        await record_forty_seconds(court)
        await court.seal()
        await fox.open(f"{court.bed.url}/sign-in")
        body = json.dumps(json.dumps({"login": "clerk_1", "password": PASSWORD}))
        assert await fox.ask(SIGN_IN.format(body=body)) == 200
        await fox.open(f"{court.bed.url}/sittings/{court.sitting_id}/record")
        await fox.shows("record-room")
        await fox.click("record-play")
        speakers = {f"{court.person(role).id}-audio" for role in SPEAKERS}

        async def all_run() -> bool:
            running = await sound(fox)
            return speakers <= {one["track"] for one in running} and min(one["s"] for one in running) > 1.0

        await until("every voice runs", all_run, within_s=60)
        running = await sound(fox)
        assert max(one["s"] for one in running) - min(one["s"] for one in running) < APART_S
        judge = f"{court.person(Role.PRESIDING_JUDGE).id}-video"
        pictures = {one["track"]: one["frames"] for one in await fox.ask(PLAYERS) if one["track"].endswith("-video")}
        assert pictures[judge] > 2, "pictures are decoded"
        if PICTURES.is_dir():
            await fox.picture(PICTURES / "firefox-record.png")
        for _ in range(2):  # 法庭调查 from 5.2 s, 举证质证 from 13.5 s
            await fox.ask(TO_THE_NEXT_STAGE)

        async def arrived() -> bool:
            running = await sound(fox)
            return bool(running) and min(one["s"] for one in running) > THIRD_STAGE_S

        await until("the jump arrives", arrived, within_s=8 * SLACK)
