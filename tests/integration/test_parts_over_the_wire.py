"""A part of a sitting as pages learn of it: who is outside sees a card and nothing else, and afterwards reads by class."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from media.control import SegmentStored
from tests.integration.signaling_bed import Bed, Browser, court_house, until
from tests.integration.test_http_api import segment


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as house:
        yield house


def me(browser: Browser) -> dict[str, Any]:
    return next(person for person in browser.view["participants"] if person["id"] == browser.view["me"])


def lines(browser: Browser) -> list[str]:
    return [data["caption"]["text"] for data in browser.named("caption.added")]


async def test_a_closed_part_and_a_deliberation_as_each_page_sees_them(bed: Bed) -> None:
    judge = await bed.in_session()
    clerk, party, observer = [await bed.joined(key) for key in ("clerk", "plaintiff", "observer")]
    assert (await party.send("part.begin", part="closed", ruling="x"))["error"]["code"] == "not_permitted"
    assert (await judge.send("part.begin", part="closed", ruling=""))["error"]["field"] == "ruling"
    assert (await judge.send("part.begin", part="deliberation", ruling="合议", recorded="full"))["error"]["field"] == "recorded"
    assert (await judge.send("part.begin", part="closed", ruling="涉及个人隐私"))["ok"]
    await until(lambda: observer.events and observer.view["part"] == "closed")
    assert me(observer)["place"] == "outside"
    assert [person["id"] for person in observer.view["participants"]] == [bed.ids["observer"]]
    assert (observer.view["part_recorded"], observer.view["part_ruling"], observer.view["exhibits"]) == ("sealed", "", [])
    await until(lambda: party.view["part"] == "closed")
    assert (me(party)["place"], party.view["part_ruling"]) == ("courtroom", "涉及个人隐私")
    told = "（审判长宣布转入不公开审理，录音录像封存：涉及个人隐私）"
    await until(lambda: told in lines(observer))
    table = bed.media.tables[-1]
    assert table.access == "sealed"
    assert not [grant for grant in table.grants if bed.ids["observer"] in grant.receivers]

    assert (await clerk.send("note.add", text="被告陈述涉及隐私的事实"))["ok"]
    await until(lambda: "被告陈述涉及隐私的事实" in lines(party))
    assert (await judge.send("part.end"))["ok"]
    await until(lambda: me(observer)["place"] == "courtroom")
    assert "被告陈述涉及隐私的事实" not in lines(observer)

    assert (await judge.send("part.begin", part="deliberation", ruling="休庭合议"))["ok"]
    await until(lambda: me(party)["place"] == me(clerk)["place"] == "outside")
    assert judge.view["recording"] == "stopped"
    assert (await clerk.send("note.add", text="不能记"))["error"]["code"] == "not_now"
    assert bed.media.tables[-1].grants == () or {g.source for g in bed.media.tables[-1].grants} <= {bed.ids["presiding"]}
    assert (await judge.send("sitting.adjourn"))["ok"]
    await until(lambda: party.view["state"] == "recess")
    assert (party.view["part"], me(party)["place"]) == ("open", "courtroom")


async def test_afterwards_the_closed_part_is_for_the_presiding_judge_and_an_order_for_whom_it_says(bed: Bed) -> None:
    judge = await bed.in_session()
    clerk, party = await bed.joined("clerk"), await bed.joined("plaintiff")
    assert (await judge.send("part.begin", part="closed", ruling="涉及个人隐私"))["ok"]
    assert (await clerk.send("note.add", text="涉及隐私的事实"))["ok"]
    assert (await judge.send("part.end"))["ok"]
    report = segment(bed)
    assert report["type"] == SegmentStored.type
    await bed.parts.store.put(report["object_key"], bytes(report["bytes"]))
    await bed.report(report)
    assert (await judge.send("sitting.close"))["ok"]
    sitting = f"/api/sittings/{bed.sitting_id}"

    async def reads(browser: Browser) -> list[str]:
        return [line["text"] for line in (await browser.get(f"{sitting}/captions"))[1]]

    assert "涉及隐私的事实" in await reads(judge)
    assert "涉及隐私的事实" not in await reads(party)
    assert "涉及隐私的事实" not in await reads(clerk)
    assert any("转入不公开审理" in text for text in await reads(party))

    order = {"track_id": "", "t0_ms": 0, "t1_ms": 1, "ruling": "当事人申请"}
    assert (await party.post(f"{sitting}/access-orders", order))[0] == 403
    assert (await clerk.post(f"{sitting}/access-orders", order))[0] == 403
    status, given = await judge.post(f"{sitting}/access-orders", order)
    assert (status, given["access"], given["ordered_by"]) == (201, "sealed", bed.ids["presiding"])
    assert (await party.get(f"{sitting}/access-orders"))[1] == [given]
    url = f"{sitting}/tracks/{report['track_id']}/segments/{report['index']:06d}.webm"
    assert report["t0_ms"] < 1
    assert (await party.http.get(url)).status == 404
    assert (await judge.http.get(url)).status == 200
