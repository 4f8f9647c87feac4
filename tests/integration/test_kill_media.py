"""kill -9 of the media role in the middle of a hearing: people come back by themselves, the record names the gap."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsing import changed_script, court, pid_of, play

LONGEST_GAP_MS = 25_000  # noticed, restarted, joined again: seconds; slack for two busy cores


def make_longer(script: dict[str, Any]) -> None:
    """Lines long enough to be cut off, and time to come back before the end."""
    steps = [
        step
        for step in script["steps"]
        if step["do"] == "join" or step.get("command") in {"sitting.open_lobby", "sitting.open"}
    ]
    steps = [step for step in steps if "refused" not in step]
    for number, who in ((3, "presiding_judge"), (4, "plaintiff"), (6, "defendant"), (11, "plaintiff")):
        steps.append({"do": "say", "who": who, "audio": f"speech/loan/loan_{number:02d}_{who}.opus", "text": "x"})
    script["steps"] = [
        *steps,
        {"do": "wait", "ms": 2000},
        {"do": "command", "who": "presiding_judge", "command": "sitting.close"},
    ]
    script["expect"] = {"recorded_share_at_least": 0.3}


@pytest.mark.long  # test_fault_matrix.py kills media in `make test` as well
@pytest.mark.timeout(500)
def test_the_rehearsal_finishes_and_the_package_names_the_gap(tmp_path: Path) -> None:
    script = changed_script("short.json", tmp_path / "scripts", make_longer)
    folder = tmp_path / "play"
    killed: list[int] = []

    def kill_in_the_second_line(line: str) -> None:
        if "张伟：" in line and not killed:
            killed.append(pid_of(folder, "media"))
            os.kill(killed[0], signal.SIGKILL)

    played = play(script, folder, kill_in_the_second_line)
    assert killed
    assert pid_of(folder, "media") != killed[0]
    assert played.status == 0, played.progress
    assert played.report["verify"]["complete"]
    came_back = {
        row["participant"]: row["reconnects"] for row in played.report["participants"] if row["participant"] != "witness"
    }
    assert min(came_back.values()) >= 1, came_back
    gaps = [gap for track in played.report["tracks"] for gap in track["gaps"] if gap["cause"] == "media_restart"]
    assert gaps, played.report["tracks"]
    assert max(gap["t1_ms"] - gap["t0_ms"] for gap in gaps) < LONGEST_GAP_MS
    assert "media_restart" in court("verify", str(played.package)).stdout
    manifest = json.loads((played.package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
    assert any(segment["closed_by"] == "repair" for track in manifest["tracks"] for segment in track["segments"])
