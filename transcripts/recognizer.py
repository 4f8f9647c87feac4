"""The port behind which every speech engine stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from transcripts.model import Engine

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, -1..1."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A character or word of the answer with its place in the sound, and the engine's probability of it."""

    text: str
    t0_ms: int
    t1_ms: int
    p: float


@dataclass(frozen=True, slots=True)
class Recognition:
    """What an engine heard in one stretch of speech, untouched."""

    text: str
    average_logprob: float  # mean log probability per token, ≤ 0
    no_speech_probability: float  # 0..1
    words: tuple[HeardWord, ...] = ()  # empty where nobody asked for them, or the engine has none


class Recognizer(Protocol):
    """Turns one stretch of speech of at most 30 s into text. Thread-safe; blocks; needs no network."""

    @property
    def engine(self) -> Engine:
        """What is stored with each line."""

    @property
    def prompt(self) -> str:
        """The sentence given to the engine before each stretch; an answer that repeats it is an echo."""

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        """`terms`: words of the case that this stretch may hold, best first. `words`: the answer's words with their places."""
        ...
