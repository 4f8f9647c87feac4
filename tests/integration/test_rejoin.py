"""People come back by themselves: after the media worker's death to new connections, after signaling's death to the old ones."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from hearing.model import BENCH, SittingState
from tests.integration.robot_court import CLOCK, FOUR, TWELVE, all_hear, counts, robot_court, until

BACK_WITHIN_S = 5.0
IN_FORCE_WITHIN_S = 1.0  # a tenth of that on a machine that is not busy
SLACK_S = 15.0  # for a busy machine of two cores that runs the court and its twelve robots


@pytest.mark.timeout(300)
async def test_twelve_people_come_back_after_the_media_worker_died(tmp_path: Path) -> None:
    async with robot_court(tmp_path / "court") as court:
        director = await court.sitting(TWELVE, pictures=frozenset({"presiding", "plaintiff1"}))
        robots, speaker = list(director.robots.values()), director.robots["plaintiff1"]
        await director.robots["presiding"].give("floor.give", {"participant_id": speaker.participant_id})
        audible = [robot for robot in robots if robot is speaker or robot.person.role in BENCH]
        await asyncio.sleep(IN_FORCE_WITHIN_S)
        silenced, before = director.robots["defendant1"], counts(robots)
        await asyncio.sleep(0.5)
        assert all(
            heard[silenced.participant_id] == before[key][silenced.participant_id] for key, heard in counts(robots).items()
        )
        reconnects = {robot.person.key: robot.reconnects for robot in robots}
        await until(lambda: all(robot._media_up.is_set() for robot in robots))
        court.kill("media")
        killed, heard = CLOCK.monotonic(), counts(robots)
        up: dict[str, float] = {}

        def all_up() -> bool:
            for robot in robots:
                if robot.reconnects > reconnects[robot.person.key] and robot.person.key not in up:
                    up[robot.person.key] = CLOCK.monotonic() - killed
            return len(up) == len(robots)

        await until(all_up, BACK_WITHIN_S + SLACK_S)
        await until(lambda: all_hear(robots, audible, heard), BACK_WITHIN_S + SLACK_S)
        print(f"back after {min(up.values()):.2f} … {max(up.values()):.2f} s, heard after {CLOCK.monotonic() - killed:.2f} s")

        metrics = await court.metrics()
        acts = metrics["court_grants_applied_seconds_count"]
        assert acts > 0
        assert metrics['court_grants_applied_seconds_bucket{le="1.0"}'] == acts
        assert metrics['court_media_peers{worker="media-1"}'] == len(robots), "one live connection per person, no ghost"
        view = director.robots["clerk"].sitting
        assert view is not None
        assert view.floor == speaker.participant_id
        assert sum(person.present for person in view.participants) == len(robots), "everyone kept the seat"
        report = await court.close(director)
        assert report.complete, report.problems


@pytest.mark.timeout(300)
async def test_media_outlives_signaling_and_its_sockets(tmp_path: Path) -> None:
    async with robot_court(tmp_path / "court") as court:
        director = await court.sitting((*FOUR, ("third", "third_party")))
        third = director.robots.pop("third")
        robots = list(director.robots.values())
        await third.leave()
        await until(lambda: all(robot._media_up.is_set() for robot in robots))
        peers, before = [robot._peer for robot in robots], counts(robots)
        court.kill("signaling")
        await until(lambda: not any(robot._seated.is_set() for robot in robots))
        during = counts(robots)
        await until(lambda: all_hear(robots, robots, during))
        await until(lambda: all(robot._seated.is_set() for robot in robots), 60)
        assert all_hear(robots, robots, before)
        await asyncio.sleep(1.0)
        assert [robot._peer for robot in robots] == peers, "nobody had to connect media again"
        assert (await court.metrics())['court_media_peers{worker="media-1"}'] == len(robots)

        director.robots["third"] = third
        await director._join("third")  # whoever comes now is offered to all over the new sockets
        now = counts([*robots, third])
        await until(lambda: all_hear([*robots, third], [*robots, third], now), 30)
        assert [robot._peer for robot in robots] == peers


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_worker_that_stands_still_is_ended_and_people_come_back(tmp_path: Path) -> None:
    async with robot_court(tmp_path / "court") as court:
        director = await court.sitting(FOUR)
        robots = list(director.robots.values())
        await until(lambda: all(robot._media_up.is_set() for robot in robots))
        reconnects = [robot.reconnects for robot in robots]
        court.kill("media", signal.SIGSTOP)
        await until(lambda: "role does not answer, killing it" in court.log, 120)
        await until(lambda: all(r.reconnects > was for r, was in zip(robots, reconnects, strict=True)), 60)
        judge = director.robots["presiding"]
        assert await judge.sees(SittingState.TECH_SUSPENDED, within_s=10), "the law was told of a silence so long"
        await judge.give("sitting.resume")
        heard = counts(robots)
        await until(lambda: all_hear(robots, robots, heard))
        report = await court.close(director)
        assert report.complete, report.problems
