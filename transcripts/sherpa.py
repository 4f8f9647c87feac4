"""SenseVoice and Paraformer on sherpa-onnx; the only module that imports sherpa_onnx (extra `sherpa`).

The library ends the whole process on a file of another kind, so every model is first tried in a process of its own:
`python -m transcripts.sherpa KIND MODEL TOKENS THREADS DEVICE`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import structlog

from transcripts.engine_address import EngineAddress
from transcripts.model import Engine
from transcripts.recognizer import (
    SAMPLE_RATE_HZ,
    UNKNOWN_LOGPROB,
    UNKNOWN_P,
    EngineProblem,
    HeardWord,
    Recognition,
    Samples,
)
from transcripts.weights import ModelError, sha256_of, wrong_hash

log = structlog.get_logger(__name__)

MODEL_FILES = ("model.int8.onnx", "model.onnx")  # as the releases of sherpa-onnx name them
TOKENS_FILE = "tokens.txt"
TRIAL_S = 120
SHORTEST_SAMPLES = SAMPLE_RATE_HZ // 2  # sound of less than seven frames makes the library read outside its memory
SPACE = "▁"  # sentencepiece's mark of a space


class SherpaRecognizer:
    """One model, greedy search, without prompt or terms: an ear of its own. Calls take turns."""

    prompt = ""

    def __init__(self, address: EngineAddress, threads: int) -> None:
        """Blocks for seconds. Raises EngineProblem, ModelError."""
        if find_spec("sherpa_onnx") is None:
            raise EngineProblem("sherpa_missing", "没有安装 sherpa-onnx；请执行 pip install 'remote-court[sherpa]'")
        folder = Path(address.place).expanduser()
        model, tokens = files_of(folder)
        digest = sha256_of(model, lambda _share: None)
        if address.sha256 and digest != address.sha256:
            raise wrong_hash(address.sha256, digest)
        arguments = address.kind, str(model), str(tokens), threads, address.device
        _try_alone(folder, arguments)
        self._recognizer = _load(*arguments)
        self._turn = Lock()
        parameters = {"device": address.device, "file": model.name, "kind": address.kind, "language": "zh", "search": "greedy"}
        written = json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        self._engine = Engine("sherpa-onnx", folder.name, digest, written)

    @property
    def engine(self) -> Engine:
        return self._engine

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:  # noqa: ARG002
        """What was said. The engine tells no probability of a line; terms are passed over."""
        with self._turn:
            result = _decode(self._recognizer, samples)
        heard = _words(result, len(samples) * 1000 // SAMPLE_RATE_HZ) if words else ()
        return Recognition(str(result.text).strip(), _logprob(result), 0.0, heard)


def files_of(folder: Path) -> tuple[Path, Path]:
    """Weights and tokens of a model folder. Raises ModelError."""
    if not folder.is_dir():
        raise ModelError("model_missing", f"没有语音识别模型文件夹 {folder}；请放入模型，或改正引擎设置")
    model = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
    if model is None:
        raise ModelError("model_missing", f"语音识别模型 {folder} 缺少文件：{MODEL_FILES[1]}；请重新复制完整的模型")
    if not (folder / TOKENS_FILE).is_file():
        raise ModelError("model_missing", f"语音识别模型 {folder} 缺少文件：{TOKENS_FILE}；请重新复制完整的模型")
    return model, folder / TOKENS_FILE


def _try_alone(folder: Path, arguments: tuple[str, str, str, int, str]) -> None:
    """Load the model and hear a second of silence in another process. Raises ModelError when that process does not survive."""
    command = [sys.executable, "-m", "transcripts.sherpa", *map(str, arguments)]
    root = Path(__file__).resolve().parents[1]
    try:
        trial = subprocess.run(command, cwd=root, capture_output=True, timeout=TRIAL_S, check=False)
    except subprocess.TimeoutExpired:
        raise ModelError("model_not_loaded", f"语音识别模型 {folder} 载入过久；请核对模型与机器") from None
    if trial.returncode != 0:
        said = trial.stderr.decode("utf-8", "replace").strip().splitlines()
        log.warning("transcripts.model_not_loaded", model=folder.name, status=trial.returncode, problem="".join(said[-1:]))
        raise ModelError(
            "model_not_loaded", f"语音识别模型 {folder} 无法载入：文件已损坏，或不是 {arguments[0]} 模型；请核对模型与引擎地址"
        )


def _load(kind: str, model: str, tokens: str, threads: int, device: str) -> Any:
    from sherpa_onnx import OfflineRecognizer  # noqa: PLC0415  an extra that not every court installs

    common = {"tokens": tokens, "num_threads": threads, "provider": device}
    if kind == "paraformer":
        return OfflineRecognizer.from_paraformer(paraformer=model, **common)
    return OfflineRecognizer.from_sense_voice(model=model, language="zh", use_itn=True, **common)


def _decode(recognizer: Any, samples: Samples) -> Any:
    stream = recognizer.create_stream()
    heard = np.zeros(max(len(samples), SHORTEST_SAMPLES), dtype=np.float32)
    heard[: len(samples)] = samples
    stream.accept_waveform(SAMPLE_RATE_HZ, heard)
    recognizer.decode_stream(stream)
    return stream.result


def _words(result: Any, length_ms: int) -> tuple[HeardWord, ...]:
    """Tokens with their places; none where the library gives no places, or tokens that are not the text."""
    tokens = [str(token).replace(SPACE, " ") for token in result.tokens]
    begins_ms = [min(length_ms, max(0, round(float(begin_s) * 1000))) for begin_s in result.timestamps]
    if not tokens or len(tokens) != len(begins_ms) or "".join(tokens).replace(" ", "") != str(result.text).replace(" ", ""):
        return ()
    ends_ms = [*begins_ms[1:], length_ms]
    chances = _chances(result)
    return tuple(
        HeardWord(token, t0_ms, max(t0_ms, t1_ms), p)
        for token, t0_ms, t1_ms, p in zip(tokens, begins_ms, ends_ms, chances, strict=True)
    )


def _chances(result: Any) -> list[float]:
    logprobs = list(result.ys_log_probs)
    if len(logprobs) != len(result.tokens):
        return [UNKNOWN_P] * len(result.tokens)
    return [min(1.0, math.exp(logprob)) for logprob in logprobs]


def _logprob(result: Any) -> float:
    logprobs = list(result.ys_log_probs)
    return min(0.0, sum(logprobs) / len(logprobs)) if logprobs else UNKNOWN_LOGPROB


def main(arguments: Sequence[str]) -> None:
    """The trial: load a model and hear silence."""
    kind, model, tokens, threads, device = arguments
    _decode(_load(kind, model, tokens, int(threads), device), np.zeros(SAMPLE_RATE_HZ, dtype=np.float32))


if __name__ == "__main__":
    main(sys.argv[1:])
