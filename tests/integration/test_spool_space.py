"""Free-space watch over the wire: 宣布开庭 is refused without disk, a running sitting goes on; health and metrics say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storage.clock import SystemClock
from tests.integration.signaling_bed import INTERNAL, court_house

GIB = 1024**3


def store_health(free: int, **places: str) -> dict[str, Any]:
    now = SystemClock().now().isoformat()
    codes = {"a": "ok", "b": "ok", "shipping": "ok"} | places
    return {
        "type": "store.health", "host": "shipper", **{name: {"code": code, "since": now} for name, code in codes.items()},
        "backlog_segments": 0, "backlog_bytes": 0, "oldest_age_s": 0.0, "spool_free_bytes": free, "held": {},
    }  # fmt: skip


async def test_no_sitting_is_opened_without_disk(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge = await bed.joined("presiding")
        assert (await judge.send("sitting.open_lobby"))["ok"]
        status, taken = await bed.report(store_health(1 * GIB))
        assert (status, taken["refused"]) == (200, 0)
        refused = await judge.send("sitting.open")
        assert (refused["ok"], refused["error"]["code"]) == (False, "spool_full")
        assert "磁盘空间不足" in refused["error"]["message"]
        _, health = await judge.get("/healthz")
        assert health["recording"] == ["spool_full"]


async def test_a_running_sitting_goes_on_and_the_trouble_is_told(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge = await bed.in_session()
        await bed.report(store_health(1 * GIB, b="bucket_missing"))
        assert (await judge.send("sitting.adjourn"))["ok"]
        assert (await judge.send("sitting.resume"))["ok"]
        _, health = await judge.get("/healthz")
        assert health["recording"] == ["spool_full", "store_b_bucket_missing"]
        status, text = await judge.get("/metrics", headers=INTERNAL)
        assert status == 200
        assert b'court_store_trouble{code="store_b_bucket_missing"} 1.0' in text
