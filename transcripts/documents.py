"""The machine draft as WebVTT, text and JSON. Each says on itself that it is no 笔录, and which engine made each line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from hearing.model import ParticipantId
from hearing.timeline import iso_utc
from transcripts.model import Engine, Line

MARK = "机器识别，非笔录"
SHORT_HASH = 8


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a person is named in a draft: the label of the seat (审判长) and the name."""

    label: str
    name: str


Speakers = Mapping[ParticipantId, Speaker]


def to_vtt(lines: Iterable[Line], speakers: Speakers) -> str:
    """WebVTT with a voice per cue; times are the record clock (W3C WebVTT: cues start at 0 or later)."""
    names = _voices(speakers)
    cues = [f"WEBVTT\n\nNOTE {MARK}\n"]
    for line in lines:
        said = line.utterance
        times = f"{_vtt_time(said.t0_ms)} --> {_vtt_time(said.t1_ms)}"
        voice = _escape(names.get(said.participant_id, said.participant_id))
        cues.append(f"NOTE {_source(line)}\n\n{said.id}\n{times}\n<v {voice}>{_escape(line.text)}\n")
    return "\n".join(cues)


def to_txt(lines: Iterable[Line], speakers: Speakers) -> str:
    """One line of text per utterance: time, speaker, words, and where they come from."""
    names = _voices(speakers)
    rows = [f"〔{MARK}〕"]
    for line in lines:
        said = line.utterance
        name = names.get(said.participant_id, said.participant_id)
        rows.append(f"[{_vtt_time(said.t0_ms)}] {name}：{' '.join(line.text.split())}　〔{_source(line)}〕")
    return "\n".join(rows) + "\n"


def to_json(lines: Iterable[Line], speakers: Speakers) -> str:
    """Everything known of each line: the machine's text, the text as corrected, times, engine with its parameters."""
    names = _voices(speakers)
    document = {"mark": MARK, "lines": [_json_line(line, names) for line in lines]}
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def engine_name(engine: Engine) -> str:
    """faster-whisper whisper-base 905e5bf8."""
    return f"{engine.name} {engine.model} {engine.model_sha256[:SHORT_HASH]}"


def _json_line(line: Line, names: Mapping[ParticipantId, str]) -> dict[str, object]:
    fields: dict[str, object] = asdict(line.utterance)
    fields["machine_text"] = fields.pop("text")
    fields["text"] = line.text
    fields["speaker"] = names.get(line.utterance.participant_id, line.utterance.participant_id)
    fields["edited_by"] = line.edited_by
    fields["edited_at"] = iso_utc(line.edited_at) if line.edited_at is not None else None
    fields["mark"] = MARK if line.edited_by is None else f"{MARK}；书记员已更正"
    return fields


def _voices(speakers: Speakers) -> dict[ParticipantId, str]:
    """The label, with the name where two people share one (two plaintiffs)."""
    count = Counter(speaker.label for speaker in speakers.values())
    return {
        participant: speaker.label if count[speaker.label] == 1 else f"{speaker.label} {speaker.name}"
        for participant, speaker in speakers.items()
    }


def _source(line: Line) -> str:
    edited = "；书记员已更正" if line.edited_by is not None else ""
    return f"{MARK} · {engine_name(line.utterance.engine)} · {line.utterance.origin}{edited}"


def _vtt_time(t_ms: int) -> str:
    seconds, millisecond = divmod(max(0, t_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}.{millisecond:03d}"


def _escape(text: str) -> str:
    """Text that a WebVTT parser cannot take for markup or for the end of a cue."""
    flat = " ".join(text.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
