"""What a sitting needs, reckoned; and the warning that two copies on one disk are not two."""

from __future__ import annotations

from pathlib import Path

import pytest

from court.banner import same_disk
from court.cli import main
from court.estimate import Load, estimate, explained


def test_twice_the_people_and_hours_are_four_times_the_disk() -> None:
    one, four = estimate(Load(people=3, hours=1)), estimate(Load(people=6, hours=2))
    assert four.spool_bytes == pytest.approx(4 * one.spool_bytes, rel=0.001)
    assert four.ship_bps == pytest.approx(2 * one.ship_bps, rel=0.001)
    assert one.store_bytes == pytest.approx(one.spool_bytes, rel=0.001)


def test_pictures_are_most_of_it_and_voices_are_not_forgotten() -> None:
    result = estimate(Load(people=1, hours=1, camera_bps=1_000_000, voice_bps=32_000))
    assert result.camera_bytes == pytest.approx(450e6, rel=0.01)
    assert result.voice_bytes == pytest.approx(14.4e6 * 1.1, rel=0.05)
    assert estimate(Load(people=1, hours=1, camera_bps=0)).camera_bytes == 0


def test_the_spool_holds_an_outage_and_no_more_than_the_sitting() -> None:
    assert estimate(Load(people=4, hours=3, outage_hours=1)).spool_peak_bytes < estimate(Load(people=4, hours=3)).store_bytes
    long = estimate(Load(people=4, hours=1, outage_hours=24))
    assert long.spool_peak_bytes == pytest.approx(long.store_bytes, rel=0.05)


def test_it_is_explained_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--people", "12", "--hours", "3"]) == 0
    text = capsys.readouterr().out
    for part in ("12 人", "声音", "摄像头", "每份存储", "COURT_SPOOL_STOP_GB", "每人下行", "GiB", "Mbit/s"):
        assert part in text
    assert text.strip() == explained(Load(12, 3.0), estimate(Load(12, 3.0)))


@pytest.mark.parametrize("wrong", [["--people", "0"], ["--people", "2", "--hours", "0"]])
def test_nonsense_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", *wrong]) == 2
    assert "正数" in capsys.readouterr().err


def test_two_folders_on_one_disk_are_warned_of(tmp_path: Path) -> None:
    assert "同一块磁盘" in same_disk((str(tmp_path / "a"), str(tmp_path / "b" / "c")))
    assert same_disk((str(tmp_path / "a"), "s3://k:s@host/bucket")) == ""
    if Path("/proc").stat().st_dev != tmp_path.stat().st_dev:  # any other file system
        assert same_disk((str(tmp_path / "a"), "/proc/copy")) == ""
