"""What the transcripts role is told by its composition root; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TranscriptSettings:
    """Settings of one transcripts process.

    `tap_urls` are base URLs of media workers (http://host:port); `signaling_url` is the base URL of the internal API.
    `model_dir` names a CTranslate2 Whisper directory; None means the base model that comes with the packages.
    `terms` are words of this court that recognition should prefer (case names, party names).
    """

    tap_urls: tuple[str, ...]
    signaling_url: str
    internal_token: str
    data_dir: Path
    model_dir: Path | None = None
    threads: int = 2  # CPU threads of one recognition
    workers: int = 1  # recognitions at once
    beam: int = 1
    terms: tuple[str, ...] = ()
