"""Mutations of a real small package with everything in it: statements, stamps, hand-over of keys, withheld entries; folder and zip.

Whatever is changed by whoever holds no key of the court is found; `court verify`, verify.py alone and the library say the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from court.cli import main as court
from hearing import events as law
from hearing.access import AccessClass
from hearing.ledger import chain_hash, entry_hash, first_link
from record.keys import CourtKey, court_key, rotate
from record.package import Archive, export_hearing
from record.seal import Sealer, SealSettings
from record.signing import signature_bytes
from record.simulated_tsa import SimulatedTimeStamper
from record.sm2 import Sm2PrivateKey
from record.stamping import Stamper
from record.statements import sha256_of
from record.verify import Report, canonical, fingerprint_of, merkle_root, verify
from storage import tables as t
from tests.integration.record_case import COURT, HEARING, JUDGE, PEOPLE, SITTING, Case, at, files_of, open_full_case

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "sitting-1"
AUDIO = f"{FOLDER}/media/{JUDGE}-audio"
STATEMENT = f"{FOLDER}/statements/course-v1.json"


@dataclass(frozen=True)
class Original:
    """The folder of keys, a package, one of another court's day with the same ids and key, and the keys: as sealed, and as of today."""

    keys: Path
    package: Path
    other_day: Path
    sealed_with: CourtKey
    today: CourtKey


async def made(folder: Path, keys: Path, *, more: bool) -> Path:
    """Sealed with SM2, then the key is replaced; a signed statement; stamps; the parties' package."""
    async with open_full_case(folder / "court", sealed=False) as case:
        if more:
            await case.tell(law.NoteAdded(at(8200), "另一天。"), PEOPLE[1])
        key = court_key(keys, "sm2")
        stamper = Stamper(case.database, case.objects, SimulatedTimeStamper(keys, case.clock), case.clock)
        await Sealer(case.database, case.objects, key, case.clock, SealSettings(), stamper).seal({"sitting_id": SITTING})
        await stamper.stamp({"sitting_id": SITTING})
        await add_statement(case)
        if not more:
            key = rotate(keys, "sm2")[1]
        out = folder / "package"
        return await export_hearing(Archive(case.database, case.objects, key, case.clock), HEARING, out, AccessClass.PARTIES)


async def add_statement(case: Case) -> None:
    document: dict[str, Any] = {
        "kind": "course",
        "version": 1,
        "sitting_id": SITTING,
        "remarks": "",
        "intervals": [],
        "faults": [],
    }
    row = {"document": document, "sha256": sha256_of(document), "state": "signed", "kind": "course", "drafted_at": at(9000)}
    async with case.database.transaction() as connection:
        await connection.execute(
            insert(t.statements).values(
                id="stat_1", court_id=COURT, sitting_id=SITTING, **row, confirmed_by="part_clerk", confirmed_at=at(9100),
                signed_by=JUDGE, signed_at=at(9200),
            )
        )  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("mutations")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("record.statement_jobs.page_of", lambda *_: "<p>起止与中断情况记录</p>")
        other_day = asyncio.run(made(folder / "other", folder / "keys", more=True))
        sealed_with = court_key(folder / "keys", "sm2")
        package = asyncio.run(made(folder / "one", folder / "keys", more=False))
    return Original(folder / "keys", package, other_day, sealed_with, court_key(folder / "keys", "sm2"))


@pytest.fixture
def package(original: Original, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original.package, tmp_path / "package"))


def problems(report: Report) -> str:
    return "\n".join(report.problems)


def read(path: Path) -> Any:
    return json.loads(path.read_bytes())


def zipped(package: Path, target: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(target, "w", compression) as archive:
        for path in files_of(package):
            archive.write(path, path.relative_to(package).as_posix())
    return target


def test_the_package_holds_everything_and_is_whole(original: Original) -> None:
    names = {path.relative_to(original.package).as_posix() for path in files_of(original.package)}
    assert {"keys.json", STATEMENT, f"{FOLDER}/stamps.json", f"{FOLDER}/ledger.jsonl", f"{AUDIO}/000000.webm"} <= names
    assert original.sealed_with.fingerprint != original.today.fingerprint
    for key in (original.today, original.sealed_with):
        report = verify(original.package, key.fingerprint)
        assert (report.problems, report.signer_compared) == ((), True)
        assert "the keys follow one another" in report.summary


@pytest.mark.parametrize("form", ["folder", "stored", "packed"])
def test_every_way_of_verifying_says_the_same(
    form: str, original: Original, package: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for damage in (False, True):
        if damage:
            (package / AUDIO / "000001.webm").unlink()
        path = package
        if form != "folder":
            kind = zipfile.ZIP_STORED if form == "stored" else zipfile.ZIP_DEFLATED
            path = zipped(package, tmp_path / f"package-{damage}.zip", kind)
        arguments = [str(path), "--key", original.today.fingerprint]
        alone = [sys.executable, "-I", "-S", str(original.package / "verify.py"), *arguments]
        bare = subprocess.run(alone, capture_output=True, text=True, check=False, encoding="utf-8")
        status = court(["verify", *arguments])
        report = verify(path, original.today.fingerprint)
        assert (bare.returncode, bare.stdout, bare.stderr) == (status, capsys.readouterr().out, "")
        assert (status == 0, report.complete) == (not damage, not damage)
        assert bare.stdout.startswith(report.summary)


KINDS: dict[str, Callable[[str], bool]] = {
    "media": lambda name: name.endswith(".webm"), "exhibit": lambda name: name.startswith("exhibits/"),
    "manifest": lambda name: name.endswith("/manifest.json"), "list": lambda name: name == "package.json",
    "signature": lambda name: name.endswith(".sig.json"), "ledger": lambda name: name.endswith("ledger.jsonl"),
    "transcript": lambda name: "/transcript." in name, "stamps": lambda name: name.endswith("stamps.json"),
    "statement": lambda name: "/statements/" in name, "keys": lambda name: name == "keys.json",
    "verifier": lambda name: name in ("verify.py", "说明.txt"),
}  # fmt: skip


@contextmanager
def altered(path: Path, content: bytes | None) -> Iterator[None]:
    before = path.read_bytes()
    try:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        yield
    finally:
        path.write_bytes(before)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_file_flipped_cut_grown_or_dropped(kind: str, package: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = sorted(p.relative_to(package).as_posix() for p in files_of(package))
    name = chance.choice([name for name in names if KINDS[kind](name)])
    before = (package / name).read_bytes()
    place = chance.randrange(len(before))
    flipped = before[:place] + bytes([before[place] ^ chance.randrange(1, 256)]) + before[place + 1 :]
    changed = chance.choice([flipped, before[:place], before[place:] or b"\n", before + b"\n", b"", None])
    with altered(package / name, changed if changed != before else flipped):
        report = verify(package)
        assert report.verdict == "damaged"
        assert name.rsplit("/", maxsplit=1)[-1] in problems(report) or kind in ("signature", "list")


def forge(package: Path, key: CourtKey, change: Callable[[dict[str, Any]], object] = lambda _manifest: None) -> None:
    """Whatever a forger can do: make every hash and list agree with what lies there, then sign all with `key`."""
    folder = package / FOLDER
    manifest = read(folder / "manifest.json")
    change(manifest)
    for track in manifest["tracks"]:
        previous = ""
        for index, segment in enumerate(track["segments"]):
            data = (folder / "media" / track["track_id"] / f"{index:06d}.webm").read_bytes()
            segment |= {"index": index, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            segment |= {"sm3": hashlib.new("sm3", data).hexdigest(), "prev_sha256": previous}
            previous = segment["sha256"]
        track["end"] = {"segments": len(track["segments"]), "last_sha256": previous}
    manifest["files"] = [entry for entry in manifest["files"] if (folder / entry["path"]).exists()]
    for entry in manifest["files"]:
        data = (folder / entry["path"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["merkle_root"] = merkle_root((e["path"], e["sha256"]) for e in (*manifest["files"], *manifest["exhibits"]))
    for transcript in manifest["transcripts"]:
        transcript["sha256"] = hashlib.sha256((folder / transcript["path"]).read_bytes()).hexdigest()
    manifest["stamps"] = []
    (folder / "stamps.json").unlink(missing_ok=True)
    (folder / "manifest.json").write_bytes(canonical(manifest))
    (folder / "manifest.sig.json").write_bytes(signature_bytes(key, "manifest.json", canonical(manifest)))
    (package / "keys.json").unlink(missing_ok=True)
    sign_list(package, key)


def sign_list(package: Path, key: CourtKey) -> None:
    document = read(package / "package.json")
    document["sittings"][0]["manifest_sha256"] = hashlib.sha256((package / FOLDER / "manifest.json").read_bytes()).hexdigest()
    names = {p.relative_to(package).as_posix() for p in files_of(package)} - {"package.json", "package.sig.json"}
    document["files"] = [
        {"path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name in sorted(names) for data in [(package / name).read_bytes()]
    ]  # fmt: skip
    (package / "package.json").write_bytes(canonical(document))
    (package / "package.sig.json").write_bytes(signature_bytes(key, "package.json", canonical(document)))


def cut_tail(manifest: dict[str, Any]) -> None:
    """Leave the last segment of a track out, of the picture too: the recording ends earlier."""
    for track in manifest["tracks"]:
        track["segments"].pop()
        manifest["gaps"].append({"track_id": track["track_id"], "t0_ms": 6000, "t1_ms": 8000, "cause": "absent",
                                 "participant_id": track["participant_id"], "kind": track["kind"], "number": None})  # fmt: skip


def rehash_ledger(package: Path, change: Callable[[list[dict[str, Any]]], object]) -> tuple[int, str]:
    """Alter the ledger and chain it anew from the start, as who can compute SHA-256 may."""
    path, chain = package / FOLDER / "ledger.jsonl", first_link(SITTING)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    change(lines)
    for number, line in enumerate(lines, start=1):
        inside = json.loads(line["entry"]) | {"number": number}
        line |= {"number": number, "entry": canonical(inside).decode()}
        chain = chain_hash(chain, entry_hash(bytes.fromhex(line["salt"]), line["entry"].encode()))
        line["chain_hash"] = chain
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))
    return len(lines), chain


def forged_cut(package: Path, key: CourtKey) -> None:
    for track in read(package / FOLDER / "manifest.json")["tracks"]:
        (package / FOLDER / "media" / track["track_id"] / f"{len(track['segments']) - 1:06d}.webm").unlink()
    forge(package, key, cut_tail)


def forged_swap(package: Path, key: CourtKey) -> None:
    first, second = package / AUDIO / "000000.webm", package / AUDIO / "000001.webm"
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    forge(package, key)


def forged_duplicate(package: Path, key: CourtKey) -> None:
    shutil.copy(package / AUDIO / "000000.webm", package / AUDIO / "000001.webm")
    forge(package, key)


def forged_ledger(package: Path, key: CourtKey) -> None:
    entries, head = rehash_ledger(package, lambda lines: lines.pop(8))
    forge(package, key, lambda manifest: manifest["ledger"].update(entries=entries, chain_hash=head))


def forged_words(package: Path, key: CourtKey) -> None:
    path = package / FOLDER / "transcript.json"
    path.write_bytes(path.read_bytes().replace("开庭".encode(), "闭庭".encode()))
    forge(package, key)


FORGERIES = {
    "tail cut": forged_cut, "segments swapped": forged_swap, "segment doubled": forged_duplicate,
    "ledger entry removed and chained anew": forged_ledger, "words altered": forged_words,
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("algorithm", ["Ed25519", "SM2"])
def test_a_thorough_forger_is_found_by_the_key_and_only_by_it(
    name: str, algorithm: str, original: Original, package: Path
) -> None:
    """The forger signs consistently with an own key: the contents agree, so only the court's fingerprint tells."""
    forger = CourtKey(Ed25519PrivateKey.generate() if algorithm == "Ed25519" else Sm2PrivateKey.generate())
    FORGERIES[name](package, forger)
    without = verify(package)
    assert without.problems == ()
    assert (without.signer_compared, "signer not compared" in without.summary) == (False, True)
    for key in (original.today, original.sealed_with):
        report = verify(package, key.fingerprint)
        assert {problem.split("：")[0] for problem in report.problems} == {
            "[signer] package.sig.json", f"[signer] {FOLDER}/manifest.sig.json",
        }  # fmt: skip


def test_a_cut_tail_is_found_where_the_manifest_stays(package: Path) -> None:
    """Without signing anew, each way of shortening the record is found."""
    (package / AUDIO / "000002.webm").unlink()
    assert f"[missing] {AUDIO}/000002.webm" in problems(verify(package))


def test_a_ledger_chained_anew_is_found(package: Path) -> None:
    path = package / FOLDER / "ledger.jsonl"
    honest = path.read_bytes()
    for change in (
        lambda lines: lines.pop(8),
        lambda lines: lines[8].update(entry=lines[8]["entry"].replace("identity", "debate")),
    ):
        rehash_ledger(package, change)
        found = problems(verify(package))
        assert "账本头不符" in found
        assert f"[changed] {FOLDER}/ledger.jsonl" in found
        path.write_bytes(honest)


def test_the_manifest_of_another_day_is_found(original: Original, package: Path) -> None:
    """Both are genuinely signed by the court, of a sitting with the same id and case number."""
    for name in ("manifest.json", "manifest.sig.json"):
        shutil.copy(original.other_day / FOLDER / name, package / FOLDER / name)
    found = problems(verify(package, original.today.fingerprint))
    assert f"[changed] {FOLDER}/manifest.json" in found
    assert "not the sitting listed" in found


def test_the_list_of_another_day_is_found(original: Original, package: Path) -> None:
    for name in ("package.json", "package.sig.json"):
        shutil.copy(original.other_day / name, package / name)
    assert f"[changed] {FOLDER}/ledger.jsonl" in problems(verify(package, original.today.fingerprint))


def test_an_altered_statement_is_found_even_with_the_list_signed_by_the_court(original: Original, package: Path) -> None:
    statement = read(package / STATEMENT)
    statement["document"]["remarks"] = "没有中断"
    (package / STATEMENT).write_bytes(canonical(statement))
    assert f"[changed] {STATEMENT}" in problems(verify(package))
    sign_list(package, original.today)
    assert f"[changed] {STATEMENT}" in problems(verify(package, original.today.fingerprint))


def test_a_hand_over_that_the_old_key_did_not_sign_counts_for_nothing(original: Original, package: Path) -> None:
    """Who forges today's package with an own key cannot make it the successor of the court's."""
    forger = CourtKey(Sm2PrivateKey.generate())
    keys = read(package / "keys.json")
    (step,) = keys["successions"]
    assert fingerprint_of(bytes.fromhex(step["old"])) == original.sealed_with.fingerprint
    step |= {"new": forger.public_bytes.hex(), "new_signature": forger.sign(b"anything").hex()}
    (package / "keys.json").write_bytes(canonical(keys))
    sign_list(package, forger)
    found = problems(verify(package))
    assert "succession is not signed by both keys" in found
    assert "several signers" in found


def test_without_the_hand_over_two_signers_are_a_problem(original: Original, package: Path) -> None:
    (package / "keys.json").unlink()
    sign_list(package, original.today)
    assert "several signers" in problems(verify(package))
    assert f"[signer] {FOLDER}/manifest.sig.json" in problems(verify(package, original.today.fingerprint))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_zips_are_named_and_never_unpacked(original: Original, package: Path, tmp_path: Path) -> None:
    target = zipped(package, tmp_path / "package.zip")
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.bin", bytes(64 << 20))
        archive.writestr(f"{AUDIO}/000000.webm", b"double")
        archive.writestr("../climbs", b"x")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    report = verify(target, original.today.fingerprint)
    for named in ("[unsafe] bomb.bin", f"[duplicate] {AUDIO}/000000.webm", "[unsafe] ../climbs", "[unsafe] link"):
        assert named in problems(report)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["package", "package.zip"]


def test_a_bomb_in_place_of_a_listed_file_is_not_unpacked(package: Path, tmp_path: Path) -> None:
    name, target = f"{AUDIO}/000000.webm", tmp_path / "package.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(package):
            inside = path.relative_to(package).as_posix()
            archive.writestr(inside, bytes(200 << 20) if inside == name else path.read_bytes())
    found = problems(verify(target))
    assert f"[unsafe] {name}" in found
    assert f"[missing] {name}" in found


def test_a_swollen_file_is_not_read(package: Path) -> None:
    """A terabyte of holes in place of a segment: found by its length."""
    with (package / AUDIO / "000000.webm").open("r+b") as file:
        file.truncate(1 << 40)
    assert f"[changed] {AUDIO}/000000.webm" in problems(verify(package))


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in ("jq", "xxd", "openssl")), reason="needs jq, xxd, openssl")
def test_the_steps_by_hand_hold_for_sm2_and_time_stamps(original: Original, package: Path) -> None:
    """The commands of docs/record-format.md as they stand, with the certificate of the authority beside them."""
    text = (ROOT / "docs" / "record-format.md").read_text(encoding="utf-8")
    steps = text.split("## Verifying by hand", maxsplit=1)[1].split("```sh\n", maxsplit=1)[1].split("```", maxsplit=1)[0]
    (package / FOLDER / "authority.pem").write_bytes(SimulatedTimeStamper(original.keys).certificate_pem)

    def follow() -> str:
        run = subprocess.run(["bash", "-c", steps], cwd=package / FOLDER, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    said = follow()
    for words in (
        "Signature Verified Successfully",
        original.sealed_with.fingerprint,
        "head agrees",
        "Time stamp:",
        "Verification: OK",
    ):
        assert words in said
    assert "FAILED" not in said
    with altered(package / AUDIO / "000001.webm", b"other"):
        assert "000001.webm: FAILED" in follow()
    path = package / FOLDER / "manifest.json"
    manifest = read(path)
    manifest["stamps"][0]["chain_hash"] = "0" * 64
    path.write_bytes(canonical(manifest))
    said = follow()
    assert "Signature Verified Successfully" not in said
    assert "Verification: FAILED" in said
