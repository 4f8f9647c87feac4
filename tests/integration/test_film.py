"""The film of a sealed sitting, measured as a player decodes it: time, claps, closed part, broken segment, kill and restart."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from sqlalchemy import insert, select, update

from hearing.timeline import hh_mm_ss
from record import film_letters as ink
from record import film_store
from record.film_layout import FOOTER_TOP, Box
from record.package import Archive, plan_package
from storage import tables as t
from storage.queue import RetryLater, SleepingWake, run_worker
from tests.integration.film_case import CLAPS_MS, RATE, maker_of, open_film_case
from tests.integration.record_case import OPENED_AT, SITTING, Case

ROOT = Path(__file__).resolve().parents[2]
CLOCK, RECORD_TIME = Box(660, FOOTER_TOP + 4, 360, 36), Box(1028, FOOTER_TOP + 4, 236, 36)
CARD_FROM, CARD_TO = 48, 72  # the closed part lies in these pictures: two seconds at twelve a second


@dataclass
class Decoded:
    """A film as a player sees it: bright samples of every picture, all sound, in time from the first picture."""

    pictures: list[NDArray[np.uint8]]
    times_ms: list[float]
    sound: NDArray[np.float32]
    data: bytes


def decoded(data: bytes) -> Decoded:
    pictures, times = [], []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(video=0):
            pictures.append(frame.to_ndarray(format="gray"))
            times.append(float(frame.time or 0) * 1000)
    whole = np.zeros(RATE * 20, np.float32)
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            start = round(float(frame.time or 0) * RATE)
            samples = frame.to_ndarray().reshape(-1)
            whole[max(0, start) : start + len(samples)] = samples[max(0, -start) :]
    return Decoded(pictures, times, whole, data)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def film(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Case, Decoded]]:
    """Made as the jobs role makes it: from the row that sealing wrote."""
    async with open_film_case(tmp_path_factory.mktemp("film")) as case:
        work = asyncio.create_task(run_worker(case.database, maker_of(case).handlers(), case.clock, SleepingWake()))
        try:
            async with asyncio.timeout(60):
                while not (found := await _film(case)):
                    await asyncio.sleep(0.2)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        yield case, decoded(await case.objects.get(found.object_key))


async def _film(case: Case) -> film_store.Film | None:
    async with case.database.read() as connection:
        return await film_store.film_of(connection, SITTING)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_player_finds_nothing_to_complain_about(film: tuple[Case, Decoded], tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film[1].data)
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stderr == b""
    video, audio = json.loads(done.stdout)["streams"]
    assert (video["codec_name"], video["width"], video["height"], video["nb_read_frames"]) == ("h264", 1280, 720, "96")
    assert audio["codec_name"] == "aac"
    assert [float(stream["duration"]) for stream in (video, audio)] == pytest.approx([8.0, 8.0], abs=0.03)
    assert film[1].data.index(b"moov") < film[1].data.index(b"mdat"), "a browser needs the index first"


async def test_every_picture_carries_its_time(film: tuple[Case, Decoded]) -> None:
    for number in (0, 13, 47, 72, 95):
        t_ms = number * 1000 // 12
        shown = film[1].pictures[number]
        for box, words, wrong in (
            (RECORD_TIME, f"庭审时间 {hh_mm_ss(t_ms)}", f"庭审时间 {hh_mm_ss(t_ms + 1000)}"),
            (CLOCK, f"2026-11-20 09:02:{3 + t_ms // 1000:02d}", f"2026-11-20 09:02:{4 + t_ms // 1000:02d}"),
        ):
            weight = ink.BOLD if box == RECORD_TIME else ink.REGULAR
            right = _distance(shown, box, words, weight)
            assert right < 6 < _distance(shown, box, wrong, weight) + 5.5, number
            assert right < _distance(shown, box, wrong, weight), number
    assert OPENED_AT.hour == 1, "printed in Beijing time"


def _distance(shown: NDArray[np.uint8], box: Box, words: str, weight: int) -> float:
    """Mean difference between a region and the words drawn for it, in steps of brightness."""
    drawn = ink.line(
        words, (box.width, box.height), 20, ink.INK_STRONG if weight == ink.BOLD else ink.INK, ink.SURFACE, weight, "right"
    )
    expected = av.VideoFrame.from_ndarray(np.asarray(drawn), format="rgb24").to_ndarray(format="gray")
    region = shown[box.y : box.y + box.height, box.x : box.x + box.width]
    return float(np.mean(np.abs(region.astype(int) - expected.astype(int))))


async def test_claps_of_three_tracks_are_one_and_stand_with_their_picture(film: tuple[Case, Decoded]) -> None:
    """The judge's picture turns white with the clap; after the closed part everything still is where the clock says."""
    for clap_ms in CLAPS_MS:
        window = film[1].sound[(clap_ms - 500) * 48 : (clap_ms + 700) * 48]
        loud = np.flatnonzero(np.abs(window) > 0.2)
        heard_ms = clap_ms - 500 + loud[0] / 48
        assert abs(heard_ms - clap_ms) <= 20
        assert (loud[-1] - loud[0]) / 48 <= 30 + 20, "three claps, one sound"
        near = [n for n, time in enumerate(film[1].times_ms) if clap_ms - 500 <= time < clap_ms + 700]
        seen_ms = film[1].times_ms[next(n for n in near if film[1].pictures[n][90:110, 500:560].mean() > 150)]
        assert abs(heard_ms - seen_ms) <= 40


async def test_the_closed_part_is_neither_seen_nor_heard(film: tuple[Case, Decoded]) -> None:
    case, seen = film
    assert np.abs(seen.sound[4100 * 48 : 5900 * 48]).max() < 0.001
    async with case.database.read() as connection:  # a positive control: it is in the record, and it is loud
        key = (
            await connection.execute(select(t.segments.c.object_key).where(t.segments.c.access == "sealed").limit(1))
        ).scalar_one()
    with av.open(io.BytesIO(await case.objects.get(key))) as container:
        assert max(np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)) > 0.2
    words = ink.line("不公开审理，本段封存。", (720, 64), 24, ink.INK, ink.SURFACE, ink.REGULAR, "centre")
    expected = av.VideoFrame.from_ndarray(np.asarray(words), format="rgb24").to_ndarray(format="gray")
    shown = seen.pictures[(CARD_FROM + CARD_TO) // 2][384 : 384 + 64, 280 : 280 + 720]
    assert np.mean(np.abs(shown.astype(int) - expected.astype(int))) < 6


async def test_a_broken_segment_is_a_placeholder_and_is_named_in_the_statement(film: tuple[Case, Decoded]) -> None:
    case, _ = film
    found = await _film(case)
    assert found is not None
    statement = json.loads(found.statement)
    assert [key.rpartition("/tracks/")[2] for key in statement["unreadable"]] == ["part_defendant-video/000002.webm"]
    assert [(s["shown"], s["t0_ms"], s["t1_ms"], s["film_ms"]) for s in statement["scenes"]] == [
        (True, 0, 4000, 0), (False, 4000, 6000, 4000), (True, 6000, 8000, 6000),
    ]  # fmt: skip
    async with case.database.read() as connection:
        sealed = (await connection.execute(select(t.sittings.c.sealed_manifest_sha256))).scalar_one()
    assert statement["manifest_sha256"] == sealed


async def test_the_package_lists_film_and_statement(film: tuple[Case, Decoded]) -> None:
    case, seen = film
    plan = await plan_package(Archive(case.database, case.objects, case.key, case.clock), "hear_1")
    items = {item.path: item for item in plan.items}
    assert items["sitting-1/film.mp4"].size_bytes == len(seen.data)
    assert items["sitting-1/film.mp4"].sha256 in items["sitting-1/film.mp4.json"].data.decode()


async def test_an_order_afterwards_takes_the_film_back(film: tuple[Case, Decoded]) -> None:
    """What was made before shows too much: it is not handed out any more, and asking makes another."""
    case, _ = film
    order = {"id": "ord_1", "court_id": "court_1", "sitting_id": SITTING, "track_id": "", "t0_ms": 0, "t1_ms": 1000}
    order |= {"access": "sealed", "ruling": "r", "ordered_by": "part_judge", "at": case.clock.now()}
    connection: Any
    async with case.database.transaction() as connection:
        await connection.execute(insert(t.access_orders).values(**order))
        assert await film_store.film_of(connection, SITTING) is None
        assert await film_store.ask_for(connection, SITTING, "court_1", case.clock.now())
        assert not await film_store.ask_for(connection, SITTING, "court_1", case.clock.now()), "one is enough"
        assert (await film_store.status_of(connection, SITTING)).state == "queued"


CHILD = """
import asyncio, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.integration.film_case import maker_of
from record.film import FilmMaker
from tests.integration.record_case import *
from storage.database import Database
from storage.folder import FolderStore

async def main():
    folder = Path({folder!r})
    database, objects, clock = Database(f"sqlite:///{{folder / 'court.db'}}"), FolderStore(folder / "objects"), SetClock()
    registry = ExhibitRegistry(database, objects, clock, EvidenceSettings(folder / "uploads", max_bytes=2_000_000))
    case = Case(database, objects, court_key(folder / "keys"), clock, registry, folder)
    asked = []
    async def waits(self):
        asked.append(1)
        if len(asked) == 5:
            print("paused", flush=True)
        return len(asked) > 4
    FilmMaker.must_wait = waits
    await maker_of(case, look_s=0.0).make({{"sitting_id": SITTING}})
asyncio.run(main())
"""


async def test_killed_in_the_middle_it_leaves_nothing_behind_and_is_made_again(tmp_path: Path) -> None:
    async with open_film_case(tmp_path) as case:
        code = CHILD.format(root=str(ROOT), folder=str(tmp_path))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        async with asyncio.timeout(40):
            while (line := await child.stdout.readline()) != b"paused\n":
                assert line, "the child ended before it was killed"
        child.send_signal(signal.SIGKILL)
        await child.wait()
        assert list((tmp_path / "films").iterdir()) == []
        assert not [key async for key in case.objects.list("courts/court_1/sittings/sit_1/film")]
        await maker_of(case).make({"sitting_id": SITTING})
        found = await _film(case)
        assert found is not None
        await maker_of(case).make({"sitting_id": SITTING})
        assert await _film(case) == found, "a second run changes nothing"


async def test_it_gives_way_to_a_sitting_in_session(tmp_path: Path) -> None:
    async with open_film_case(tmp_path) as case:
        async with case.database.transaction() as connection:
            await connection.execute(update(t.sittings).values(state="in_session"))
        with pytest.raises(RetryLater):
            await maker_of(case).make({"sitting_id": SITTING})
        await maker_of(case, during_sessions=True).make({"sitting_id": SITTING})
        assert await _film(case) is not None
