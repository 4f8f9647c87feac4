"""The camera goes up in three layers; everybody gets the one that fits the page, and none when nobody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.media import LARGE, Camera, in_session, monotonic, picture_of
from tests.browser.people import Person, chromium
from tests.browser.scene import Scene, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SMALL_TILES = "[data-role=focus] { display: none !important; }"
"""Without the large picture in the middle the judge is shown on the bench alone."""
LOOK_S = 0.1
SWITCHED_WITHIN_S = 75.0  # the path has to be proven by padding first, and a change is let settle
AFTERWARDS_S = 2.0
FREEZE_S = 1.0
SLACK_S = 1.0  # two cores that encode, forward and decode at once


async def layers_sent(person: Person) -> dict[str, dict[str, Any]]:
    return {row["rid"]: row for row in await person.streams("video", sent=True) if row.get("rid")}


async def three_layers_go_up(person: Person) -> None:
    async def all_encode() -> bool:
        layers = await layers_sent(person)
        return len(layers) == 3 and all(row.get("framesEncoded", 0) > 10 for row in layers.values())

    await until("three layers are encoded", all_encode, within_s=60)
    layers = await layers_sent(person)
    assert [layers[rid]["frameHeight"] for rid in ("l", "m", "h")] == [180, 360, 720]


async def switches(viewer: Person, source: Person, wanted: Callable[[float], bool]) -> tuple[float, float]:
    """Seconds until a newly decoded picture is as high as wanted, and the longest pause between frames until a while after."""
    began = last_frame = monotonic()
    frames, pause, switched = (await picture_of(viewer, source)).get("framesDecoded", 0), 0.0, 0.0
    while not switched or monotonic() - began < switched + AFTERWARDS_S:
        await asyncio.sleep(LOOK_S)
        picture, now = await picture_of(viewer, source), monotonic()
        pause = max(pause, now - last_frame)
        if picture.get("framesDecoded", 0) != frames:
            frames, last_frame = picture["framesDecoded"], now
            if not switched and wanted(picture["frameHeight"]):
                switched = now - began
        if not switched and now - began > SWITCHED_WITHIN_S:
            pytest.fail(f"still {picture.get('frameHeight')} lines after {SWITCHED_WITHIN_S:.0f} s")
    return switched, pause


async def hide_page(person: Person, hidden: bool) -> None:
    """A headless page is never hidden by itself: say what a browser says when one looks at another tab."""
    state = "hidden" if hidden else "visible"
    script = f"""() => {{
      Object.defineProperty(document, "visibilityState", {{ value: "{state}", configurable: true }});
      document.dispatchEvent(new Event("visibilitychange"));
    }}"""
    await person.page.evaluate(script)


async def nothing_seen_but_heard(viewer: Person, source: Person) -> None:
    async def stands_still() -> bool:
        before = (await picture_of(viewer, source)).get("packetsReceived", 0)
        await asyncio.sleep(1.5)
        return (await picture_of(viewer, source)).get("packetsReceived", 0) == before

    await until("the picture is paused", stands_still, within_s=15)
    before = (await viewer.received())[source.participant_id]["energy"]
    await asyncio.sleep(2.5)
    assert (await viewer.received())[source.participant_id]["energy"] > before, "the voice must go on"


async def sizes(scene: Scene) -> tuple[Person, Person]:
    judge, plaintiff = scene.people["presiding_judge"], scene.people["plaintiff"]
    await three_layers_go_up(judge)
    return judge, plaintiff


async def test_a_small_tile_gets_the_small_layer_a_large_one_the_large_and_a_hidden_page_none(tmp_path: Path) -> None:
    chromium()
    async with in_session(tmp_path, ["plaintiff"], {"presiding_judge": Camera(LARGE, 10)}) as scene:
        judge, plaintiff = await sizes(scene)
        first_s, _ = await switches(plaintiff, judge, lambda height: height >= 360)
        style = await plaintiff.page.add_style_tag(content=SMALL_TILES)
        down_s, _ = await switches(plaintiff, judge, lambda height: 0 < height <= 180)
        await style.evaluate("node => node.remove()")
        up_s, pause_s = await switches(plaintiff, judge, lambda height: height >= 360)
        print(
            f"large after {first_s:.2f} s, to the small layer {down_s:.2f} s, to the large layer {up_s:.2f} s, longest pause {pause_s:.2f} s"
        )
        assert pause_s < FREEZE_S + SLACK_S
        await hide_page(plaintiff, hidden=True)
        await nothing_seen_but_heard(plaintiff, judge)
        await hide_page(plaintiff, hidden=False)
        back_s, _ = await switches(plaintiff, judge, lambda height: height >= 360)
        print(f"back from a hidden page after {back_s:.2f} s")
        assert judge.problems == plaintiff.problems == []
