"""Tampering with a real small package, one change at a time: each is found and named, from our code and from verify.py alone."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hearing.errors import NotNow, UnknownId
from record.keys import CourtKey
from record.package import Archive, export_hearing, package_zip
from record.signing import signature_bytes
from record.verify import Report, Unusable, canonical, check_code, verify
from tests.integration.record_case import HEARING, JUDGE, Case, files_of, open_case, open_full_case

SITTING_FOLDER = "sitting-1"
AUDIO = f"{SITTING_FOLDER}/media/{JUDGE}-audio"


@dataclass(frozen=True)
class Original:
    """A package made once for this file, and the court's key."""

    package: Path
    key: CourtKey


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    folder = tmp_path_factory.mktemp("original")

    async def make() -> Original:
        async with open_full_case(folder / "court") as case:
            out = await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, folder / "package")
            return Original(out, case.key)

    return asyncio.run(make())


@pytest.fixture
def key(original: Original) -> CourtKey:
    return original.key


@pytest.fixture
def package(original: Original, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return Path(shutil.copytree(original.package, tmp_path / "package"))


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with open_full_case(tmp_path / "court") as opened:
        yield opened


def problems(report: Report) -> str:
    return "\n".join(report.problems)


def alone(path: Path, verifier: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """verify.py in a bare interpreter: no site packages, no environment, nothing of ours."""
    command = [sys.executable, "-I", "-S", str(verifier), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def zipped(package: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for path in files_of(package):
            archive.write(path, path.relative_to(package).as_posix())
    return target


def edit(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flip(data: bytes, place: int = 100) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def swap(package: Path, one: str, other: str) -> None:
    first, second = package / one, package / other
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def exhibit_of(package: Path) -> Path:
    return next((package / "exhibits").iterdir())


def ledger_lines(package: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    edit(package / SITTING_FOLDER / "ledger.jsonl", lambda data: b"".join(change(data.splitlines(keepends=True))))


def alter_entry(lines: list[bytes]) -> list[bytes]:
    line = json.loads(lines[8])
    line["entry"] = line["entry"].replace("identity", "judgment")
    return [*lines[:8], canonical(line) + b"\n", *lines[9:]]


def withhold_and_lie(lines: list[bytes]) -> list[bytes]:
    line = json.loads(lines[3])
    hidden = {"number": 4, "entry_hash": "0" * 64, "chain_hash": line["chain_hash"]}
    return [*lines[:3], canonical(hidden) + b"\n", *lines[4:]]


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "flip a bit of a segment": (lambda p: edit(p / AUDIO / "000001.webm", flip), f"[changed] {AUDIO}/000001.webm"),
    "truncate a segment": (lambda p: edit(p / AUDIO / "000001.webm", lambda d: d[:-1]), f"[changed] {AUDIO}/000001.webm"),
    "cut the last segment": (lambda p: (p / AUDIO / "000002.webm").unlink(), f"[missing] {AUDIO}/000002.webm"),
    "drop a segment": (lambda p: (p / AUDIO / "000000.webm").unlink(), f"[missing] {AUDIO}/000000.webm"),
    "drop a track": (lambda p: shutil.rmtree(p / AUDIO), f"[missing] {AUDIO}/000000.webm"),
    "swap two segments": (lambda p: swap(p, f"{AUDIO}/000000.webm", f"{AUDIO}/000001.webm"), f"[changed] {AUDIO}/000000.webm"),
    "copy one over another": (
        lambda p: shutil.copy(p / AUDIO / "000000.webm", p / AUDIO / "000001.webm"), f"[changed] {AUDIO}/000001.webm"
    ),
    "add a segment": (lambda p: shutil.copy(p / AUDIO / "000000.webm", p / AUDIO / "000003.webm"), f"[added] {AUDIO}/000003.webm"),
    "add a hidden file": (lambda p: (p / AUDIO / ".note").write_text("x"), f"[added] {AUDIO}/.note"),
    "add a file at the root": (lambda p: (p / "read-me.html").write_text("x"), "[added] read-me.html"),
    "put a link": (lambda p: (p / "exhibits" / "link").symlink_to("/etc/hostname"), "[unsafe] exhibits/link"),
    "replace a file by a link": (
        lambda p: ((p / AUDIO / "000000.webm").rename(p.parent / "away"), (p / AUDIO / "000000.webm").symlink_to(p.parent / "away")),
        f"[unsafe] {AUDIO}/000000.webm",
    ),
    "alter the transcript": (
        lambda p: edit(p / SITTING_FOLDER / "transcript.json", lambda d: d.replace("开庭".encode(), "闭庭".encode(), 1)),
        f"[changed] {SITTING_FOLDER}/transcript.json",
    ),
    "alter its text form": (lambda p: edit(p / SITTING_FOLDER / "transcript.txt", flip), f"[changed] {SITTING_FOLDER}/transcript.txt"),
    "alter an exhibit": (lambda p: edit(exhibit_of(p), flip), "[changed] exhibits/原告证据1_"),
    "drop an exhibit": (lambda p: exhibit_of(p).unlink(), "[missing] exhibits/原告证据1_"),
    "alter the manifest": (
        lambda p: edit(p / SITTING_FOLDER / "manifest.json", lambda d: d.replace(b'"recorded":"none"', b'"recorded":"full"', 1)),
        f"[signature] {SITTING_FOLDER}/manifest.json",
    ),
    "drop the manifest": (lambda p: (p / SITTING_FOLDER / "manifest.json").unlink(), f"[missing] {SITTING_FOLDER}/manifest.json"),
    "drop its signature": (
        lambda p: (p / SITTING_FOLDER / "manifest.sig.json").unlink(), f"[missing] {SITTING_FOLDER}/manifest.sig.json"
    ),
    "drop the whole sitting": (lambda p: shutil.rmtree(p / SITTING_FOLDER), f"[missing] {SITTING_FOLDER}/manifest.json"),
    "alter the list": (
        lambda p: edit(p / "package.json", lambda d: d.replace(b'"unsealed":[]', b'"unsealed":[ ]')), "[malformed] package.json"
    ),
    "drop the list": (lambda p: (p / "package.json").unlink(), "[missing] package.json"),
    "drop the list's signature": (lambda p: (p / "package.sig.json").unlink(), "[missing] package.sig.json"),
    "alter the verifier": (lambda p: edit(p / "verify.py", lambda d: d + b"\n"), "[changed] verify.py"),
    "alter a ledger entry": (lambda p: ledger_lines(p, alter_entry), "ledger.jsonl 第9行"),
    "remove a ledger entry": (lambda p: ledger_lines(p, lambda lines: [*lines[:4], *lines[5:]]), "ledger.jsonl 第5行"),
    "reorder ledger entries": (
        lambda p: ledger_lines(p, lambda lines: [*lines[:4], lines[5], lines[4], *lines[6:]]), "ledger.jsonl 第5行"
    ),
    "cut the ledger's tail": (lambda p: ledger_lines(p, lambda lines: lines[:-1]), "账本头不符"),
    "double a ledger entry": (lambda p: ledger_lines(p, lambda lines: [*lines[:4], lines[3], *lines[4:]]), "ledger.jsonl 第5行"),
    "empty the ledger": (lambda p: (p / SITTING_FOLDER / "ledger.jsonl").write_bytes(b""), "账本头不符"),
    "withhold an entry with a false hash": (lambda p: ledger_lines(p, withhold_and_lie), "ledger.jsonl 第4行"),
    "drop the ledger": (lambda p: (p / SITTING_FOLDER / "ledger.jsonl").unlink(), f"[missing] {SITTING_FOLDER}/ledger.jsonl"),
}  # fmt: skip


def test_an_untouched_package_verifies(key: CourtKey, package: Path, tmp_path: Path) -> None:
    report = verify(package, key.fingerprint)
    assert (report.complete, report.verdict, report.problems, report.signer_compared) == (True, "complete_with_gaps", (), True)
    assert "媒体" not in report.summary
    assert "media_restart" in report.summary
    bare = alone(package, package / "verify.py", "--key", key.fingerprint)
    assert (bare.returncode, bare.stderr) == (0, "")
    inside = subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", "."], cwd=package, capture_output=True, text=True, check=False
    )
    assert inside.returncode == 0
    assert "signer not compared" in inside.stdout


@pytest.mark.parametrize("name", TAMPERINGS)
def test_every_tampering_is_found_and_named(name: str, key: CourtKey, package: Path, tmp_path: Path) -> None:
    verifier = shutil.copy(package / "verify.py", tmp_path / "verifier.py")
    tamper, named = TAMPERINGS[name]
    tamper(package)
    report = verify(package)
    assert (report.complete, report.verdict) == (False, "damaged")
    assert named in problems(report)
    bare = alone(package, verifier)
    assert bare.returncode == 1
    assert [line for line in report.problems if line not in bare.stdout] == []
    if "link" not in name:
        assert set(verify(zipped(package, tmp_path / "package.zip")).problems) == set(report.problems)


def test_signed_again_with_another_key(key: CourtKey, package: Path) -> None:
    """Whoever alters and signs everything anew with an own key is found by the court's fingerprint, and only by it."""
    forger = CourtKey(Ed25519PrivateKey.generate())
    edit(package / AUDIO / "000000.webm", flip)
    sha256 = hashlib.sha256((package / AUDIO / "000000.webm").read_bytes()).hexdigest()
    honest = verify(package).problems
    assert honest
    old = next(
        entry["sha256"] for entry in json.loads((package / "package.json").read_bytes())["files"]
        if entry["path"] == f"{AUDIO}/000000.webm"
    )  # fmt: skip
    listed = package / "package.json"
    edit(listed, lambda data: data.replace(old.encode(), sha256.encode()))
    (package / "package.sig.json").write_bytes(signature_bytes(forger, "package.json", listed.read_bytes()))
    assert "several signers" in problems(verify(package))
    resign_everything(package, forger)
    without_key, with_key = verify(package), verify(package, key.fingerprint)
    assert without_key.complete
    assert not without_key.signer_compared
    assert "signer not compared" in without_key.summary
    assert f"[signer] {SITTING_FOLDER}/manifest.sig.json" in problems(with_key)
    assert "[signer] package.sig.json" in problems(with_key)


def resign_everything(package: Path, key: CourtKey) -> None:
    """What a forger would do: make every hash agree again, then sign all with an own key."""
    from record.verify import merkle_root

    folder = package / SITTING_FOLDER
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for track in manifest["tracks"]:
        previous = ""
        for segment in track["segments"]:
            data = (folder / "media" / track["track_id"] / f"{segment['index']:06d}.webm").read_bytes()
            segment |= {
                "sha256": hashlib.sha256(data).hexdigest(),
                "sm3": hashlib.new("sm3", data).hexdigest(),
                "bytes": len(data),
            }
            segment["prev_sha256"], previous = previous, segment["sha256"]
        track["end"]["last_sha256"] = previous
    for entry in manifest["files"]:
        entry["sha256"] = hashlib.sha256((folder / entry["path"]).read_bytes()).hexdigest()
    manifest["merkle_root"] = merkle_root((e["path"], e["sha256"]) for e in (*manifest["files"], *manifest["exhibits"]))
    (folder / "manifest.json").write_bytes(canonical(manifest))
    (folder / "manifest.sig.json").write_bytes(signature_bytes(key, "manifest.json", canonical(manifest)))
    listed = json.loads((package / "package.json").read_bytes())
    listed["sittings"][0]["manifest_sha256"] = hashlib.sha256(canonical(manifest)).hexdigest()
    for entry in listed["files"]:
        data = (package / entry["path"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (package / "package.json").write_bytes(canonical(listed))
    (package / "package.sig.json").write_bytes(signature_bytes(key, "package.json", canonical(listed)))


def change_manifest(change: Callable[[dict], object]) -> Callable[[Path, CourtKey], None]:  # type: ignore[type-arg]
    """Alter the manifest as the court itself could by mistake: signed with the court's own key."""

    def apply(package: Path, key: CourtKey) -> None:
        folder = package / SITTING_FOLDER
        manifest = json.loads((folder / "manifest.json").read_bytes())
        change(manifest)
        (folder / "manifest.json").write_bytes(canonical(manifest))
        (folder / "manifest.sig.json").write_bytes(signature_bytes(key, "manifest.json", canonical(manifest)))

    return apply


WRONG_MANIFESTS: dict[str, tuple[Callable[[dict], object], str]] = {  # type: ignore[type-arg]
    "hole between intervals": (lambda m: m["intervals"].pop(1), "[interval]"),
    "intervals end early": (lambda m: m["intervals"].pop(), "[interval]"),
    "no intervals": (lambda m: m["intervals"].clear(), "[interval]"),
    "gap not declared": (lambda m: m["gaps"].clear(), "2000–3000 ms"),
    "segments reordered": (lambda m: m["tracks"][1]["segments"].reverse(), "[chain]"),
    "segment left out": (lambda m: m["tracks"][1]["segments"].pop(1), "[chain]"),
    "tail left out": (lambda m: m["tracks"][1]["segments"].pop(), "[tail]"),
    "recess was recorded": (lambda m: m["tracks"][1]["segments"][1].update(t1_ms=5900), "[outside]"),
    "page that does not exist": (lambda m: m["showings"][0].update(page=9), "showings[0]"),
    "another file was shown": (lambda m: m["showings"][0].update(sha256="0" * 64), "showings[0]"),
    "other transcript": (lambda m: m["transcripts"][0].update(sha256="0" * 64), "transcript.json"),
    "other Merkle root": (lambda m: m.update(merkle_root="0" * 64), "Merkle"),
    "other ledger head": (lambda m: m["ledger"].update(entries=5), "账本头不符"),
    "other SM3": (lambda m: m["tracks"][1]["segments"][0].update(sm3="0" * 64), "SM3"),
    "other sitting": (lambda m: m["sitting"].update(id="sit_2"), "manifest.json"),
    "field of a wrong type": (lambda m: m.update(tracks=7), "[malformed]"),
    "field left out": (lambda m: m.pop("gaps"), "[malformed]"),
}


@pytest.mark.parametrize("name", WRONG_MANIFESTS)
def test_a_wrong_manifest_is_found_even_when_the_court_signed_it(name: str, key: CourtKey, package: Path) -> None:
    change, named = WRONG_MANIFESTS[name]
    change_manifest(change)(package, key)
    report = verify(package, key.fingerprint)
    assert not report.complete
    assert named in problems(report)


async def test_folder_and_stream_hold_the_same(case: Case, tmp_path: Path) -> None:
    package = await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, tmp_path / "out")
    target = tmp_path / "streamed.zip"
    with target.open("wb") as file:
        async for chunk in package_zip(Archive(case.database, case.objects, case.key, case.clock), HEARING):
            file.write(chunk)
    report = verify(target, case.key.fingerprint)
    assert (report.complete, report.summary) == (True, verify(package, case.key.fingerprint).summary)
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {path.relative_to(package).as_posix(): path.read_bytes() for path in files_of(package)}
    target.write_bytes(target.read_bytes()[:-30])
    assert "[unreadable]" in problems(verify(target))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["../outside.txt", "/etc/outside", "a\\..\\b", "C:/x", "package.json"])
def test_zip_names_that_climb_or_double_are_refused(name: str, package: Path, tmp_path: Path) -> None:
    target = zipped(package, tmp_path / "package.zip")
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    assert ("[duplicate]" if name == "package.json" else "[unsafe]") in problems(verify(target))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_any_flipped_byte_anywhere_is_found(package: Path, seed: int) -> None:
    chance = random.Random(seed)
    path = chance.choice(sorted(files_of(package)))
    before = path.read_bytes()
    place, mask = chance.randrange(len(before)), chance.randrange(1, 256)
    path.write_bytes(before[:place] + bytes([before[place] ^ mask]) + before[place + 1 :])
    try:
        assert not verify(package).complete
    finally:
        path.write_bytes(before)


def test_withheld_entries_still_verify(key: CourtKey, package: Path) -> None:
    """A package for a party keeps entries back: the chain holds, the list and its signature are made for that package."""

    def withhold(lines: list[bytes]) -> list[bytes]:
        line = json.loads(lines[3])
        entry_hash = hashlib.sha256(bytes.fromhex(line["salt"]) + line["entry"].encode()).hexdigest()
        return [
            *lines[:3],
            canonical({"number": 4, "entry_hash": entry_hash, "chain_hash": line["chain_hash"]}) + b"\n",
            *lines[4:],
        ]

    ledger_lines(package, withhold)
    listed = json.loads((package / "package.json").read_bytes())
    for entry in listed["files"]:
        data = (package / entry["path"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (package / "package.json").write_bytes(canonical(listed))
    (package / "package.sig.json").write_bytes(signature_bytes(key, "package.json", canonical(listed)))
    report = verify(package, key.fingerprint)
    assert report.complete
    assert "隐去 1 条" in report.summary


def test_wrong_use_is_told_apart_from_damage(package: Path, tmp_path: Path) -> None:
    for arguments in ((tmp_path / "nothing", None), (package, "not a fingerprint")):
        with pytest.raises(Unusable):
            verify(*arguments)
    assert alone(tmp_path / "nothing", package / "verify.py").returncode == 2
    assert alone(package, package / "verify.py", "--key", "12").returncode == 2
    assert alone(tmp_path, package / "verify.py", "--nonsense").returncode == 2
    (tmp_path / "empty").mkdir()
    assert alone(tmp_path / "empty", package / "verify.py").returncode == 1


def test_the_check_code_is_that_of_the_manifest(package: Path) -> None:
    sha256 = hashlib.sha256((package / SITTING_FOLDER / "manifest.json").read_bytes()).hexdigest()
    assert check_code(sha256) in verify(package).summary


async def test_a_damaged_record_is_handed_out_and_named(case: Case, tmp_path: Path) -> None:
    next((tmp_path / "court").rglob(f"{JUDGE}-audio/000001.webm")).unlink()
    out = await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, tmp_path / "out")
    assert f"[missing] {AUDIO}/000001.webm" in problems(verify(out))


async def test_export_never_writes_over_what_is_there(case: Case, package: Path) -> None:
    with pytest.raises(FileExistsError):
        await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, package)
    assert verify(package).complete
    assert [path.name for path in package.parent.iterdir() if path.name.startswith(".")] == []


async def test_nothing_sealed_nothing_to_export(tmp_path: Path) -> None:
    async with open_case(tmp_path) as case:
        with pytest.raises(NotNow):
            await export_hearing(Archive(case.database, case.objects, case.key, case.clock), HEARING, tmp_path / "out")
        with pytest.raises(UnknownId):
            await export_hearing(Archive(case.database, case.objects, case.key, case.clock), "hear_9", tmp_path / "out")


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("jq", "xxd", "openssl", "sha256sum")), reason="needs jq, xxd, openssl"
)
def test_the_steps_by_hand_in_the_documentation(package: Path, key: CourtKey) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "record-format.md").read_text(encoding="utf-8")
    steps = text.split("```sh\n", maxsplit=1)[1].split("```", maxsplit=1)[0]

    def follow() -> str:
        run = subprocess.run(["bash", "-c", steps], cwd=package / SITTING_FOLDER, capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    said = follow()
    assert "Signature Verified Successfully" in said
    assert key.fingerprint in said
    assert "head agrees" in said
    assert said.count(": OK") == 15
    assert "FAILED" not in said
    ledger_lines(package, alter_entry)
    edit(package / AUDIO / "000001.webm", flip)
    said = follow()
    assert "broken at 9" in said
    assert "000001.webm: FAILED" in said
