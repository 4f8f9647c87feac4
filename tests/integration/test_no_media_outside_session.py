"""Recording is from 宣布开庭 to 闭庭 and never in recess (AV-3): outside a session no media file is open and nothing is left."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.rehearsing import changed_script, pid_of, play

SETTLE_S = 1.5  # after a change of state the last packets are written and the segments closed


def with_pauses(script: dict[str, Any]) -> None:
    """Time to look: in the waiting area, in session, in recess, after the end."""
    judge = "presiding_judge"
    command = lambda name: {"do": "command", "who": judge, "command": name}  # noqa: E731
    joins = [step for step in script["steps"] if step["do"] == "join" or step.get("command") == "sitting.open_lobby"]
    wait = {"do": "wait", "ms": 4000}
    script["steps"] = [
        *joins, wait, command("sitting.open"), wait, command("sitting.adjourn"), wait, command("sitting.resume"), wait,
        command("sitting.close"), wait,
    ]  # fmt: skip
    script["expect"] = {}


class Watch:
    """Looks several times a second at what the media role holds open and what lies in the spool."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._phase = "before"
        self._since = time.monotonic()
        self._stop = threading.Event()
        self.open_files: dict[str, set[str]] = defaultdict(set)
        self._thread = threading.Thread(target=self._look, daemon=True)

    def heard(self, line: str) -> None:
        marks = {
            "open_lobby": "lobby",
            "sitting.open〕": "session",
            "adjourn": "recess",
            "resume": "session",
            "sitting.close": "closed",
        }
        for mark, phase in marks.items():
            if mark in line:
                self._phase, self._since = phase, time.monotonic()
        if not self._thread.is_alive() and self._phase == "lobby":
            self._thread.start()
        if "等待封存" in line:
            self._stop.set()

    def _look(self) -> None:
        spool = str(self._folder / "data" / "spool")
        while not self._stop.wait(0.2):
            phase, since = self._phase, self._since
            try:
                held = {
                    file.path
                    for file in psutil.Process(pid_of(self._folder, "media")).open_files()
                    if file.path.startswith(spool)
                }
            except psutil.NoSuchProcess:
                continue
            if phase == self._phase and time.monotonic() - since > SETTLE_S:
                self.open_files[phase] |= held or {""}


@pytest.mark.timeout(500)
def test_media_files_are_open_only_in_session(tmp_path: Path) -> None:
    script = changed_script("short.json", tmp_path / "scripts", with_pauses)
    folder = tmp_path / "play"
    watch = Watch(folder)
    played = play(script, folder, watch.heard)
    assert played.status == 0, played.progress
    assert watch.open_files["session"] - {""}, "the test must be able to see open files"
    for phase in ("lobby", "recess", "closed"):
        assert watch.open_files[phase] == {""}, f"{phase}: {watch.open_files[phase]}"
    assert [path for path in (folder / "data" / "spool").rglob("*") if path.is_file()] == []
