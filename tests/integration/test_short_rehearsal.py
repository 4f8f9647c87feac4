"""The whole system: a short hearing with robots on a server of its own, to a package that verifies; tampered ones do not."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from court.estimate import Load, estimate
from court.rehearsal.report import Report
from tests.rehearsing import ROOT, Played, court, play, server_log

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    return play(ROOT / "rehearsals" / "short.json", tmp_path_factory.mktemp("short"))


def test_every_expectation_is_met(played: Played) -> None:
    report = Report.model_validate(played.report)
    missed = [row for row in report.expectations if not row.met]
    assert (played.status, missed, report.problems) == (0, [], []), played.progress


def test_the_isolated_witness_got_not_one_packet(played: Played) -> None:
    rows = {row["participant"]: row for row in played.report["participants"]}
    assert rows["witness"]["isolated_packets"] == 0
    assert rows["witness"]["heard"]["presiding_judge"] > 0  # and was reachable: heard the court once called
    assert rows["presiding_judge"]["heard"]["witness"] > 0


def test_nothing_is_recorded_in_recess(played: Played) -> None:
    manifest = json.loads((played.package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
    recess = [(i["t0_ms"], i["t1_ms"]) for i in manifest["intervals"] if i["recorded"] == "none"]
    assert recess
    for track in manifest["tracks"]:
        for segment in track["segments"]:
            for t0_ms, t1_ms in recess:
                assert min(segment["t1_ms"], t1_ms) - max(segment["t0_ms"], t0_ms) <= 500


def test_the_estimate_agrees_with_what_was_recorded(played: Played) -> None:
    """Told how many people sent how much, it reckons the bytes in the spool and in each store within 10 %."""
    folder = played.package / "sitting-1"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    recorded, payload, frames = Counter[str](), Counter[str](), Counter[str]()
    files = 0
    for track in manifest["tracks"]:
        for segment in track["segments"]:
            path = folder / "media" / track["track_id"] / f"{segment['index']:06d}.webm"
            files += path.stat().st_size
            recorded[track["kind"]] += segment["t1_ms"] - segment["t0_ms"]
            with av.open(str(path)) as container:
                sizes = [packet.size for packet in container.demux() if packet.size]
            payload[track["kind"]] += sum(sizes)
            frames[track["kind"]] += len(sizes)
    people = sum(track["kind"] == "audio" for track in manifest["tracks"])
    person_s = recorded["audio"] / 1000
    load = Load(
        people, person_s / people / 3600, 8 * payload["video"] / person_s, 8 * payload["audio"] / person_s,
        frames_per_s=frames["video"] / person_s,
    )  # fmt: skip
    result = estimate(load)
    assert result.spool_bytes == pytest.approx(files, rel=0.1)
    for root in (played.folder / "data" / "objects", played.folder / "data-copy"):
        stored = sum(path.stat().st_size for path in root.rglob("tracks/*/*.webm.*"))
        assert result.store_bytes == pytest.approx(stored, rel=0.1)


RATE_HZ = 8_000
OFFSET_MS = 100
Samples = npt.NDArray[np.float32]


def heard(path: Path) -> Samples:
    """A file's sound, one channel at 8 kHz."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)] + resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def recorded_line(package: Path, participant_id: str) -> Samples:
    """A person's recorded sound on the record clock."""
    manifest = json.loads((package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
    line = np.zeros(manifest["sitting"]["duration_ms"] * RATE_HZ // 1000 + RATE_HZ, dtype=np.float32)
    track = next(track for track in manifest["tracks"] if track["track_id"] == f"{participant_id}-audio")
    for segment in track["segments"]:
        sound = heard(package / "sitting-1" / "media" / track["track_id"] / f"{segment['index']:06d}.webm")
        at = segment["t0_ms"] * RATE_HZ // 1000
        line[at : at + len(sound)] = sound[: len(line) - at]
    return line


def test_speech_lies_in_the_record_where_it_was_said(played: Played) -> None:
    script = json.loads((ROOT / "rehearsals" / "short.json").read_text(encoding="utf-8"))
    manifest = json.loads((played.package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
    people = {person["role"]: person["id"] for person in manifest["people"]}
    files = {step["text"]: ROOT / "rehearsals" / step["audio"] for step in script["steps"] if step["do"] == "say"}
    offsets, late = [], []
    for row in played.report["captions"]:
        line, said = recorded_line(played.package, people[row["role"]]), heard(files[row["reference"]])[:RATE_HZ]
        from_ms = max(0, row["said_t_ms"] - 500)
        window = line[from_ms * RATE_HZ // 1000 :][: 3 * RATE_HZ]
        likeness = np.correlate(window, said, mode="valid")
        offsets.append(from_ms + int(likeness.argmax()) * 1000 / RATE_HZ - row["said_t_ms"])
        if abs(offsets[-1]) > OFFSET_MS + row["moved_ms"]:  # what a busy robot sent late lies late in the record, rightly
            late.append((row["reference"], offsets[-1], row["moved_ms"]))
    assert len(offsets) == len(files)
    assert late == []


def test_silence_stands_only_for_what_was_not_sent(played: Played) -> None:
    manifest = json.loads((played.package / "sitting-1" / "manifest.json").read_text(encoding="utf-8"))
    idle = {row["role"]: row["stood_still_ms"] for row in played.report["participants"]}
    people = {person["id"]: person["role"] for person in manifest["people"]}
    for track in manifest["tracks"]:
        filled_ms = sum(segment["filled_ms"] for segment in track["segments"])
        length_ms = sum(segment["t1_ms"] - segment["t0_ms"] for segment in track["segments"])
        assert filled_ms <= 0.01 * length_ms + idle[people[track["participant_id"]]], track["track_id"]


def test_the_spool_is_empty_afterwards(played: Played) -> None:
    assert [path for path in (played.folder / "data" / "spool").rglob("*") if path.is_file()] == []


def test_logs_hold_no_names_no_speech_and_no_tokens(played: Played) -> None:
    log = "\n".join(line for line in server_log(played.folder).splitlines() if " | " in line)
    assert log
    for secret in ("张伟", "李强", "王芳", "被告，请陈述", "民间借贷", "/j/"):
        assert secret not in log
    token = (played.folder / "keys" / "internal-token").read_text(encoding="ascii")
    assert token not in log


def test_the_package_verifies_with_the_courts_key_and_not_with_another(played: Played) -> None:
    signature = json.loads((played.package / "package.sig.json").read_text(encoding="utf-8"))
    fingerprint = next(value for name, value in signature.items() if "fingerprint" in name)
    assert court("verify", str(played.package), "--key", fingerprint).returncode == 0
    other = "0" * 64
    assert court("verify", str(played.package), "--key", other).returncode == 1


def test_an_unknown_signer_is_said_plainly(played: Played) -> None:
    result = court("verify", str(played.package))
    assert result.returncode == 0
    assert "signer not compared" in result.stdout


def first(package: Path, pattern: str) -> Path:
    return min(package.glob(pattern))


def flip(path: Path) -> str:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return path.name


def remove(path: Path) -> str:
    path.unlink()
    return path.name


def cut_tail(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    return path.name


def swap_lines(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    path.write_text("".join(lines), encoding="utf-8")
    return path.name


def add(path: Path) -> str:
    (path.parent / "added.webm").write_bytes(b"new")
    return "added.webm"


def replace_word(path: Path) -> str:
    path.write_text(path.read_text(encoding="utf-8").replace("开庭", "闭庭", 1), encoding="utf-8")
    return path.name


@pytest.mark.parametrize(
    ("pattern", "tamper"),
    [
        ("sitting-1/media/*/000000.webm", flip),
        ("sitting-1/media/*/000000.webm", remove),
        ("sitting-1/media/*/000000.webm", add),
        ("sitting-1/media/*-audio/00000[1-9].webm", remove),
        ("sitting-1/ledger.jsonl", flip),
        ("sitting-1/ledger.jsonl", cut_tail),
        ("sitting-1/ledger.jsonl", swap_lines),
        ("sitting-1/transcript.txt", replace_word),
        ("sitting-1/transcript.json", flip),
        ("sitting-1/manifest.json", flip),
        ("sitting-1/manifest.sig.json", remove),
        ("exhibits/*", flip),
        ("exhibits/*", remove),
    ],
)
def test_a_tampered_package_fails_and_names_what_was_touched(
    played: Played, tmp_path: Path, pattern: str, tamper: Callable[[Path], str]
) -> None:
    package = tmp_path / "package"
    shutil.copytree(played.package, package)
    name = tamper(first(package, pattern))
    result = court("verify", str(package))
    assert result.returncode == 1, result.stdout
    assert name in result.stdout
