"""What is stored stays whole: checks on schedule, on demand and after a fault; healing; what the page then says (A10)."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from record.checks import last_check, want_due
from record.heal import HealSettings
from record.package import Archive, export_hearing
from record.replay import record_view
from record.verify import verify
from storage import tables as t
from storage.clock import SystemClock
from storage.copies import Copies
from storage.data_keys import KeptObject
from storage.database import Database
from storage.faults import count_open_faults
from storage.migrate import migrate
from storage.objects import manifest_key
from storage.queue import RetryLater, run_worker
from storage.stores import Stores
from storage.wake import HueyWake
from storage.watch import Fault
from tests.contracts.test_mirrored_store import Away
from tests.integration.record_case import DEFENDANT, HEARING, JUDGE, PLAINTIFF, SITTING
from tests.integration.stored_case import JOB, StoredCase, stored_case
from tests.s3_server import seaweed

SEGMENT = f"{DEFENDANT}-audio/000001.webm"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/court.db"
    await migrate(url)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def stored(database: Database, tmp_path: Path) -> AsyncIterator[StoredCase]:
    async with stored_case(database, tmp_path) as case:
        yield case


@pytest.fixture
async def stored_on_both(court_database: Database, tmp_path: Path) -> AsyncIterator[StoredCase]:
    """The same, once on SQLite and once on PostgreSQL."""
    async with stored_case(court_database, tmp_path) as case:
        yield case


async def rows(database: Database, table: Any) -> list[Any]:
    async with database.read() as connection:
        return list(await connection.execute(select(table).order_by(table.c.id)))


async def open_faults(database: Database) -> int:
    async with database.read() as connection:
        return await count_open_faults(connection)


async def proof_of(stored: StoredCase) -> dict[str, Any]:
    view: dict[str, Any] = await record_view(stored.case.database, stored.case.objects, SITTING)
    proof: dict[str, Any] = view["proof"]
    return proof


def flip(path: Path) -> bytes:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return bytes(data)


async def test_everything_of_a_sitting_is_read_in_both_stores(stored: StoredCase) -> None:
    outcome = await stored.healer().check(SITTING, "sealing")
    assert outcome is not None
    kept = sum(1 for path in (stored.folder / "A").rglob("*") if path.is_file())
    assert (outcome.state, outcome.objects, outcome.healed, outcome.problems) == ("whole", kept, 0, ())
    last = (await proof_of(stored))["last_check"]
    assert (last["state"], last["origin"], last["objects"]) == ("whole", "sealing", kept)


async def test_damage_and_loss_in_either_store_is_healed_told_and_kept_as_evidence(stored_on_both: StoredCase) -> None:
    stored = stored_on_both
    whole = stored.file("A", SEGMENT).read_bytes()
    damaged = flip(stored.file("A", SEGMENT))
    lost = [stored.file("B", name) for name in ("manifest.json", "manifest.sig.json", "exhibits/")]
    for path in lost:
        path.unlink()
    flip(stored.file("B", "sealed/"))
    outcome = await stored.healer().check(SITTING, "schedule")
    assert outcome is not None
    assert (outcome.state, outcome.healed, outcome.problems) == ("healed", 5, ())
    assert stored.file("A", f"sittings/{SITTING}/tracks/{SEGMENT}").read_bytes() == whole
    assert all(path.exists() for path in lost)
    aside = [path for path in (stored.folder / "A" / ".quarantine").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in aside] == [damaged]
    faults = await rows(stored.case.database, t.copy_faults)
    assert sorted((f.store, f.fault) for f in faults) == [("A", "damaged"), ("B", "damaged"), *[("B", "missing")] * 3]
    assert all(f.healed_at for f in faults)
    assert any(".quarantine/" in f.note for f in faults)
    assert (await stored.healer().check(SITTING, "command")).state == "whole"  # type: ignore[union-attr]
    assert (await proof_of(stored))["state"] == "complete_with_gaps"


async def test_what_both_stores_lost_is_named_on_the_page_and_stays_an_alarm(stored: StoredCase) -> None:
    for store in "AB":
        flip(stored.file(store, SEGMENT))
    outcome = await stored.healer().check(SITTING, "schedule")
    assert outcome is not None
    assert outcome.state == "damaged"
    assert len(outcome.problems) == 1
    assert SEGMENT in outcome.problems[0]
    proof = await proof_of(stored)
    assert proof["state"] == "damaged"
    assert any(SEGMENT in problem for problem in proof["problems"])
    assert await open_faults(stored.case.database) == 2


async def test_an_unsealed_sitting_is_checked_too(database: Database, tmp_path: Path) -> None:
    async with stored_case(database, tmp_path, sealed=False) as stored:
        stored.file("B", SEGMENT).unlink()
        outcome = await stored.healer().check(SITTING, "schedule")
        assert outcome is not None
        assert (outcome.state, outcome.healed) == ("healed", 1)


async def test_rows_that_no_longer_match_what_was_signed_are_damage(stored: StoredCase) -> None:
    segment = f"courts/court_1/sittings/{SITTING}/tracks/{SEGMENT}"
    other = await stored.stores.keys.find(f"courts/court_1/sittings/{SITTING}/tracks/{JUDGE}-audio/000001.webm")
    assert other.content_sha256
    async with stored.case.database.transaction() as connection:  # somebody who may write rows, but not the signing key
        await connection.execute(t.data_keys.delete().where(t.data_keys.c.object_key == segment))
    outcome = await stored.healer().check(SITTING, "schedule")
    assert outcome is not None
    assert outcome.state == "damaged"
    assert any(SEGMENT in problem and "missing" in problem for problem in outcome.problems)


class Watched(Copies):
    """Counts what is looked at, and stops as a killed worker does."""

    seen: list[str]
    stop_after: int

    async def faults(self, kept: KeptObject) -> dict[str, Fault]:
        if len(self.seen) >= self.stop_after:
            raise KeyboardInterrupt
        self.seen.append(kept.object_key)
        return await super().faults(kept)


async def test_a_killed_check_goes_on_where_it_stopped(stored: StoredCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("record.heal.BATCH", 3)
    monkeypatch.setattr("storage.stores.Copies", Watched)
    flip(stored.file("B", "exhibits/"))  # among the first
    Watched.seen, Watched.stop_after = [], 8
    with monkeypatch.context() as patch:
        patch.setattr("record.heal.Healer._note_at_end", _nothing)  # a killed worker says nothing more
        with pytest.raises(KeyboardInterrupt):
            await stored.healer().check(SITTING, "sealing")
    first, Watched.seen, Watched.stop_after = Watched.seen, [], 1000
    outcome = await stored.healer().check(SITTING, "sealing")
    assert outcome is not None
    again = set(first) & set(Watched.seen)
    assert len(again) <= 3
    assert set(first) | set(Watched.seen) == set(await stored.stores.keys.names(""))
    assert (outcome.state, outcome.healed, outcome.objects) == ("healed", 1, len({*first, *Watched.seen}))
    assert len(await rows(stored.case.database, t.checks)) == 1


async def _nothing(*_: object) -> None:
    return


async def test_a_store_that_is_away_postpones_the_check(stored: StoredCase) -> None:
    away = Stores(stored.stores.first, Away(), stored.stores.keys)
    stored.stores = away
    with pytest.raises(RetryLater):
        await stored.healer().verify(JOB)
    async with stored.case.database.read() as connection:
        assert await last_check(connection, SITTING) is None
    assert await open_faults(stored.case.database) == 0  # away is not lost


async def test_a_viewer_sees_no_error_and_the_copy_is_healed_behind_the_scenes(
    stored_on_both: StoredCase, tmp_path: Path
) -> None:
    stored = stored_on_both
    key = f"courts/court_1/sittings/{SITTING}/tracks/{SEGMENT}"
    content = await stored.case.objects.get(key)
    flip(stored.file("A", SEGMENT))
    assert await stored.case.objects.get(key) == content
    assert await stored.case.objects.get(key, start=5) == content[5:]
    assert await open_faults(stored.case.database) == 1
    jobs = [job for job in await rows(stored.case.database, t.jobs) if job.kind == "heal"]
    assert len(jobs) == 1
    await stored.healer().heal({})
    assert await open_faults(stored.case.database) == 0
    assert await stored.stores.each().faults(await stored.stores.keys.find(key)) == {}
    wanted = [job.payload for job in await rows(stored.case.database, t.jobs) if job.kind == "verify"]
    assert wanted[-1]["sitting_id"] == SITTING  # where one was bad others may be


async def test_an_upload_with_one_store_away_gets_its_second_copy_later(stored: StoredCase) -> None:
    whole = stored.stores
    stored.stores = Stores(whole.first, Away(), whole.keys, whole.watch)
    key = "courts/court_1/exhibits/exh_new/original"
    await stored.stores.objects(copies=1).put(key, b"exhibit" * 1000)
    with pytest.raises(RetryLater):
        await stored.healer().heal({})
    stored.stores = whole
    await stored.healer().heal({})
    assert await whole.each().faults(await whole.keys.find(key)) == {}
    assert await open_faults(stored.case.database) == 0


async def test_checks_are_asked_for_when_they_are_due_and_once(stored_on_both: StoredCase) -> None:
    stored = stored_on_both
    database, now = stored.case.database, SystemClock().now()
    async with database.transaction() as connection:
        await connection.execute(update(t.jobs).values(state="done"))
    settings = HealSettings(every=timedelta(hours=7))
    assert await stored.healer(settings).want_due() == 1  # never checked, opened long ago
    assert await stored.healer(settings).want_due() == 0  # asked for already
    await stored.healer().check(SITTING, "schedule")
    async with database.transaction() as connection:
        await connection.execute(update(t.jobs).values(state="done"))
        due = [await want_due(connection, timedelta(hours=7), now + timedelta(hours=hours)) for hours in (5, 8)]
    assert due == [0, 1]
    async with database.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(t.jobs).where(t.jobs.c.kind == "verify")) == 3


async def test_exhibits_of_a_hearing_that_was_never_opened_are_checked_too(stored: StoredCase) -> None:
    """The sitting is set back to what it was before 开庭: nothing of it is stored, but what the parties submitted is."""
    database = stored.case.database
    async with database.transaction() as connection:
        await connection.execute(update(t.jobs).values(state="done"))
        unopened = {"opened_at": None, "closed_at": None, "state": "scheduled", "sealed_manifest_sha256": None}
        await connection.execute(update(t.sittings).values(**unopened))
    settings = HealSettings(every=timedelta(hours=7))
    async with database.transaction() as connection:
        submitted = await connection.scalar(select(func.min(t.exhibits.c.submitted_at)))
        assert submitted is not None
        due = [await want_due(connection, settings.every, submitted + timedelta(hours=hours)) for hours in (5, 8)]
    assert due == [0, 1]
    lost = stored.file("A", "/original")
    lost.unlink()
    outcome = await stored.healer().check(SITTING, "schedule")
    assert outcome is not None
    assert (outcome.state, outcome.healed, lost.exists()) == ("healed", 1, True)


async def test_the_job_runs_in_a_worker_and_shows_its_progress(stored: StoredCase, tmp_path: Path) -> None:
    wake = HueyWake(str(tmp_path / "wake.db"))
    worker = asyncio.create_task(
        run_worker(stored.case.database, stored.healer().handlers(), SystemClock(), wake)
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while not (
                done := [j for j in await rows(stored.case.database, t.jobs) if j.kind == "verify" and j.state == "done"]
            ):
                await asyncio.sleep(0.1)
        assert done[0].progress == 1.0
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        wake.close()


async def test_a_new_wrapping_key_takes_over_and_the_old_one_is_not_needed_any_more(stored_on_both: StoredCase) -> None:
    stored = stored_on_both
    keys = stored.folder / "keys" / "objects"
    assert stored.stores.keys.ring.rotate("parties") == "parties-2"
    await stored.healer().rotate({"key_class": "parties"})
    (keys / "parties-1.key").rename(stored.folder / "retired.key")
    outcome = await stored.healer().check(SITTING, "command")
    assert outcome is not None
    assert outcome.state == "whole"


async def test_destruction_by_ruling_is_a_declared_gap_and_not_damage(stored: StoredCase) -> None:
    await stored.stores.keys.destroy(f"courts/court_1/sittings/{SITTING}/tracks/{SEGMENT}", "（2026）沪0106司销1号")
    outcome = await stored.healer().check(SITTING, "schedule")
    assert outcome is not None
    assert (outcome.state, outcome.problems) == ("whole", ())
    proof = await proof_of(stored)
    assert (proof["state"], proof["problems"]) == ("complete_with_gaps", proof["problems"])
    assert [name for name in proof["destroyed"] if SEGMENT in name]


async def test_a_lost_wrapping_key_is_named_and_nothing_is_overwritten(stored: StoredCase) -> None:
    before = sorted(path for path in (stored.folder / "A").rglob("*") if path.is_file())
    (stored.folder / "keys" / "objects" / "parties-1.key").unlink()
    outcome = await stored.healer().check(SITTING, "command")
    assert outcome is not None
    assert outcome.state == "damaged"
    assert any("密钥无法打开（key_missing）" in problem for problem in outcome.problems)
    assert sorted(path for path in (stored.folder / "A").rglob("*") if path.is_file()) == before


async def test_a_fault_is_told_once_even_when_the_database_is_away(stored: StoredCase, monkeypatch: pytest.MonkeyPatch) -> None:
    key = f"courts/court_1/sittings/{SITTING}/tracks/{PLAINTIFF}-audio/000000.webm"
    content = await stored.case.objects.get(key)
    flip(stored.file("A", f"{PLAINTIFF}-audio/000000.webm"))
    with monkeypatch.context() as patch:
        patch.setattr("storage.faults.record_fault", _fails)
        assert await stored.case.objects.get(key) == content
    assert await stored.case.objects.get(key) == content
    assert await stored.case.objects.get(key) == content
    assert await open_faults(stored.case.database) == 1


async def _fails(*_: object) -> None:
    raise TimeoutError


async def test_a_package_of_a_damaged_record_is_handed_out_and_names_the_damage(stored: StoredCase, tmp_path: Path) -> None:
    for store in "AB":
        flip(stored.file(store, SEGMENT))
    case = stored.case
    await export_hearing(Archive(case.database, case.objects, case.key), HEARING, tmp_path / "package")
    report = verify(tmp_path / "package")
    assert not report.complete
    assert [problem for problem in report.problems if SEGMENT in problem]
    assert all(SEGMENT in problem or "package" in problem for problem in report.problems), report.problems


async def test_the_same_in_buckets_with_object_lock(database: Database, tmp_path: Path) -> None:
    with seaweed(tmp_path / "seaweed") as server:
        for bucket in ("court-a", "court-b"):
            server.new_bucket(bucket, locked_days=1)
        places = server.address("court-a"), server.address("court-b")
        async with stored_case(database, tmp_path, places) as stored:
            key = f"courts/court_1/sittings/{SITTING}/tracks/{SEGMENT}"
            content, kept = await stored.case.objects.get(key), await stored.stores.keys.find(key)
            server.client().put_object("court-a", kept.stored_key, io.BytesIO(b"forged"), 6)
            manifest = await stored.stores.keys.find(manifest_key("court_1", SITTING))
            server.client().remove_object("court-b", manifest.stored_key)  # a marker over it: the version itself is locked
            assert await stored.case.objects.get(key) == content
            outcome = await stored.healer().check(SITTING, "schedule")
            assert outcome is not None
            assert (outcome.state, outcome.healed) == ("healed", 2)
            assert (await stored.stores.each().faults(kept), await stored.stores.each().faults(manifest)) == ({}, {})
        faults = await rows(database, t.copy_faults)
        assert [one for one in faults if one.store == "A" and one.note.startswith("version ") and one.healed_at]
