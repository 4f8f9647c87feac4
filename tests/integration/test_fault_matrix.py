"""Several faults in one hearing, at different times: what was lost, what the record says, whether the verifier agrees.

All of them, one a hearing: `python -m tests.matrix`, which writes docs/fault-matrix.md.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.matrix.faults import FAULTS
from tests.matrix.rows import Row, markdown, try_faults
from tests.rehearsing import Played

COMBINED = ("store A down", "kill shipper", "kill jobs", "kill signaling", "kill media")
LOST_RECEIVED_MS = 2_500  # 2 s of sound, and the moments until the process was dead
CUT_AWAY_MS = 2_500  # 700 bytes of quiet sound
INTERRUPTED_MS = 25_000
UNHURT_MS = 1_500  # packets that a busy machine lost

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, Played]:
    return try_faults(COMBINED, tmp_path_factory.mktemp("combined"))


def test_several_faults_leave_one_declared_gap(combined: tuple[Row, Played]) -> None:
    row, played = combined
    print("\n" + markdown([row]))
    assert row.problems == (), played.progress
    assert (row.ended, row.verdict) == (True, "complete_with_gaps")
    assert set(row.declared) == {"media_restart"}
    assert row.declared["media_restart"] < INTERRUPTED_MS
    assert row.received_ms <= LOST_RECEIVED_MS


def test_every_segment_of_it_is_clean_to_ffprobe(combined: tuple[Row, Played]) -> None:
    _, played = combined
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
            yield sitting / "media" / track["track_id"] / f"{segment['index']:06d}.webm", segment["t1_ms"] - segment["t0_ms"]


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone(name: str, tmp_path: Path) -> None:
    row, played = try_faults([name], tmp_path)
    print("\n" + markdown([row]))
    assert (row.ended, row.problems) == (True, ()), played.progress
    interrupts = name in {"kill media", "truncated segment", "disk full"}
    assert row.verdict == ("complete_with_gaps" if interrupts else "complete")
    if not interrupts:
        assert row.most_lost_ms < UNHURT_MS
    elif name != "disk full":
        assert row.received_ms <= LOST_RECEIVED_MS + (CUT_AWAY_MS if name == "truncated segment" else 0)
