"""Versions of the transcript beside the sealed draft: in the package, by access class, verified; two of them compared."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import insert

from hearing.access import AccessClass
from record import store as record_store
from record.access import Classes
from record.course import course_of
from record.package import Archive, export_hearing
from record.transcript_versions import readable, version_lines
from record.verify import verify
from storage import tables as t
from tests.integration.record_case import COURT, HEARING, JUDGE, PLAINTIFF, SITTING, Case, at
from tests.integration.voiced_case import SimulatedRecognizer, correct, pass_over, spoken, voiced_case
from transcripts import versions
from transcripts.diff import diff


async def make(case: Case, number: int, model: str = "simulated") -> None:
    if number > 1:
        async with case.database.transaction() as connection:
            assert await versions.ask_for(connection, SITTING, COURT, case.clock.now(), requested_by=JUDGE) == number
    job = {"sitting_id": SITTING, "version": number, "engine": "final"}
    await pass_over(case, SimulatedRecognizer(model), speech_ms=60_000).make(job)


async def test_a_finished_version_is_a_signed_item_of_the_package(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        corrected = f"{SITTING}:{JUDGE}-audio@{spoken()[0].t0_ms - 200}"
        await correct(case, corrected, "请被告答辩。")
        before = await export_hearing(Archive(case.database, case.objects, case.key), HEARING, tmp_path / "before")
        await make(case, 1)
        async with case.database.transaction() as connection:  # by ruling, after the seal
            await connection.execute(
                insert(t.access_orders).values(
                    id="aord_1", court_id=COURT, sitting_id=SITTING, track_id=f"{PLAINTIFF}-audio", t0_ms=0, t1_ms=60_000,
                    access="sealed", ruling="（2026）沪0106民初1234号裁定", ordered_by=JUDGE, at=case.clock.now(),
                )
            )  # fmt: skip
        whole = await export_hearing(Archive(case.database, case.objects, case.key), HEARING, tmp_path / "whole")
        parties = await export_hearing(
            Archive(case.database, case.objects, case.key), HEARING, tmp_path / "parties", holder=AccessClass.PARTIES
        )
        for package in (before, whole, parties):
            assert verify(package, case.key.fingerprint).complete, verify(package, case.key.fingerprint).problems
        assert (before / "sitting-1/transcript.json").read_bytes() == (whole / "sitting-1/transcript.json").read_bytes()
        folder = whole / "sitting-1/transcript"
        document = json.loads((folder / "version-1.json").read_text(encoding="utf-8"))
        assert (document["notice"], document["kind"], document["version"]) == ("机器识别，非笔录", "final_pass", 1)
        assert document["engine"]["model_sha256"] == SimulatedRecognizer().engine.model_sha256
        texts = [line["text"] for line in document["lines"]]
        assert texts[0] == "请被告答辩。"
        assert len(texts) == len(spoken()) - 1  # without the plaintiff's words, which were sealed
        assert PLAINTIFF not in (folder / "version-1.json").read_text(encoding="utf-8")
        assert len(json.loads((folder / "sealed/version-1.json").read_text(encoding="utf-8"))["lines"]) == len(spoken())
        assert not (parties / "sitting-1/transcript/sealed").exists()
        for form in ("version-1.vtt", "version-1.txt"):
            text = (folder / form).read_text(encoding="utf-8")
            assert "机器识别，非笔录" in text
            assert f"simulated {SimulatedRecognizer().engine.model_sha256[:8]}" in text
        (folder / "version-1.txt").write_text("别的话", encoding="utf-8")
        assert not verify(whole, case.key.fingerprint).complete


async def test_another_engine_gives_another_version_and_the_two_can_be_compared(tmp_path: Path) -> None:
    async with voiced_case(tmp_path) as case:
        await correct(case, f"{SITTING}:{JUDGE}-audio@{spoken()[0].t0_ms - 200}", "请被告答辩。")
        await make(case, 1)
        await make(case, 2, "another")
        async with case.database.read() as connection:
            material = await record_store.material_of(connection, SITTING)
            live, first, second = [await version_lines(connection, SITTING, number) for number in (0, 1, 2)]
            assert await version_lines(connection, SITTING, 3) is None
            assert [version.engine and version.engine.model for version in await versions.versions_of(connection, SITTING)] == [
                "simulated", "another",
            ]  # fmt: skip
        assert live is not None
        assert first is not None
        assert second is not None
        assert [row.change for row in diff(live, first)] == ["same", *["changed"] * (len(spoken()) - 2), "added"]
        rows = diff(first, second)
        assert [row.change for row in rows] == ["same", *["changed"] * (len(spoken()) - 1)]
        for row in rows:
            assert "".join(p.text for p in row.pieces if p.kind != "added") == row.old[0].text
            assert "".join(p.text for p in row.pieces if p.kind != "removed") == row.new[0].text
        assert material is not None
        course = course_of(material.entries, at(60_000))
        assert course is not None
        assert readable(first, Classes(course), AccessClass.PARTIES) == list(first)
