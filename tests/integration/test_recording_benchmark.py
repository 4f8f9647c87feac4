"""The benchmarks of the record still run, small. Nothing here judges speed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_benchmarks_of_the_record_run() -> None:
    command = [sys.executable, "-m", "benchmarks.recording.all", "--quick"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-2_000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["recorder"]["spool_kib_per_s"] > 0
    assert found["shipping s3"]["mib_per_s"] > 0
    assert found["verifying"]["mib_per_s"]["court_verify"] > 0
