"""Lines of the transcript draft: what was said, what the clerk noted, what was done; and their texts for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from hearing import events as law
from hearing.ledger import Recorded
from hearing.model import ExhibitId, Hearing, ParticipantId
from hearing.timeline import hh_mm_ss, local_date_time, t_ms
from record.acts import act_text, person_mark
from record.course import Course
from record.verify import canonical
from transcripts.model import Engine, Mark, Utterance
from transcripts.model import Line as DraftLine

TRANSCRIPT_SCHEMA = "remote-court/transcript/1"
NOTICE = "机器识别，非笔录"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, with the field names of the wire (CaptionView). `kind`: speech | note | act."""

    id: str
    kind: str
    participant_id: ParticipantId | None
    label: str
    name: str
    t0_ms: int
    t1_ms: int
    text: str
    confidence: float | None
    engine: str | None
    origin: str  # live | refill | final | clerk | ledger
    track_id: str | None = None
    marks: tuple[Mark, ...] = ()  # characters of `text` that want a look
    version: int = 0  # of the machine's line; 0: live
    machine: bool = False  # no person has written this text
    revision: str = ""  # the newest correction
    edited_by: ParticipantId | None = None
    edited_at: datetime | None = None


SEALED_FIELDS = ("id", "kind", "participant_id", "label", "name", "t0_ms", "t1_ms", "text", "confidence", "engine", "origin")


def line_of_utterance(utterance: Utterance, hearing: Hearing) -> Line:
    """A machine line with its speaker's label."""
    person = hearing.participant(utterance.participant_id)
    return Line(
        utterance.id, "speech", utterance.participant_id, person.label if person else "", person.name if person else "",
        utterance.t0_ms, utterance.t1_ms, utterance.text, utterance.confidence, engine_name(utterance.engine), utterance.origin,
        utterance.track_id, utterance.marks, utterance.version, machine=True,
    )  # fmt: skip


def line_of_draft(line: DraftLine, hearing: Hearing) -> Line:
    """A line as it reads after the clerk's corrections."""
    return replace(
        line_of_utterance(line.utterance, hearing), text=line.text, marks=line.marks, machine=not line.rewritten,
        revision=line.revision, edited_by=line.edited_by, edited_at=line.edited_at,
    )  # fmt: skip


def line_of_entry(
    entry: Recorded, sitting_id: str, opened_at: datetime, hearing: Hearing, exhibits: Mapping[ExhibitId, str]
) -> Line | None:
    """The line of a ledger entry: an act in （ ）, or the clerk's note; None where the transcript keeps silent."""
    at, line_id = t_ms(opened_at, entry.at), f"{sitting_id}#{entry.number}"
    if isinstance(entry.event, law.NoteAdded):
        clerk = hearing.participant(entry.participant_id) if entry.participant_id else None
        label, name = (clerk.label, clerk.name) if clerk else ("", "")
        return Line(line_id, "note", entry.participant_id, label, name, at, at, entry.event.text, None, None, "clerk")
    words = act_text(entry.event, hearing, exhibits, entry.role)
    return Line(line_id, "act", None, "", "", at, at, words, None, None, "ledger") if words else None


def engine_name(engine: Engine) -> str:
    """An engine in one line: faster-whisper whisper-base 905e5bf8."""
    return f"{engine.name} {engine.model} {engine.model_sha256[:8]}"


def lines_of(
    course: Course, sitting_id: str, hearing: Hearing, exhibits: Mapping[ExhibitId, str], spoken: Iterable[Line]
) -> list[Line]:
    """All lines of a sitting from 宣布开庭 on, in order of time; an act stands before the words that follow it."""
    acts = [line_of_entry(entry, sitting_id, course.opened_at, hearing, exhibits) for entry in course.entries]
    whole = [line for line in (*acts, *spoken) if line is not None and line.t1_ms >= 0]
    return sorted(whole, key=lambda line: (line.t0_ms, line.kind == "speech", line.id))


def transcript_json(sitting_id: str, lines: Sequence[Line], utterances: Iterable[Utterance]) -> bytes:
    """The draft as canonical JSON: every line, and for machine lines the words, the raw text and the engine."""
    said = {utterance.id: utterance for utterance in utterances}
    engines = list(dict.fromkeys(utterance.engine for utterance in said.values()))
    rows: list[dict[str, object]] = []
    for line in lines:
        row: dict[str, object] = {name: getattr(line, name) for name in SEALED_FIELDS} | {"engine": None}
        if (utterance := said.get(line.id)) is not None:
            words = [asdict(word) for word in utterance.words]
            row |= {"engine": engines.index(utterance.engine), "raw_text": utterance.raw_text, "words": words}
            row |= {"track_id": utterance.track_id, "marks": [asdict(mark) for mark in utterance.marks]}
        rows.append(row)
    return canonical(
        {
            "schema": TRANSCRIPT_SCHEMA, "sitting_id": sitting_id, "version": 1, "kind": "machine_draft", "notice": NOTICE,
            "engines": [asdict(engine) for engine in engines], "lines": rows,
        }
    )  # fmt: skip


def transcript_vtt(lines: Sequence[Line], hearing: Hearing) -> bytes:
    """WebVTT with the speaker in a voice span; acts and notes without one. Markup characters are escaped."""
    cues = [f"WEBVTT\n\nNOTE {NOTICE}\n"]
    for line in lines:
        text = line.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
        voice = f"<v {person_mark(hearing, line.participant_id)}>" if line.kind == "speech" else ""
        end = max(line.t1_ms, line.t0_ms + (0 if line.kind == "speech" else 2000), line.t0_ms + 1)
        cues.append(f"{_vtt_time(max(0, line.t0_ms))} --> {_vtt_time(end)}\n{voice}{text}\n")
    return "\n".join(cues).encode()


def transcript_txt(lines: Sequence[Line], hearing: Hearing, course: Course, ordinal: int) -> bytes:
    """The draft to read: header, then one line each with its time."""
    head = [
        f"庭审记录（机器稿，第{ordinal}次）　{NOTICE}",
        f"案号：{hearing.case_number}",
        f"案由：{hearing.cause}",
        f"开庭：{local_date_time(course.opened_at)}（北京时间）",
        f"闭庭：{local_date_time(course.closed_at)}（北京时间）" if course.closed_at else "闭庭：—",
        "",
    ]
    body = [f"[{hh_mm_ss(line.t0_ms)}] {_spoken(line)}" for line in lines]
    return ("\n".join([*head, *body]) + "\n").encode()


def _spoken(line: Line) -> str:
    if line.kind == "act":
        return line.text
    return f"{line.label}：{line.text}" if line.kind == "speech" else f"（书记员记）{line.text}"


def _vtt_time(ms: int) -> str:
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"
