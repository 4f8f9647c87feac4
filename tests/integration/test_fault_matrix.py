"""Every fault in one hearing, at different times: what was lost, what the record says, whether the verifier agrees.

One a hearing, and longer: `python -m tests.matrix`, which writes docs/fault-matrix.md.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.matrix.faults import FAULTS, Fault, has_namespaces
from tests.matrix.rows import Row, markdown, segment_file, try_faults
from tests.rehearsing import Played


def short(name: str, lasts_s: float = 0.0, settle_s: float = 0.0) -> Fault:
    """Told shortened, where its name tells its length."""
    return replace(FAULTS[name], name=name.replace("30 s", f"{lasts_s:.0f} s"), lasts_s=lasts_s, settle_s=settle_s)


TOGETHER = (
    (*((short("disk full", 5.0, 2.0),) if has_namespaces() else ()), short("store A down", 4.0), short("kill jobs")),
    (short("store B down", 4.0), short("kill transcripts")),
    (short("both stores down", 5.0), short("kill shipper"), short("database locked 30 s", 4.0)),
    (short("kill signaling", 0.0, 6.0),),
    (short("truncated segment", 0.0, 9.0),),  # it begins with `kill media`
    (short("clock jump", 0.0, 1.0),),
)
CAUSES = {"kill media": "media_restart", "truncated segment": "media_restart", "disk full": "disk_full"}  # the others: none
LOST_RECEIVED_MS = 2_500  # 2 s of sound, and the moments until the process was dead
CUT_AWAY_MS = 2_500  # 700 bytes of quiet sound
GONE_MS = 5_000  # who sends nothing for so long has left
INTERRUPTED_MS = 25_000
UNHURT_MS = 1_500  # packets that a busy machine lost

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Row], Played]:
    rows, played = try_faults(TOGETHER, tmp_path_factory.mktemp("faults"))
    print("\n" + markdown(rows))
    return rows, played


def test_each_fault_loses_what_it_may_and_the_record_says_so(rehearsal: tuple[list[Row], Played]) -> None:
    rows, played = rehearsal
    for row in rows:
        assert row.problems == (), played.progress
        assert (row.ended, row.verdict) == (True, "complete_with_gaps")
        expect_of(row)


def expect_of(row: Row) -> None:
    """What may be missing after a fault. Robots whose machine stood still sent nothing, or left: no loss of the record."""
    cause = CAUSES.get(row.faults.partition(" + ")[0])
    unsent = {"no_media"} if row.stood_still_ms else set()
    unsent |= {"leave"} if row.stood_still_ms > GONE_MS else set()
    assert set(row.declared) - unsent == ({cause} if cause else set()), row
    if cause == "media_restart":
        assert row.declared[cause] < INTERRUPTED_MS + row.stood_still_ms
        assert row.received_ms <= LOST_RECEIVED_MS + (CUT_AWAY_MS if row.faults == "truncated segment" else 0)
    elif cause is None:
        assert row.most_lost_ms < UNHURT_MS + row.stood_still_ms


def test_every_segment_of_it_is_clean_to_ffprobe(rehearsal: tuple[list[Row], Played]) -> None:
    _, played = rehearsal
    segments = list(segments_of(played.package))
    assert len(segments) > 20
    for path, lasts_ms in segments:
        command = ["ffprobe", "-v", "warning", "-of", "json", "-show_entries", "format=duration:stream=codec_name", str(path)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert told.stderr == "", path
        assert float(json.loads(told.stdout)["format"]["duration"]) * 1000 == pytest.approx(lasts_ms, abs=1), path


def segments_of(package: Path) -> Iterator[tuple[Path, int]]:
    """(file, length by the manifest) of every segment."""
    sitting = package / "sitting-1"
    manifest = json.loads((sitting / "manifest.json").read_text(encoding="utf-8"))
    for track in manifest["tracks"]:
        for segment in track["segments"]:
            yield segment_file(sitting, track["track_id"], segment["index"]), segment["t1_ms"] - segment["t0_ms"]


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(name: str, tmp_path: Path) -> None:
    if name == "disk full" and not has_namespaces():
        pytest.skip("this machine lets nobody mount a file system of their own")
    [row], played = try_faults([[FAULTS[name]]], tmp_path)
    print("\n" + markdown([row]))
    assert (row.ended, row.problems) == (True, ()), played.progress
    assert row.verdict == ("complete_with_gaps" if row.declared else "complete")
    expect_of(row)
