"""Firefox joins a hearing: it is seen and heard by a Chromium, and sees and hears it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.firefox import Firefox, firefox, firefox_program
from tests.browser.media import Camera, hall, launch_in
from tests.browser.people import Person, chromium
from tests.browser.scene import Scene, come_in, open_sitting, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


async def enter(scene: Scene, fox: Firefox, participant_id: str) -> None:
    link = next(link for link in scene.created.links if link.participant_id == participant_id)
    await fox.open(re.sub(r"^https?://[^/]+", scene.address, link.url))
    await fox.click("join-enter")
    await fox.click("devices-start")
    await fox.shows("preview")
    await fox.click("discipline-tick")
    await fox.click("enter")
    await fox.shows("courtroom")
    await fox.open(f"{scene.address}/sittings/{scene.created.sitting_id}?debug=1")
    await fox.shows("courtroom")


async def is_seen_and_heard(judge: Person, participant_id: str) -> None:
    async def grown() -> bool:
        found = (await judge.received()).get(participant_id, {"frames": 0.0, "energy": 0.0})
        return found["frames"] > 10 and found["energy"] > 1e-5

    await until("Chromium sees and hears Firefox", grown, within_s=90)


async def sees_and_hears(fox: Firefox, participant_id: str) -> list[dict[str, Any]]:
    async def grown() -> bool:
        own = [row for row in await fox.streams() if row["leg"] == "down" and row["participant"] == participant_id]
        frames = max((row["framesDecoded"] for row in own), default=0)
        sound = max((row["packets"] for row in own if row["kind"] == "audio"), default=0)
        return frames > 10 and sound > 50

    await until("Firefox sees and hears Chromium", grown, within_s=90)
    return await fox.streams()


async def test_firefox_is_seen_and_heard_and_sees_and_hears(tmp_path: Path) -> None:
    chromium()
    firefox_program()
    async with hall(tmp_path) as (scene, playwright), firefox(tmp_path) as fox:
        judge = await launch_in(scene, playwright, "presiding_judge", tmp_path, Camera())
        scene.people["presiding_judge"] = judge
        await come_in(scene, judge)
        await judge.locate("open-lobby").click()
        await enter(scene, fox, scene.ids["plaintiff"])
        await open_sitting(scene)
        await is_seen_and_heard(judge, scene.ids["plaintiff"])
        rows = await sees_and_hears(fox, judge.participant_id)
        sent = [row for row in rows if row["leg"] == "up" and row["kind"] == "video" and row["framesEncoded"]]
        print("Firefox sends", [(row["rid"] or "one layer", row["frameHeight"], row["framesEncoded"]) for row in sent])
        assert sent
        assert judge.problems == []
