"""Whatever keeps sound or picture from the disk is reported within ten seconds, with the tracks it concerns (S5)."""

import asyncio
import errno
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from media import read_back, segment_writer
from media.segment_writer import OpenSegment, SegmentWriter
from tests.integration.media_rig import CLOCK, SITTING, Rig, all_to_all, opus_tone, rig, table, vp8_picture
from tests.integration.test_media_recording import BOTH

WITHIN_S = 14.0  # ten, and room for a busy machine


def part_of(one: Rig, track_id: str) -> Path:
    [path] = one.spool.rglob(f"{track_id}/*.webm.part")
    return path


def faults(one: Rig) -> dict[str, str]:
    """Track → code, of the newest report."""
    reports = one.of("recorder.health")
    return {fault["track_id"]: fault["code"] for fault in reports[-1]["faults"]} if reports else {}


async def begin(one: Rig, names: list[str]) -> None:
    opened = CLOCK.now()
    grants = all_to_all(names, recorded=True)
    await one.control.apply_grants(table(1, names, grants, opened_at=opened, effective_at=opened))


async def found(one: Rig, wanted: Callable[[dict[str, str]], bool]) -> float:
    """Seconds until a report says so."""
    began = CLOCK.monotonic()
    await one.until(lambda: wanted(faults(one)), WITHIN_S)
    return CLOCK.monotonic() - began


async def test_each_way_of_not_being_written_is_found_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`e` is well throughout; the others' files are cut, exchanged, removed, or never reached by what the writer was given."""
    swallow, add = [False], SegmentWriter._add

    def swallowing(self: SegmentWriter, segment: OpenSegment, *rest: object) -> None:
        if not (swallow[0] and segment.name.track_id == "d-audio"):
            add(self, segment, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SegmentWriter, "_add", swallowing)
    names = ["a", "b", "c", "d", "e"]
    async with rig(tmp_path, segment_s=60.0) as one:
        await begin(one, names)
        people = [await one.join(name) for name in names]
        for person in people:
            person.talk(opus_tone(30.0))
        no_keyframe = [(b"\x31" + frame[1:], False) for frame, _ in vp8_picture(400)]
        people[4].show(no_keyframe)
        await one.until(lambda: len(list(one.spool.rglob("*-audio/*.part"))) == len(names), 30)
        await one.until(lambda: one.of("recorder.health") and one.of("recorder.health")[-1]["written_bytes"] > 4_000, 30)
        assert set(faults(one)) <= {"e-video"}
        with part_of(one, "a-audio").open("r+b") as file:
            file.truncate(300)
        exchanged = part_of(one, "b-audio")
        copy = exchanged.with_name("copy")
        copy.write_bytes(exchanged.read_bytes())
        copy.replace(exchanged)
        part_of(one, "c-audio").unlink()
        swallow[0] = True
        wanted = {
            "a-audio": "file_changed", "b-audio": "file_changed", "c-audio": "file_changed", "d-audio": "track_silent",
            "e-video": "track_silent",
        }  # fmt: skip
        await found(one, lambda now: now == wanted)
        assert not one.of("recorder.health")[-1]["ok"]
        evidence = {fault["track_id"]: fault["evidence"] for fault in one.of("recorder.health")[-1]["faults"]}
        assert "replaced" in evidence["b-audio"]
        assert evidence["c-audio"] == "file missing"
        swallow[0] = False
        await one.control.close_sitting(SITTING)
        [gap] = [gap for gap in one.of("gap.found") if gap["participant_id"] == "c" and gap["kind"] == "audio"]
        assert (gap["cause"], gap["t1_ms"] - gap["t0_ms"] > 4_000) == ("disk_full", True), "what was lost with it is declared"


async def test_a_disk_that_does_not_answer_is_a_stuck_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers, write = threading.Event(), segment_writer.WebmWriter._write
    answers.set()

    def slow(self: segment_writer.WebmWriter, data: bytes) -> None:
        answers.wait(30)
        write(self, data)

    monkeypatch.setattr(segment_writer.WebmWriter, "_write", slow)
    async with rig(tmp_path, segment_s=60.0) as one:
        await begin(one, BOTH)
        people = [await one.join(name) for name in BOTH]
        for person in people:
            person.talk(opus_tone(40.0))
        await one.until(lambda: one.of("recorder.health") and one.of("recorder.health")[-1]["written_bytes"] > 1_000)
        answers.clear()
        try:
            await found(one, lambda now: now == {"a-audio": "writer_stuck", "b-audio": "writer_stuck"})
        finally:
            answers.set()
        await found(one, lambda now: now == {})


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(errno.EIO, "io_error"), (errno.ENOSPC, "disk_full")])
async def test_what_cannot_be_read_back_or_synced_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """The kernel tells of a failed write-back when the file is synced, and of a bad sector when it is read."""

    def failing(descriptor: int) -> None:
        raise OSError(number, "as the disk said")

    async with rig(tmp_path, segment_s=60.0) as one:
        await begin(one, BOTH)
        alice = await one.join("a")
        alice.talk(opus_tone(30.0))
        await one.until(lambda: one.of("recorder.health") and one.of("recorder.health")[-1]["written_bytes"] > 1_000)
        monkeypatch.setattr(read_back.os, "fdatasync", failing)
        await found(one, lambda now: now == {"a-audio": code})


async def test_no_fault_is_seen_where_there_is_none(tmp_path: Path) -> None:
    """Segments that end, a person who is silent, a person who leaves, a camera that pauses: none of it is a fault."""
    async with rig(tmp_path, segment_s=2.0) as one:
        await begin(one, BOTH)
        alice, bob = await one.join("a"), await one.join("b")
        alice.talk(opus_tone(9.0))
        alice.show(vp8_picture(90))  # six seconds, then the camera stands still
        bob.talk(opus_tone(3.0))  # then says nothing any more
        await asyncio.sleep(6.0)
        await bob.vanish()
        await asyncio.sleep(3.0)
        seen = one.of("recorder.health")
        assert len(seen) >= 3
        assert [report["faults"] for report in seen if report["faults"]] == []


async def test_a_host_that_cannot_write_says_so_before_the_sitting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(tmp_path) as one:
        good = await one.control.probe_spool()
        assert (good.code, good.free_bytes > 0, list(one.spool.glob(".probe-*"))) == ("ok", True, [])
        assert abs((good.at - CLOCK.now()).total_seconds()) < 5

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "no space left")

        monkeypatch.setattr("media.probe.os.fsync", full)
        assert (await one.control.probe_spool()).code == "disk_full"
        assert list(one.spool.glob(".probe-*")) == []
