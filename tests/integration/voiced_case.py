"""A closed sitting in a folder whose recording is real speech: three voices of the loan hearing, by turns, in short segments.

`SimulatedRecognizer` stands for an engine where a test is about the pass and not about words: the same sound gives the same
letters, and nothing is learnt about recognition.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from sqlalchemy import insert, update

from hearing import events as law
from record.seal import Sealer, SealSettings
from storage import tables as t
from storage.objects import segment_key
from tests.integration.record_case import (
    CLERK,
    COURT,
    DEFENDANT,
    ENGINE,
    JUDGE,
    OPENED_AT,
    PEOPLE,
    PLAINTIFF,
    SITTING,
    Case,
    at,
    open_case,
)  # fmt: skip
from tests.simulated_tap import LOAN, loan_lines
from transcripts.audio import read_file
from transcripts.final_pass import FinalPass, FinalSettings, Reader
from transcripts.lines import LineMaker
from transcripts.model import Engine
from transcripts.recognizer import SAMPLE_RATE_HZ, SAMPLES_PER_MS, HeardWord, Recognition, Samples
from transcripts.vad import VoiceNetwork

PAUSE_MS = 900
SEGMENT_MS = 5_000
TURNS = ((JUDGE, 12), (PLAINTIFF, 7), (JUDGE, 17), (DEFENDANT, 16), (JUDGE, 19))
"""Who says which line of the loan hearing."""
LETTERS = "审判员原告被借条证据转账诉讼请求本金利息"


@dataclass(frozen=True, slots=True)
class Said:
    """A line and where it lies on the record clock."""

    who: str
    text: str
    t0_ms: int
    t1_ms: int
    samples: Samples = field(repr=False, compare=False)

    @property
    def track_id(self) -> str:
        return f"{self.who}-audio"


@cache
def spoken() -> tuple[Said, ...]:
    """All turns of the sitting."""
    lines, said, t_ms = loan_lines(), list[Said](), 1_000
    for who, number in TURNS:
        samples = read_file((LOAN / lines[number].file.name).read_bytes())
        length_ms = len(samples) // SAMPLES_PER_MS
        said.append(Said(who, lines[number].text, t_ms, t_ms + length_ms, samples))
        t_ms += length_ms + PAUSE_MS
    return tuple(said)


def end_ms() -> int:
    return spoken()[-1].t1_ms + PAUSE_MS


def tracks() -> dict[str, Samples]:
    """The sound of each track from the opening to the end."""
    sound = {f"{who}-audio": np.zeros(end_ms() * SAMPLES_PER_MS, dtype=np.float32) for who in (JUDGE, PLAINTIFF, DEFENDANT)}
    for line in spoken():
        start = line.t0_ms * SAMPLES_PER_MS
        sound[line.track_id][start : start + len(line.samples)] = line.samples
    return sound


@asynccontextmanager
async def voiced_case(folder: Path, sound: dict[str, Samples] | None = None, *, sealed: bool = True) -> AsyncIterator[Case]:
    """The sitting, closed; with a live draft that lacks its last line, as after a death of the transcripts role."""
    async with open_case(folder) as case:
        await case.tell(law.LobbyOpened(at(-9000)), PEOPLE[1])
        for index, person in enumerate(PEOPLE[:4]):
            await case.tell(law.ParticipantEntered(at(-8000 + index), person.id), person)
        await case.tell(law.SittingOpened(at(0)), PEOPLE[0])
        await case.tell(law.SittingClosed(at(end_ms())), PEOPLE[0])
        async with case.database.transaction() as connection:
            await connection.execute(update(t.sittings).values(closed_at=at(end_ms())))
        for track_id, samples in (tracks() if sound is None else sound).items():
            await add_track(case, track_id, samples)
        for line in spoken()[:-1]:
            await add_line(case, line)
        case.clock.at = at(end_ms() + 600_000)
        if sealed:
            await seal(case)
        yield case


async def seal(case: Case) -> None:
    await Sealer(case.database, case.objects, case.key, case.clock, SealSettings()).seal({"sitting_id": SITTING})


async def add_track(case: Case, track_id: str, samples: Samples) -> None:
    """Segments as the shipper leaves them, and the track's end."""
    previous, step = "", SEGMENT_MS * SAMPLES_PER_MS
    starts = range(0, len(samples), step)
    for index, start in enumerate(starts):
        data = webm(samples[start : start + step])
        t0_ms = start // SAMPLES_PER_MS
        t1_ms = t0_ms + len(samples[start : start + step]) // SAMPLES_PER_MS
        key, sha256 = segment_key(COURT, SITTING, track_id, index), hashlib.sha256(data).hexdigest()
        await case.objects.put(key, data)
        row = {
            "sitting_id": SITTING, "court_id": COURT, "track_id": track_id, "index": index,
            "participant_id": track_id.removesuffix("-audio"), "kind": "audio", "codec": "opus", "t0_ms": t0_ms, "t1_ms": t1_ms,
            "started_at": at(t0_ms), "bytes": len(data), "sha256": sha256, "sm3": hashlib.new("sm3", data).hexdigest(),
            "prev_sha256": previous, "object_key": key, "packets": (t1_ms - t0_ms) // 20, "lost_packets": 0, "filled_ms": 0,
            "muted_ms": 0, "closed_by": "stop" if index == len(starts) - 1 else "rotate",
        }  # fmt: skip
        async with case.database.transaction() as connection:
            await connection.execute(insert(t.segments).values(**row))
        previous = sha256
    row = {"track_id": track_id, "segments": len(starts), "last_sha256": previous}
    async with case.database.transaction() as connection:
        await connection.execute(insert(t.track_ends).values(sitting_id=SITTING, court_id=COURT, **row))


def webm(samples: Samples) -> bytes:
    """A segment of one voice."""
    return _webm(samples.tobytes())


@cache
def _webm(sound: bytes) -> bytes:
    samples = np.frombuffer(sound, dtype=np.float32)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        stream: Any = container.add_stream("libopus", rate=48000)
        stream.layout = "mono"
        frame: Any = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
        frame.rate = SAMPLE_RATE_HZ
        resampler = av.AudioResampler("flt", "mono", 48000)
        frames = [*resampler.resample(frame), *resampler.resample(None)]
        for one in [*frames, None]:
            container.mux(stream.encode(one))
    return buffer.getvalue()


async def add_line(case: Case, line: Said) -> str:
    """A live line; gives its id."""
    line_id = f"{SITTING}:{line.track_id}@{line.t0_ms - 200}"
    row = {
        "id": line_id, "court_id": COURT, "sitting_id": SITTING, "participant_id": line.who, "track_id": line.track_id,
        "t0_ms": line.t0_ms - 200, "t1_ms": line.t1_ms + 200, "text": line.text, "raw_text": line.text, "confidence": 0.9,
        "words": [], "engine": ENGINE, "origin": "live", "created_at": at(line.t1_ms),
    }  # fmt: skip
    async with case.database.transaction() as connection:
        await connection.execute(insert(t.utterances).values(**row))
    return line_id


async def correct(case: Case, line_id: str, text: str) -> None:
    """The clerk writes a line anew."""
    row = {
        "id": f"rev_{text}", "court_id": COURT, "utterance_id": line_id, "sitting_id": SITTING,
        "operation": {"type": "replace_text", "text": text}, "author_id": CLERK, "at": OPENED_AT,
    }  # fmt: skip
    async with case.database.transaction() as connection:
        await connection.execute(insert(t.revisions).values(**row))


@dataclass
class SimulatedRecognizer:
    """An engine that writes six letters for each stretch of sound. `on_call` is told before each answer and may raise."""

    model: str = "simulated"
    calls: int = 0
    prompt: str = ""

    @property
    def engine(self) -> Engine:
        return Engine("simulator", self.model, hashlib.sha256(self.model.encode()).hexdigest(), "{}")

    def on_call(self, number: int) -> None:
        """Nothing happens."""

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        self.calls += 1
        self.on_call(self.calls)
        heard = [HeardWord(self._letters(samples[a:b]), a // 16, b // 16, 0.9) for a, b in sounds(samples)]
        return Recognition("".join(word.text for word in heard), -0.1, 0.01, tuple(heard) if words else ())

    def _letters(self, samples: Samples) -> str:
        digest = hashlib.sha256(self.model.encode() + bytes(str(len(samples) // 1600), "ascii")).digest()
        return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:6])


def sounds(samples: Samples) -> Sequence[tuple[int, int]]:
    """The stretches between the digital silences with which stretches are packed."""
    loud = np.flatnonzero(samples)
    if not len(loud):
        return []
    edges = np.flatnonzero(np.diff(loud) > 100 * SAMPLES_PER_MS)
    starts, ends = [loud[0], *loud[edges + 1]], [*loud[edges], loud[-1]]
    return [(int(a), int(b) + 1) for a, b in zip(starts, ends, strict=True)]


def pass_over(case: Case, recognizer: SimulatedRecognizer, **settings: Any) -> FinalPass:
    """A worker with this engine that writes down after every few seconds of speech."""
    reader = Reader(recognizer, LineMaker(recognizer, str))
    told = FinalSettings(**({"speech_ms": 2_000} | settings))
    return FinalPass(case.database, case.objects, {"final": reader}, VoiceNetwork(), case.clock, told)
