"""Playback over HTTP: the index, ranges and tags, what a stricter class keeps back, and the log of what was watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from storage import tables as t
from tests.integration.signaling_bed import Bed, Browser, court_house
from tests.integration.test_http_api import stored_segment

DATA = bytes(range(256)) * 4


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as opened:
        yield opened


async def closed_sitting(bed: Bed) -> tuple[Browser, str]:
    """The presiding judge's browser, and the address of the one segment."""
    judge = await bed.in_session()
    report = await stored_segment(bed, DATA)
    await judge.send("sitting.close")
    return judge, f"/api/sittings/{bed.sitting_id}/tracks/{report['track_id']}/segments/000000.webm"


async def rows(bed: Bed, what: str) -> list[Any]:
    async with bed.parts.database.read() as connection:
        return list((await connection.execute(select(t.access_log).where(t.access_log.c.what == what))).all())


async def in_class(bed: Bed, access: str) -> None:
    async with bed.parts.database.transaction() as connection:
        await connection.execute(update(t.segments).values(access=access))


async def test_a_kept_copy_is_asked_for_again_and_a_stricter_class_is_not_kept(bed: Bed) -> None:
    judge, url = await closed_sitting(bed)
    async with judge.http.get(url) as first:
        tag = first.headers["ETag"]
        assert (first.status, first.headers["Cache-Control"]) == (200, "private, no-cache")
    async with judge.http.get(url, headers={"If-None-Match": tag}) as again:
        assert (again.status, await again.read()) == (304, b"")
    async with judge.http.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'}) as whole:
        assert (whole.status, await whole.read()) == (200, DATA)
    async with judge.http.get(url, headers={"Range": "bytes=0-9", "If-Range": tag}) as part:
        assert (part.status, await part.read()) == (206, DATA[:10])
    await in_class(bed, "sealed")
    async with judge.http.get(url) as sealed:
        assert (sealed.status, sealed.headers["Cache-Control"]) == (200, "private, no-store")


@pytest.mark.parametrize(
    ("access", "readers"),
    [("parties", {"presiding", "judge", "clerk", "plaintiff", "agent"}), ("panel", {"presiding", "judge", "clerk"}), ("sealed", {"presiding"})],
)  # fmt: skip
async def test_each_request_is_decided_by_the_class_of_today(bed: Bed, access: str, readers: set[str]) -> None:
    _, url = await closed_sitting(bed)
    people = {key: await bed.person(key) for key in ("presiding", "judge", "clerk", "plaintiff", "agent")}
    for key, browser in people.items():  # all of them have it before the order
        assert (await browser.get(url))[0] == 200, key
    await in_class(bed, access)
    for key, browser in people.items():
        status, page = await browser.get(f"/api/sittings/{bed.sitting_id}/segments/0")
        assert (status, len(page["tracks"])) == (200, int(key in readers)), key
        assert (await browser.get(url))[0] == (200 if key in readers else 404), key
        _, record = await browser.get(f"/api/sittings/{bed.sitting_id}/record")
        assert [one["access"] for one in record["hidden"]] == ([] if key in readers else [access]), key


async def test_what_was_watched_is_told_once_a_minute_and_by_view(bed: Bed) -> None:
    judge, url = await closed_sitting(bed)
    _, record = await judge.get(f"/api/sittings/{bed.sitting_id}/record")
    view = record["view_id"]
    for _ in range(3):
        assert (await judge.get(url, headers={"X-Court-View": view}))[0] == 200
    (handed,) = await rows(bed, "play")
    assert (handed.view_id, handed.t0_ms, handed.t1_ms) == (view, 0, 60_000)
    path = f"/api/sittings/{bed.sitting_id}/views"
    assert (await judge.post(f"{path}/{view}", {"spans": [0, 500, 500, 1000, 5000, 6000]}))[0] == 204
    for wrong in ([1], [5, 5], [9, 2], [-1, 4], list(range(900))):
        assert (await judge.post(f"{path}/{view}", {"spans": wrong}))[1]["code"] == "bad_field", wrong[:4]
    plaintiff = await bed.person("plaintiff")
    assert (await plaintiff.post(f"{path}/{view}", {"spans": [0, 500]}))[0] == 404, "not this person's view"
    assert (await plaintiff.get(path))[0] == 403
    _, reads = await judge.get(path)
    assert [(read["view_id"], read["what"], read["played"]) for read in reads if read["view_id"]] == [
        (view, "record", [0, 1000, 5000, 6000])
    ]
    assert reads[0]["name"]


async def test_waiting_for_the_seal_is_no_read_of_the_record(bed: Bed) -> None:
    judge, _ = await closed_sitting(bed)
    assert (await judge.get(f"/api/sittings/{bed.sitting_id}/sealed"))[1] == {"sealed": False}
    assert await rows(bed, "record") == []
