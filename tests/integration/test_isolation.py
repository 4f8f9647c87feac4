"""An uncalled witness learns nothing of the hearing over the wire (W1, OLR-26, EV-72)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from hearing.model import SittingId
from tests.integration.signaling_bed import INTERNAL, Bed, Browser, court_house, until

ENGINE = {"name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8" * 8, "parameters": "{}"}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


async def said(bed: Bed, key: str, text: str, t0_ms: int, t1_ms: int, *, origin: str = "live") -> int:
    """The transcripts role posts a line."""
    track = f"{bed.ids[key]}-audio"
    line = {
        "id": f"{bed.sitting_id}:{track}@{t0_ms}", "sitting_id": bed.sitting_id, "participant_id": bed.ids[key], "track_id": track,
        "t0_ms": t0_ms, "t1_ms": t1_ms, "text": text, "raw_text": text, "confidence": 0.8, "words": [], "engine": ENGINE, "origin": origin,
    }  # fmt: skip
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bed.url}/internal/utterances", json={"utterances": [line]}, headers=INTERNAL) as response,
    ):
        return response.status


async def writing(bed: Bed, key: str, behind_from_ms: int | None = None, *, lengthened: bool = False) -> None:
    """The transcripts role says whose words are coming."""
    told = {
        "sitting_id": bed.sitting_id, "writing": [f"{bed.ids[key]}-audio"], "behind_from_ms": behind_from_ms, "lengthened": lengthened
    }  # fmt: skip
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bed.url}/internal/captions/progress", json={"sittings": [told]}, headers=INTERNAL) as response,
    ):
        assert response.status == 200


async def upload(browser: Browser, bed: Bed, path: Path, title: str = "借条") -> tuple[int, Any]:
    form = aiohttp.FormData()
    form.add_field("title", title)
    form.add_field("purpose", "证明借款事实")
    form.add_field("file", path.read_bytes(), filename=path.name, content_type="application/octet-stream")
    return await browser.ask("POST", f"/api/hearings/{bed.hearing_id}/exhibits", data=form)


def picture(folder: Path, shade: int = 200) -> Path:
    path = folder / f"iou{shade}.png"
    Image.new("RGB", (40, 30), (shade, 10, 10)).save(path)
    return path


async def now_ms(bed: Bed) -> int:
    _, sitting = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    assert sitting.opened_at is not None
    return int((bed.parts.clock.now() - sitting.opened_at).total_seconds() * 1000)


async def test_the_courtroom_learns_how_late_captions_are_and_not_who_speaks_in_isolation(bed: Bed) -> None:
    judge = await bed.in_session()
    await bed.joined("witness")
    now = await now_ms(bed)
    await writing(bed, "witness", now - 20_000)
    await writing(bed, "clerk", now - 3_000)
    await writing(bed, "clerk", now - 3_000, lengthened=True)
    await until(lambda: len(judge.named("captions.progress")) == 3)
    far, usual, lengthened = judge.named("captions.progress")
    assert far["writing"] == []
    assert 20 <= far["delay_s"] <= 25
    assert usual["delay_s"] == 0
    assert 3 <= lengthened["delay_s"] <= 8


async def test_an_uncalled_witness_receives_nothing_of_the_courtroom(bed: Bed, tmp_path: Path) -> None:
    judge, plaintiff, clerk = await bed.in_session(), await bed.joined("plaintiff"), await bed.joined("clerk")
    witness = await bed.joined("witness")
    status, exhibit = await upload(plaintiff, bed, picture(tmp_path))
    assert status == 201, exhibit

    await judge.send("stage.go", stage="evidence")
    await judge.send("floor.give", participant_id=bed.ids["plaintiff"])
    assert (await plaintiff.send("exhibit.show", exhibit_id=exhibit["id"]))["ok"]
    await plaintiff.send("hand.raise")
    await clerk.send("note.add", text="原告出示借条原件")
    before = await now_ms(bed)
    await asyncio.sleep(0.3)
    assert await said(bed, "plaintiff", "借款是现金交付的。", before, before + 200) == 200
    await bed.report(
        {"type": "speaking", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "speaking": True},
        {"type": "quality", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "level": "poor", "up_loss": 0.1,
         "down_loss": 0.0, "rtt_ms": 40.0, "jitter_ms": 3.0},
    )  # fmt: skip
    await writing(bed, "plaintiff")
    await until(lambda: judge.named("speaking.changed") and judge.named("quality.measured"))
    await until(lambda: judge.named("captions.progress") == [{"writing": [bed.ids["plaintiff"]], "delay_s": 0}])
    await until(lambda: any(event["caption"]["kind"] == "speech" for event in judge.named("caption.added")))

    assert {name for name, _ in witness.events} == {"sitting.updated"}
    for event in witness.named("sitting.updated"):
        view = event["sitting"]
        assert [person["id"] for person in view["participants"]] == [bed.ids["witness"]]
        assert (view["exhibits"], view["showing"], view["hands"], view["floor"]) == ([], None, [], None)
        assert view["participants"][0]["place"] == "isolated"
    spilt = json.dumps(witness.events, ensure_ascii=False)
    for secret in ("借条", "现金", bed.ids["plaintiff"], bed.ids["presiding"], "审判长甲"):
        assert secret not in spilt

    assert (await witness.get(f"/api/hearings/{bed.hearing_id}/exhibits"))[1] == []
    assert (await witness.get(f"/api/exhibits/{exhibit['id']}/pages/1.png"))[1]["code"] == "not_permitted"
    assert (await witness.get(f"/api/sittings/{bed.sitting_id}/captions"))[1] == []
    assert (await witness.get(f"/api/sittings/{bed.sitting_id}/record"))[1]["code"] == "not_permitted"
    docket = (await witness.get("/api/docket"))[1]
    assert [person["name"] for person in docket[0]["participants"]] == ["周某"]


async def test_a_called_witness_reads_only_what_was_said_since(bed: Bed, tmp_path: Path) -> None:
    judge, plaintiff, witness = await bed.in_session(), await bed.joined("plaintiff"), await bed.joined("witness")
    _, exhibit = await upload(plaintiff, bed, picture(tmp_path))
    _, other = await upload(plaintiff, bed, picture(tmp_path, 90), "收据")
    early = await now_ms(bed)
    await asyncio.sleep(0.2)
    assert (await judge.send("witness.call", participant_id=bed.ids["witness"]))["ok"]
    await asyncio.sleep(0.1)
    since = await now_ms(bed)
    assert await said(bed, "plaintiff", "传唤之前说的话。", early, early + 100) == 200, "recognised late"
    assert await said(bed, "presiding", "证人请如实陈述。", since, since + 100) == 200
    await until(lambda: len([e for e in judge.named("caption.added") if e["caption"]["kind"] == "speech"]) == 2)
    await until(lambda: any(e["caption"]["kind"] == "speech" for e in witness.named("caption.added")))
    texts = [event["caption"]["text"] for event in witness.named("caption.added")]
    assert "证人请如实陈述。" in texts
    assert "传唤之前说的话。" not in texts
    assert len(witness.view["participants"]) == len(judge.view["participants"])

    await judge.send("exhibit.show", exhibit_id=exhibit["id"])
    await until(lambda: witness.view["showing"] is not None)
    assert [seen["id"] for seen in witness.view["exhibits"]] == [exhibit["id"]], "a witness sees what is shown and no more"
    assert (await witness.get(f"/api/exhibits/{exhibit['id']}/pages/1.png"))[0] == 200
    assert (await witness.get(f"/api/exhibits/{other['id']}/pages/1.png"))[0] == 403

    again = await witness.send("sitting.join")
    joined = [line["text"] for line in again["joined"]["captions"]]
    assert "证人请如实陈述。" in joined
    assert "传唤之前说的话。" not in joined
    assert not any("宣布开庭" in text for text in joined)

    await judge.send("witness.dismiss", participant_id=bed.ids["witness"])
    await until(lambda: len(witness.view["participants"]) == 1)
    assert witness.view["participants"][0]["place"] == "dismissed"
    after = await now_ms(bed)
    await asyncio.sleep(0.1)
    await said(bed, "presiding", "退庭之后说的话。", after, after + 50)
    await until(lambda: len([e for e in judge.named("caption.added") if e["caption"]["kind"] == "speech"]) == 3)
    assert "退庭之后说的话。" not in json.dumps(witness.events, ensure_ascii=False)


async def test_acts_and_notes_come_as_lines_and_survive_a_reload(bed: Bed) -> None:
    judge, clerk = await bed.in_session(), await bed.joined("clerk")
    await judge.send("stage.go", stage="identity")
    await clerk.send("note.add", text="当事人到庭情况如上")
    await until(lambda: any(e["caption"]["kind"] == "note" for e in clerk.named("caption.added")))
    note = next(e["caption"] for e in clerk.named("caption.added") if e["caption"]["kind"] == "note")
    assert (note["text"], note["label"], note["origin"]) == ("当事人到庭情况如上", "书", "clerk")
    joined = (await clerk.send("sitting.join"))["joined"]
    texts = [line["text"] for line in joined["captions"]]
    assert any("宣布开庭" in text for text in texts)
    assert any("核对当事人" in text for text in texts)
    assert joined["captions"] == sorted(joined["captions"], key=lambda line: line["t0_ms"])
    later = await clerk.send("sitting.join", captions_after_ms=joined["captions"][-1]["t1_ms"])
    assert later["joined"]["captions"] == []


async def test_an_excluded_person_is_shown_nothing_until_admitted(bed: Bed) -> None:
    judge, defendant = await bed.in_session(), await bed.joined("defendant")
    await judge.send("participant.exclude", participant_id=bed.ids["defendant"])
    await until(lambda: len(defendant.view["participants"]) == 1)
    start = await now_ms(bed)
    await asyncio.sleep(0.1)
    await said(bed, "presiding", "被告不在场时说的话。", start, start + 50)
    await until(lambda: any(e["caption"]["kind"] == "speech" for e in judge.named("caption.added")))
    await judge.send("participant.admit", participant_id=bed.ids["defendant"])
    await until(lambda: len(defendant.view["participants"]) > 1)
    assert "被告不在场时说的话。" not in json.dumps(defendant.events, ensure_ascii=False)
