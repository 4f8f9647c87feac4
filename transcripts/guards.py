"""What a speech model invents, and how it is caught: loops, echo of the prompt, text where nobody spoke.

Loss is worse than a doubtful line, since a clerk reviews the draft: only text that cannot have been said is struck.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

RESIDUE_MS = 600  # padded length; a shorter decode yields repetitions or the prompt (measured), a real word is longer
LEAST_VOICE_MS = 160  # five frames of voice; a click or a cough has fewer
CHARACTERS_PER_S = 12  # of speech; fast Mandarin is about 7
CHARACTERS_SPARE = 4
ECHO_CHARACTERS = 8  # as many characters in a row out of the prompt
ECHO_WHOLE_CHARACTERS = 4  # a whole answer of that length out of the prompt
NO_SPEECH_PROBABILITY = 0.6  # with NO_SPEECH_LOGPROB, Whisper's own rule
NO_SPEECH_LOGPROB = -1.0
LONGEST_UNIT = 20
STOCK_PHRASES = (  # closing words of subtitled videos, learned by Whisper; nobody says them in court
    "请不吝点赞", "点赞订阅转发", "订阅转发打赏", "打赏支持明镜", "字幕由", "字幕志愿者", "Amara.org", "请按赞订阅",
)  # fmt: skip


class Reason(StrEnum):
    """Why a text was struck."""

    EMPTY = "empty"
    RESIDUE = "residue"
    OUTSIDE_SPEECH = "outside_speech"
    ECHO = "prompt_echo"
    STOCK = "stock_phrase"
    LOOP = "loop"
    TOO_FAST = "too_fast"
    NO_SPEECH = "no_speech"


@dataclass(frozen=True, slots=True)
class Heard:
    """One decode with what is known about its sound."""

    text: str
    window_ms: int  # length of the stretch, padding included
    voiced_ms: int  # of it, what the voice detector took for speech
    average_logprob: float
    no_speech_probability: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is what may be shown ("" when struck); `reason` says why something was struck or shortened."""

    text: str
    reason: Reason | None


def judge(heard: Heard, prompt: str) -> Verdict:
    """Let a decode pass, shorten its loop, or strike it."""
    letters = letters_of(heard.text)
    checks = (
        (Reason.EMPTY, not letters),
        (Reason.RESIDUE, heard.window_ms < RESIDUE_MS),
        (Reason.OUTSIDE_SPEECH, heard.voiced_ms < LEAST_VOICE_MS),
        (Reason.ECHO, is_echo(heard.text, prompt)),
        (Reason.STOCK, any(letters_of(phrase) in letters for phrase in STOCK_PHRASES)),
        (Reason.NO_SPEECH, _sounds_empty(heard)),
    )
    for reason, struck in checks:
        if struck:
            return Verdict("", reason)
    if is_loop(heard.text):
        return _shorten(heard)
    if len(letters) > CHARACTERS_SPARE + CHARACTERS_PER_S * heard.voiced_ms / 1000:
        return Verdict("", Reason.TOO_FAST)
    return Verdict(heard.text, None)


def is_loop(text: str) -> bool:
    """Whether a unit is repeated more often than people do: one character 7 times, two or three 5, more 3 times."""
    return _loop_at(letters_of(text)) is not None


def is_echo(text: str, prompt: str) -> bool:
    """Whether the text gives the prompt back, whole or in part."""
    said, given = letters_of(text), letters_of(prompt)
    if len(said) >= ECHO_WHOLE_CHARACTERS and said in given:
        return True
    runs = (said[start : start + ECHO_CHARACTERS] for start in range(len(said) - ECHO_CHARACTERS + 1))
    return any(run in given for run in runs)


def recites(text: str, terms: tuple[str, ...]) -> bool:
    """Whether the text reads out the list of terms that was given: two of its neighbours, one after the other."""
    said = letters_of(text)
    return any(before + after in said for before, after in pairwise(terms))


def letters_of(text: str) -> str:
    """Letters and digits only: what is compared, never what is shown."""
    return "".join(character for character in text if character.isalnum())


def _sounds_empty(heard: Heard) -> bool:
    return heard.no_speech_probability > NO_SPEECH_PROBABILITY and heard.average_logprob < NO_SPEECH_LOGPROB


def _times_allowed(unit: int) -> int:
    return 7 if unit == 1 else 5 if unit <= 3 else 3


def _loop_at(letters: str) -> tuple[int, int, int] | None:
    """(start, unit length, end) of the first loop, None when there is none."""
    for start in range(len(letters)):
        for unit in range(1, min(LONGEST_UNIT, (len(letters) - start) // 2) + 1):
            end = start + unit
            while letters.startswith(letters[start : start + unit], end):
                end += unit
            if (end - start) // unit >= _times_allowed(unit):
                return start, unit, end
    return None


def _shorten(heard: Heard) -> Verdict:
    """Keep what stands before the loop and one turn of it; a decode that is mostly loop holds nothing to keep."""
    letters = letters_of(heard.text)
    found = _loop_at(letters)
    if found is None:
        return Verdict(heard.text, None)
    start, unit, end = found
    if end - start > len(letters) // 2:
        return Verdict("", Reason.LOOP)
    return Verdict(_prefix(heard.text, start + unit), Reason.LOOP)


def _prefix(text: str, letters: int) -> str:
    """The text up to its n-th letter, punctuation kept."""
    seen = 0
    for position, character in enumerate(text):
        seen += character.isalnum()
        if seen == letters:
            return text[: position + 1]
    return text
