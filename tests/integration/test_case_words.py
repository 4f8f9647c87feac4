"""The words of a case on their way: database → internal API → client → book, and recognition going on without them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import insert, select

from hearing.model import SittingId
from storage import tables as t
from storage.clock import SystemClock
from tests.courts import COURT, SetClock
from tests.integration.signaling_bed import INTERNAL, Bed, court_house
from transcripts.case_book import FRESH_S, CaseBook
from transcripts.case_data import words_of_sitting
from transcripts.signaling_client import SignalingClient
from transcripts.vocabulary import NO_WORDS, CaseWords


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


async def submit_exhibit(bed: Bed) -> None:
    async with bed.parts.database.transaction() as c:
        await c.execute(insert(t.exhibits).values(
            id="exh_1", court_id=COURT, hearing_id=bed.hearing_id, side="plaintiff", ordinal=1, number="原告证据1", title="银行转账凭证",
            purpose="证明在静安区交付借款", file_name="1.png", media_type="image/png", bytes=1, pages=1, sha256="0" * 64, sm3="0" * 64,
            object_key="k", submitted_by=bed.ids["plaintiff"], submitted_at=bed.parts.clock.now(),
        ))  # fmt: skip


async def test_the_words_come_from_the_database_and_travel_to_the_recogniser(bed: Bed) -> None:
    await submit_exhibit(bed)
    async with bed.parts.database.read() as connection:
        stored = await words_of_sitting(connection, SittingId(bed.sitting_id))
    assert stored.names[:2] == ("张某", "李某")
    assert set(stored.names[-4:]) == {"审判长甲", "审判员乙", "陪审员丙", "书记员丁"}
    assert stored.exhibits == ("银行转账凭证",)
    assert stored.places == ("静安区",)
    assert "逾期利息" in stored.legal
    async with aiohttp.ClientSession() as session:
        client = SignalingClient(bed.url, "internal-secret", session)
        assert await client.case_words(bed.sitting_id) == stored
        assert await client.case_words("sit_unknown") == NO_WORDS
        book = CaseBook(client.case_words, asyncio.get_running_loop(), SystemClock())
        assert await asyncio.to_thread(book.words_of, bed.sitting_id) == stored


async def test_nobody_gets_the_words_without_the_servers_own_token(bed: Bed) -> None:
    async with aiohttp.ClientSession() as session:
        for headers, status in ((INTERNAL, 200), ({}, 401), ({"Authorization": "Bearer guess"}, 401)):
            async with session.get(f"{bed.url}/internal/sittings/{bed.sitting_id}/words", headers=headers) as answer:
                assert answer.status == status


class Asked:
    """Signaling's side: answers after a while, or not at all."""

    def __init__(self, *, fails: bool = False, hangs: bool = False) -> None:
        self.times = 0
        self.fails, self.hangs = fails, hangs

    async def __call__(self, sitting_id: str) -> CaseWords:
        self.times += 1
        if self.hangs:
            await asyncio.sleep(3600)
        if self.fails:
            raise aiohttp.ClientConnectionError
        return CaseWords(names=(f"张伟{self.times}",))


async def test_a_sitting_is_asked_for_once_a_minute() -> None:
    asked, clock = Asked(), SetClock()
    book = CaseBook(asked, asyncio.get_running_loop(), clock)
    for _ in range(5):
        assert (await asyncio.to_thread(book.words_of, "sit_1")).names == ("张伟1",)
    assert asked.times == 1
    clock.advance(FRESH_S + 1)
    async with asyncio.timeout(10):
        while (await asyncio.to_thread(book.words_of, "sit_1")).names != ("张伟2",):
            await asyncio.sleep(0.01)
    assert asked.times == 2


async def test_what_was_known_stays_when_signaling_is_away() -> None:
    asked, clock = Asked(), SetClock()
    book = CaseBook(asked, asyncio.get_running_loop(), clock)
    await asyncio.to_thread(book.words_of, "sit_1")
    asked.fails = True
    for _ in range(3):
        clock.advance(FRESH_S + 1)
        assert (await asyncio.to_thread(book.words_of, "sit_1")).names == ("张伟1",)
    assert await asyncio.to_thread(book.words_of, "sit_2") == NO_WORDS


async def test_a_line_does_not_wait_for_words_that_do_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcripts.case_book.FIRST_WAIT_S", 0.05)
    asked = Asked(hangs=True)
    book = CaseBook(asked, asyncio.get_running_loop(), SystemClock())
    for _ in range(3):
        assert await asyncio.to_thread(book.words_of, "sit_1") == NO_WORDS
    assert asked.times == 1


async def test_the_clerk_adds_words_which_are_known_at_once_and_every_change_stays(bed: Bed) -> None:
    path, clerk = f"/api/hearings/{bed.hearing_id}/words", await bed.person("clerk")
    status, words = await clerk.get(path)
    assert (status, words["typed"], words["changed_by"], words["changed_at"]) == (200, [], "", None)
    assert {"张某", "李某"} <= set(words["known"])
    for typed in (["静安区", "江宁路 ", "静安区"], ["普陀区"]):
        status, words = await clerk.ask("PUT", path, json={"words": typed})
        assert status == 200
    assert words["typed"] == ["普陀区"]
    assert words["changed_at"] is not None
    async with bed.parts.database.read() as connection:
        assert (await words_of_sitting(connection, SittingId(bed.sitting_id))).added == ("普陀区",)
        rows = (await connection.execute(select(t.hearing_words.c.words, t.hearing_words.c.author_id))).all()
    assert sorted(map(tuple, rows)) == [(["普陀区"], "clerk_1"), (["静安区", "江宁路"], "clerk_1")]


async def test_only_who_manages_the_hearing_sees_or_changes_the_words(bed: Bed) -> None:
    path = f"/api/hearings/{bed.hearing_id}/words"
    party = await bed.person("plaintiff")
    assert (await party.get(path))[0] == 403
    assert (await party.ask("PUT", path, json={"words": ["静安区"]}))[0] == 403
    clerk = await bed.person("clerk")
    for bad in (["一"], ["长" * 17], ["张伟\n李强"], ["<b>你好</b>"], [f"词语{n}" for n in range(101)], "静安区", [1]):
        status, refusal = await clerk.ask("PUT", path, json={"words": bad})
        assert (status, refusal["code"]) == (400, "bad_field"), bad
