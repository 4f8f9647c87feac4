"""What the transcripts role is told by its composition root; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TranscriptSettings:
    """Settings of one transcripts process.

    `tap_urls` are base URLs of media workers (http://host:port); `signaling_url` is the base URL of the internal API.
    `live`, `final` and `second` are engine addresses (engine_address.py); `final` "": as `live`, read with more care;
    `second` "": no second opinion. `model_dir` names a CTranslate2 Whisper directory for addresses that name none; None means
    the base model that comes with the packages. `fallback`: take that local model where the live engine is an endpoint that
    does not answer at start. `http_key_file` wins over `http_key`. `terms` are words of this court that recognition should
    prefer in every hearing.
    """

    tap_urls: tuple[str, ...]
    signaling_url: str
    internal_token: str
    data_dir: Path
    model_dir: Path | None = None
    threads: int = 2  # CPU threads of one recognition
    workers: int = 1  # recognitions at once
    beam: int = 5  # live captions of two people by turns take 0.2 s longer than with 1, and 1 to 4 points fewer errors
    live: str = ""
    final: str = ""
    second: str = ""
    fallback: bool = False
    http_key: str = field(default="", repr=False)
    http_key_file: Path | None = None
    terms: tuple[str, ...] = ()
