"""Versions and their differences over HTTP: who may see and ask for what, with every line in its access class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from storage import tables as t
from tests.integration.signaling_bed import Bed, Browser, court_house
from transcripts import versions

ENGINE = {"name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8" * 8, "parameters": "{}"}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as opened:
        yield opened


async def say(bed: Bed, who: str, t0_ms: int, text: str, version: int) -> None:
    track_id = f"{bed.ids[who]}-audio"
    line_id = f"{bed.sitting_id}:{track_id}@{t0_ms}" + (f"~{version}" if version else "")
    async with bed.parts.database.transaction() as connection:
        court_id = (await connection.execute(select(t.sittings.c.court_id))).scalar_one()
        await connection.execute(
            insert(t.utterances).values(
                id=line_id, court_id=court_id, sitting_id=bed.sitting_id, participant_id=bed.ids[who], track_id=track_id,
                t0_ms=t0_ms, t1_ms=t0_ms + 2000, text=text, raw_text=text, confidence=0.9, words=[], engine=ENGINE,
                origin="final" if version else "live", created_at=bed.parts.clock.now(), version=version,
            )
        )  # fmt: skip


async def closed_sitting(bed: Bed) -> Browser:
    """Two lines of a live draft; sealed."""
    judge = await bed.in_session()
    await judge.send("sitting.close")
    await say(bed, "presiding", 0, "请被告答辩。", 0)
    await say(bed, "plaintiff", 3000, "我借给他十万元。", 0)
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.sittings).values(sealed_manifest_sha256="a" * 64, sealed_at=bed.parts.clock.now()))
    return judge


async def work(bed: Bed, **change: Any) -> None:
    """As a worker leaves its version."""
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.transcript_versions).values(engine=ENGINE, **change))


async def test_from_asking_to_comparing(bed: Bed) -> None:
    judge = await closed_sitting(bed)
    path = f"/api/sittings/{bed.sitting_id}/transcript"
    plaintiff = await bed.person("plaintiff")
    _, none = await judge.get(f"{path}/versions")
    assert none == {"live_lines": 2, "versions": [], "may_ask": True, "may_compare": True}
    assert [(await plaintiff.get(f"{path}/versions"))[1][name] for name in ("may_ask", "may_compare")] == [False, False]
    assert (await plaintiff.post(f"{path}/versions", {"engine": "final"}))[0] == 403
    _, asked = await judge.post(f"{path}/versions", {"engine": "final"})
    assert (asked["versions"][0]["state"], asked["may_ask"]) == ("waiting", False)
    assert len((await judge.post(f"{path}/versions", {"engine": "final"}))[1]["versions"]) == 1  # one at a time
    await work(bed, state="running", problem="engine_away")
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.jobs).where(t.jobs.c.kind == versions.FINAL).values(progress=0.37, state="running"))
    (running,) = (await plaintiff.get(f"{path}/versions"))[1]["versions"]
    assert (running["progress"], running["engine"]) == (0.37, "faster-whisper whisper-base 905e5bf8")
    assert "恢复后自动继续" in running["message"]
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.jobs).where(t.jobs.c.kind == versions.FINAL).values(state="failed"))
    await work(bed, problem="")
    _, given_up = await judge.get(f"{path}/versions")
    assert [given_up["versions"][0][name] for name in ("state", "problem")] == ["failed", "gave_up"]
    assert given_up["may_ask"] is True
    assert (await judge.get(f"{path}/versions/1"))[0] == 404  # not before it is whole
    await say(bed, "presiding", 100, "请被告进行答辩。", 1)
    await say(bed, "plaintiff", 3100, "我借给他十二万元。", 1)
    await work(bed, state="done", problem="")
    assert [line["text"] for line in (await plaintiff.get(f"{path}/versions/1"))[1]] == [
        "请被告进行答辩。",
        "我借给他十二万元。",
    ]
    assert [line["text"] for line in (await plaintiff.get(f"{path}/versions/0"))[1]] == ["请被告答辩。", "我借给他十万元。"]
    status, compared = await judge.get(f"{path}/diff?from=0&to=1")
    assert status == 200
    assert [row["pieces"] for row in compared["rows"]] == [
        [{"kind": "same", "text": "请被告"}, {"kind": "added", "text": "进行"}, {"kind": "same", "text": "答辩。"}],
        [{"kind": "same", "text": "我借给他十"}, {"kind": "added", "text": "二"}, {"kind": "same", "text": "万元。"}],
    ]
    assert (await plaintiff.get(f"{path}/diff?from=0&to=1"))[0] == 403
    assert (await judge.get(f"{path}/diff?from=0&to=7"))[0] == 404
    assert (await judge.get(f"{path}/diff?from=0&to=x"))[0] == 400
    assert (await (await bed.person("witness")).get(f"{path}/versions"))[0] == 403


async def test_a_sealed_stretch_is_read_by_the_presiding_judge_alone(bed: Bed) -> None:
    judge = await closed_sitting(bed)
    path = f"/api/sittings/{bed.sitting_id}/transcript"
    await judge.post(f"{path}/versions", {})
    await say(bed, "presiding", 100, "请被告进行答辩。", 1)
    await say(bed, "plaintiff", 3100, "我借给他十二万元。", 1)
    await work(bed, state="done")
    track_id = f"{bed.ids['plaintiff']}-audio"
    async with bed.parts.database.transaction() as connection:
        court_id = (await connection.execute(select(t.sittings.c.court_id))).scalar_one()
        await connection.execute(
            insert(t.access_orders).values(
                id="aord_1", court_id=court_id, sitting_id=bed.sitting_id, track_id=track_id, t0_ms=2500, t1_ms=9000,
                access="sealed", ruling="（2026）沪0106民初1号裁定", ordered_by=bed.ids["presiding"], at=bed.parts.clock.now(),
            )
        )  # fmt: skip
    for who, lines in (("presiding", 2), ("clerk", 1), ("plaintiff", 1)):
        browser = await bed.person(who)
        assert len((await browser.get(f"{path}/versions/1"))[1]) == lines, who
    rows = (await (await bed.person("clerk")).get(f"{path}/diff?from=0&to=1"))[1]["rows"]
    assert [row["participant_id"] for row in rows] == [bed.ids["presiding"]]
