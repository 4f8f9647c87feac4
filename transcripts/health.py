"""What the transcripts role says of itself: whether captions can be made, and if not why and what to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Use = Literal["live", "final", "second"]
"""What an engine is for: live captions, the pass after a sitting, the second opinion in it."""


@dataclass(frozen=True, slots=True)
class EngineTrouble:
    """What is wrong with the engine of one use: stable code, Chinese words "what; what to do"."""

    use: Use
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CaptionHealth:
    """`starting`: models are being loaded. `away`: the live engine does not answer, what is said is read later.
    `failed`: there are no captions until a person has put something right. `troubles`: also of the other engines.
    """

    state: Literal["starting", "on", "away", "failed"]
    troubles: tuple[EngineTrouble, ...] = ()
