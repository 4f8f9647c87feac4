"""A camera goes off and on again, a page is loaded anew: the same seat, one tile, a picture that moves, and no ghost."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.media import Camera, in_session, monotonic, picture_of
from tests.browser.people import Person, chromium
from tests.browser.scene import sees_and_hears, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def peers_of(person: Person) -> int:
    """Connections of this page that are not closed."""
    count: int = await person.page.evaluate("() => window.__connections.filter((c) => c.connectionState !== 'closed').length")
    return count


async def picture_moves_again(viewer: Person, source: Person) -> float:
    began = monotonic()
    before = (await picture_of(viewer, source)).get("framesDecoded", 0)

    async def moves() -> bool:
        return bool((await picture_of(viewer, source)).get("framesDecoded", 0) > before + 3)

    await until(f"{viewer.key} sees {source.key} again", moves, within_s=45)
    return monotonic() - began


async def test_camera_off_and_on_then_a_reload(tmp_path: Path) -> None:
    chromium()
    async with in_session(tmp_path, ["plaintiff"], {"presiding_judge": Camera(), "plaintiff": Camera()}) as scene:
        judge, plaintiff = scene.people["presiding_judge"], scene.people["plaintiff"]
        await sees_and_hears(plaintiff, judge)
        shown = plaintiff.page.locator(f'video[data-participant="{judge.participant_id}"]')
        await judge.locate("camera-toggle").click()
        await expect(shown).to_have_count(0)
        await judge.locate("camera-toggle").click()
        await expect(shown.first).to_be_visible()
        print(f"camera on: a picture after {await picture_moves_again(plaintiff, judge):.2f} s")
        began = monotonic()
        await plaintiff.page.reload()
        await expect(plaintiff.locate("courtroom")).to_be_visible()
        await sees_and_hears(plaintiff, judge, voice_too=False)
        await sees_and_hears(judge, plaintiff, voice_too=False)
        print(f"reload: seen and seeing after {monotonic() - began:.2f} s")
        assert await peers_of(plaintiff) == 2
        await expect(judge.locate(f"tile-{plaintiff.participant_id}")).to_have_count(1)
        sources = {row["source"] for row in await judge.streams("audio")}
        assert sources <= {plaintiff.participant_id, ""}
        assert judge.problems == plaintiff.problems == []
