"""Several media workers: sittings are spread over them; one that dies takes down its own sittings only, and they come back."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from court.rehearsal.director import Director
from tests.integration.robot_court import FOUR, RobotCourt, all_hear, counts, robot_court, until
from tests.rehearsing import pid_of

BACK_WITHIN_S = 5.0
SLACK_S = 15.0  # for a busy machine of two cores


def manifest_of(court: RobotCourt, director: Director) -> dict[str, Any]:
    with zipfile.ZipFile(court.server.folder / f"{director.created.hearing_id}.zip") as package:
        [name] = [name for name in package.namelist() if name.endswith("sitting-1/manifest.json")]
        return dict(json.loads(package.read(name)))


@pytest.mark.timeout(400)
async def test_three_workers_share_the_sittings_and_one_may_die(tmp_path: Path) -> None:
    async with robot_court(tmp_path / "court", workers=3) as court:
        sittings = [await court.sitting(FOUR, title=f"第{n}庭") for n in range(1, 5)]
        held = [await court.worker_of(director) for director in sittings]
        assert sorted(held[:3]) == ["media-1", "media-2", "media-3"], "each takes one"
        metrics = await court.metrics()
        people = {name: metrics[f'court_media_peers{{worker="{name}"}}'] for name in ("media-1", "media-2", "media-3")}
        assert sum(people.values()) == len(sittings) * len(FOUR)
        assert sorted(people.values()) == [4, 4, 8]

        struck = [director for director, worker in zip(sittings, held, strict=True) if worker == held[0]]
        others = [director for director in sittings if director not in struck]
        bystanders = [robot for director in others for robot in director.robots.values()]
        await until(lambda: all(robot._media_up.is_set() for director in sittings for robot in director.robots.values()))
        peers, reconnects = [robot._peer for robot in bystanders], [robot.reconnects for robot in bystanders]
        await asyncio.sleep(3.0)  # long enough for something of the last sitting to be on the disk
        before = pid_of(court.server.folder, held[0])
        court.kill(held[0])
        heard = [counts(director.robots.values()) for director in struck]
        await until(
            lambda: all(all_hear(d.robots.values(), d.robots.values(), was) for d, was in zip(struck, heard, strict=True)),
            BACK_WITHIN_S + SLACK_S,
        )
        assert pid_of(court.server.folder, held[0]) != before
        assert [await court.worker_of(director) for director in sittings] == held, "back where they were"
        assert ([r._peer for r in bystanders], [r.reconnects for r in bystanders]) == (peers, reconnects), "nobody else noticed"

        await asyncio.sleep(2.0)
        for director in sittings:
            report = await court.close(director)
            assert report.complete, report.problems
            causes = {gap["cause"] for gap in manifest_of(court, director)["gaps"]}
            assert ("media_restart" in causes) == (director in struck)
        assert list((court.server.folder / "data").rglob("*.part")) == []


@pytest.mark.timeout(400)
async def test_a_worker_that_stays_away_loses_its_sitting_to_another(tmp_path: Path) -> None:
    async with robot_court(tmp_path / "court", workers=2) as court:
        director = await court.sitting(FOUR, title="第1庭")
        robots, first = list(director.robots.values()), await court.worker_of(director)
        await asyncio.sleep(3.0)
        async with court.kept_down(first):
            heard = counts(robots)
            await until(lambda: all_hear(robots, robots, heard), 60)
            assert await court.worker_of(director) != first
        view = director.robots["clerk"].sitting
        assert view is not None
        assert view.state.value == "in_session", "it went on before the law had to suspend it"
        report = await court.close(director)
        assert report.complete, report.problems
        manifest = manifest_of(court, director)
        assert "media_restart" in {gap["cause"] for gap in manifest["gaps"]}
        for track in manifest["tracks"]:
            segments = track["segments"]
            assert [segment["index"] for segment in segments] == list(range(len(segments)))
            mended = [segment["index"] for segment in segments if segment["closed_by"] == "repair"]
            assert mended, "what the dead worker had open is kept"
            assert mended[-1] < len(segments) - 1, "the other worker went on with the next number"
