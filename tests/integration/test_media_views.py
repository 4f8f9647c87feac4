"""What a page shows is what it gets: hidden tiles cost nothing, small ones get the small layer; and everybody's last minutes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from media.control import ClientStats, MediaError
from tests.integration.media_rig import SITTING, Rig, all_to_all, rig, table
from tests.integration.narrow_rig import Camera, NarrowViewer

PEOPLE = ["p1", "p2", "viewer"]


@contextlib.asynccontextmanager
async def courtroom(tmp_path: Path, **settings: object) -> AsyncIterator[tuple[Rig, NarrowViewer]]:
    async with rig(tmp_path, **settings) as one:
        await one.control.apply_grants(table(1, PEOPLE, all_to_all(PEOPLE, recorded=False)))
        for name in PEOPLE[:2]:
            camera = Camera(one, name)
            one.clients[camera.peer_id] = camera
            await camera.join()
            camera.perform()
        viewer = NarrowViewer(one, "viewer")
        one.clients[viewer.peer_id] = viewer
        await viewer.join()
        await one.until(lambda: len(viewer.told) == 2, 20)
        yield one, viewer


def reasons(one: Rig, viewer: NarrowViewer) -> dict[str, str]:
    report = [report for report in one.of("layers.chosen") if report["peer_id"] == viewer.peer_id][-1]
    return {choice["track_id"]: choice["reason"] for choice in report["choices"]}


async def test_without_a_word_of_the_page_everything_is_wanted_at_full_size(tmp_path: Path) -> None:
    async with courtroom(tmp_path) as (one, viewer):
        await one.until(lambda: set(viewer.told.values()) == {"h"}, 20)


async def test_a_page_gets_the_layers_it_shows(tmp_path: Path) -> None:
    async with courtroom(tmp_path) as (one, viewer):
        await one.control.set_view(SITTING, viewer.peer_id, {"p1-video": 180, "p2-video": 0})
        await one.until(lambda: viewer.told == {"p1-video": "l", "p2-video": "paused"})
        assert reasons(one, viewer)["p2-video"] == "hidden"
        reports = len(one.of("layers.chosen"))
        await asyncio.sleep(1.5)
        assert len(one.of("layers.chosen")) == reports, "told on change only"
        await one.control.set_view(SITTING, viewer.peer_id, {"p1-video": 400, "p2-video": 180})
        await one.until(lambda: viewer.told == {"p1-video": "m", "p2-video": "l"})


async def test_beyond_last_n_cameras_are_the_crowd(tmp_path: Path) -> None:
    async with courtroom(tmp_path, last_n=1) as (one, viewer):
        await one.until(lambda: sorted(viewer.told.values()) == ["h", "paused"], 20)
        assert "crowd" in reasons(one, viewer).values()


async def test_in_a_crowd_the_loudest_are_heard_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.selector.LOUDEST", 1)
    async with courtroom(tmp_path, crowd_above=2) as (one, viewer):
        cameras = {client.name: client for client in one.clients.values() if isinstance(client, Camera)}
        ssrcs = {track_id.removesuffix("-audio"): ssrc for ssrc, track_id in viewer.sources.items() if "audio" in track_id}

        def heard(name: str) -> int:
            return len(viewer.audio.get(ssrcs[name], set()))

        for speaker, silent in (("p1", "p2"), ("p2", "p1"), ("p1", "p2")):  # again: the stream goes on where it stopped
            cameras[speaker].audio_bytes, cameras[silent].audio_bytes = 80, 20
            before = heard(speaker)
            await one.until(lambda speaker=speaker, before=before: heard(speaker) > before + 25)
            before = heard(silent)
            await asyncio.sleep(0.6)
            assert heard(silent) == before
        for ssrc in ssrcs.values():
            numbers = viewer.audio[ssrc]
            assert max(numbers) - min(numbers) + 1 - len(numbers) < 10, "no holes to ask for"


async def test_who_comes_into_a_crowd_hears_the_loudest_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody begins to speak and nobody stops while they come."""
    monkeypatch.setattr("media.selector.LOUDEST", 1)
    async with courtroom(tmp_path, crowd_above=2) as (one, _):
        cameras = {client.name: client for client in one.clients.values() if isinstance(client, Camera)}
        cameras["p1"].audio_bytes, cameras["p2"].audio_bytes = 80, 20
        await asyncio.sleep(1.5)
        people = [*PEOPLE, "late"]
        await one.control.apply_grants(table(2, people, all_to_all(people, recorded=False)))
        late = NarrowViewer(one, "late")
        one.clients[late.peer_id] = late
        await late.join()

        def heard(name: str) -> int:
            ssrc = next((ssrc for ssrc, track_id in late.sources.items() if track_id == f"{name}-audio"), None)
            return len(late.audio.get(ssrc, set()))

        await one.until(lambda: heard("p1") > 50)
        assert heard("p2") < 10, "a few, before the first look at who speaks"


async def test_the_last_minutes_of_everybody(tmp_path: Path) -> None:
    async with courtroom(tmp_path) as (one, viewer):
        stats = ClientStats(rtt_ms=30.0, jitter_ms=4.0, up_loss=0.0, down_loss=0.0, freezes=2, frames_per_s=9.0, concealed=0.0)
        await one.control.note_stats(SITTING, viewer.peer_id, stats)
        await one.until(lambda: any(r["participant_id"] == "viewer" and r["freezes"] == 2 for r in one.of("quality")), 15)
        samples = await one.control.quality(SITTING)
        assert {sample.quality.participant_id for sample in samples} >= {"p1", "viewer"}
        assert [sample.at for sample in samples] == sorted(sample.at for sample in samples)
        camera = [sample.quality for sample in samples if sample.quality.participant_id == "p1"][-1]
        assert camera.layers == "l,m,h"
        assert camera.up_bps > 500_000
        assert next(s.quality for s in reversed(samples) if s.quality.participant_id == "viewer").level in {"fair", "poor"}


async def test_a_view_of_nobody_is_refused(tmp_path: Path) -> None:
    async with courtroom(tmp_path) as (one, viewer):
        with pytest.raises(MediaError) as refused:
            await one.control.set_view(SITTING, "peer_nobody", {})
        assert refused.value.code == "peer_unknown"
        with pytest.raises(MediaError):
            await one.control.set_view(SITTING, viewer.peer_id, {f"t{n}": 1 for n in range(500)})
