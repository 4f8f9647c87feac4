"""The speech engines of one process, made from the settings and tried before the first word is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from transcripts.engine_address import EngineAddress, WrongAddress, read_address
from transcripts.health import EngineTrouble, Use
from transcripts.http_engine import HttpRecognizer
from transcripts.model import Engine
from transcripts.recognizer import EngineAway, EngineProblem, Recognition, Recognizer, Samples
from transcripts.settings import TranscriptSettings
from transcripts.sherpa import SherpaRecognizer
from transcripts.weights import ModelError, ModelFiles, Progress
from transcripts.weights import prepare as prepare_files
from transcripts.whisper import PROMPT, WhisperRecognizer

log = structlog.get_logger(__name__)

USES: dict[Use, str] = {"live": "实时字幕", "final": "庭后识别", "second": "对照识别"}
PROGRESS_STEP_PERCENT = 15


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines by use. `second` None: no second opinion is asked for, or there is none to be had.

    `troubles`: what was wrong at start and does not keep live captions from working.
    """

    live: Recognizer
    final: Recognizer
    second: Recognizer | None
    troubles: tuple[EngineTrouble, ...] = ()


class UnusableRecognizer:
    """Stands where an engine could not be prepared: whoever asks it gets the reason, as an EngineProblem."""

    prompt = ""

    def __init__(self, problem: EngineProblem) -> None:
        self._problem = problem

    @property
    def engine(self) -> Engine:
        raise self._problem

    def recognise(
        self,
        samples: Samples,  # noqa: ARG002
        *,
        terms: tuple[str, ...] = (),  # noqa: ARG002
        words: bool = False,  # noqa: ARG002
    ) -> Recognition:
        raise self._problem


def prepare(settings: TranscriptSettings, progress: Progress | None = None, *, captions: bool = True) -> Engines:
    """Models checked, in memory and warm, endpoints tried; blocks for seconds.

    Raises EngineProblem when the process cannot do its work: live captions, or without `captions` the final pass (`live` is
    then the final engine). Any other engine that cannot be used is told in `troubles`: the work goes on without it.
    """
    workshop = _Workshop(settings, progress or ProgressLog(), later=frozenset({"final", "second"}))
    troubles: list[EngineTrouble] = []
    live = workshop.live(troubles) if captions else None
    final: Recognizer
    second: Recognizer | None = None
    try:
        final = workshop.make(settings.final or settings.live, "final")
    except EngineProblem as problem:
        if not captions:
            raise
        troubles.append(_trouble("final", problem))
        final = UnusableRecognizer(problem)
    if settings.second:
        try:
            second = workshop.make(settings.second, "second")
        except EngineProblem as problem:
            troubles.append(_trouble("second", problem))
    for trouble in troubles:
        log.error("transcripts.engine_trouble", use=trouble.use, code=trouble.code, problem=trouble.message)
    return Engines(live or final, final, second, tuple(troubles))


def check(settings: TranscriptSettings) -> Iterator[tuple[Use, Engine | EngineProblem]]:
    """Each engine that is set, tried as at start, one by one: what it is, or why it cannot be used. Blocking."""
    workshop = _Workshop(settings, ProgressLog())
    uses: list[tuple[Use, str]] = [("live", settings.live), ("final", settings.final or settings.live)]
    if settings.second:
        uses.append(("second", settings.second))
    for use, address in uses:
        try:
            yield use, workshop.make(address, use).engine
        except EngineProblem as problem:
            yield use, problem


def _trouble(use: Use, problem: EngineProblem) -> EngineTrouble:
    return EngineTrouble(use, problem.code, f"{USES[use]}：{problem.message}")


class _Workshop:
    """Makes engines; two uses of the same weights share them. For the uses `later` an endpoint may come back by itself."""

    def __init__(self, settings: TranscriptSettings, progress: Progress, later: frozenset[Use] = frozenset()) -> None:
        self._settings = settings
        self._progress = progress
        self._later = later
        self._loaded: dict[tuple[ModelFiles, str, str], WhisperRecognizer] = {}

    def live(self, troubles: list[EngineTrouble]) -> Recognizer:
        """The live engine; where an endpoint is away and the settings allow it, the local model, which is told."""
        try:
            return self.make(self._settings.live, "live")
        except EngineAway as problem:
            if not self._settings.fallback:
                raise
            troubles.append(_trouble("live", EngineProblem(problem.code, f"{problem.message}；现由本机模型代替")))
            return self.make("", "live")

    def make(self, text: str, use: Use) -> Recognizer:
        """Raises EngineProblem."""
        try:
            address = read_address(text)
        except WrongAddress as problem:
            raise EngineProblem("engine_address", f"引擎地址有误：{problem}") from problem
        match address.kind:
            case "whisper":
                return self._whisper(address, use)
            case "http":
                return self._endpoint(address, use)
            case "sensevoice" | "paraformer":
                return SherpaRecognizer(address, address.threads or self._settings.threads)

    def _endpoint(self, address: EngineAddress, use: Use) -> HttpRecognizer:
        recognizer = HttpRecognizer(address, self._key(), PROMPT, terms=self._settings.terms)
        try:
            recognizer.warm_up()
        except EngineAway as problem:
            if use not in self._later:
                raise
            log.warning("transcripts.engine_away", use=use, code=problem.code)
        return recognizer

    def _key(self) -> str:
        path = self._settings.http_key_file
        if path is None:
            return self._settings.http_key
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise EngineProblem("engine_key_missing", f"无法读取密钥文件 {path}；请检查 COURT_SPEECH_KEY_FILE") from problem

    def _whisper(self, address: EngineAddress, use: Use) -> WhisperRecognizer:
        settings = self._settings
        files = prepare_files(settings.data_dir, self._folder(address), self._progress, None, address.sha256)
        key = files, address.device, address.compute_type
        try:
            recognizer = WhisperRecognizer(
                files, threads=address.threads or settings.threads, workers=settings.workers,
                beam=address.beam or settings.beam,
                plain=use == "final" and address.prompt, guided=address.prompt,
                terms=settings.terms if address.prompt else (), device=address.device, compute=address.compute_type,
                shared=self._loaded.get(key),
            )  # fmt: skip
        except (RuntimeError, ValueError) as problem:  # what CTranslate2 raises, whatever is wrong
            raise _not_loaded(address, files, problem) from problem
        if key not in self._loaded:
            recognizer.warm_up()
            self._loaded[key] = recognizer
        return recognizer

    def _folder(self, address: EngineAddress) -> Path | None:
        """Where the model lies; a name without a slash is a folder of COURT_DATA/models. None: the bundled model."""
        if not address.place:
            return self._settings.model_dir
        if "/" in address.place:
            return Path(address.place).expanduser()
        return self._settings.data_dir / "models" / address.place


def _not_loaded(address: EngineAddress, files: ModelFiles, problem: Exception) -> ModelError:
    words = str(problem)
    log.warning("transcripts.model_not_loaded", model=files.name, problem=words)
    if address.device == "cuda" and ("CUDA" in words or "cuda" in words or "cuBLAS" in words or "libcu" in words):
        return ModelError("device_missing", "没有可用的 CUDA 显卡或驱动；请检查显卡驱动，或改用 device=cpu")
    if "compute type" in words:
        return ModelError(
            "compute_refused",
            f"本机不支持以 {address.compute_type} 计算（{address.device}）；请改用 compute=int8 或 compute=float32",
        )
    return ModelError("model_not_loaded", f"语音识别模型 {files.path} 无法载入；请核对模型与 faster-whisper 的版本")


class ProgressLog:
    """Says in the log how far a model is prepared, in steps."""

    def __init__(self) -> None:
        self._next_percent = PROGRESS_STEP_PERCENT

    def __call__(self, percent: int) -> None:
        if percent >= self._next_percent:
            self._next_percent = percent // PROGRESS_STEP_PERCENT * PROGRESS_STEP_PERCENT + PROGRESS_STEP_PERCENT
            log.info(f"正在准备语音识别模型 {percent}%", percent=percent)
