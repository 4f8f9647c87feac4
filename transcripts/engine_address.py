"""How a court names a speech engine: one address per use, read once and checked before anything is loaded. Pure.

    whisper:                                   the base model that comes with the packages
    whisper:/models/large-v3-zh?device=cuda&compute=float16&beam=5
    large-v3-zh                                a folder of COURT_DATA/models by its name
    https://asr.court.cn/v1?model=large-v3     an endpoint of OpenAI's form (/audio/transcriptions)
    sensevoice:/models/sense-voice             sherpa-onnx, likewise paraformer:

Every form takes `sha256=` (the weights must have it). Nothing here fetches a model from the internet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit

Kind = Literal["whisper", "http", "sensevoice", "paraformer"]
Device = Literal["cpu", "cuda"]
ComputeType = Literal["int8", "int8_float16", "float16", "float32"]

KINDS: tuple[Kind, ...] = ("whisper", "http", "sensevoice", "paraformer")
DEVICES: tuple[Device, ...] = ("cpu", "cuda")
COMPUTE_TYPES: tuple[ComputeType, ...] = ("int8", "int8_float16", "float16", "float32")
HTTP_MODEL = "whisper-1"
LONGEST_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """One engine and how to run it. None: the caller's own choice for that use."""

    kind: Kind = "whisper"
    place: str = ""  # folder or name of a model, "" the bundled one; of http the base URL
    model: str = ""  # of http: the model's name there
    device: Device = "cpu"
    compute_type: ComputeType = "int8"
    beam: int | None = None
    prompt: bool = True  # off: the engine hears without the sentence before and without terms
    threads: int | None = None
    sha256: str = ""  # what the weights must have; of http what the court says they have
    timeout_s: float = 20.0  # of http: for one answer

    @property
    def host(self) -> str:
        """Where speech goes, without user, path or query; "" when it stays on this machine."""
        if self.kind != "http":
            return ""
        url = urlsplit(self.place)
        name = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
        return f"{name}:{url.port}" if url.port else str(name)


class WrongAddress(ValueError):
    """The address cannot be understood; the message says in Chinese which part."""


def read_address(text: str) -> EngineAddress:
    """Read one address. Raises WrongAddress."""
    if text.startswith(("http://", "https://")):
        return _http(text)
    name, colon, rest = text.partition(":")
    kind = name if colon and name in KINDS else "whisper"
    place, _, query = (rest if colon and name in KINDS else text).partition("?")
    if kind == "http" or "://" in text:
        raise WrongAddress("引擎地址应以 whisper:、sensevoice:、paraformer: 或 http(s):// 开头")
    if kind != "whisper" and not place:
        raise WrongAddress(f"{kind}: 之后须写模型文件夹")
    options = _options(query)
    if kind != "whisper":
        _only(options, {"sha256", "threads", "device"}, kind)
    else:
        _only(options, {"sha256", "threads", "device", "compute", "beam", "prompt"}, kind)
    return EngineAddress(kind=cast("Kind", kind), place=place, **_fields(options))  # type: ignore[arg-type]


def _http(text: str) -> EngineAddress:
    url = urlsplit(text)
    try:
        port_is_there = url.port is None or url.port > 0
    except ValueError:
        port_is_there = False
    if not url.hostname or not port_is_there or url.fragment:
        raise WrongAddress("应为 https://主机:端口/v1?model=模型名")
    if url.username or url.password:
        raise WrongAddress("地址中不得写密钥，请用 COURT_SPEECH_KEY_FILE")
    options = _options(url.query)
    _only(options, {"sha256", "model", "timeout", "prompt"}, "http")
    base = urlunsplit((url.scheme, url.netloc, url.path.rstrip("/"), "", ""))
    fields = {"model": HTTP_MODEL} | _fields(options)
    return EngineAddress(kind="http", place=base, **fields)  # type: ignore[arg-type]


def _options(query: str) -> Mapping[str, str]:
    pairs = parse_qsl(query, keep_blank_values=True)
    if len({name for name, _ in pairs}) != len(pairs):
        raise WrongAddress("同一选项写了两次")
    return dict(pairs)


def _only(options: Mapping[str, str], known: set[str], kind: str) -> None:
    unknown = sorted(options.keys() - known)
    if unknown:
        raise WrongAddress(f"{kind} 引擎没有选项 {unknown[0]}，可用：{'、'.join(sorted(known))}")


def _fields(options: Mapping[str, str]) -> dict[str, object]:
    return {field: read(options[name]) for name, (field, read) in _READERS.items() if name in options}


def _one_of(name: str, allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise WrongAddress(f"{name} 只能是 {'、'.join(allowed)}")
        return value

    return read


def _whole(name: str, least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdecimal() or not least <= int(value) <= most:
            raise WrongAddress(f"{name} 应为 {least} 至 {most} 的整数")
        return int(value)

    return read


def _digest(value: str) -> str:
    if re.fullmatch(r"[0-9a-fA-F]{64}", value) is None:
        raise WrongAddress("sha256 应为 64 位十六进制数")
    return value.lower()


def _named(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise WrongAddress("model 不得为空")
    return value


_READERS: dict[str, tuple[str, Callable[[str], object]]] = {
    "device": ("device", _one_of("device", DEVICES)),
    "compute": ("compute_type", _one_of("compute", COMPUTE_TYPES)),
    "beam": ("beam", _whole("beam", 1, 20)),
    "prompt": ("prompt", lambda value: _one_of("prompt", ("on", "off"))(value) == "on"),
    "threads": ("threads", _whole("threads", 1, 64)),
    "sha256": ("sha256", _digest),
    "model": ("model", _named),
    "timeout": ("timeout_s", _whole("timeout", 1, LONGEST_TIMEOUT_S)),
}
