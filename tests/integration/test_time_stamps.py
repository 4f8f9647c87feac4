"""Time stamps of a ledger: from `openssl ts` as a foreign authority and from the simulator, at sealing, hourly, and late."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hearing import events as law
from record.package import Archive, export_hearing
from record.seal import Sealer, SealSettings
from record.signing import signature_bytes
from record.simulated_tsa import AUTHORITY, SimulatedTimeStamper
from record.stamping import Stamper, StampSettings, ask_for_stamps, head_of
from record.timestamps import HttpTimeStamper, StampRefused, TimeStamper, trusted_certificates
from record.verify import canonical, stamp_info, verify
from storage import tables as t
from storage.objects import manifest_key
from storage.queue import RetryLater
from tests.integration.record_case import COURT, HEARING, PEOPLE, SITTING, Case, at, open_full_case
from tests.time_stamp_authority import Authority, serving

JOB = {"sitting_id": SITTING}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    with serving(Authority(tmp_path_factory.mktemp("authority") / "tsa")) as authority:
        yield authority


@pytest.fixture
def authority(foreign: Authority) -> Authority:
    foreign.mode = "stamp"
    return foreign


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with open_full_case(tmp_path / "court", sealed=False) as opened:
        yield opened


def client(authority: Authority) -> HttpTimeStamper:
    return HttpTimeStamper(authority.url, trusted_certificates(authority.ca_path.read_bytes()), timeout_s=5.0)


def stamper(case: Case, by: TimeStamper) -> Stamper:
    return Stamper(case.database, case.objects, by, case.clock)


def sealer(case: Case, by: TimeStamper) -> Sealer:
    return Sealer(case.database, case.objects, case.key, case.clock, SealSettings(), stamper(case, by))


async def manifest_of(case: Case) -> dict[str, Any]:
    return dict(json.loads(await case.objects.get(manifest_key(COURT, SITTING))))


async def exported(case: Case, folder: Path) -> Path:
    return await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, folder)


async def test_a_foreign_authority_stamps_and_openssl_agrees(authority: Authority, tmp_path: Path) -> None:
    token = await client(authority).stamp(b"head")
    policy, _, _ = stamp_info(token)
    assert policy == "1.2.3.4.1"
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "data").write_bytes(b"head")
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "token", "-token_in", "-CAfile", str(authority.ca_path)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verification: OK" in run.stdout, run.stderr
    (tmp_path / "data").write_bytes(b"tail")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("mode", ["replay", "garbage", "error", "reject", "endless"])
async def test_an_answer_that_does_not_hold_is_refused(authority: Authority, mode: str) -> None:
    await client(authority).stamp(b"first")
    authority.mode = mode
    with pytest.raises(StampRefused):
        await client(authority).stamp(b"second")
    with pytest.raises(StampRefused):
        await client(authority).stamp(b"first")  # a replay of the right imprint still has the wrong nonce


async def test_an_authority_of_another_root_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with pytest.raises(StampRefused, match="does not hold"):
        await HttpTimeStamper(authority.url, (other.ca,)).stamp(b"head")


async def test_an_authority_that_is_away_is_told_in_time() -> None:
    other = HttpTimeStamper("http://127.0.0.1:9/tsr", (), timeout_s=2.0)
    with pytest.raises(StampRefused, match="unreachable"):
        await other.stamp(b"head")


async def test_the_seal_holds_the_stamp_of_its_head(case: Case, authority: Authority, tmp_path: Path) -> None:
    await sealer(case, client(authority)).seal(JOB)
    manifest = await manifest_of(case)
    (stamp,) = manifest["stamps"]
    assert (stamp["number"], stamp["chain_hash"]) == (manifest["ledger"]["entries"], manifest["ledger"]["chain_hash"])
    assert (stamp["simulated"], manifest["stamps_missing"]) == (False, [])
    await stamper(case, client(authority)).stamp(JOB)
    report = verify(await exported(case, tmp_path / "out"), case.key.fingerprint)
    assert report.problems == ()
    assert "Test CA" in report.summary
    assert "authority's signature is not checked here" in report.summary
    assert "时间戳 封存清单" in report.summary


async def test_the_simulator_is_named_as_what_it_is(case: Case, tmp_path: Path) -> None:
    simulator = SimulatedTimeStamper(tmp_path / "keys", case.clock)
    await sealer(case, simulator).seal(JOB)
    await stamper(case, simulator).stamp(JOB)
    await stamper(case, simulator).stamp(JOB)
    package = await exported(case, tmp_path / "out")
    report = verify(package, case.key.fingerprint)
    assert report.problems == ()
    assert AUTHORITY in report.summary
    assert report.summary.count("SIMULATOR") == 2
    later = json.loads((package / "sitting-1" / "stamps.json").read_bytes())["stamps"]
    assert [list(stamp)[-1] for stamp in later] == ["token"]
    assert "manifest_sha256" in later[0]
    assert SimulatedTimeStamper(tmp_path / "keys").certificate_pem == simulator.certificate_pem


async def test_an_authority_that_is_away_never_holds_up_the_seal(case: Case, authority: Authority, tmp_path: Path) -> None:
    authority.mode = "error"
    await sealer(case, client(authority)).seal(JOB)
    manifest = await manifest_of(case)
    number = manifest["ledger"]["entries"]
    assert manifest["stamps"] == []
    assert manifest["stamps_missing"] == [{"number": number, "cause": "answered 503 text/plain"}]
    report = verify(await exported(case, tmp_path / "without"))
    assert report.problems == ()
    assert f"账本第{number}条未加盖时间戳" in report.summary
    case.clock.at += timedelta(minutes=5)
    with pytest.raises(RetryLater):
        await stamper(case, client(authority)).stamp(JOB)
    authority.mode = "stamp"
    await stamper(case, client(authority)).stamp(JOB)
    report = verify(await exported(case, tmp_path / "with"))
    assert report.problems == ()
    assert "未加盖时间戳" not in report.summary
    assert f"时间戳 账本第{number}条" in report.summary


async def test_a_running_sitting_is_stamped_when_its_ledger_has_grown(case: Case, tmp_path: Path) -> None:
    async with case.database.transaction() as connection:
        await connection.execute(update(t.sittings).values(closed_at=None))
    work = stamper(case, SimulatedTimeStamper(tmp_path / "keys", case.clock))

    async def due() -> int:
        written = await ask_for_stamps(work)
        async with case.database.transaction() as connection:
            await connection.execute(update(t.jobs).values(state="done"))
        for _ in range(written):
            await work.stamp(JOB)
        return written

    assert await ask_for_stamps(work) == 1
    assert await ask_for_stamps(work) == 0, "one that is asked for is not asked for again"
    async with case.database.transaction() as connection:
        await connection.execute(update(t.jobs).values(state="done"))
    assert [await due(), await due()] == [1, 0]
    case.clock.at += timedelta(hours=2)
    assert await due() == 0, "nothing new to stamp"
    await case.tell(law.NoteAdded(at(8500), "再次说明。"), PEOPLE[1])
    assert [await due(), await due()] == [1, 0]
    await case.tell(law.NoteAdded(at(8600), "再次说明。"), PEOPLE[1])
    case.clock.at += timedelta(minutes=30)
    assert await due() == 0, "within the hour"
    async with case.database.read() as connection:
        stamped = list((await connection.execute(select(t.stamps.c.number).order_by(t.stamps.c.number))).scalars())
        head = await head_of(connection, SITTING)
    assert head is not None
    assert stamped == [head[0] - 2, head[0] - 1]


def test_the_settings_are_hourly() -> None:
    assert StampSettings().every_s == 3600.0


TAMPERINGS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another hash": (lambda s: s.update(chain_hash="0" * 64), "is not in the record"),
    "another entry": (lambda s: s.update(number=3), "is not in the record"),
    "no entry": (lambda s: s.update(number=99), "is not in the record"),
    "token cut": (lambda s: s.update(token=base64.b64encode(base64.b64decode(s["token"])[:-9]).decode()), "cannot be read"),
    "no token": (lambda s: s.update(token="AAAA"), "cannot be read"),
    "not base64": (lambda s: s.update(token="!"), "cannot be read"),
    "labelled as real": (lambda s: s.update(simulated=False), "not labelled"),
}


async def test_a_stamp_that_does_not_fit_is_found_even_when_the_court_signed_it(case: Case, tmp_path: Path) -> None:
    await sealer(case, SimulatedTimeStamper(tmp_path / "keys", case.clock)).seal(JOB)
    package = await exported(case, tmp_path / "out")
    path = package / "sitting-1" / "manifest.json"
    honest = path.read_bytes()
    for name, (change, named) in TAMPERINGS.items():
        manifest = json.loads(honest)
        change(manifest["stamps"][0])
        path.write_bytes(canonical(manifest))
        path.with_name("manifest.sig.json").write_bytes(signature_bytes(case.key, "manifest.json", canonical(manifest)))
        report = verify(package, case.key.fingerprint)
        assert [problem for problem in report.problems if "[stamp]" in problem and named in problem], name


async def test_a_token_over_something_else_is_found(case: Case, tmp_path: Path) -> None:
    simulator = SimulatedTimeStamper(tmp_path / "keys", case.clock)

    class Elsewhere(SimulatedTimeStamper):
        async def stamp(self, data: bytes) -> bytes:
            return self.token(data + b"x")

    await sealer(case, Elsewhere(tmp_path / "keys", case.clock)).seal(JOB)
    report = verify(await exported(case, tmp_path / "out"))
    assert "token is over something else" in "\n".join(report.problems)
    assert stamp_info(simulator.token(b"x"))[2] == case.clock.at.strftime("%Y%m%d%H%M%SZ")
