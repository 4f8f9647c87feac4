"""Small files in the form of speech models, whole or damaged: what the checks at start read, without weights worth hearing."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

MULTILINGUAL, ENGLISH_ONLY = 51_865, 51_864


def _text(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def ct2_weights(*, spec: str = "WhisperSpec", values: bytes = b"\1\2\3\4" * 64) -> bytes:
    """A CTranslate2 file (binary version 6) with two variables and one alias."""
    variable = struct.pack("<BI", 1, len(values)) + b"\1" + struct.pack("<I", len(values)) + values
    variables = _text("encoder/weight") + variable + _text("decoder/weight") + variable
    aliases = struct.pack("<I", 1) + _text("decoder/projection") + _text("decoder/weight")
    return struct.pack("<I", 6) + _text(spec) + struct.pack("<II", 3, 2) + variables + aliases


def whisper_folder(folder: Path, *, words: int = MULTILINGUAL, weights: bytes | None = None) -> Path:
    """A model folder with everything the checks look at; `words` is the size of its vocabulary."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(ct2_weights() if weights is None else weights)
    languages = ["<|en|>", "<|zh|>"] if words >= MULTILINGUAL else ["<|en|>"]
    vocabulary = [*languages, *(f"w{number}" for number in range(words - len(languages)))]
    (folder / "vocabulary.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    for name in ("config.json", "tokenizer.json"):
        (folder / name).write_text("{}", encoding="utf-8")
    return folder


def cut_off_copy(source: Path, target: Path, kept: float) -> None:
    """A copy that broke off after a share of the file: the table of variables is real, what follows is a hole of zeros."""
    length = int(source.stat().st_size * kept)
    with source.open("rb") as original, target.open("wb") as copy:
        copy.write(original.read(min(length, 64 * 1024)))
        os.truncate(copy.fileno(), length)
