"""The forwarding benchmark still runs: two publishers, three subscribers, two seconds. Nothing here judges speed."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--publishers=2", "--subscribers=3", "--seconds=2", "--warm-up=0.2", "--unpinned")


async def benchmark(module: str, *options: str) -> Any:
    """The JSON object a benchmark prints last."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.sfu.{module}", *options,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()[-2_000:]
    return json.loads(said.splitlines()[-1])


@pytest.mark.parametrize("server", ["court-python", "court-recorded"])
async def test_our_worker_forwards_everything_under_loss(server: str) -> None:
    result = await benchmark("load", *SMALL, "--server", server, "--loss=0.1")
    assert result["delivery"] > 0.95  # repaired: without that 0.9 would be left
    assert result["nacked"] > 0
    assert result["srtp"].startswith("SRTP_")
    assert result["latency_p50_ms"] > 0
    assert result["rss_mb"] > 10


async def test_janus_gets_the_same_streams() -> None:
    if shutil.which("janus") is None:
        pytest.skip("janus is not installed (only comparisons need it)")
    result = await benchmark("load", *SMALL, "--server", "janus-1")
    assert result["delivery"] > 0.5  # it drops what waited a second, as on a machine that is busy with other tests
    assert result["latency_p50_ms"] > 0


async def test_a_room_is_watched_and_people_return() -> None:
    result = await benchmark("room", "--people=3", "--minutes=0.1", "--rejoin-every=2", "--unpinned")
    assert result["failed_joins"] == 0
    assert result["joins"] >= 3
    assert result["by_minute"][0]["packets_per_s"] > 100
