"""Who gets which package: a closed part, an order after the seal, a destroyed key; each holder's package verifies and says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from sqlalchemy import insert, update

from hearing import events as law
from hearing.access import AccessClass
from hearing.errors import NotPermitted
from hearing.model import Keeping, Part
from record.package import Archive, export_hearing
from record.signing import signature_bytes
from record.verify import Report, canonical, verify
from storage import tables as t
from storage.data_keys import KeyDestroyed
from storage.objects import segment_key
from tests.integration.record_case import (
    COURT,
    HEARING,
    JUDGE,
    PEOPLE,
    PLAINTIFF,
    SITTING,
    Case,
    add_recording,
    add_speech,
    at,
    chunks,
    files_of,
    open_case,
    pdf,
)

ROOT = Path(__file__).resolve().parents[2]
SECRET, NOTE, PANEL_NOTE = "密方为甲乙丙", "被告称密方已泄露", "合议时的记录"


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    """Eight seconds: open, a closed part from 2 to 4 s that is recorded and sealed, deliberation to 6 s, open again."""
    async with open_case(tmp_path / "court") as case:
        judge, clerk, plaintiff = PEOPLE[0], PEOPLE[1], PEOPLE[2]
        exhibit = await case.registry.submit(HEARING, plaintiff, "借条.pdf", "借条", "证明借贷关系", chunks(pdf()))
        for person in PEOPLE:
            await case.tell(law.ParticipantEntered(at(-8000), person.id), person)
        await case.tell(law.SittingOpened(at(0)), judge)
        await case.tell(law.ExhibitShown(at(500), exhibit.id, 1, PLAINTIFF), plaintiff)
        await case.tell(law.ExhibitWithdrawn(at(1500), exhibit.id, 1), plaintiff)
        await case.tell(law.PartBegan(at(2000), Part.CLOSED, Keeping.SEALED, "涉及商业秘密，不公开质证"), judge)
        await case.tell(law.ExhibitShown(at(2200), exhibit.id, 2, PLAINTIFF), plaintiff)
        await case.tell(law.ExhibitWithdrawn(at(2800), exhibit.id, 2), plaintiff)
        await case.tell(law.NoteAdded(at(3000), NOTE), clerk)
        await case.tell(law.PartEnded(at(4000), Part.CLOSED), judge)
        await case.tell(law.PartBegan(at(4000), Part.DELIBERATION, Keeping.NONE, "休庭合议"), judge)
        await case.tell(law.NoteAdded(at(5000), PANEL_NOTE), judge)
        await case.tell(law.PartEnded(at(6000), Part.DELIBERATION), judge)
        await case.tell(law.SittingClosed(at(8000)), judge)
        await add_recording(case)
        await add_speech(case)
        await speak_in_the_closed_part(case)
        await case.sealer().seal({"sitting_id": SITTING})
        yield case


async def speak_in_the_closed_part(case: Case) -> None:
    track_id = f"{PLAINTIFF}-audio"
    async with case.database.transaction() as connection:
        await connection.execute(update(t.segments).where(t.segments.c.index == 1).values(access="sealed"))
        await connection.execute(
            insert(t.utterances).values(
                id=f"{track_id}@2100", court_id=COURT, sitting_id=SITTING, participant_id=PLAINTIFF, track_id=track_id,
                t0_ms=2100, t1_ms=2900, text=SECRET, raw_text=SECRET, confidence=0.9, words=[], engine={
                    "name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8" * 8, "parameters": "{}",
                }, origin="live", created_at=at(3800),
            )
        )  # fmt: skip


async def exported(case: Case, folder: Path, holder: AccessClass) -> Path:
    out = folder / f"package-{holder}"
    return await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, out, holder)


def everything(package: Path) -> bytes:
    return b"".join(path.read_bytes() for path in files_of(package))


def checked(case: Case, package: Path) -> Report:
    """Valid against both schemas, and against the court's key."""
    for name, path in (("package", package / "package.json"), ("manifest", package / "sitting-1" / "manifest.json")):
        schema = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        assert list(jsonschema.Draft202012Validator(schema).iter_errors(json.loads(path.read_bytes()))) == []
    report = verify(package, case.key.fingerprint)
    assert report.problems == ()
    return report


async def test_each_holder_gets_their_class_and_it_verifies(case: Case, tmp_path: Path) -> None:
    packages = {
        holder: await exported(case, tmp_path, holder)
        for holder in (AccessClass.PARTIES, AccessClass.PANEL, AccessClass.SEALED)
    }
    found = {holder: everything(package) for holder, package in packages.items()}
    reports = {holder: checked(case, package) for holder, package in packages.items()}
    kept_back = {AccessClass.PARTIES: (SECRET, NOTE, PANEL_NOTE), AccessClass.PANEL: (SECRET, NOTE), AccessClass.SEALED: ()}
    for holder, words in kept_back.items():
        for word in (SECRET, NOTE, PANEL_NOTE):
            assert (word.encode() in found[holder]) == (word not in words), (holder, word)
        assert "涉及商业秘密，不公开质证".encode() in found[holder], (
            "that there was a part, and why, everybody of the case learns"
        )
    assert len({(package / "sitting-1" / "manifest.json").read_bytes() for package in packages.values()}) == 1
    assert reports[AccessClass.SEALED].withheld == 0
    assert 0 < reports[AccessClass.PANEL].withheld < reports[AccessClass.PARTIES].withheld
    assert f"{reports[AccessClass.PARTIES].withheld} file(s) withheld by class" in reports[AccessClass.PARTIES].summary
    assert "隐去 4 条" in reports[AccessClass.PARTIES].summary
    assert "隐去 0 条" in reports[AccessClass.SEALED].summary


async def test_the_manifest_of_all_names_nothing_of_the_closed_part(case: Case, tmp_path: Path) -> None:
    package = await exported(case, tmp_path, AccessClass.PARTIES)
    manifest = json.loads((package / "sitting-1" / "manifest.json").read_bytes())
    assert [(shown["page"], shown["t0_ms"]) for shown in manifest["showings"]] == [(1, 500)]
    assert [transcript["access"] for transcript in manifest["transcripts"]] == ["parties", "panel", "sealed"]
    whole = await exported(case, tmp_path, AccessClass.SEALED)
    annex = json.loads((whole / "sitting-1" / "sealed" / "annex.json").read_bytes())
    assert [(shown["page"], shown["t0_ms"]) for shown in annex["showings"]] == [(2, 2200)]
    lines = json.loads((whole / "sitting-1" / "sealed" / "transcript.json").read_bytes())["lines"]
    assert len(lines) == manifest["transcripts"][2]["lines"] > manifest["transcripts"][0]["lines"]


async def test_who_has_less_than_the_parties_gets_nothing(case: Case, tmp_path: Path) -> None:
    with pytest.raises(NotPermitted):
        await exported(case, tmp_path, AccessClass.PUBLIC)


async def order(case: Case, access: str) -> None:
    async with case.database.transaction() as connection:
        await connection.execute(
            insert(t.access_orders).values(
                id="order_1", court_id=COURT, sitting_id=SITTING, track_id="", t0_ms=0, t1_ms=1500, access=access,
                ruling="涉及未成年人", ordered_by=JUDGE, at=case.clock.at,
            )
        )  # fmt: skip


async def test_an_order_after_the_seal_takes_it_out_of_new_packages(case: Case, tmp_path: Path) -> None:
    before = await exported(case, tmp_path / "before", AccessClass.PARTIES)
    assert "现在开庭".encode() in everything(before)
    await order(case, "panel")
    package = await exported(case, tmp_path / "after", AccessClass.PARTIES)
    report = checked(case, package)
    assert report.withheld > checked(case, before).withheld
    assert not (package / "sitting-1" / "media" / f"{JUDGE}-audio" / "000000.webm").exists()
    left = json.loads((package / "sitting-1" / "left" / "transcript.json").read_bytes())["lines"]
    assert "现在开庭".encode() not in everything(package)
    assert left, "what the order does not touch stays"
    assert checked(case, await exported(case, tmp_path / "after", AccessClass.SEALED)).withheld == 0


async def test_what_was_destroyed_by_ruling_is_declared(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = segment_key(COURT, SITTING, f"{JUDGE}-audio", 0)
    get = type(case.objects).get

    async def without(self: Any, key: str, **span: Any) -> bytes:
        if key == gone:
            raise KeyDestroyed(key)
        return await get(self, key, **span)

    monkeypatch.setattr(type(case.objects), "get", without)
    package = await exported(case, tmp_path, AccessClass.SEALED)
    report = checked(case, package)
    assert report.withheld == 1
    assert "1 file(s) destroyed by ruling" in report.summary


def resign(case: Case, package: Path, **changes: Any) -> Report:
    """package.json changed as the court itself could by mistake."""
    document = json.loads((package / "package.json").read_bytes()) | changes
    (package / "package.json").write_bytes(canonical(document))
    (package / "package.sig.json").write_bytes(signature_bytes(case.key, "package.json", canonical(document)))
    return verify(package, case.key.fingerprint)


async def test_nothing_is_hidden_behind_withholding(case: Case, tmp_path: Path) -> None:
    """What the class may have, what proves the rest, what is there, or another content than was sealed: none passes."""
    original = await exported(case, tmp_path, AccessClass.PARTIES)
    listed = json.loads((original / "package.json").read_bytes())
    kept, withheld = listed["files"], listed["withheld"]

    def dropped(path: str, **change: str) -> Report:
        package = Path(shutil.copytree(original, tmp_path / "copy"))
        try:
            (package / path).unlink()
            (entry,) = (entry for entry in kept if entry["path"] == path)
            hidden = {"path": path, "sha256": entry["sha256"], "access": "sealed"} | change
            return resign(case, package, files=[e for e in kept if e is not entry], withheld=[*withheld, hidden])
        finally:
            shutil.rmtree(package)

    segment = f"sitting-1/media/{JUDGE}-audio/000000.webm"
    for path in ("sitting-1/ledger.jsonl", "sitting-1/manifest.json", "sitting-1/manifest.sig.json", "verify.py"):
        assert "[withheld]" in "\n".join(dropped(path).problems), path
    assert "[withheld]" in "\n".join(dropped(segment, access="parties").problems)
    assert "[withheld]" in "\n".join(dropped(segment, sha256="0" * 64).problems)
    assert dropped(segment).complete, "withheld by class, as the court declared and signed"
    package = Path(shutil.copytree(original, tmp_path / "copy"))
    there = {"path": segment, "sha256": "0" * 64, "access": "sealed"}
    assert "[withheld]" in "\n".join(resign(case, package, withheld=[*withheld, there]).problems)
    assert "[missing]" in "\n".join(resign(case, package, withheld=[]).problems)
    assert "[withheld]" in "\n".join(resign(case, package, access="sealed", withheld=withheld).problems)
    assert "[malformed]" in "\n".join(resign(case, package, access="everybody").problems)
