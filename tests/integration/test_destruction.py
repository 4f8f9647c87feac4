"""Lawful destruction: refused before its time, by one person alone and under a hold; then nobody reads it, and it still verifies."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Executable, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from court.cli import main
from hearing.errors import Conflict, NotNow, NotPermitted
from hearing.events import RecordDestroyed
from hearing.ledger import read_entry
from hearing.model import SittingId, StaffId
from hearing.service import HearingService
from hearing.store import load_ledger, load_sitting, to_document
from record.destruction import Destroyer, Person
from record.package import Archive, export_hearing
from record.replay import record_view
from record.verify import verify
from storage import tables as t
from storage.clock import SystemClock
from storage.data_keys import KeyDestroyed
from storage.database import Database
from storage.migrate import migrate
from storage.objects import manifest_key, segment_key
from tests.integration.record_case import COURT, HEARING, JUDGE, SITTING
from tests.integration.stored_case import StoredCase, stored_case

CLERK, JUDGE_A, JUDGE_B = (Person(StaffId(f"staff_{n}"), p) for n, p in enumerate(("clerk", "judge", "judge"), 1))
NUMBER, REASON = "档销〔2047〕3号", "保存期限届满，经鉴定无继续保存价值"
YEARS = 20


class Later(SystemClock):
    """A clock that many years have passed on."""

    def __init__(self, years: float) -> None:
        super().__init__()
        self.ahead = timedelta(days=365.25 * years)

    def now(self):  # noqa: ANN201  as the base
        return super().now() + self.ahead


@pytest.fixture
async def stored(court_database: Database, tmp_path: Path) -> AsyncIterator[StoredCase]:
    """The small sealed hearing on both databases, with three members of staff."""
    async with stored_case(court_database, tmp_path) as case:
        await prepare(case)
        yield case


@pytest.fixture
async def stored_here(tmp_path: Path) -> AsyncIterator[StoredCase]:
    """The same on SQLite alone."""
    url = f"sqlite:///{tmp_path}/court.db"
    await migrate(url)
    database = Database(url)
    async with stored_case(database, tmp_path) as case:
        await prepare(case)
        yield case
    await database.close()


async def prepare(stored: StoredCase) -> None:
    async with stored.case.database.transaction() as connection:
        for person in (CLERK, JUDGE_A, JUDGE_B):
            row = {"id": person.staff_id, "login": person.staff_id, "name": "某", "position": person.position}
            await connection.execute(insert(t.staff).values(court_id=COURT, password_hash="-", disabled=False, **row))
        words = {"hearing_id": HEARING, "words": ["李建国"], "author_id": CLERK.staff_id, "at": SystemClock().now()}
        await connection.execute(insert(t.hearing_words).values(id="word_1", court_id=COURT, **words))
        row = await load_sitting(connection, SITTING)
        assert row is not None
        document = to_document(replace(row.sitting, ledger_number=stored.case.number))
        await connection.execute(update(t.sittings).values(document=document, version=stored.case.number))


def destroyer(stored: StoredCase, years: float = YEARS + 2, retention: int = YEARS) -> Destroyer:
    clock, database = Later(years), stored.case.database
    return Destroyer(database, stored.stores, HearingService(database, clock), clock, retention)


async def approved(stored: StoredCase) -> str:
    later = destroyer(stored)
    order_id = await later.order(HEARING, NUMBER, REASON, CLERK)
    await later.approve(order_id, JUDGE_A)
    return order_id


def files(stored: StoredCase, store: str) -> list[str]:
    return sorted(path.name.split(".")[0] for path in (stored.folder / store).rglob("*") if path.is_file())


async def is_gone(stored: StoredCase) -> bool:
    """Nothing can be read but manifest and signature; files are gone from both stores, lines and words from the database."""
    objects = stored.stores.objects()
    with pytest.raises(KeyDestroyed):
        await objects.get(segment_key(COURT, SITTING, f"{JUDGE}-audio", 0))
    assert (await objects.get(manifest_key(COURT, SITTING))).startswith(b"{")
    async with stored.case.database.read() as connection:
        lines = await connection.scalar(select(func.count()).select_from(t.utterances))
        words = await connection.scalar(select(func.count()).select_from(t.hearing_words))
        opened = await connection.scalar(select(func.count()).where(t.data_keys.c.wrapped.is_not(None)))
    return (lines, words, opened, files(stored, "A"), files(stored, "B")) == (0, 0, 2, ["manifest"] * 2, ["manifest"] * 2)


async def test_it_is_refused_before_its_time_under_a_hold_and_by_one_person(stored: StoredCase) -> None:
    for early in (destroyer(stored, years=YEARS - 1), destroyer(stored, retention=0)):
        with pytest.raises(NotNow, match="期限"):
            await early.order(HEARING, NUMBER, REASON, CLERK)
    later = destroyer(stored)
    hold = await later.hold(HEARING, "当事人申请再审", CLERK)
    with pytest.raises(NotNow, match="当事人申请再审"):
        await later.order(HEARING, NUMBER, REASON, CLERK)
    with pytest.raises(NotPermitted):
        await later.lift(hold, "再审已驳回", CLERK)
    await later.lift(hold, "再审已驳回", JUDGE_A)
    order_id = await later.order(HEARING, NUMBER, REASON, JUDGE_A)
    with pytest.raises(Conflict):
        await later.order(HEARING, NUMBER, REASON, JUDGE_A)
    for wrong in (JUDGE_A, CLERK):
        with pytest.raises(NotPermitted):
            await later.approve(order_id, wrong)
    with pytest.raises(NotNow, match="尚未批准"):
        await later.carry_out(order_id)
    await later.approve(order_id, JUDGE_B)
    await later.hold(HEARING, "财产保全", CLERK)  # after approval, before it is carried out
    with pytest.raises(NotNow, match="财产保全"):
        await later.carry_out(order_id)
    assert not (await later.find(order_id)).objects, "nothing was touched"


async def test_what_was_destroyed_is_gone_and_the_rest_still_proves_itself(stored: StoredCase, tmp_path: Path) -> None:
    later, order_id = destroyer(stored), await approved(stored)
    plan = await later.plan(HEARING)
    assert (plan.obstacles, plan.lines, plan.objects > 10, plan.bytes > 10_000) == ((), 2, True, True)
    done = await later.carry_out(order_id)
    assert (done.state, done.objects, done.lines, done.left) == ("done", plan.objects, 2, {})
    assert await is_gone(stored)
    assert await later.carry_out(order_id) == done, "once more changes nothing"
    async with stored.case.database.read() as connection:
        entries = await load_ledger(connection, SittingId(SITTING))
        trace = (await connection.execute(select(t.access_log).where(t.access_log.c.what == "destroy"))).one()
    told = [entry.event for sealed in entries if isinstance((entry := read_entry(sealed.entry)).event, RecordDestroyed)]
    assert [(event.order_number, event.ordered_by, event.approved_by) for event in told] == [
        (NUMBER, CLERK.staff_id, JUDGE_A.staff_id)
    ]
    assert trace.session_subject == JUDGE_A.staff_id
    outcome = await stored.healer().check(SITTING, "command")
    assert outcome is not None
    assert (outcome.state, outcome.problems) == ("whole", ()), "a declared gap is no damage"
    view = await record_view(stored.case.database, stored.stores.objects(), SITTING)
    assert view["lines"], "what the law wrote stays"
    package = await export_hearing(
        Archive(stored.case.database, stored.stores.objects(), stored.case.key), HEARING, tmp_path / "package"
    )
    result = verify(package, stored.case.key.fingerprint)
    assert (result.verdict, result.problems) == ("complete_with_gaps", ())
    assert not list(package.rglob("*.webm"))


async def test_lines_of_speech_go_under_an_approved_order_alone(stored: StoredCase) -> None:
    """The database itself says so, whoever asks; and even then they are not changed."""
    database = stored.case.database

    async def refused(statement: Executable) -> None:
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.transaction() as connection:
                await connection.execute(statement)

    order_id = await destroyer(stored).order(HEARING, NUMBER, REASON, CLERK)
    await refused(t.utterances.delete())
    await destroyer(stored).approve(order_id, JUDGE_A)
    await refused(t.utterances.update().values(text=""))
    await refused(t.ledger.delete())
    async with database.transaction() as connection:
        assert (await connection.execute(t.utterances.delete())).rowcount == 2


@pytest.mark.parametrize(
    ("arguments", "missing"), [(["order", "hear_1", "--number", "1"], "--reason"), (["approve", "destr_1"], "--by")]
)
def test_the_command_says_what_it_cannot_do_without(
    arguments: list[str], missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["destroy", *arguments]) == 2
    assert missing in capsys.readouterr().err


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from hearing.service import HearingService
from record import destruction, destruction_store
from storage.database import Database
from storage.migrate import migrate
from storage.envelope import Algorithm
from storage.folder import FolderStore
from storage.stores import open_stores
from tests.integration.test_destruction import Later, YEARS

def fatal(function, calls):
    async def patched(*args, **kwargs):
        calls.append(1)
        if len(calls) > int(sys.argv[5]):
            os.kill(os.getpid(), signal.SIGKILL)
        return await function(*args, **kwargs)
    return patched

async def run(url, folder, order_id, where):
    if where == "erase":
        FolderStore.erase = fatal(FolderStore.erase, [])
    else:
        destruction_store.delete_lines = fatal(destruction_store.delete_lines, [])
    database = Database(url)
    stores = open_stores(folder / "A", folder / "B", database, folder / "keys" / "objects", Algorithm.AES_256_GCM)
    clock = Later(YEARS + 2)
    await destruction.Destroyer(database, stores, HearingService(database, clock), clock, YEARS).carry_out(order_id)

asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
"""


@pytest.mark.long
@pytest.mark.parametrize(("where", "after"), [("erase", 7), ("lines", 0)])
async def test_a_killed_destruction_goes_on(stored_here: StoredCase, where: str, after: int) -> None:
    order_id = await approved(stored_here)
    url = stored_here.case.database.url.render_as_string(hide_password=False)
    arguments = [url, str(stored_here.folder), order_id, where, str(after)]
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=root, capture_output=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    later = destroyer(stored_here)
    assert (await later.find(order_id)).state == {"erase": "shredded", "lines": "approved"}[where]
    if where == "lines":
        assert await stored_here.stores.objects().get(segment_key(COURT, SITTING, f"{JUDGE}-audio", 0)), "undone as one"
    assert (await later.carry_out(order_id)).state == "done"
    assert await is_gone(stored_here)
