"""kill -9 of every role at every moment: the hearing goes on to its end, and the record says what is missing."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from record.verify import COVER_MS, subtract
from tests.rehearsing import Played, changed_script, pid_of, play

MOMENTS = {
    "before opening": "王芳 已入庭",
    "just opened": "〔sitting.open〕",
    "in a line": "被告，请陈述",
    "in recess": "〔sitting.adjourn〕",
    "at closing": "〔sitting.close〕",
    "while sealing": "等待封存记录",
}
AFTER_S = 0.5  # into the line, the recess or the sealing; closing is cut off at once
pytestmark = pytest.mark.timeout(500)


def without_captions(script: dict[str, Any]) -> None:
    script["expect"] = {"exhibits_shown": 1, "isolated_packets_at_most": 0}


def played_with_a_kill(folder: Path, roles: tuple[str, ...], moment: str) -> Played:
    killed: dict[str, int] = {}

    def kill() -> None:
        for role in roles:
            killed[role] = pid_of(folder / "play", role)
            os.kill(killed[role], signal.SIGKILL)

    def when(line: str) -> None:
        if MOMENTS[moment] in line and not killed:
            if moment == "at closing":
                kill()
            else:
                threading.Timer(AFTER_S, kill).start()

    played = play(changed_script("short.json", folder / "scripts", without_captions), folder / "play", when)
    assert set(killed) == set(roles)
    return played


def assert_whole_and_honest(played: Played) -> None:
    """Everything said and done is there or declared missing, once, and nothing is left behind."""
    report = played.report
    assert (report["problems"], report["verify"]["complete"]) == ([], True), played.progress
    assert [name for name in report["commands"]["unanswered"] if ": media." not in name] == []
    assert list((played.folder / "data").rglob("*.part")) == []
    assert list((played.folder / "data" / "spool").iterdir()) == []
    sitting = played.package / "sitting-1"
    manifest = json.loads((sitting / "manifest.json").read_text(encoding="utf-8"))
    recorded = [(i["t0_ms"], i["t1_ms"]) for i in manifest["intervals"] if i["recorded"] != "none"]
    assert len(recorded) == 2
    segments = {track["track_id"]: track["segments"] for track in manifest["tracks"]}
    for track_id in {*segments, *(f"{person['id']}-audio" for person in manifest["people"])}:
        spans = [*segments.get(track_id, []), *(gap for gap in manifest["gaps"] if gap["track_id"] == track_id)]
        told = [(span["t0_ms"], span["t1_ms"]) for span in spans]
        holes = [hole for interval in recorded for hole in subtract(interval, told)]
        assert all(t1 - t0 <= COVER_MS for t0, t1 in holes), (track_id, holes)
    entries = [json.loads(line)["entry"] for line in (sitting / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]
    acts = Counter(json.loads(entry)["type"] for entry in entries)
    once = ("sitting.opened", "sitting.adjourned", "sitting.resumed", "witness.called", "witness.dismissed", "sitting.closed")
    assert {act: acts[act] for act in once} == dict.fromkeys(once, 1)


def test_media_and_signaling_die_at_the_moment_of_closing(tmp_path: Path) -> None:
    played = played_with_a_kill(tmp_path, ("media", "signaling"), "at closing")
    assert_whole_and_honest(played)
    causes = {gap["cause"] for track in played.report["tracks"] for gap in track["gaps"]}
    assert "media_restart" in causes, "the last moments were lost, and the record says why"


@pytest.mark.long
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("role", ["media", "signaling", "shipper", "jobs"])
def test_a_role_dies(tmp_path: Path, role: str, moment: str) -> None:
    assert_whole_and_honest(played_with_a_kill(tmp_path, (role,), moment))


@pytest.mark.long
def test_all_die_in_the_middle_of_a_line(tmp_path: Path) -> None:
    assert_whole_and_honest(played_with_a_kill(tmp_path, ("media", "signaling", "shipper", "jobs"), "in a line"))
