"""Sound and picture stand where they belong, for hours: a clap is looked for in what the recorded files decode to."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hearing.audience import Kind
from media.spool import SpooledSegment
from tests.integration.claps import Found, beeps, flashes
from tests.integration.recording_simulation import SITTING, Clap, Court, Network, Now, Person, claps_until

TRUE_WITHIN_MS = 100.0
TOGETHER_WITHIN_MS = 80.0
MINUTE_MS = 60_000.0
SLOWEST_BEHIND_MS = 6_000.0
SOON_MS = 400.0  # the first report comes after 1,500, and a picture is placed within 600
APART_MS = 1_000.0


def people_of(court: Court, duration_ms: float, seed: int) -> list[Person]:
    """Three people; what can go wrong goes wrong with each every ten minutes."""
    rng = random.Random(seed)
    fast, slow, odd = (
        Person(
            name,
            court,
            random.Random(f"{name}{seed}"),
            Network(random.Random(f"{name}net{seed}")),
            claps=claps_until(duration_ms, rng),
        )
        for name in ("fast", "slow", "odd")
    )
    fast.ppm, slow.ppm, odd.ppm = 100.0, -100.0, 35.0
    odd.slower_picture_ms, odd.dtx = 150.0, True
    for start in range(0, round(duration_ms), round(10 * MINUTE_MS)):
        fast.stalls += [(start + 61_000.0, start + 64_300.0), (start + 200_000.0, start + 200_450.0)]
        fast.set_clock += [(start + 300_000.0, 7_000.0), (start + 420_000.0, -4_000.0)]
        fast.path.queues += [(start + 480_000.0, start + 500_000.0, 600.0)]
        slow.unreported += [(start + 120_000.0, start + 480_000.0)]
        slow.stalls += [(start + 250_000.0, start + 252_500.0)]
        slow.path.holds += [(start + 90_000.0, start + 92_000.0), (start + 400_000.0, start + 408_000.0)]
        slow.away += [(start + 500_000.0, start + 515_000.0)]
        odd.path.holds += [(start + 150_000.0, start + 152_500.0)]
        odd.new_devices += [start + 100_000.0, start + 330_000.0]
        odd.muted += [(start + 200_000.0, start + 230_000.0)]
        odd.away += [(start + 540_000.0, start + 543_000.0)]
    for person in (slow, odd):
        person.claps = clapping_on_return(person)
    return [fast, slow, odd]


def clapping_on_return(person: Person) -> list[Clap]:
    """The claps with one soon after each return: before the first report of a connection tells how picture and sound belong."""
    first = [to + SOON_MS for _, to in person.away]
    others = [clap for clap in person.claps if all(abs(clap.t_ms - t_ms) > APART_MS for t_ms in first)]
    return sorted([*others, *(Clap(t_ms, 2, 2) for t_ms in first)], key=lambda clap: clap.t_ms)


@pytest.mark.timeout(300)
def test_ten_minutes_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record_and_compare(tmp_path, monkeypatch, 10 * MINUTE_MS, seed=7)


@pytest.mark.long
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", [7, 8, 9])
def test_three_hours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    record_and_compare(tmp_path, monkeypatch, 180 * MINUTE_MS, seed)


def record_and_compare(folder: Path, monkeypatch: pytest.MonkeyPatch, duration_ms: float, seed: int) -> None:
    now = Now()
    monkeypatch.setattr("media.recorder.now_ms", now)
    for force in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, force, lambda descriptor: None)  # no power is lost here
    court = Court(folder, now)
    people = people_of(court, duration_ms, seed)
    court.run(people, duration_ms)
    assert court.most_behind_ms < SLOWEST_BEHIND_MS
    for person in people:
        compare(court, person, duration_ms)


def compare(court: Court, person: Person, duration_ms: float) -> None:
    sound = files_of(court, person.name, Kind.AUDIO)
    heard, decoded_ms = beeps((segment.t0_ms, path) for segment, path in sound)
    assert_unbroken([segment for segment, _ in sound], decoded_ms, person, duration_ms)
    seen = list(flashes((segment.t0_ms, path) for segment, path in files_of(court, person.name, Kind.VIDEO)))
    by_ear = matched(person.claps, heard, lambda clap: clap.pitch, lambda clap: clap.heard)
    by_eye = matched(person.claps, seen, lambda clap: clap.luma, lambda clap: clap.seen)
    worst_ear, worst_eye = (max(abs(off) for off in offsets.values()) for offsets in (by_ear, by_eye))
    apart = max(abs(by_ear[t_ms] - by_eye[t_ms]) for t_ms in by_ear.keys() & by_eye.keys())
    print(
        f"{person.name:5} {len(by_ear)} beeps within {worst_ear:.0f} ms, {len(by_eye)} flashes within {worst_eye:.0f} ms, "
        f"together within {apart:.0f} ms; {decoded_ms / 1000:.1f} s of sound"
    )
    assert worst_ear < TRUE_WITHIN_MS
    assert worst_eye < TRUE_WITHIN_MS
    assert apart < TOGETHER_WITHIN_MS


def files_of(court: Court, name: str, kind: Kind) -> list[tuple[SpooledSegment, Path]]:
    found = [(segment, path) for segment, path in court.spool.closed(SITTING) if segment.track_id == f"{name}-{kind}"]
    return sorted(found, key=lambda one: one[0].index)


def matched(
    claps: list[Clap], found: list[Found], which: Callable[[Clap], int], expected: Callable[[Clap], bool]
) -> dict[float, float]:
    """How far each expected clap was found from its moment, by moment. All are found, and nothing else is.

    One that is not expected may still be there in part; its pitch then says nothing.
    """
    offsets: dict[float, float] = {}
    for one in found:
        clap = min(claps, key=lambda c: abs(c.t_ms - one.t_ms))
        off_ms = one.t_ms - clap.t_ms
        assert abs(off_ms) < (TRUE_WITHIN_MS if expected(clap) else 4 * TRUE_WITHIN_MS), (clap, one)
        if expected(clap):
            assert which(clap) == one.which, (clap, one)
            offsets[clap.t_ms] = off_ms
    missed = [clap for clap in claps if expected(clap) and clap.t_ms not in offsets]
    assert missed == []
    return offsets


def assert_unbroken(segments: list[SpooledSegment], decoded_ms: float, person: Person, duration_ms: float) -> None:
    """Sound lasts as long as the time it stands for, and has no hole but where its person was away."""
    assert decoded_ms == pytest.approx(sum(segment.t1_ms - segment.t0_ms for segment in segments), abs=len(segments))
    away = [(after.t0_ms - before.t1_ms) for before, after in itertools.pairwise(segments) if after.t0_ms != before.t1_ms]
    absent_ms = [min(to, duration_ms) - since for since, to in person.away]
    assert away == pytest.approx(absent_ms, abs=600)  # a re-join waits for a packet that is not lost
    assert segments[-1].t1_ms == pytest.approx(duration_ms, abs=25)
