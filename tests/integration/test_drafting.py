"""The clerk corrects the draft: in the courtroom, from the record page, two at one line, and what the others see of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from hearing.ledger import read_entry
from storage import tables as t
from tests.integration.signaling_bed import INTERNAL, Bed, Browser, court_house, until

ENGINE = {"name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8336bcc62", "parameters": "{}"}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as house:
        yield house


async def say(bed: Bed, who: str, t0_ms: int, text: str, marks: list[dict[str, Any]] | None = None) -> str:
    """A machine line arrives from the worker; its id."""
    person = bed.ids[who]
    line = {
        "id": f"{bed.sitting_id}:{person}-audio@{t0_ms}", "sitting_id": bed.sitting_id, "participant_id": person,
        "track_id": f"{person}-audio", "t0_ms": t0_ms, "t1_ms": t0_ms + 900, "text": text, "raw_text": text, "confidence": 0.6,
        "words": [], "engine": ENGINE, "origin": "live", "marks": marks or [], "version": 0,
    }  # fmt: skip
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bed.url}/internal/utterances", json={"utterances": [line]}, headers=INTERNAL) as response,
    ):
        assert response.status == 200, await response.text()
    return str(line["id"])


def texts(browser: Browser) -> dict[str, str]:
    """What this page shows after all events so far."""
    shown: dict[str, str] = {}
    for name, data in browser.events:
        if name == "caption.added":
            shown[data["caption"]["id"]] = data["caption"]["text"]
        elif name == "captions.edited":
            shown |= {one["id"]: one["text"] for one in data["captions"]}
            for id_ in data["gone"]:
                shown.pop(id_, None)
    return {id_: text for id_, text in shown.items() if "#" not in id_}


async def edits_in_ledger(bed: Bed) -> list[dict[str, Any]]:
    async with bed.parts.database.read() as connection:
        rows = (await connection.execute(select(t.ledger.c.entry).order_by(t.ledger.c.number))).scalars().all()
    return [data for row in rows if (data := json.loads(row))["type"] == "draft.edited"]


async def test_everybody_sees_what_the_clerk_writes_and_the_ledger_tells_who_and_when(bed: Bed) -> None:
    await bed.in_session()
    clerk, party, witness = await bed.joined("clerk"), await bed.joined("plaintiff"), await bed.joined("witness")
    mark = {"kind": "negation", "start": 0, "end": 2, "note": ""}
    line = await say(bed, "plaintiff", 100, "没有意义。", [mark])
    await until(lambda: line in texts(party))
    ack = await clerk.send("draft.replace", line_id=line, based_on="", text="没有异议。")
    assert ack["ok"], ack
    (caption,) = ack["edited"]["captions"]
    assert (caption["text"], caption["machine"], caption["edited_by"]) == ("没有异议。", False, bed.ids["clerk"])
    assert caption["marks"] == [mark]
    await until(lambda: texts(party).get(line) == "没有异议。")
    (entry,) = await edits_in_ledger(bed)
    assert (entry["data"]["line_id"], entry["actor"]["role"]) == (line, "clerk")
    assert "没有异议" not in json.dumps(entry, ensure_ascii=False)
    assert read_entry(json.dumps(entry).encode()).event.type == "draft.edited"
    assert not [data for name, data in witness.events if name == "captions.edited"]
    again = await bed.joined("defendant")
    assert again is not None
    status, history = await clerk.get(f"/api/sittings/{bed.sitting_id}/draft/history", params={"line": line})
    assert status == 200
    assert [(step["operation"], step["text"]) for step in history["steps"]] == [
        ("machine", "没有意义。"), ("replace_text", "没有异议。"),
    ]  # fmt: skip
    assert (await party.get(f"/api/sittings/{bed.sitting_id}/draft/history", params={"line": line}))[0] == 403


async def test_only_the_clerk_corrects_and_the_same_command_twice_is_one(bed: Bed) -> None:
    judge = await bed.in_session()
    clerk = await bed.joined("clerk")
    line = await say(bed, "presiding", 100, "现在开庭")
    fields = {"line_id": line, "based_on": "", "text": "现在开庭。"}
    assert (await judge.send("draft.replace", **fields))["error"]["code"] == "not_permitted"
    assert set(clerk.view["allowed"]) >= {"draft.replace", "draft.split", "draft.merge", "draft.speaker"}
    assert not [name for name in judge.view["allowed"] if name.startswith("draft.")]
    first = await clerk.send("draft.replace", "once", **fields)
    second = await clerk.send("draft.replace", "once", **fields)
    assert first["ok"]
    assert (second["ok"], second["number"]) == (True, first["number"])
    assert len(await edits_in_ledger(bed)) == 1


async def test_a_correction_of_what_is_not_there_any_more_is_refused_with_the_present_text(bed: Bed) -> None:
    await bed.in_session()
    clerk = await bed.joined("clerk")
    line = await say(bed, "defendant", 100, "本金五万")
    assert (await clerk.send("draft.replace", line_id=line, based_on="", text="本金五万元。"))["ok"]
    stale = await clerk.send("draft.replace", line_id=line, based_on="", text="本金六万元。")
    assert stale["error"]["code"] == "line_changed"
    assert "本金五万元。" in stale["error"]["message"]
    for fields in ({"line_id": "nobody", "based_on": ""}, {"line_id": f"{line}/rev_x", "based_on": ""}):
        assert (await clerk.send("draft.replace", text="别的", **fields))["error"]["code"] == "line_changed"
    assert len(await edits_in_ledger(bed)) == 1


async def test_split_speaker_and_merge_reach_everybody_and_who_comes_back_later(bed: Bed) -> None:
    await bed.in_session()
    clerk, party = await bed.joined("clerk"), await bed.joined("plaintiff")
    line = await say(bed, "plaintiff", 1000, "是我借的。我是他妻子。")
    ack = await clerk.send("draft.split", line_id=line, based_on="", at=5)
    first, second = ack["edited"]["captions"]
    assert (first["text"], second["text"], second["t0_ms"]) == ("是我借的。", "我是他妻子。", first["t1_ms"])
    assert (second["machine"], second["edited_by"]) == (True, bed.ids["clerk"])
    given = await clerk.send(
        "draft.speaker", line_id=second["id"], based_on=second["revision"], participant_id=bed.ids["third"]
    )
    (spoken,) = given["edited"]["captions"]
    assert (spoken["participant_id"], spoken["track_id"]) == (bed.ids["third"], f"{bed.ids['plaintiff']}-audio")
    merge = {"line_id": line, "based_on": first["revision"], "other_id": second["id"], "other_based_on": spoken["revision"]}
    assert (await clerk.send("draft.merge", **merge))["error"]["code"] == "invalid_field"
    back = {"line_id": second["id"], "based_on": spoken["revision"], "participant_id": bed.ids["plaintiff"]}
    (own,) = (await clerk.send("draft.speaker", **back))["edited"]["captions"]
    merged = await clerk.send("draft.merge", **{**merge, "other_based_on": own["revision"]})
    assert merged["edited"]["gone"] == [second["id"]]
    await until(lambda: texts(party) == {line: "是我借的。我是他妻子。"})
    clerk = await bed.person("clerk")
    await clerk.connect(bed.sitting_id)
    joined = (await clerk.send("sitting.join", captions_after_ms=60_000))["joined"]
    assert [one["id"] for one in joined["captions"] if one["kind"] == "speech"] == [line]
    assert joined["captions_gone"] == [second["id"]]
    for fields, code in (({"at": 0}, "invalid_field"), ({"at": 99}, "invalid_field")):
        now = merged["edited"]["captions"][0]["revision"]
        refusal = await clerk.send("draft.split", f"split-{fields['at']}", line_id=line, based_on=now, **fields)
        assert refusal["error"]["code"] == code


async def test_after_the_hearing_the_clerk_goes_on_from_the_record_page(bed: Bed) -> None:
    judge = await bed.in_session()
    clerk, party = await bed.joined("clerk"), await bed.joined("plaintiff")
    line = await say(bed, "plaintiff", 0, "没有意义。")
    assert (await judge.send("sitting.close"))["ok"]
    await until(lambda: clerk.view["state"] == "closed")
    status, record = await clerk.get(f"/api/sittings/{bed.sitting_id}/record")
    assert (status, record["may_edit"], record["version"]) == (200, True, 0)
    path = f"/api/sittings/{bed.sitting_id}/draft/replace"
    body = {"command_id": "c-1", "line_id": line, "based_on": "", "text": "没有异议。"}
    assert (await party.post(path, body))[0] == 403
    status, ack = await clerk.post(path, body)
    assert (status, ack["edited"]["captions"][0]["text"]) == (200, "没有异议。")
    assert (await clerk.post(path, body))[1]["number"] == ack["number"]
    status, refusal = await clerk.post(path, {**body, "command_id": "c-2"})
    assert (status, refusal["code"]) == (409, "line_changed")
    assert "没有异议。" in refusal["message"]
    _, record = await party.get(f"/api/sittings/{bed.sitting_id}/record")
    shown = next(one for one in record["lines"] if one["id"] == line)
    assert (shown["text"], shown["machine"], record["may_edit"]) == ("没有异议。", False, False)
    for form, sign in (("vtt", "WEBVTT"), ("srt", "1\n"), ("txt", "〔"), ("json", "{"), ("stm", ";;")):
        status, data = await party.get(f"/api/sittings/{bed.sitting_id}/transcript.{form}")
        text = data.decode() if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False)
        assert status == 200
        assert text.startswith(sign)
        assert "机器识别，非笔录" in text
        assert "905e5bf8336bcc62" in text
    assert (await party.get(f"/api/sittings/{bed.sitting_id}/transcript.vtt?version=3"))[0] == 404
    assert (await (await bed.person("witness")).get(f"/api/sittings/{bed.sitting_id}/transcript.vtt"))[0] == 403
    async with bed.parts.database.read() as connection:
        query = select(t.access_log.c.session_subject).where(t.access_log.c.what == "transcript")
        assert len((await connection.execute(query)).all()) == 5
