"""Run `court rehearse` for a test, and do things at moments of the play."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WITHIN_S = 600


@dataclass(frozen=True, slots=True)
class Played:
    """A rehearsal that has ended. `folder` holds its server's data and log, `package` the exported package."""

    status: int
    report: dict[str, Any]
    progress: str
    folder: Path
    package: Path


def clean_environment() -> dict[str, str]:
    """This environment without the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COURT_")}


def court(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one court command to its end."""
    command = [sys.executable, "-m", "court", *arguments]
    env = clean_environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=WITHIN_S, env=env, cwd=cwd)


def play(
    script: Path,
    folder: Path,
    when: Callable[[str], None] = lambda _line: None,
    *,
    stores: tuple[str, str] | None = None,
    within: tuple[str, ...] = (),
) -> Played:
    """Play a script; `when` is told each line of progress as it comes.

    `stores`: in place of folders. `within`: a command that runs ours, in a world of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    package = folder / "package"
    command = [
        *within,
        sys.executable,
        "-m",
        "court",
        "rehearse",
        str(script),
        "--json",
        "--folder",
        str(folder),
        "--export",
        str(package),
        *(("--stores", *stores) if stores else ()),
    ]
    progress: list[str] = []
    env = clean_environment() | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        watchdog = threading.Timer(WITHIN_S, process.terminate)
        watchdog.start()
        output: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: output.append(process.stdout.read() if process.stdout else ""))
        reader.start()
        for line in process.stderr:
            progress.append(line)
            when(line)
        reader.join()
        status = process.wait()
        watchdog.cancel()
    text = "".join(progress)
    assert output[0], f"no report (exit {status}):\n{text}\n{server_log(folder)[-3000:]}"
    return Played(status, json.loads(output[0]), text, folder, package)


def server_log(folder: Path) -> str:
    path = folder / "server.log"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def changed_script(name: str, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of one of our scripts beside copies of the files it names, changed for a test."""
    shutil.copytree(ROOT / "rehearsals", folder, dirs_exist_ok=True)
    path = folder / name
    script = json.loads(path.read_text(encoding="utf-8"))
    change(script)
    path.write_text(json.dumps(script, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def pid_of(folder: Path, role: str) -> int:
    """Process id of a role of the rehearsal's server."""
    return int((folder / "data" / "run" / f"{role}.pid").read_text(encoding="ascii"))
