"""Who may hear back what was just written, in which part of the sitting, and that each hearing-back is logged (C35)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import ParticipantId
from media.control import WrittenTrack
from storage.tables import access_log
from tests.integration.signaling_bed import Bed, Browser, court_house


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


def written(bed: Bed, access: AccessClass) -> list[WrittenTrack]:
    who = ParticipantId(bed.ids["plaintiff"])
    sound = WrittenTrack(f"{who}-audio", who, Kind.AUDIO, "written", 9_000, 800, -20.5, -9.0, 8_000, access)
    return [sound, WrittenTrack(f"{who}-video", who, Kind.VIDEO, "not_sent", None, None)]


async def heard(browser: Browser, bed: Bed) -> tuple[int, bool]:
    """Status of asking for the plaintiff's sound, and whether the list offered it."""
    base = f"/api/sittings/{bed.sitting_id}/hear-back"
    _, view = await browser.get(base)
    status, _ = await browser.get(f"{base}/{bed.ids['plaintiff']}-audio.webm")
    return status, any(track["may_listen"] for track in view["tracks"])


async def technician(bed: Bed) -> Browser:
    browser = bed.browser()
    status, body = await browser.sign_in("tech_1")
    assert status == 200, body
    return browser


async def test_the_clerk_hears_back_and_it_is_logged_and_parties_are_refused(bed: Bed) -> None:
    judge = await bed.in_session()
    bed.media.written = written(bed, AccessClass.PARTIES)
    clerk = await bed.person("clerk")
    status, view = await clerk.get(f"/api/sittings/{bed.sitting_id}/hear-back")
    assert (status, view["recorded"]) == (200, True)
    sound, picture = view["tracks"]
    assert (sound["rms_dbfs"], sound["age_ms"], sound["may_listen"]) == (-20.5, 800, True)
    assert (picture["state"], picture["may_listen"]) == ("not_sent", False)
    for listener in (clerk, judge, await technician(bed)):
        assert await heard(listener, bed) == (200, True)
    for key in ("plaintiff", "agent", "witness", "judge", "assessor", "observer"):
        assert (await (await bed.person(key)).get(f"/api/sittings/{bed.sitting_id}/hear-back"))[0] == 403
        path = f"/api/sittings/{bed.sitting_id}/hear-back/{bed.ids['plaintiff']}-audio.webm"
        assert (await (await bed.person(key)).get(path))[0] == 403
    async with bed.parts.database.read() as connection:
        rows = (await connection.execute(select(access_log).where(access_log.c.what == "hear_back"))).all()
    assert [(row.session_subject, row.t0_ms, row.t1_ms) for row in rows] == [
        ("clerk_1", 1_000, 9_000), ("judge_1", 1_000, 9_000), ("tech_1", 1_000, 9_000),
    ]  # fmt: skip


async def test_a_sealed_part_is_heard_back_only_by_who_hears_it(bed: Bed) -> None:
    judge = await bed.in_session()
    assert (await judge.send("part.begin", part="closed", ruling="涉及商业秘密"))["ok"]
    bed.media.written = written(bed, AccessClass.SEALED)
    assert await heard(await bed.person("clerk"), bed) == (200, True)
    assert await heard(await technician(bed), bed) == (404, False)
    assert (await judge.send("part.end"))["ok"]
    assert await heard(await bed.person("clerk"), bed) == (404, False), "when the part is over it is sealed"


async def test_where_nothing_is_recorded_nothing_is_heard_back(bed: Bed) -> None:
    judge = await bed.in_session()
    bed.media.written = written(bed, AccessClass.PARTIES)
    assert (await judge.send("part.begin", part="mediation", ruling="双方同意调解"))["ok"]
    clerk = await bed.person("clerk")
    assert await heard(clerk, bed) == (409, False)
    assert (await clerk.get(f"/api/sittings/{bed.sitting_id}/hear-back"))[1] == {"recorded": False, "tracks": []}
