"""The court command as a person meets it: help, wrong use, wrong settings, one instance per data folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.rehearsing import ROOT, clean_environment, court
from tests.servers import free_port

COMMANDS = ("serve", "migrate", "seed-demo", "export", "verify", "keys", "check", "backup", "restore", "rehearse", "settings")


def test_help_lists_every_command_with_one_line() -> None:
    result = court("--help")
    assert result.returncode == 0
    for name in COMMANDS:
        assert len([line for line in result.stdout.splitlines() if line.split()[:1] == [name]]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["dance"], ["serve", "--role", "king"], ["serve", "--fast"], ["export"], ["export", "hear_1"], ["verify"],
        ["rehearse"], ["rehearse", "x.json", "--url", "http://127.0.0.1:1"],
    ],
)  # fmt: skip
def test_wrong_arguments_get_one_line_and_exit_2(arguments: list[str]) -> None:
    result = court(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_package_is_wrong_use(tmp_path: Path) -> None:
    result = court("verify", str(tmp_path / "none"))
    assert result.returncode == 2
    assert "none" in result.stderr


def test_a_bad_script_is_refused_with_line_and_field(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{\n "title": "t",\n "synthetic": 7\n}', encoding="utf-8")
    result = court("rehearse", str(tmp_path / "bad.json"))
    assert result.returncode == 2
    assert "bad.json 第 3 行，字段 synthetic" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_wrong_setting_stops_every_command_by_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COURT_PORT=no\n", encoding="utf-8")
    for arguments in (["serve"], ["migrate"], ["settings"], ["export", "hear_1", "--out", "x"]):
        result = court(*arguments, cwd=tmp_path)
        assert (result.returncode, len(result.stderr.strip().splitlines())) == (2, 1)
        assert "COURT_PORT" in result.stderr
    assert not (tmp_path / "data").exists()


def test_settings_never_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("COURT_DATABASE_URL=postgresql://court:hunter2@db/court\n", encoding="utf-8")
    result = court("settings", cwd=tmp_path)
    assert result.returncode == 0
    assert "COURT_DATABASE_URL" in result.stdout
    assert "hunter2" not in result.stdout


def test_exporting_an_unknown_hearing_is_refused(tmp_path: Path) -> None:
    assert court("migrate", cwd=tmp_path).returncode == 0
    result = court("export", "hear_none", "--out", "out", cwd=tmp_path)
    assert result.returncode == 1
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_demo_is_seeded_once(tmp_path: Path) -> None:
    first, second = court("seed-demo", cwd=tmp_path), court("seed-demo", cwd=tmp_path)
    assert (first.returncode, second.returncode) == (0, 0)
    assert "已写入演示法院" in first.stdout
    assert "未作改动" in second.stdout
    credentials = tmp_path / "data-keys" / "demo.json"
    assert credentials.stat().st_mode & 0o077 == 0


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """A whole server without captions (no model is loaded)."""
    port = free_port()
    env = clean_environment() | {"COURT_PORT": str(port), "COURT_CAPTIONS": "false", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "court", "serve"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            wait_for(tmp_path / "data" / "run" / "ready", process)
            yield process, tmp_path, port
        finally:
            process.terminate()
            process.communicate(timeout=60)


def runs(pid: int) -> bool:
    """Whether the process is there and more than a dead one that nobody has buried."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    for _ in range(900):
        if path.exists():
            return
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.1)
    pytest.fail(f"{path.name} did not appear")


@pytest.mark.timeout(240)
def test_one_instance_serves_a_data_folder_restarts_roles_and_stops_cleanly(
    serving: tuple[subprocess.Popen[str], Path, int],
) -> None:
    process, folder, _port = serving
    second = court("serve", cwd=folder)
    assert (second.returncode, len(second.stderr.strip().splitlines())) == (1, 1)
    run = folder / "data" / "run"
    jobs = int((run / "jobs.pid").read_text(encoding="ascii"))
    os.kill(jobs, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while int((run / "jobs.pid").read_text(encoding="ascii") or jobs) == jobs:
        assert time.monotonic() < deadline, "the jobs role was not started again"
        time.sleep(0.1)
    pids = [int(path.read_text(encoding="ascii")) for path in run.glob("*.pid")]
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "云庭已启动" in output
    assert "killing it" not in output
    assert [pid for pid in pids if runs(pid)] == []
    assert not (run / "ready").exists()


@pytest.mark.timeout(240)
def test_roles_do_not_outlive_a_killed_supervisor(serving: tuple[subprocess.Popen[str], Path, int]) -> None:
    process, folder, _port = serving
    pids = [int(path.read_text(encoding="ascii")) for path in (folder / "data" / "run").glob("*.pid")]
    process.kill()
    process.wait(timeout=10)
    deadline = time.monotonic() + 30
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.2)


def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    """Recordings, transcripts and names, on a machine that others use too."""
    (tmp_path / ".env").write_text("COURT_DATA=data\n", encoding="utf-8")
    assert court("migrate", cwd=tmp_path).returncode == 0
    written = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
    assert tmp_path / "data" / "court.db" in written
    assert [path.name for path in written if path.stat().st_mode & 0o077] == []
