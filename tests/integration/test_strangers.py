"""Every door of a hearing, tried by everybody who has no business behind it: another court, another hearing, no session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import socketio
from sqlalchemy import insert

from hearing.model import CourtId, Procedure, Role, StaffId
from hearing.scheduling import NewHearing, NewPerson
from storage import tables as t
from tests.integration.signaling_bed import Bed, Browser, court_house
from tests.integration.test_isolation import picture, upload


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path, court_id=None) as bed:  # one address serves both courts
        yield bed


@dataclass(frozen=True)
class Door:
    method: str
    path: str


async def doors(bed: Bed, tmp_path: Path) -> list[Door]:
    """Every route that names something of the hearing."""
    plaintiff = bed.browser()
    assert (await plaintiff.open_link(await link_of(bed, "plaintiff")))[0] == 200
    status, exhibit = await upload(plaintiff, bed, picture(tmp_path))
    assert status == 201
    hearing, sitting, person = f"/api/hearings/{bed.hearing_id}", f"/api/sittings/{bed.sitting_id}", bed.ids["defendant"]
    return [
        Door("GET", hearing), Door("POST", f"{hearing}/sittings"), Door("GET", f"{hearing}/exhibits"),
        Door("POST", f"{hearing}/exhibits"), Door("GET", f"{hearing}/package.zip"),
        Door("POST", f"/api/participants/{person}/link"), Door("DELETE", f"/api/participants/{person}/link"),
        Door("GET", f"/api/exhibits/{exhibit['id']}/pages/1.png"), Door("GET", f"/api/exhibits/{exhibit['id']}/original"),
        Door("GET", f"{sitting}/record"), Door("GET", f"{sitting}/captions"),
        Door("GET", f"{sitting}/tracks/{person}-audio/segments/0.webm"),
        Door("GET", f"{sitting}/segments/0"), Door("GET", f"{sitting}/sealed"), Door("GET", f"{sitting}/views"), Door("POST", f"{sitting}/views/0A1B2C3D"),
    ]  # fmt: skip


async def link_of(bed: Bed, key: str) -> str:
    clerk = bed.browser()
    assert (await clerk.sign_in("clerk_1@court_test"))[0] == 200
    status, link = await clerk.post(f"/api/participants/{bed.ids[key]}/link")
    assert status == 201
    return str(link["url"])


async def second_hearing(bed: Bed, court: str, clerk: str) -> Browser:
    """A party of another hearing."""
    judge = f"judge_of_{court}"
    async with bed.parts.database.transaction() as connection:
        row = {"id": judge, "court_id": court, "login": judge, "name": "独任审判员", "position": "judge", "password_hash": "-"}
        await connection.execute(insert(t.staff).values(**row, disabled=False))
    people = (
        NewPerson("presiding", Role.PRESIDING_JUDGE, "独任审判员", staff_id=StaffId(judge)),
        NewPerson("clerk", Role.CLERK, "书记员", staff_id=StaffId(clerk)),
        NewPerson("party", Role.PLAINTIFF, "外人"), NewPerson("other", Role.DEFENDANT, "对方"),
    )  # fmt: skip
    created = await bed.parts.hearings.create_hearing(
        NewHearing(
            CourtId(court), "（2026）沪0106民初9号", "买卖合同纠纷", "外案", Procedure.SIMPLIFIED, public=True, courtroom="一",
            scheduled_at=bed.parts.clock.now() + timedelta(hours=1), people=people, created_by=StaffId(clerk),
        )
    )  # fmt: skip
    host = bed.browser()
    assert (await host.sign_in(f"{clerk}@{court}"))[0] == 200
    _, link = await host.post(f"/api/participants/{created.ids['party']}/link")
    party = bed.browser()
    assert (await party.open_link(link["url"]))[0] == 200
    return party


async def test_no_door_opens_to_strangers(bed: Bed, tmp_path: Path) -> None:
    closed = await doors(bed, tmp_path)
    foreign_clerk = bed.browser()
    assert (await foreign_clerk.sign_in("clerk_other@court_other"))[0] == 200
    strangers = {
        "the clerk of another court": (foreign_clerk, {404}),
        "a party of another hearing here": (await second_hearing(bed, "court_test", "clerk_1"), {404}),
        "a party of another court": (await second_hearing(bed, "court_other", "clerk_other"), {404}),
        "nobody": (bed.browser(), {401}),
    }
    before = (await bed.parts.hearings.entry(bed.hearing_id)).sittings
    opened = [
        (who, door, answer)
        for who, (browser, refusals) in strangers.items()
        for door in closed
        if (answer := await browser.ask(door.method, door.path))[0] not in refusals
    ]
    assert opened == []
    assert (await bed.parts.hearings.entry(bed.hearing_id)).sittings == before
    for browser, _ in strangers.values():
        with pytest.raises(socketio.exceptions.ConnectionError):
            await browser.connect(bed.sitting_id)


async def test_during_the_sitting_observers_and_uncalled_witnesses_open_nothing_of_the_case(bed: Bed, tmp_path: Path) -> None:
    closed = [door for door in await doors(bed, tmp_path) if not door.path.endswith((bed.hearing_id, "/exhibits", "/captions"))]
    assert len(closed) == 12
    for key in ("witness", "expert", "observer"):
        browser = bed.browser()
        assert (await browser.open_link(await link_of(bed, key)))[0] == 200
        for door in closed:
            assert (await browser.ask(door.method, door.path))[0] == 403, (key, door)
        assert (await browser.get(f"/api/hearings/{bed.hearing_id}/exhibits"))[1] == []
        assert (await upload(browser, bed, picture(tmp_path, 7)))[0] == 403


async def test_a_command_reaches_nobody_of_another_hearing(bed: Bed, tmp_path: Path) -> None:
    stranger = await second_hearing(bed, "court_test", "clerk_1")
    foreign = stranger.me["participant_id"]
    judge = bed.browser()
    assert (await judge.sign_in("judge_1@court_test"))[0] == 200
    assert (await judge.join(bed.sitting_id))["ok"]
    assert (await judge.send("sitting.open_lobby"))["ok"]
    assert (await judge.send("sitting.open"))["ok"]
    for name in ("floor.give", "participant.mute", "participant.exclude", "witness.call", "participant.admit"):
        assert (await judge.send(name, participant_id=foreign))["error"]["code"] == "unknown_id", name
    status, exhibit = await stranger_exhibit(stranger, tmp_path)
    assert status == 201
    assert (await judge.send("exhibit.show", exhibit_id=exhibit["id"]))["error"]["code"] == "unknown_id"
    assert (await judge.send("media.answer", peer_id="peer_x", connection="up", revision=1, sdp="v=0"))["error"][
        "field"
    ] == "peer_id"


async def stranger_exhibit(stranger: Browser, tmp_path: Path) -> tuple[int, dict[str, str]]:
    class Elsewhere:
        hearing_id = stranger.me["hearing_id"]

    return await upload(stranger, Elsewhere(), picture(tmp_path, 33))  # type: ignore[arg-type]
