"""The machine draft as WebVTT, SubRip, text, JSON and STM. Each says on itself that it is no 笔录, and which engine made it."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType

from hearing.model import ParticipantId
from hearing.timeline import iso_utc
from transcripts.model import Engine, Line

MARK = "机器识别，非笔录"
SHORT_HASH = 8
NOTICE_MS = 1  # the cue that carries the notice where a format knows no comments


@dataclass(frozen=True, slots=True)
class Speaker:
    """How a person is named in a draft: the label of the seat (审判长) and the name."""

    label: str
    name: str


Speakers = Mapping[ParticipantId, Speaker]


@dataclass(frozen=True, slots=True)
class Title:
    """Of what a file is. `recording` names the sound in an STM file: one word."""

    case_number: str
    cause: str
    ordinal: int  # 第 n 次开庭
    version: int  # 0: the live draft
    recording: str

    @property
    def words(self) -> str:
        """庭审机器稿 · 案号 · 案由 · 第1次开庭 · 实时稿."""
        version = f"终稿识别 {self.version}" if self.version else "实时稿"
        return f"庭审机器稿 · {self.case_number} · {self.cause} · 第{self.ordinal}次开庭 · {version}"

    @property
    def file_name(self) -> str:
        """For a download: plain ASCII, since headers know nothing else everywhere."""
        return f"machine-draft-{self.recording}"


def to_vtt(lines: Iterable[Line], speakers: Speakers, title: Title | None = None) -> str:
    """WebVTT with a voice per cue; times are the record clock (W3C WebVTT: cues start at 0 or later)."""
    lines, names = tuple(lines), _voices(speakers)
    notes = [title.words] if title else []
    cues = ["WEBVTT\n\nNOTE " + "\n".join(_plain(note) for note in [MARK, *notes, *_engines(lines)]) + "\n"]
    for line in lines:
        said = line.utterance
        times = f"{_clock(said.t0_ms)} --> {_clock(_end(line))}"
        voice = _escape(names.get(said.participant_id, said.participant_id))
        cues.append(f"NOTE {_plain(_source(line))}\n\n{said.id}\n{times}\n<v {voice}>{_escape(line.text)}\n")
    return "\n".join(cues)


def to_srt(lines: Iterable[Line], speakers: Speakers, title: Title | None = None) -> str:
    """SubRip. It has no comments: a first cue of a millisecond carries the notice, the title and the engines."""
    lines, names = tuple(lines), _voices(speakers)
    notice = "\n".join([MARK, *([title.words] if title else []), *_engines(lines)])
    cues = [f"1\n{_clock(0, ',')} --> {_clock(NOTICE_MS, ',')}\n{notice}\n"]
    for number, line in enumerate(lines, start=2):
        said = line.utterance
        name = names.get(said.participant_id, said.participant_id)
        times = f"{_clock(said.t0_ms, ',')} --> {_clock(_end(line), ',')}"
        cues.append(f"{number}\n{times}\n{name}：{_flat(line.text)}\n")
    return "\n".join(cues)


def to_txt(lines: Iterable[Line], speakers: Speakers, title: Title | None = None) -> str:
    """One line of text per utterance: time, speaker, words, and where they come from."""
    lines, names = tuple(lines), _voices(speakers)
    rows = [f"〔{MARK}〕", *(f"〔{note}〕" for note in [*([title.words] if title else []), *_engines(lines)] if title)]
    for line in lines:
        said = line.utterance
        name = names.get(said.participant_id, said.participant_id)
        rows.append(f"[{_clock(said.t0_ms)}] {name}：{_flat(line.text)}　〔{_source(line)}〕")
    return "\n".join(rows) + "\n"


def to_json(lines: Iterable[Line], speakers: Speakers, title: Title | None = None) -> str:
    """Everything known of each line: the machine's text, the text as corrected, times, engine with its parameters."""
    names = _voices(speakers)
    head = {**asdict(title), "title": title.words} if title else {}
    document = {**head, "mark": MARK, "lines": [_json_line(line, names) for line in lines]}
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def to_stm(lines: Iterable[Line], speakers: Speakers, title: Title | None = None) -> str:
    """NIST sclite's segment time marks: file, channel, speaker, begin, end, label, text; `;;` begins a comment.

    A microphone is a channel. As NIST scores Mandarin, by the character: a space between Chinese characters, Latin words and
    figures whole, no punctuation. So sclite's word error rate of this file is the character error rate.
    """
    lines, recording = tuple(lines), title.recording if title else "recording"
    tracks = sorted({line.utterance.track_id for line in lines})
    head = [MARK, *([title.words] if title else []), *_engines(lines), "Chinese: one token per character, no punctuation"]
    head += [f"channel {channel}: {track}" for channel, track in enumerate(tracks, start=1)]
    head += [f"speaker {_word(id_)}: {one.label} {one.name}" for id_, one in speakers.items()]
    rows = [f";; {_flat(note)}" for note in head]
    for line in sorted(lines, key=lambda one: (one.utterance.track_id, one.utterance.t0_ms)):
        said, tokens = line.utterance, " ".join(stm_tokens(line.text))
        if tokens:
            begin, end = max(0, said.t0_ms) / 1000, _end(line) / 1000
            channel = tracks.index(said.track_id) + 1
            rows.append(f"{_word(recording)} {channel} {_word(said.participant_id)} {begin:.3f} {end:.3f} <o> {tokens}")
    return "\n".join(rows) + "\n"


def stm_tokens(text: str) -> list[str]:
    """Chinese characters one by one, runs of other letters and figures whole, nothing else."""
    tokens: list[str] = []
    open_run = False
    for index, letter in enumerate(text):
        wide = unicodedata.east_asian_width(letter) in "WF" and unicodedata.category(letter).startswith("L")
        point = letter in ".%" and text[index - 1 : index].isdigit()  # 4.5, 12%
        if wide:
            tokens.append(letter)
            open_run = False
        elif letter.isalnum() or (point and (letter == "%" or text[index + 1 : index + 2].isdigit())):
            tokens[-1:] = [tokens[-1] + letter] if open_run else [*tokens[-1:], letter]
            open_run = True
        else:
            open_run = False
    return tokens


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of file."""

    media_type: str
    write: Callable[[Iterable[Line], Speakers, Title | None], str]


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "vtt": Form("text/vtt", to_vtt),
        "srt": Form("application/x-subrip", to_srt),
        "txt": Form("text/plain", to_txt),
        "json": Form("application/json", to_json),
        "stm": Form("text/plain", to_stm),
    }
)


def engine_name(engine: Engine) -> str:
    """faster-whisper whisper-base 905e5bf8."""
    return f"{engine.name} {engine.model} {engine.model_sha256[:SHORT_HASH]}"


def _json_line(line: Line, names: Mapping[ParticipantId, str]) -> dict[str, object]:
    fields: dict[str, object] = asdict(line.utterance)
    fields["machine_text"] = fields.pop("text")
    fields["marks"] = [asdict(mark) for mark in line.marks]  # of the text as it stands
    fields["revisions"] = [revision.id for revision in line.revisions]
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


def _engines(lines: Sequence[Line]) -> list[str]:
    """Every engine that made a line, with the whole hash of its model."""
    engines = dict.fromkeys(line.utterance.engine for line in lines)
    return [f"{engine.name} {engine.model} sha256 {engine.model_sha256}" for engine in engines]


def _end(line: Line) -> int:
    """A cue lasts a millisecond at least, also one from before 宣布开庭."""
    return max(line.utterance.t1_ms, max(0, line.utterance.t0_ms) + 1)


def _clock(t_ms: int, point: str = ".") -> str:
    seconds, millisecond = divmod(max(0, t_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}{point}{millisecond:03d}"


def _flat(text: str) -> str:
    """On one line: an empty one would end a cue."""
    return " ".join(text.split())


def _word(text: str) -> str:
    """One field of an STM line."""
    return "_".join(text.split()) or "-"


def _plain(text: str) -> str:
    """What may stand in a WebVTT comment: no arrow."""
    return _flat(text).replace("-->", "—>")


def _escape(text: str) -> str:
    """Text that a WebVTT parser cannot take for markup or for the end of a cue."""
    return _flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
