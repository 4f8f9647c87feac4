"""A path that narrows and widens again: sound goes on, pictures give way and come back, and nothing flickers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.aiortc_bridge import now_ms
from tests.integration.media_rig import Rig, all_to_all, rig, table
from tests.integration.narrow_rig import Camera, NarrowViewer

WIDE_BPS, NARROW_BPS = 2_000_000, 200_000
PUBLISHERS = ["p1", "p2"]


@contextlib.asynccontextmanager
async def behind_a_narrow_path(tmp_path: Path) -> AsyncIterator[tuple[Rig, NarrowViewer]]:
    people = [*PUBLISHERS, "viewer"]
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, people, all_to_all(people, recorded=False)))
        for name in PUBLISHERS:
            camera = Camera(one, name)
            one.clients[camera.peer_id] = camera
            await camera.join()
            camera.perform()
        viewer = NarrowViewer(one, "viewer")
        one.clients[viewer.peer_id] = viewer
        await viewer.join()
        viewer.proxy.down.rate_bps = WIDE_BPS
        viewer.watch()
        yield one, viewer


class Log:
    """When which picture was sent in which layer, by the reports."""

    def __init__(self, one: Rig, viewer: NarrowViewer) -> None:
        self.began_ms = now_ms()
        self.changes: list[tuple[float, dict[str, str]]] = []
        self._viewer = viewer

    async def watch(self, seconds: float) -> None:
        until_ms = now_ms() + seconds * 1000
        while now_ms() < until_ms:
            told = self._viewer.told
            if not self.changes or self.changes[-1][1] != told:
                self.changes.append(((now_ms() - self.began_ms) / 1000, told))
            await asyncio.sleep(0.05)

    def between(self, from_s: float, to_s: float) -> int:
        """Changes of single layers in this span."""
        count = 0
        for (_, old), (at_s, new) in zip(self.changes, self.changes[1:], strict=False):
            if from_s <= at_s < to_s:
                count += sum(old.get(track) != layer for track, layer in new.items())
        return count


def sounds(viewer: NarrowViewer) -> int:
    return sum(len(sequences) for sequences in viewer.audio.values())


async def narrow_down(one: Rig, viewer: NarrowViewer, log: Log, seconds: float) -> None:
    """The path falls to a tenth: pictures go to small or nothing, and after two seconds sound is whole."""
    await one.until(lambda: len(viewer.told) == len(PUBLISHERS) and "paused" not in viewer.told.values(), 30)
    await log.watch(6)
    viewer.proxy.down.rate_bps = NARROW_BPS
    await log.watch(3)
    assert set(viewer.told.values()) <= {"l", "paused"}
    before, at_ms = sounds(viewer), now_ms()
    await log.watch(seconds - 3)
    heard, expected = sounds(viewer) - before, (now_ms() - at_ms) / 20 * len(PUBLISHERS)
    assert heard > 0.97 * expected
    assert set(viewer.told.values()) <= {"l", "paused"}


@pytest.mark.timeout(120)
async def test_on_a_narrow_path_pictures_give_way_and_sound_goes_on(tmp_path: Path) -> None:
    async with behind_a_narrow_path(tmp_path) as (one, viewer):
        await narrow_down(one, viewer, Log(one, viewer), seconds=9)
        reasons = {choice["reason"] for choice in one.of("layers.chosen")[-1]["choices"] if choice["layer"] == "paused"}
        assert reasons <= {"bandwidth"}


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_step_down_and_up_makes_no_more_than_one_change_in_30_s_once_settled(tmp_path: Path) -> None:
    async with behind_a_narrow_path(tmp_path) as (one, viewer):
        log = Log(one, viewer)
        await narrow_down(one, viewer, log, seconds=90)
        settled_s = (now_ms() - log.began_ms) / 1000 - 45
        viewer.proxy.down.rate_bps = WIDE_BPS
        await log.watch(150)
        end_s = (now_ms() - log.began_ms) / 1000
        assert log.between(settled_s, settled_s + 45) <= 2, log.changes
        assert "paused" not in viewer.told.values(), "every picture is back"
        assert log.between(end_s - 60, end_s - 30) <= 1, log.changes
        assert log.between(end_s - 30, end_s) <= 1, log.changes
        assert viewer.padding_packets > 0, "the path was probed"
