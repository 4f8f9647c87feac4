"""起止与中断情况记录 and 故障说明: drafted from the ledger, confirmed, signed, never changed, in the package (AV-3, AV-4)."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DBAPIError

from hearing import events as e
from hearing.commands import BeginFault, EndFault
from hearing.ledger import read_entry
from hearing.model import SYSTEM, SittingId
from record.package import Archive, export_hearing
from record.statement_jobs import Drafter
from record.statements import sha256_of
from record.verify import verify
from storage.tables import statements
from tests.integration.record_case import HEARING, SITTING, open_full_case
from tests.integration.signaling_bed import Bed, Browser, court_house


async def held(bed: Bed) -> tuple[Browser, Browser]:
    """A sitting with a recess and a fault, closed; judge and clerk."""
    clerk = await bed.joined("clerk")
    judge = await bed.in_session()
    track = f"{bed.ids['plaintiff']}-audio"
    await bed.parts.hearings.execute(SittingId(bed.sitting_id), BeginFault("disk_full", track, "errno 28 on writing"), SYSTEM)
    assert (await judge.send("sitting.adjourn"))["ok"]
    assert (await judge.send("sitting.resume"))["ok"]
    await bed.parts.hearings.execute(SittingId(bed.sitting_id), EndFault("disk_full"), SYSTEM)
    gap = {
        "type": "gap.found", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "kind": "audio", "t0_ms": 0,
        "t1_ms": 5, "cause": "disk_full",
    }  # fmt: skip
    await bed.report(gap)
    assert (await judge.send("sitting.close"))["ok"]
    return judge, clerk


def path(bed: Bed, rest: str = "") -> str:
    return f"/api/sittings/{bed.sitting_id}/statements{rest}"


async def drafts(bed: Bed, person: Browser) -> dict[str, dict[str, Any]]:
    status, found = await person.post(path(bed))
    assert status == 200, found
    return {one["kind"]: one for one in found}


async def document_of(bed: Bed, statement_id: str) -> dict[str, Any]:
    async with bed.parts.database.read() as connection:
        query = select(statements.c.document).where(statements.c.id == statement_id)
        document: dict[str, Any] = (await connection.execute(query)).scalar_one()
        return document


async def test_the_clerk_confirms_and_the_judge_signs_what_the_ledger_tells(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge, clerk = await held(bed)
        drafted = await drafts(bed, clerk)
        assert {kind: one["state"] for kind, one in drafted.items()} == {"course": "drafted", "fault": "drafted"}
        again = await drafts(bed, judge)
        assert {kind: one["id"] for kind, one in again.items()} == {kind: one["id"] for kind, one in drafted.items()}
        assert [one["may"] for one in (*drafted.values(), *again.values())] == ["confirm", "confirm", "", ""]

        course = await document_of(bed, drafted["course"]["id"])
        assert [(span["cause"], span["recorded"], span["interrupted"]) for span in course["spans"]] == [
            ("宣布开庭", "full", False), ("休庭", "none", True), ("恢复庭审", "full", False),
        ]  # fmt: skip
        assert course["spans"][1]["author"] == "审判长审判长甲"
        fault = await document_of(bed, drafted["fault"]["id"])
        assert [(one["code"], one["tracks"], one["ended_number"] is not None) for one in fault["faults"]] == [
            ("disk_full", ["原告张某的声音"], True)
        ]
        assert [(gap["track"], gap["cause"]) for gap in fault["gaps"]] == [("原告张某的声音", "disk_full")]

        one = drafted["course"]
        told = {"sha256": one["sha256"], "remarks": "休庭系合议需要。"}
        assert (await judge.post(path(bed, f"/{one['id']}/confirm"), told))[0] == 403, "the clerk's, not the judge's"
        early = {"sha256": one["sha256"]}
        assert (await judge.post(path(bed, f"/{one['id']}/sign"), early))[1]["code"] == "statement_not_open"
        status, found = await clerk.post(path(bed, f"/{one['id']}/confirm"), told)
        assert status == 200, found
        confirmed = next(row for row in found if row["id"] == one["id"])
        assert (confirmed["state"], confirmed["remarks"], confirmed["confirmed_by"]) == (
            "confirmed",
            told["remarks"],
            "书记员书记员丁",
        )
        assert confirmed["sha256"] == sha256_of(await document_of(bed, one["id"])) != one["sha256"]
        signature = {"sha256": confirmed["sha256"]}
        assert (await clerk.post(path(bed, f"/{one['id']}/sign"), signature))[0] == 403
        assert (await judge.post(path(bed, f"/{one['id']}/sign"), early))[1]["code"] == "statement_not_open"
        status, found = await judge.post(path(bed, f"/{one['id']}/sign"), signature)
        signed = next(row for row in found if row["id"] == one["id"])
        assert (status, signed["state"], signed["signed_by"]) == (200, "signed", "审判长审判长甲")
        assert (await judge.post(path(bed, f"/{one['id']}/sign"), signature))[1]["code"] == "statement_not_open"

        entries = [read_entry(sealed.entry) for sealed in await bed.parts.hearings.ledger(SittingId(bed.sitting_id))]
        acts = [(type(entry.event), entry.participant_id, entry.event.sha256) for entry in entries
                if isinstance(entry.event, e.StatementConfirmed | e.StatementSigned)]  # fmt: skip
        assert acts == [
            (e.StatementConfirmed, bed.ids["clerk"], confirmed["sha256"]), (e.StatementSigned, bed.ids["presiding"], confirmed["sha256"]),
        ]  # fmt: skip


async def test_what_is_signed_is_never_changed_not_even_by_the_database(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge, clerk = await held(bed)
        one = (await drafts(bed, clerk))["fault"]
        _, found = await clerk.post(path(bed, f"/{one['id']}/confirm"), {"sha256": one["sha256"], "remarks": ""})
        sha256 = next(row["sha256"] for row in found if row["id"] == one["id"])
        assert (await judge.post(path(bed, f"/{one['id']}/sign"), {"sha256": sha256}))[0] == 200
        row = statements.c.id == one["id"]
        for change in (update(statements).where(row).values(sha256="0" * 64), delete(statements).where(row)):
            with pytest.raises(DBAPIError):
                async with bed.parts.database.transaction() as connection:
                    await connection.execute(change)
        assert (await drafts(bed, clerk))["fault"]["id"] == one["id"]


async def test_parties_see_what_is_signed_and_can_print_it(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge, clerk = await held(bed)
        plaintiff = await bed.person("plaintiff")
        one = (await drafts(bed, clerk))["course"]
        page = path(bed, f"/{one['id']}/page")
        assert (await plaintiff.get(path(bed)), (await plaintiff.get(page))[0]) == ((200, []), 404)
        assert (await plaintiff.post(path(bed)))[0] == 403
        _, found = await clerk.post(path(bed, f"/{one['id']}/confirm"), {"sha256": one["sha256"], "remarks": "<b>无</b>"})
        sha256 = next(row["sha256"] for row in found if row["id"] == one["id"])
        await judge.post(path(bed, f"/{one['id']}/sign"), {"sha256": sha256})
        assert [row["id"] for row in (await plaintiff.get(path(bed)))[1]] == [one["id"]]
        status, html = await plaintiff.get(page)
        text = html.decode()
        assert status == 200
        assert "&lt;b&gt;无&lt;/b&gt;" in text
        assert sha256 in text
        assert (await (await bed.person("observer")).get(page))[0] == 403


async def test_during_the_sitting_a_draft_can_be_read_and_not_confirmed(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        clerk, _ = await bed.joined("clerk"), await bed.in_session()
        one = (await drafts(bed, clerk))["course"]
        status, refused = await clerk.post(path(bed, f"/{one['id']}/confirm"), {"sha256": one["sha256"], "remarks": ""})
        assert (status, refused["code"]) == (409, "not_now")


async def test_the_package_holds_the_statements_and_its_verifier_finds_a_changed_one(tmp_path: Path) -> None:
    async with open_full_case(tmp_path) as case:
        drafter = Drafter(case.database, case.clock)
        for _ in range(2):  # the job may run again
            await drafter.draft({"sitting_id": SITTING})
        package = await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, tmp_path / "out")
        written = sorted((package / "sitting-1" / "statements").glob("*.json"))
        assert [one.name for one in written] == ["course-v1.json", "fault-v1.json"]
        assert all(one.with_suffix(".html").read_text(encoding="utf-8").startswith("<!doctype html>") for one in written)
        gaps = json.loads(written[1].read_text(encoding="utf-8"))["document"]["gaps"]
        assert "media_restart" in [gap["cause"] for gap in gaps]
        assert verify(package, case.key.fingerprint).complete
        written[0].write_text(written[0].read_text(encoding="utf-8").replace("审判长", "书记员"), encoding="utf-8")
        found = verify(package, case.key.fingerprint)
        assert any("course-v1.json" in problem for problem in found.problems)
