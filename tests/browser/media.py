"""A sitting in session with a few people in real browsers, for tests of the media between them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from playwright.async_api import Playwright, async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from storage.clock import SystemClock
from tests.browser.people import Person, launch, write_camera
from tests.browser.scene import Scene, come_in, open_sitting, set_down

LARGE = (1280, 720)
SMALL = (320, 180)
WITHIN_MS = 45_000


@dataclass(frozen=True, slots=True)
class Camera:
    """What a person's fake camera shows."""

    size: tuple[int, int] = SMALL
    frames_per_s: int = 10


@contextlib.asynccontextmanager
async def in_session(folder: Path, keys: Sequence[str], cameras: dict[str, Camera] | None = None) -> AsyncIterator[Scene]:
    """The judge and `keys` in the courtroom, 开庭 announced; every microphone beeps."""
    async with hall(folder) as (scene, playwright):
        for key in ("presiding_judge", *keys):
            scene.people[key] = await launch_in(scene, playwright, key, folder, (cameras or {}).get(key, Camera()))
            await come_in(scene, scene.people[key])
            if key == "presiding_judge":
                await scene.people[key].locate("open-lobby").click()
        await open_sitting(scene)
        yield scene


@contextlib.asynccontextmanager
async def hall(folder: Path, settings: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[tuple[Scene, Playwright]]:
    """A court with a hearing set down, and nobody there yet."""
    expect.set_options(timeout=WITHIN_MS)
    async with (
        temporary_server(folder, captions=False, settings=settings) as server,
        Door(server.base_url) as clerk,
        async_playwright() as playwright,
    ):
        scene = await set_down(server, clerk)
        try:
            yield scene, playwright
        finally:
            for person in scene.everyone():
                await person.browser.close()


async def launch_in(
    scene: Scene, playwright: Playwright, key: str, folder: Path, camera: Camera, program: str | None = None
) -> Person:
    file = folder / f"{key}.y4m"
    write_camera(file, camera.size, camera.frames_per_s)
    return await launch(playwright, key, scene.ids[key], None, file, program)


async def picture_of(viewer: Person, source: Person) -> dict[str, Any]:
    """The newest getStats row of the picture that `viewer` gets of `source`; empty when there is none."""
    rows = await viewer.streams("video", source=source.participant_id)
    return max(rows, key=lambda row: row["timestamp"]) if rows else {}


def monotonic() -> float:
    return SystemClock().monotonic()
