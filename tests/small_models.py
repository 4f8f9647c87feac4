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


# --- ONNX, written by hand (protobuf of onnx.proto), so that no test needs the library that makes such files -------------


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


FLOAT, INT32 = 1, 6  # TensorProto.DataType


def _value(name: str, kind: int, shape: list[int | str]) -> bytes:
    dims = b"".join(_field(1, _field(1, size) if isinstance(size, int) else _field(2, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dims)))


def _node(operator: str, inputs: list[str], output: str) -> bytes:
    return b"".join(_field(1, name) for name in inputs) + _field(2, output) + _field(4, operator)


def _tensor(name: str, values: list[float], shape: list[int]) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, FLOAT) + _field(8, name) + _field(9, struct.pack(f"<{len(values)}f", *values))


FEATURES = 560  # seven frames of 80 mel bands, as SenseVoice joins them
TOKENS = ("<blank>", "借", "条", "<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>")
LOUD, QUIET, FIRST_PREFIX = 1, 2, 3


def toy_sense_voice(folder: Path) -> Path:
    """A model with SenseVoice's inputs, outputs and metadata that says 借 to what is loud and 条 to silence. A toy.

    Like SenseVoice it answers four tokens (language, emotion, event, style) before those of the sound.
    """
    folder.mkdir(parents=True)
    row = [0.0] * len(TOKENS)
    row[LOUD], row[QUIET] = 1.0, -1.0  # log energies are above or below zero
    prefix = [9.0 if token == FIRST_PREFIX + place else 0.0 for place in range(4) for token in range(len(TOKENS))]
    axis = _field(5, _field(1, "axis") + _field(3, 1) + _field(20, 2))  # AttributeProto, type INT
    graph = (
        _field(1, _node("MatMul", ["x", "rows"], "sound"))
        + _field(1, _node("Concat", ["prefix", "sound"], "logits") + axis)
        + _field(2, "toy")
        + _field(5, _tensor("rows", row * FEATURES, [FEATURES, len(TOKENS)]))
        + _field(5, _tensor("prefix", prefix, [1, 4, len(TOKENS)]))
        + _field(11, _value("x", FLOAT, [1, "T", FEATURES]))
        + b"".join(_field(11, _value(name, INT32, [1])) for name in ("x_length", "language", "text_norm"))
        + _field(12, _value("logits", FLOAT, [1, "N", len(TOKENS)]))
    )
    metadata = {
        "vocab_size": str(len(TOKENS)), "lfr_window_size": "7", "lfr_window_shift": "6", "normalize_samples": "0",
        "with_itn": "14", "without_itn": "15", "lang_auto": "0", "lang_zh": "3", "lang_en": "4", "lang_yue": "7",
        "lang_ja": "11", "lang_ko": "12", "model_type": "sense_voice_ctc",
        "neg_mean": ",".join(["0"] * FEATURES), "inv_stddev": ",".join(["1"] * FEATURES),
    }  # fmt: skip
    entries = b"".join(_field(14, _field(1, name) + _field(2, text)) for name, text in metadata.items())
    (folder / "model.onnx").write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(2, 13)) + entries)
    lines = "".join(f"{token} {number}\n" for number, token in enumerate(TOKENS))
    (folder / "tokens.txt").write_text(lines, encoding="utf-8")
    return folder
