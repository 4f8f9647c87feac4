"""Sealing after the fact (AV-16): in force at once, keys wrapped anew behind it, stored bytes untouched, stopped anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from hearing.access import AccessClass, may_have
from hearing.errors import InvalidField, NotPermitted
from hearing.model import Actor, Role
from record.orders import REWRAP, NewOrder, Orders, Rewrapper
from record.replay import record_view
from record.segment_index import SegmentIndex
from storage.data_keys import DataKeys
from storage.database import Database
from storage.queue import SleepingWake
from storage.tables import access_log, access_orders, data_keys, jobs, metadata
from tests.integration.record_case import AGENT, JUDGE, PLAINTIFF, SITTING, files_of
from tests.integration.stored_case import JOB, StoredCase, stored_case

PRESIDING = Actor(JUDGE, Role.PRESIDING_JUDGE, "192.0.2.1")
TRACK = f"{PLAINTIFF}-audio"
SEALED, PARTIES = AccessClass.SEALED, AccessClass.PARTIES


@pytest.fixture
async def court(tmp_path: Path) -> AsyncIterator[StoredCase]:
    database = Database(f"sqlite:///{tmp_path / 'court.db'}")
    try:
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
        async with stored_case(database, tmp_path) as stored:
            yield stored
    finally:
        await database.close()


def orders(court: StoredCase) -> Orders:
    return Orders(court.case.database, court.case.clock, SleepingWake())


def an_order(track_id: str = TRACK, t0_ms: int = 100, t1_ms: int = 600, access: AccessClass = SEALED) -> NewOrder:
    return NewOrder(track_id, t0_ms, t1_ms, access, "（2026）沪0106民初1234号决定：涉及个人隐私")


async def classes(court: StoredCase) -> dict[str, str]:
    """Class of the key of each object of the sitting."""
    query = select(data_keys.c.object_key, data_keys.c.key_class)
    async with court.case.database.read() as connection:
        return {row.object_key: row.key_class for row in await connection.execute(query) if SITTING in row.object_key}


def rewrapper(court: StoredCase, keys: DataKeys | None = None) -> Rewrapper:
    return Rewrapper(court.case.database, keys or court.stores.keys, court.case.clock)


def stored_bytes(court: StoredCase) -> dict[Path, str]:
    folders = [court.folder / "A", court.folder / "B"]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for folder in folders for path in files_of(folder)}


async def test_an_order_holds_at_once_and_leaves_its_trace(court: StoredCase) -> None:
    database = court.case.database
    index = SegmentIndex(database, court.case.clock)
    before = await index.segment(SITTING, TRACK, 0)
    assert before is not None
    assert before.access is PARTIES
    given = await orders(court).give(SITTING, an_order(), PRESIDING, "session_1")
    after = await index.segment(SITTING, TRACK, 0)
    assert after is not None
    assert after.access is SEALED
    assert await orders(court).of(SITTING) == (given,)
    async with database.read() as connection:
        row = (await connection.execute(select(access_orders))).one()
        trace = (await connection.execute(select(access_log).where(access_log.c.what == "seal"))).one()
        job = (await connection.execute(select(jobs).where(jobs.c.kind == REWRAP))).one()
    assert (row.ordered_by, row.track_id, row.access) == (JUDGE, TRACK, "sealed")
    assert (trace.session_subject, trace.ip, trace.t0_ms, trace.t1_ms) == ("session_1", "192.0.2.1", 100, 600)
    assert job.payload == JOB


async def test_what_is_ordered_is_neither_listed_nor_shown_to_a_party(court: StoredCase) -> None:
    everything = await record_view(court.case.database, court.case.objects, SITTING, SEALED, court.case.clock)
    said = [line for line in everything["lines"] if line["kind"] == "speech" and line["participant_id"] == PLAINTIFF]  # type: ignore[index]
    span = said[0]["t0_ms"], said[0]["t1_ms"]
    await orders(court).give(SITTING, an_order("", *span), PRESIDING, "session_1")
    view = await record_view(court.case.database, court.case.objects, SITTING, PARTIES, court.case.clock)
    assert said[0]["id"] not in [line["id"] for line in view["lines"]]  # type: ignore[attr-defined]
    hidden = view["hidden"]
    assert any((one["t0_ms"], one["t1_ms"], one["access"]) == (*span, SEALED) for one in hidden)  # type: ignore[attr-defined]
    judge = await record_view(court.case.database, court.case.objects, SITTING, SEALED, court.case.clock)
    assert said[0]["id"] in [line["id"] for line in judge["lines"]]  # type: ignore[attr-defined]


async def test_keys_are_wrapped_anew_and_no_stored_byte_changes(court: StoredCase) -> None:
    before, stored = await classes(court), stored_bytes(court)
    assert set(before.values()) == {"parties"}
    contents = {key: await court.case.objects.get(key) for key in before}
    await orders(court).give(SITTING, an_order(), PRESIDING, "session_1")
    await rewrapper(court).rewrap(JOB)
    after = await classes(court)
    moved = {key for key in after if after[key] != before[key]}
    segments = {key for key in moved if f"/tracks/{TRACK}/" in key}
    assert segments, "the segments that the order touches"
    assert not [key for key in moved - segments if "/tracks/" in key], "and no other's"
    assert all("/sealed/" in key for key in moved - segments), "the transcript's forms hold the words of the whole sitting"
    assert {after[key] for key in moved} == {"sealed"}
    assert stored_bytes(court) == stored
    assert {key: await court.case.objects.get(key) for key in before} == contents
    (court.folder / "keys" / "objects" / "sealed-1.key").rename(court.folder / "away")
    with pytest.raises(Exception, match="sealed-1"):
        await court.case.objects.get(next(iter(segments)))


class Interrupted(Exception):
    """The jobs role is killed."""


class BreakingKeys:
    """DataKeys that fail after so many moves."""

    def __init__(self, keys: DataKeys, after: int) -> None:
        self._keys = keys
        self.left = after

    async def move(self, object_key: str, key_class: str) -> None:
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        await self._keys.move(object_key, key_class)


async def test_the_job_goes_on_where_it_was_stopped_and_does_nothing_twice(court: StoredCase) -> None:
    before = await classes(court)
    await orders(court).give(SITTING, an_order("", 0, 600), PRESIDING, "session_1")
    with pytest.raises(Interrupted):
        await rewrapper(court, BreakingKeys(court.stores.keys, 1)).rewrap(JOB)  # type: ignore[arg-type]
    halfway = await classes(court)
    assert sum(halfway[key] != before[key] for key in before) == 1
    counted = BreakingKeys(court.stores.keys, 999)
    await rewrapper(court, counted).rewrap(JOB)  # type: ignore[arg-type]
    whole = await classes(court)
    assert sum(whole[key] != halfway[key] for key in before) == 999 - counted.left > 1
    again = BreakingKeys(court.stores.keys, 0)
    await rewrapper(court, again).rewrap(JOB)  # type: ignore[arg-type]
    assert await classes(court) == whole


async def test_a_milder_order_after_a_stricter_one_opens_nothing(court: StoredCase) -> None:
    await orders(court).give(SITTING, an_order(), PRESIDING, "s")
    await orders(court).give(SITTING, an_order(access=AccessClass.PANEL), PRESIDING, "s")
    found = await SegmentIndex(court.case.database, court.case.clock).segment(SITTING, TRACK, 0)
    assert found is not None
    assert not may_have(AccessClass.PANEL, found.access)


BAD = [
    (an_order("part_nobody-audio"), "track_id"), (an_order(t0_ms=-1), "t0_ms"), (an_order(t0_ms=600), "t0_ms"),
    (an_order(t1_ms=10**9), "t0_ms"), (an_order(access=PARTIES), "access"), (NewOrder("", 0, 1, SEALED, " "), "ruling"),
]  # fmt: skip
OTHERS = [Actor(PLAINTIFF, Role.PLAINTIFF), Actor(AGENT, Role.PRESIDING_JUDGE), Actor(None, None), Actor(JUDGE, Role.CLERK)]


async def test_a_bad_order_and_another_person_change_nothing(court: StoredCase) -> None:
    for new, field in BAD:
        with pytest.raises(InvalidField) as refused:
            await orders(court).give(SITTING, new, PRESIDING, "s")
        assert refused.value.field == field
    for actor in OTHERS:
        with pytest.raises(NotPermitted):
            await orders(court).give(SITTING, an_order(), actor, "s")
    assert await orders(court).of(SITTING) == ()
