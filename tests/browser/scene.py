"""A hearing in real browsers: who sits in it, how they come in, how one waits for what must happen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from playwright.async_api import expect

from court.rehearsal.door import Account, Door
from court.rehearsal.script import load_script
from court.rehearsal.server import TemporaryServer
from hearing.model import Procedure, Role
from signaling.protocol import HearingCreated, NewHearing, NewParticipant
from storage.clock import SystemClock
from tests.browser.people import Person
from tests.rehearsing import ROOT


@dataclass(slots=True)
class Scene:
    """The hearing under test."""

    server: TemporaryServer
    clerk: Door
    created: HearingCreated
    ids: dict[str, str]
    people: dict[str, Person] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return self.server.base_url.replace("127.0.0.1", "localhost")

    def everyone(self) -> list[Person]:
        return list(self.people.values())


def account(server: TemporaryServer, position: str) -> Account:
    return next(account for account in server.credentials.accounts if account.position == position)


async def set_down(server: TemporaryServer, clerk: Door) -> Scene:
    """The clerk creates a hearing of four people."""
    await clerk.sign_in(account(server, "clerk"))
    staff = {member.position: member for member in reversed(await clerk.colleagues())}
    judge_name = await name_of(server, "judge")
    judge = next(member for member in await clerk.colleagues() if member.name == judge_name)
    people = [
        NewParticipant(key="presiding_judge", role=Role.PRESIDING_JUDGE, name=judge.name, staff_id=judge.id),
        NewParticipant(key="clerk", role=Role.CLERK, name=staff["clerk"].name, staff_id=staff["clerk"].id),
        NewParticipant(key="plaintiff", role=Role.PLAINTIFF, name="张伟"),
        NewParticipant(key="defendant", role=Role.DEFENDANT, name="李强"),
    ]
    matter = load_script(ROOT / "rehearsals" / "loan.json").hearing
    new = NewHearing(
        case_number="（2026）江0102民初9003号", cause=matter.cause, title=matter.title, procedure=Procedure.ORDINARY, public=True,
        courtroom=matter.courtroom, scheduled_at=SystemClock().now() + timedelta(minutes=1), participants=people,
    )  # fmt: skip
    created = await clerk.create_hearing(new)
    listed = (await clerk.hearing(created.hearing_id)).participants
    return Scene(server, clerk, created, {person.role.value: person.id for person in listed})


async def name_of(server: TemporaryServer, position: str) -> str:
    async with Door(server.base_url) as door:
        return (await door.sign_in(account(server, position))).name


async def come_in(scene: Scene, person: Person, address: str | None = None) -> None:
    """Sign in or open the link, check the devices, enter; over another of the server's addresses where one is given."""
    address = address or scene.address
    if person.key in {"presiding_judge", "clerk"}:
        mine = account(scene.server, "judge" if person.key == "presiding_judge" else "clerk")
        await person.page.goto(f"{address}/sign-in")
        await person.locate("sign-in-login").fill(mine.login)
        await person.locate("sign-in-password").fill(mine.password)
        await person.locate("sign-in-submit").click()
        await expect(person.locate("sign-in-submit")).to_have_count(0)
        await person.page.goto(f"{address}/sittings/{scene.created.sitting_id}/lobby")
    else:
        link = next(link for link in scene.created.links if link.participant_id == person.participant_id)
        await person.page.goto(re.sub(r"^https?://[^/]+", address, link.url))
        await person.locate("join-enter").click()
    await person.locate("devices-start").click()
    await expect(person.locate("preview")).to_be_visible()
    await person.locate("discipline-tick").check()
    await person.locate("enter").click()
    await expect(person.locate("courtroom")).to_be_visible()


async def until(what: str, met: Callable[[], Awaitable[bool]], within_s: float = 60.0) -> None:
    """Wait until the asynchronous condition holds; says what did not come."""
    clock = SystemClock()
    ends = clock.monotonic() + within_s
    while not await met():
        if clock.monotonic() > ends:
            pytest.fail(f"not within {within_s:.0f} s: {what}")
        await asyncio.sleep(0.5)


async def sees_and_hears(viewer: Person, source: Person, *, voice_too: bool = True) -> None:
    """Frames of the source are decoded and go on being decoded; its voice has come through."""
    before = (await viewer.received()).get(source.participant_id, {"frames": 0.0, "energy": 0.0})

    async def grown() -> bool:
        now = (await viewer.received()).get(source.participant_id)
        if now is None:
            return False
        heard = now["energy"] > before["energy"] + 1e-5 if voice_too else True
        return now["frames"] > before["frames"] + 5 and heard

    await until(f"{viewer.key} sees and hears {source.key}", grown, within_s=90)


ABSENT = {"clerk", "panel"}
"""Checks that stay red in a scene without these people."""


async def open_sitting(scene: Scene) -> None:
    """The judge, inside already, announces 开庭 once all is ready; in a scene without a clerk, with a reason."""
    judge = scene.people["presiding_judge"]
    await judge.locate("open-sitting").click()
    checks = judge.page.locator('[data-testid="preflight-check"]')
    red = judge.page.locator('[data-testid="preflight-check"][data-state="fail"]')

    async def codes() -> set[str | None]:
        return {await one.get_attribute("data-code") for one in await red.all()}

    async def ready() -> bool:
        return await checks.count() > 0 and await codes() <= ABSENT

    await until("all that is needed for recording is ready", ready)
    if await codes():
        await judge.locate("preflight-override").click()
        await judge.locate("preflight-reason").fill("演练：书记员不参加")
    await judge.locate("open-dialog").get_by_test_id("dialog-confirm").click()
    await expect(judge.locate("recording")).to_be_visible()
