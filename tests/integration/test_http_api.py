"""Hearings, docket, exhibits and record over HTTP: who may do what, what bad input meets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from storage import tables as t
from tests.integration.signaling_bed import STAFF, Bed, Browser, court_house, until
from tests.integration.test_isolation import picture, upload
from tests.integration.test_steering import segment


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


def form(bed: Bed, **changes: Any) -> dict[str, Any]:
    body = {
        "case_number": "（2026）沪0106民初88号", "cause": "买卖合同纠纷", "title": "甲诉乙买卖合同纠纷", "procedure": "simplified", "public": True,
        "courtroom": "第一在线法庭", "scheduled_at": (bed.parts.clock.now() + timedelta(minutes=5)).isoformat(),
        "participants": [
            {"key": "j", "role": "presiding_judge", "name": "审判长", "staff_id": "judge_1"},
            {"key": "c", "role": "clerk", "name": "书记员", "staff_id": "clerk_1"},
            {"key": "p", "role": "plaintiff", "name": "甲"}, {"key": "d", "role": "defendant", "name": "乙"},
            {"key": "a", "role": "agent", "name": "丙律师", "represents": "p"},
        ],
    }  # fmt: skip
    return body | changes


async def test_a_clerk_sets_a_hearing_down_and_gets_the_links(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    status, created = await clerk.post("/api/hearings", form(bed))
    assert status == 201, created
    assert {link["name"] for link in created["links"]} == {"甲", "乙", "丙律师"}
    agent = bed.browser()
    status, me = await agent.open_link(next(link["url"] for link in created["links"] if link["role"] == "agent"))
    assert (status, me["hearing_id"], me["sitting_id"]) == (200, created["hearing_id"], created["sitting_id"])
    item = (await clerk.get(f"/api/hearings/{created['hearing_id']}"))[1]
    marks = {person["name"]: (person["label"], person["status"], person["link_state"]) for person in item["participants"]}
    assert marks["甲"] == ("原", "not_opened", "unused")
    assert marks["丙律师"][1:] == ("opened", "used")
    assert item["may_manage"]
    assert item["sittings"][0]["state"] == "scheduled"


async def test_a_bad_form_is_refused_by_field_and_nothing_is_set_down(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    before = len((await clerk.get("/api/docket"))[1])
    people = form(bed)["participants"]
    for changes, field in (
        ({"case_number": "x"}, "case_number"), ({"cause": ""}, "cause"), ({"procedure": "magic"}, "procedure"), ({"scheduled_at": "soon"}, "scheduled_at"),
        ({"scheduled_at": "2026-11-21T10:00:00"}, "scheduled_at"), ({"participants": "nobody"}, "participants"),
        ({"participants": [*people, {"key": "z", "role": "pope", "name": "x"}]}, "participants.5.role"), ({"public": "yes"}, "public"),
    ):  # fmt: skip
        status, refusal = await clerk.post("/api/hearings", form(bed, **changes))
        assert (status, refusal["field"]) == (400, field), refusal
        assert refusal["message"]
    assert len((await clerk.get("/api/docket"))[1]) == before


async def test_routes_by_role(bed: Bed) -> None:
    """Every route that changes or reveals something × every kind of visitor: exactly these are let through."""
    everyone = {key: await bed.person(key) for key in (*STAFF, "plaintiff", "agent", "witness", "observer")}
    everyone["stranger"] = bed.browser()
    hearing, sitting = bed.hearing_id, bed.sitting_id
    case, management = {"presiding", "judge", "assessor", "clerk", "plaintiff", "agent"}, {"presiding", "clerk"}
    table: list[tuple[str, str, set[str]]] = [
        ("GET", "/api/docket", set(everyone) - {"stranger"}),
        ("GET", "/api/staff", {"clerk"}),
        ("POST", "/api/hearings", {"clerk"}),
        ("GET", f"/api/hearings/{hearing}", set(everyone) - {"stranger"}),
        ("POST", f"/api/hearings/{hearing}/sittings", management),
        ("POST", f"/api/participants/{bed.ids['defendant']}/link", management),
        ("DELETE", f"/api/participants/{bed.ids['defendant']}/link", management),
        ("GET", f"/api/hearings/{hearing}/exhibits", set(everyone) - {"stranger"}),
        ("GET", f"/api/sittings/{sitting}/captions", set(everyone) - {"stranger"}),
        ("GET", f"/api/sittings/{sitting}/record", case),
        ("GET", f"/api/sittings/{sitting}/tracks/x-audio/segments/000000.webm", case),
        ("GET", f"/api/sittings/{sitting}/segments/0", case),
        ("GET", f"/api/sittings/{sitting}/sealed", case),
        ("GET", f"/api/sittings/{sitting}/views", management),
        ("GET", f"/api/sittings/{sitting}/access-orders", case),
        ("POST", f"/api/sittings/{sitting}/access-orders", case),
        ("POST", f"/api/sittings/{sitting}/views/0A1B2C3D", case),
        ("GET", f"/api/hearings/{hearing}/package.zip", case),
    ]
    for method, path, allowed in table:
        for key, browser in everyone.items():
            status, body = await browser.ask(method, path, json={} if method == "POST" else None)
            refused = status in (401, 403)
            assert refused == (key not in allowed), (method, path, key, status, body)


async def test_people_of_a_hearing_learn_who_has_come_and_nothing_of_their_preparation(bed: Bed) -> None:
    await bed.joined("clerk")
    await bed.person("agent")  # has opened the link, has not come
    party, witness = await bed.person("plaintiff"), await bed.person("witness")
    shown = (await party.get(f"/api/hearings/{bed.hearing_id}"))[1]["participants"]
    status = {person["id"]: person["status"] for person in shown}
    assert status[bed.ids["clerk"]] == "waiting"
    assert {status[id_] for id_ in status if id_ != bed.ids["clerk"]} == {"not_opened"}
    assert {person["link_state"] for person in shown} == {"none"}
    [alone] = (await witness.get(f"/api/hearings/{bed.hearing_id}"))[1]["participants"]
    assert alone["id"] == bed.ids["witness"]


async def test_people_of_another_hearing_see_nothing(bed: Bed) -> None:
    clerk = await bed.person("clerk")
    _, created = await clerk.post("/api/hearings", form(bed))
    outsider = bed.browser()
    await outsider.open_link(created["links"][0]["url"])
    for path in (
        f"/api/hearings/{bed.hearing_id}",
        f"/api/sittings/{bed.sitting_id}/captions",
        f"/api/hearings/{bed.hearing_id}/exhibits",
    ):
        assert (await outsider.get(path))[1]["code"] == "not_found"
    await outsider.connect(created["sitting_id"])
    await outsider.socket.disconnect()
    assert [item["hearing"]["id"] for item in (await outsider.get("/api/docket"))[1]] == [created["hearing_id"]]


async def test_who_is_ready_stands_in_the_docket(bed: Bed) -> None:
    clerk, plaintiff = await bed.person("clerk"), await bed.person("plaintiff")
    test = {"camera": "ok", "microphone": "silent", "speaker": "ok", "browser": "Chrome"}

    async def status() -> str:
        item = (await clerk.get(f"/api/hearings/{bed.hearing_id}"))[1]
        return next(str(person["status"]) for person in item["participants"] if person["id"] == bed.ids["plaintiff"])

    assert await status() == "opened"
    await plaintiff.post("/api/self-test", test)
    assert await status() == "test_failed"
    await plaintiff.post("/api/self-test", test | {"microphone": "ok"})
    assert await status() == "tested"
    await plaintiff.join(bed.sitting_id)
    assert await status() == "waiting"
    await bed.in_session()
    assert await status() == "present"
    assert (await plaintiff.post("/api/self-test", test | {"camera": "great"}))[1]["field"] == "camera"
    assert (await clerk.get("/api/docket?from=nonsense"))[1]["field"] == "from"


async def test_exhibits_are_numbered_announced_and_refused_in_words(bed: Bed, tmp_path: Path) -> None:
    judge, plaintiff = await bed.in_session(), await bed.joined("plaintiff")
    status, exhibit = await upload(plaintiff, bed, picture(tmp_path))
    assert (status, exhibit["number"], exhibit["pages"], exhibit["media_type"]) == (201, "原告证据1", 1, "image/png")
    await until(lambda: judge.named("sitting.updated") and judge.view["exhibits"])
    assert judge.view["exhibits"][0]["sha256"] == exhibit["sha256"]
    status, body = await plaintiff.get(f"/api/exhibits/{exhibit['id']}/pages/1.png")
    assert (status, body[:4]) == (200, b"\x89PNG")
    assert (await plaintiff.get(f"/api/exhibits/{exhibit['id']}/original"))[1] == picture(tmp_path).read_bytes()
    assert (await plaintiff.get(f"/api/exhibits/{exhibit['id']}/pages/9.png"))[0] == 404

    programme, large = tmp_path / "a.png", tmp_path / "b.png"
    programme.write_bytes(b"MZ\x90\x00 no picture at all")
    large.write_bytes(picture(tmp_path).read_bytes() + b"\0" * 400_000)
    for path, code in (
        (picture(tmp_path), "exhibit_duplicate"),
        (programme, "exhibit_type_refused"),
        (large, "exhibit_too_large"),
    ):
        status, refusal = await upload(plaintiff, bed, path)
        assert refusal["code"] == code, refusal
        assert status in (409, 413, 415)
        assert refusal["message"]
    assert (await upload(plaintiff, bed, picture(tmp_path, 7), title=""))[1]["field"] == "title"
    assert (await upload(await bed.person("observer"), bed, picture(tmp_path, 9)))[1]["code"] == "not_permitted"
    assert (await plaintiff.post(f"/api/hearings/{bed.hearing_id}/exhibits", {}))[1]["code"] == "bad_body"
    no_file = aiohttp.FormData({"title": "借条"}, default_to_multipart=True)
    assert (await plaintiff.ask("POST", f"/api/hearings/{bed.hearing_id}/exhibits", data=no_file))[1]["field"] == "file"
    assert len((await judge.get(f"/api/hearings/{bed.hearing_id}/exhibits"))[1]) == 1


async def stored_segment(bed: Bed, data: bytes) -> dict[str, Any]:
    report = segment(bed) | {"bytes": len(data)}
    await bed.parts.store.put(report["object_key"], data)
    await bed.report(report)
    return report


async def test_the_record_after_closing(bed: Bed) -> None:
    judge = await bed.in_session()
    assert (await judge.get(f"/api/sittings/{bed.sitting_id}/record"))[1]["code"] == "record_not_ready"
    data = bytes(range(256)) * 4
    report = await stored_segment(bed, data)
    await judge.send("sitting.close")
    status, record = await judge.get(f"/api/sittings/{bed.sitting_id}/record")
    assert status == 200, record
    assert record["viewer"].startswith("judge_1 ")
    assert record["state"] == "closed"
    (track,) = (await judge.get(f"/api/sittings/{bed.sitting_id}/segments/0"))[1]["tracks"]
    url = f"/api/sittings/{bed.sitting_id}/tracks/{track['track_id']}/segments/{track['segments'][0]:06d}.webm"
    async with judge.http.get(url) as whole:
        assert (whole.status, await whole.read(), whole.headers["Accept-Ranges"]) == (200, data, "bytes")
    for asked, part, told in (
        ("bytes=0-99", data[:100], "bytes 0-99/1024"), ("bytes=1000-", data[1000:], "bytes 1000-1023/1024"), ("bytes=-10", data[-10:], "bytes 1014-1023/1024"),
    ):  # fmt: skip
        async with judge.http.get(url, headers={"Range": asked}) as some:
            assert (some.status, await some.read(), some.headers["Content-Range"]) == (206, part, told)
    for asked in ("bytes=5000-", "bytes=9-1", "lines=1-2"):
        assert (await judge.get(url, headers={"Range": asked}))[0] == 416
    assert (await judge.get(url.replace("000000", "000009")))[0] == 404
    assert (await judge.get(f"/api/hearings/{bed.hearing_id}/package.zip"))[1]["code"] == "record_not_sealed"
    async with bed.parts.database.read() as connection:
        rows = (await connection.execute(select(t.access_log.c.what, t.access_log.c.session_subject))).all()
    assert ("record", "judge_1") in [tuple(row) for row in rows]
    assert [row.what for row in rows].count("play") == 1, "one minute of one view, whatever was asked of it"
    assert report["track_id"].endswith("-audio")


async def test_a_closed_sitting_never_reopens_but_a_new_one_is_set_down(bed: Bed) -> None:
    judge = await bed.in_session()
    path = f"/api/hearings/{bed.hearing_id}/sittings"
    assert (await judge.post(path))[1]["code"] == "sitting_not_over"
    await judge.send("sitting.close")
    assert (await judge.send("sitting.open"))["error"]["code"] == "illegal_move"
    status, sitting = await judge.post(path)
    assert (status, sitting["ordinal"], sitting["state"]) == (201, 2, "scheduled")
    plaintiff = await bed.person("plaintiff")
    assert plaintiff.me["sitting_id"] == sitting["id"]
    again: Browser = await bed.person("presiding")
    ack = await again.join(sitting["id"])
    assert ack["ok"]
    assert (await again.send("sitting.open_lobby"))["ok"]
