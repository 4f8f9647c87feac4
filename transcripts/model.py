"""What recognition yields: utterances with words on the record clock, and what was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from hearing.model import ParticipantId, SittingId


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word or character run; `t0_ms`/`t1_ms` on the record clock, `p` the engine's probability."""

    text: str
    t0_ms: int
    t1_ms: int
    p: float


class MarkKind(StrEnum):
    """Why a clerk should look at a stretch of a line."""

    LOW_CONFIDENCE = "low_confidence"
    SECOND_OPINION = "second_opinion"  # another recogniser heard something else
    NUMBER = "number"  # amounts, dates, numbers: written as courts write them
    NEGATION = "negation"  # 不, 没有, 无: a word that turns the sense round
    NAME = "name"  # a word of the case: person, company, place, exhibit


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters [start, end) of a line's machine text, and what to know of them.

    `note`: the other recogniser's words, a number as spoken, a name as it was heard ("" when it was heard right).
    """

    kind: MarkKind
    start: int
    end: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Engine:
    """Which recogniser made a line: stored with each line, so that a line can be made again."""

    name: str  # faster-whisper
    model: str  # whisper-base
    model_sha256: str
    parameters: str  # canonical JSON of the decoding parameters


@dataclass(frozen=True, slots=True)
class Utterance:
    """One machine line (机器稿).

    `id` is "<sitting_id>:<track_id>@<t0_ms>": the same speech gives the same id, so posting is idempotent; the sitting is
    part of it because the same persons' tracks return in the next sitting of a hearing. A line of a final pass ends with
    "~<version>".
    """

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
    origin: str  # live | refill (re-read from recorded audio) | final
    marks: tuple[Mark, ...] = ()
    version: int = 0  # 0: the live draft; final passes count from 1
    level_db: float | None = None  # loudness of the stretch, dB below full scale; None where nobody measured it
    type: ClassVar[str] = "utterance"


def utterance_id(sitting_id: str, track_id: str, t0_ms: int, version: int = 0) -> str:
    """The one way an utterance gets its id."""
    return f"{sitting_id}:{track_id}@{t0_ms}" + (f"~{version}" if version else "")


def participant_of(track_id: str) -> ParticipantId:
    """Whose track it is: "<participant_id>-<kind>"."""
    return ParticipantId(track_id.rpartition("-")[0])


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """The clerk writes a line anew; an empty text strikes it, a later one brings it back."""

    text: str
    type: ClassVar[str] = "replace_text"


@dataclass(frozen=True, slots=True)
class Split:
    """A line becomes two: before and from character `at` of its present text, `at_ms` on the record clock.

    The first keeps the line's id, the second is line_id(utterance, revision).
    """

    at: int
    at_ms: int
    type: ClassVar[str] = "split"


@dataclass(frozen=True, slots=True)
class Merge:
    """A line takes in `other_id`, a later line of the same track, which is no line of its own any more."""

    other_id: str
    type: ClassVar[str] = "merge"


@dataclass(frozen=True, slots=True)
class SetSpeaker:
    """Another person said it: several may share one microphone (C11). The track stays the line's."""

    participant_id: ParticipantId
    type: ClassVar[str] = "set_speaker"


Operation = ReplaceText | Split | Merge | SetSpeaker


@dataclass(frozen=True, slots=True)
class Revision:
    """One correction of one line, in the order made; the machine line below it stays as it was.

    `part`: of a line that a Split made, the id of that Split's revision; "" for a line that begins where a machine line does.
    """

    id: str
    utterance_id: str
    operation: Operation
    author_id: ParticipantId
    at: datetime
    part: str = ""

    @property
    def line_id(self) -> str:
        """Which line it corrects."""
        return line_id(self.utterance_id, self.part)


def line_id(utterance_id_: str, part: str = "") -> str:
    """The id of a line: its utterance's, with "/" and the splitting revision where it begins inside one."""
    return f"{utterance_id_}/{part}" if part else utterance_id_


@dataclass(frozen=True, slots=True)
class Line:
    """What a reader sees: `text` after corrections, and by whom and when the line was last corrected.

    `utterance` is the machine's share of the line: as it was written, or, where lines were split or merged or given to
    another speaker, with the id, times, speaker and machine text of this line.
    """

    utterance: Utterance
    text: str
    edited_by: ParticipantId | None = None
    edited_at: datetime | None = None
    marks: tuple[Mark, ...] = ()  # of `text`: those of the machine whose characters nobody has rewritten
    rewritten: bool = False  # a person has written the text; else it is the machine's, whoever cut it
    revisions: tuple[Revision, ...] = ()  # that made it what it is, in order
    sources: tuple[str, ...] = ()  # the machine lines it is made of

    @property
    def revision(self) -> str:
        """Id of the newest correction, "" without one: what a further correction is based on."""
        return self.revisions[-1].id if self.revisions else ""
