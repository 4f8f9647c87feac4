"""What recognition yields: utterances with words on the record clock, and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hearing.model import ParticipantId, SittingId


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word or character run; `t0_ms`/`t1_ms` on the record clock, `p` the engine's probability."""

    text: str
    t0_ms: int
    t1_ms: int
    p: float


@dataclass(frozen=True, slots=True)
class Engine:
    """Which recogniser made a line: stored with each line, so that a line can be made again."""

    name: str  # faster-whisper
    model: str  # whisper-base
    model_sha256: str
    parameters: str  # canonical JSON of the decoding parameters


@dataclass(frozen=True, slots=True)
class Utterance:
    """One machine line (机器稿). `id` is "<track_id>@<t0_ms>": the same speech gives the same id, so posting is idempotent."""

    id: str
    sitting_id: SittingId
    participant_id: ParticipantId
    track_id: str
    t0_ms: int
    t1_ms: int
    text: str  # Simplified, full-width punctuation
    raw_text: str  # as the engine gave it
    confidence: float  # 0..1
    words: tuple[Word, ...]
    engine: Engine
    origin: str  # live | refill (re-read from recorded audio)
    type: ClassVar[str] = "utterance"
