"""What one person's flood of files may cost the machine and the other hearings: little, and the same for all."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from evidence import previews
from evidence.previews import Limits, Opened
from evidence.turns import Turns
from hearing.errors import CourtError
from tests.integration.record_case import HEARING, PEOPLE, Case, open_case, pdf

PLAINTIFF, DEFENDANT = PEOPLE[2], PEOPLE[3]


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with open_case(tmp_path) as opened:
        yield opened


async def slowly(data: bytes, finish: asyncio.Event) -> AsyncIterator[bytes]:
    yield data[:10]
    await finish.wait()
    yield data[10:]


async def test_one_hearing_never_takes_every_place() -> None:
    turns, inside, most = Turns(2), Counter[str](), Counter[str]()
    order: list[str] = []

    async def visit(hearing: str) -> None:
        async with turns.of(hearing):
            inside[hearing] += 1
            most[hearing], most["all"] = max(most[hearing], inside[hearing]), max(most["all"], inside.total())
            await asyncio.sleep(0.01)
            inside[hearing] -= 1
            order.append(hearing)

    await asyncio.gather(*(visit("flooded") for _ in range(8)), visit("other"), visit("third"))
    assert (most["flooded"], most["all"]) == (1, 2)
    assert {"other", "third"} <= set(order[:4])


async def test_files_are_opened_one_at_a_time_for_a_hearing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each child may take 1.5 GiB: ten at once would end the recorder beside them."""
    running, most = 0, 0

    async def examine(path: Path, limits: Limits) -> Opened:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        return Opened("application/pdf", 1)

    async def one(data: bytes) -> AsyncIterator[bytes]:
        yield data

    monkeypatch.setattr(previews, "examine", examine)
    people = [PLAINTIFF, DEFENDANT] * 3
    await asyncio.gather(
        *(case.registry.submit(HEARING, who, "a.pdf", "收据", "", one(b"%d" % n)) for n, who in enumerate(people))
    )
    assert most == 1


async def test_one_person_sends_few_files_at_once(case: Case) -> None:
    finish = asyncio.Event()
    sending = [
        asyncio.create_task(case.registry.submit(HEARING, PLAINTIFF, "a.pdf", f"收据{n}", "", slowly(pdf(n), finish)))
        for n in (1, 2, 3)
    ]
    await asyncio.sleep(0.1)
    with pytest.raises(CourtError) as refused:
        await case.registry.submit(HEARING, PLAINTIFF, "a.pdf", "收据4", "", slowly(pdf(4), finish))
    assert refused.value.code == "exhibit_uploads_busy"
    others = asyncio.create_task(case.registry.submit(HEARING, DEFENDANT, "a.pdf", "收据5", "", slowly(pdf(5), finish)))
    finish.set()
    assert len(await asyncio.gather(*sending, others)) == 4
    assert (await case.registry.submit(HEARING, PLAINTIFF, "a.pdf", "收据6", "", slowly(pdf(6), finish))).number == "原告证据4"


async def test_uploads_leave_the_disk_to_the_recording(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * 1024**3))
    with pytest.raises(CourtError) as refused:
        await case.registry.submit(HEARING, PLAINTIFF, "a.pdf", "收据", "", slowly(pdf(1), asyncio.Event()))
    assert refused.value.code == "exhibit_no_space"


async def test_many_who_ask_for_a_new_page_have_it_drawn_once(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = asyncio.Event()
    finish.set()
    exhibit = await case.registry.submit(HEARING, PLAINTIFF, "a.pdf", "收据", "", slowly(pdf(1), finish))
    drawn, draw = [], previews.draw_page

    async def counted(path: Path, media_type: str, page: int, limits: Limits, out: Path) -> None:
        drawn.append(page)
        await draw(path, media_type, page, limits, out)

    monkeypatch.setattr(previews, "draw_page", counted)
    pictures = await asyncio.gather(*(case.registry.page_picture(exhibit.id, 1) for _ in range(8)))
    assert drawn == [1]
    assert len(set(pictures)) == 1


async def test_the_child_that_opens_files_knows_no_secret(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURT_DATABASE_URL", "postgresql://court:secret@db/court")
    spawn, seen = asyncio.create_subprocess_exec, []

    async def spy(*arguments: str, **options: object) -> asyncio.subprocess.Process:
        seen.append(options.get("env", os.environ))
        return await spawn(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", spy)
    finish = asyncio.Event()
    finish.set()
    await case.registry.submit(HEARING, PLAINTIFF, "a.pdf", "收据", "", slowly(pdf(1), finish))
    assert seen == [{}]
