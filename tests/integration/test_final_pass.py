"""The final pass over real speech in a folder: whole, resumable after a kill, and never over what a person wrote."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from storage import tables as t
from storage.objects import StoreUnavailable, segment_key
from storage.queue import QueueSettings, RetryLater, take
from tests.integration.record_case import COURT, DEFENDANT, JUDGE, PLAINTIFF, SITTING, Case
from tests.integration.voiced_case import SimulatedRecognizer, correct, pass_over, spoken, voiced_case
from transcripts import store, versions
from transcripts.composing import compose
from transcripts.model import Utterance
from transcripts.recognizer import EngineAway, EngineProblem
from transcripts.versions import Overtaken, Version

JOB = {"sitting_id": SITTING, "version": 1, "engine": "final"}


async def version_of(case: Case, number: int = 1) -> Version:
    async with case.database.read() as connection:
        found = await versions.version_of(connection, SITTING, number)
    assert found is not None
    return found


async def lines_of(case: Case, number: int = 1) -> tuple[Utterance, ...]:
    async with case.database.read() as connection:
        return await store.machine_lines(connection, SITTING, number)


def told(lines: tuple[Utterance, ...]) -> list[tuple[str, int, str]]:
    return [(line.id, line.t1_ms, line.text) for line in lines]


async def test_every_voice_is_read_again_also_what_live_recognition_missed(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        assert (await version_of(case)).state == versions.WAITING  # sealing asks for it
        await pass_over(case, SimulatedRecognizer()).make(JOB)
        version, lines = await version_of(case), await lines_of(case)
        assert (version.state, version.progress, version.problem) == (versions.DONE, 1.0, "")
        assert version.engine is not None
        assert version.engine.model == "simulated"
        for said in spoken():  # the last of them has no live line
            found = [one for one in lines if one.track_id == said.track_id and abs(one.t0_ms - said.t0_ms) <= 500]
            assert len(found) == 1, said
            assert (found[0].id, found[0].origin) == (f"{SITTING}:{said.track_id}@{found[0].t0_ms}~1", "final")
            assert found[0].level_db is not None
            assert -40 < found[0].level_db < -5
        assert len(lines) == len(spoken())
        assert len(await lines_of(case, 0)) == len(spoken()) - 1  # the live draft stays as it was
        await pass_over(case, SimulatedRecognizer("another")).make(JOB)  # a job runs twice: nothing is done again
        assert await lines_of(case) == lines


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from storage.database import Database
from storage.folder import FolderStore
from storage.queue import QueueSettings, SleepingWake, run_worker
from tests.integration.record_case import SetClock
from tests.integration.voiced_case import SimulatedRecognizer, at, end_ms
from tests.integration import voiced_case

class Killed(SimulatedRecognizer):
    def on_call(self, number):
        if number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

class Case: pass

async def main(folder):
    case = Case()
    case.database, case.objects = Database(f"sqlite:///{folder / 'court.db'}"), FolderStore(folder / "objects")
    case.clock = SetClock(at(end_ms() + 600_000))
    await run_worker(case.database, voiced_case.pass_over(case, Killed()).handlers(), case.clock, SleepingWake())

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_killed_pass_goes_on_where_it_was_and_comes_to_the_same_lines(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    async with voiced_case(whole) as case:
        await pass_over(case, recognizer := SimulatedRecognizer()).make(JOB)
        expected, calls = told(await lines_of(case)), recognizer.calls
    async with voiced_case(killed) as case:
        ended = subprocess.run([sys.executable, "-c", KILLED, str(killed), "3"], check=False, timeout=60)
        assert ended.returncode == -9
        left = await version_of(case)
        assert left.state == versions.RUNNING
        assert 0 < left.progress < 1
        before = await lines_of(case)
        assert 0 < len(before) < len(expected)
        assert await take(case.database, [versions.FINAL], case.clock, QueueSettings()) is None  # its lease still runs
        case.clock.at += timedelta(minutes=2)
        lease = await take(case.database, [versions.FINAL], case.clock, QueueSettings())
        assert lease is not None
        await pass_over(case, again := SimulatedRecognizer()).make(lease.payload)
        assert told(await lines_of(case)) == expected
        assert again.calls == calls - 2  # what was written down is not read again


async def test_what_the_clerk_wrote_is_not_read_again(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        live = await lines_of(case, 0)
        judge = [one for one in live if one.track_id == f"{JUDGE}-audio"]
        await correct(case, judge[0].id, "请被告答辩。")
        await correct(case, judge[1].id, "")  # struck
        await pass_over(case, SimulatedRecognizer()).make(JOB)
        final = await lines_of(case)
        for one in judge:
            assert not [f for f in final if f.track_id == one.track_id and f.t0_ms < one.t1_ms and f.t1_ms > one.t0_ms]
        async with case.database.read() as connection:
            read = compose(live, await store.revisions_of(connection, SITTING), final)
        texts = [line.text for line in read if line.utterance.track_id == f"{JUDGE}-audio"]
        assert len(texts) == 2
        assert texts[0] == "请被告答辩。"
        assert len(read) == len(spoken()) - 1  # all others, the last included; the struck one is nowhere


async def test_what_is_away_is_waited_for_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with voiced_case(tmp_path) as case:

        async def away(_key: str, **_: Any) -> bytes:
            raise StoreUnavailable

        job = pass_over(case, recognizer := SimulatedRecognizer())
        with monkeypatch.context() as patch:
            patch.setattr(case.objects, "get", away)
            with pytest.raises(RetryLater):
                await job.make(JOB)
        assert (await version_of(case)).problem == "store_away"

        def no_engine(_number: int) -> None:
            raise EngineAway("http_away", "识别服务没有应答")

        with monkeypatch.context() as patch:
            patch.setattr(recognizer, "on_call", no_engine)
            with pytest.raises(RetryLater):
                await job.make(JOB)
        assert (await version_of(case)).problem == "engine_away"
        async with case.database.transaction() as connection:
            await connection.execute(update(t.sittings).values(state="in_session"))
        with pytest.raises(RetryLater):  # captions come first
            await job.make(JOB)
        await pass_over(case, SimulatedRecognizer(), during_sessions=True).make(JOB)
        assert ((await version_of(case)).state, (await version_of(case)).problem) == (versions.DONE, "")


async def test_a_damaged_segment_costs_its_own_words_alone(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        path = tmp_path / "objects" / segment_key(COURT, SITTING, f"{PLAINTIFF}-audio", 0)
        path.chmod(0o600)
        path.write_bytes(b"damaged")
        await pass_over(case, SimulatedRecognizer()).make(JOB)
        version = await version_of(case)
        assert (version.state, version.problem) == (versions.DONE, "audio_unreadable")
        assert {line.participant_id for line in await lines_of(case)} == {JUDGE, PLAINTIFF, DEFENDANT}


async def test_an_engine_that_cannot_be_used_fails_the_version_with_its_reason(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        recognizer = SimulatedRecognizer()

        def broken(_number: int) -> None:
            raise EngineProblem("model_corrupt", "模型损坏")

        recognizer.on_call = broken  # type: ignore[method-assign]
        await pass_over(case, recognizer).make(JOB)
        assert ((await version_of(case)).state, (await version_of(case)).problem) == (versions.FAILED, "model_corrupt")
        async with case.database.transaction() as connection:
            assert await versions.ask_for(connection, SITTING, COURT, case.clock.now()) == 2
            assert await versions.ask_for(connection, SITTING, COURT, case.clock.now()) is None  # one at a time
        await pass_over(case, SimulatedRecognizer()).make({**JOB, "version": 2, "engine": "second"})
        assert (await version_of(case, 2)).problem == "engine_missing"


@pytest.mark.long
async def test_a_version_is_never_made_by_two_engines(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        first = SimulatedRecognizer()

        def away_later(number: int) -> None:
            if number == 3:
                raise EngineAway("http_away", "识别服务没有应答")

        first.on_call = away_later  # type: ignore[method-assign]
        with pytest.raises(RetryLater):
            await pass_over(case, first).make(JOB)
        await pass_over(case, SimulatedRecognizer("another")).make(JOB)
        assert ((await version_of(case)).state, (await version_of(case)).problem) == (versions.FAILED, "engine_changed")
        async with case.database.read() as connection:
            jobs = (await connection.execute(select(t.jobs.c.payload).where(t.jobs.c.kind == "final"))).scalars().all()
        assert sorted(job["version"] for job in jobs) == [1, 2]
        await pass_over(case, SimulatedRecognizer("another")).make({**JOB, "version": 2})
        assert len(await lines_of(case, 2)) == len(spoken())


@dataclass
class BusyFor:
    """Live captions that need the machine so many times it is asked."""

    looks: int

    def busy(self) -> bool:
        self.looks -= 1
        return self.looks > 0


async def test_between_two_calls_of_the_engine_captions_go_first_and_a_stop_is_heard(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        busy = BusyFor(5)
        await replace(pass_over(case, SimulatedRecognizer(), look_s=0.01), turn=busy).make(JOB)
        assert busy.looks <= 0
        async with case.database.transaction() as connection:
            assert await versions.ask_for(connection, SITTING, COURT, case.clock.now()) == 2
        endless = replace(pass_over(case, SimulatedRecognizer(), look_s=0.01), turn=BusyFor(1_000_000_000))
        work = asyncio.create_task(endless.make({**JOB, "version": 2}))
        async with asyncio.timeout(30):
            while endless.turn.looks == 1_000_000_000:  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert await lines_of(case, 2) == ()


async def test_a_full_disk_costs_no_attempt_and_a_second_worker_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with voiced_case(tmp_path) as case:

        async def full(*_: Any) -> None:
            raise OperationalError("INSERT", {}, Exception("database or disk is full"))

        with monkeypatch.context() as patch:
            patch.setattr(versions, "advance", full)
            with pytest.raises(RetryLater, match="database_away"):
                await pass_over(case, SimulatedRecognizer()).make(JOB)
        slow = await version_of(case)
        await pass_over(case, SimulatedRecognizer()).make(JOB)
        done = await lines_of(case)
        with pytest.raises(Overtaken):
            async with case.database.transaction() as connection:
                await versions.advance(connection, slow, f"{JUDGE}-audio", (0, 9_000), done[:1], 0.5, case.clock.now())
        assert await lines_of(case) == done
