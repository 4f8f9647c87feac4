"""The port behind which every speech engine stands."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from transcripts.model import Engine

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

Samples = NDArray[np.float32]
"""Mono audio at 16 kHz, -1..1."""


UNKNOWN_P = 0.5
UNKNOWN_LOGPROB = math.log(UNKNOWN_P)
"""Neither sure nor doubtful: for engines that give text and no probabilities."""


class EngineProblem(Exception):
    """An engine cannot be used. `code` is stable (docs/operations.md "Speech engines"), `message` Chinese: what; what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class EngineAway(EngineProblem):
    """It cannot answer now and may later: the same stretch is to be asked again, and is not lost."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A character or word of the answer with its place in the sound, and the engine's probability of it."""

    text: str
    t0_ms: int
    t1_ms: int
    p: float  # 0..1; UNKNOWN_P where the engine tells none


@dataclass(frozen=True, slots=True)
class Recognition:
    """What an engine heard in one stretch of speech, untouched."""

    text: str
    average_logprob: float  # mean log probability per token, ≤ 0; UNKNOWN_LOGPROB where the engine tells none
    no_speech_probability: float  # 0..1
    words: tuple[HeardWord, ...] = ()  # empty where nobody asked for them, or the engine has none


class Recognizer(Protocol):
    """Turns one stretch of speech of at most 30 s into text. Thread-safe; blocks."""

    @property
    def engine(self) -> Engine:
        """What is stored with each line."""

    @property
    def prompt(self) -> str:
        """The sentence given to the engine before each stretch, "" for none; an answer that repeats it is an echo."""

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        """`terms`: words of the case that this stretch may hold, best first; an engine that takes none passes over them.
        `words`: the answer's words with their places, where the engine can tell them.

        Raises EngineAway when the stretch must be asked again later, EngineProblem when asking again will not help.
        """
        ...
