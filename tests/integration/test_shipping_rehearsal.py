"""The whole system over two buckets of a real S3 server: a rehearsal with a store away for half a minute, to a verified package."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.net.fault_proxy import fault_proxy
from tests.rehearsing import ROOT, court, play, server_log
from tests.s3_server import Seaweed, seaweed

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]
AWAY_S = 30.0


def place(server: Seaweed, endpoint: str, bucket: str) -> str:
    return f"s3+http://{server.access_key}:{server.secret_key}@{endpoint}/{bucket}"


@pytest.mark.parametrize("away", [("a",), ("a", "b")], ids=["one store away", "both away"])
def test_a_rehearsal_over_two_buckets_with_stores_away(tmp_path: Path, away: tuple[str, ...]) -> None:
    with seaweed(tmp_path / "seaweed") as server, fault_proxy(server.endpoint) as a, fault_proxy(server.endpoint) as b:
        for name in ("copy-a", "copy-b"):
            server.new_bucket(name, locked_days=1)
        proxies = [proxy for name, proxy in (("a", a), ("b", b)) if name in away]
        moments: list[float] = []

        def back() -> None:
            for proxy in proxies:
                proxy.restore()

        def when(line: str) -> None:
            if "〔sitting.open〕" in line and not moments:
                moments.append(time.monotonic())
                for proxy in proxies:
                    threading.Timer(1.0, proxy.refuse).start()
                threading.Timer(1.0 + AWAY_S, back).start()

        stores = (place(server, a.endpoint, "copy-a"), place(server, b.endpoint, "copy-b"))
        played = play(ROOT / "rehearsals" / "short.json", tmp_path / "play", when, stores=stores)
        assert moments
        assert played.report["verify"]["complete"], played.progress
        assert "state=unreachable" in server_log(played.folder)
        manifest = json.loads((played.package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["tracks"]
        assert all(segment["index"] == n for track in manifest["tracks"] for n, segment in enumerate(track["segments"]))
        assert court("verify", str(played.package)).returncode == 0
        client = server.client()
        names = [{item.object_name for item in client.list_objects(name, recursive=True)} for name in ("copy-a", "copy-b")]
        segments = sum(len(track["segments"]) for track in manifest["tracks"])
        for held in names:
            assert sum(".webm." in str(name) for name in held) >= segments
        assert {name for name in names[0] if ".webm." in str(name)} == {name for name in names[1] if ".webm." in str(name)}
        assert list((played.folder / "data" / "spool").iterdir()) == []
