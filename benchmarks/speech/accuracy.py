"""How much of real speech is written wrongly, and when: our readings beside plain faster-whisper with the same model.

    COURT_SPEECH_DIR=… python -m benchmarks.speech.accuracy [--corpus real,loan] [--experiments] [--arrangements N] [--threads 2] [--json FILE]

Each speaker's clips are put one after the other with pauses of 0.6 to 3 s (the loan hearing: 1 to 4 s); every system reads the
same tracks in the same run. What stands beside a clip changes what is heard in it, in every system: with several arrangements
the luck of one order is averaged out, and the bootstrap still draws clips. Prints one table for each corpus, then JSON. What the columns mean: benchmarks/speech/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from faster_whisper import WhisperModel

from benchmarks.speech.scoring import Line, Score, difference
from benchmarks.speech.tracks import Track, loan_tracks, real_tracks
from court.roles.transcripts import COURT_WORDS
from transcripts.audio import Block
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.model import MarkKind, Utterance
from transcripts.packing import LONGEST_MS
from transcripts.reading import READING, read_track
from transcripts.recognizer import SAMPLE_RATE_HZ, Recognition
from transcripts.script import Simplifier
from transcripts.vad import VoiceNetwork
from transcripts.vocabulary import NO_WORDS, CaseWords
from transcripts.weights import ModelFiles, prepare
from transcripts.whisper import PROMPT, WhisperRecognizer
from transcripts.windows import USUAL, CutRule

TUNED_ON = frozenset({"S0252"})
"""The speaker on whose 40 clips settings were chosen; the others only confirm."""

Reader = Callable[[Track], list[Line]]
CORPORA: dict[str, Callable[[int], list[Track]]] = {"real": real_tracks, "loan": loan_tracks}


@dataclass(frozen=True, slots=True)
class Manner:
    """A way to read a track in packs. `prompted`, `replaced`: what the words of the case are used for."""

    beam: int = 5
    plain: bool = True
    guided: bool = True
    weighed: bool = True
    terms: tuple[str, ...] = COURT_WORDS
    longest_ms: int = LONGEST_MS
    prompted: bool = True
    replaced: bool = True


@dataclass
class Bench:
    """The model and what reads with it."""

    files: ModelFiles
    threads: int
    case: CaseWords = NO_WORDS

    def __post_init__(self) -> None:
        self.simplify = Simplifier()
        self.network = VoiceNetwork()

    @cached_property
    def model(self) -> WhisperModel:
        return WhisperModel(str(self.files.path), device="cpu", compute_type="int8", cpu_threads=self.threads)

    def recognizer(self, manner: Manner) -> WhisperRecognizer:
        return WhisperRecognizer(
            self.files, threads=self.threads, workers=1, beam=manner.beam, plain=manner.plain, guided=manner.guided,
            weighed=manner.weighed, terms=manner.terms if manner.guided else (),
        )  # fmt: skip

    def cuts(self, track: Track, rule: CutRule) -> list[Cut]:
        listener, cuts = Listener(self.network), []
        for start in range(0, len(track.samples), SAMPLE_RATE_HZ):
            block = Block(start * 1000 // SAMPLE_RATE_HZ, track.samples[start : start + SAMPLE_RATE_HZ], joined=start > 0)
            cuts += listener.hear(block, rule)
        return cuts + listener.finish()

    def written(self, recognizer: WhisperRecognizer, read: Iterable[tuple[Cut, Recognition]], words: CaseWords) -> list[Line]:
        """The lines that the court would see: guarded, simplified, with the words of the case put in."""
        maker = LineMaker(recognizer, self.simplify)
        lines = (maker.write(found, cut, "sitting", "part_x-audio", "final", words) for cut, found in read)
        return [Line(line.t0_ms, line.t1_ms, _as_spoken(line)) for line in lines if line is not None]


def _as_spoken(line: Utterance) -> str:
    """The line with its numbers as they were spoken: the rule counts 1% for 百分之一 as wrong."""
    text = line.text
    for mark in sorted(line.marks, key=lambda mark: -mark.start):
        if mark.kind is MarkKind.NUMBER and mark.note:
            text = text[: mark.start] + mark.note + text[mark.end :]
    return text


def theirs(bench: Bench, **options: object) -> Reader:
    """faster-whisper as it comes: `transcribe` over the whole track."""

    def read(track: Track) -> list[Line]:
        segments, _ = bench.model.transcribe(track.samples, language="zh", **options)
        return [Line(int(one.start * 1000), int(one.end * 1000), one.text) for one in segments]

    return read


def live(bench: Bench, manner: Manner) -> Reader:
    """As captions are made: one call for each stretch."""
    recognizer = bench.recognizer(manner)

    def read(track: Track) -> list[Line]:
        heard = ((cut, recognizer.recognise(cut.samples, terms=bench.case.terms)) for cut in bench.cuts(track, USUAL))
        return bench.written(recognizer, heard, bench.case)

    return read


def ours(bench: Bench, manner: Manner) -> Reader:
    """As a final pass reads."""
    recognizer = bench.recognizer(manner)

    def read(track: Track) -> list[Line]:
        prompted, replaced = (bench.case if wanted else NO_WORDS for wanted in (manner.prompted, manner.replaced))
        heard = read_track(recognizer, bench.cuts(track, READING), prompted, _silent, longest_ms=manner.longest_ms)
        return bench.written(recognizer, heard, replaced)

    return read


def _silent(_read_ms: int) -> None:
    return


PLAIN = "faster-whisper, beam 5, vad_filter"
FINAL, LIVE = "ours, final", "ours, live"

TABLE: dict[str, Callable[[Bench], Reader]] = {
    PLAIN: partial(theirs, beam_size=5, vad_filter=True),
    LIVE: partial(live, manner=Manner(plain=False)),
    FINAL: partial(ours, manner=Manner()),
}

EXPERIMENTS: dict[str, Callable[[Bench], Reader]] = {
    "live, beam 1": partial(live, manner=Manner(beam=1, plain=False)),
    "live, two readings, beam 1": partial(live, manner=Manner(beam=1, weighed=False)),
    "live, two readings": partial(live, manner=Manner(weighed=False)),
    "live, beam 1, no prompt": partial(live, manner=Manner(beam=1, plain=False, guided=False)),
    "faster-whisper, no vad_filter": partial(theirs, beam_size=5),
    "faster-whisper, beam 1": partial(theirs, beam_size=1, vad_filter=True),
    "faster-whisper, prompt": partial(theirs, beam_size=5, vad_filter=True, initial_prompt=PROMPT),
    "faster-whisper, hotwords": partial(theirs, beam_size=5, vad_filter=True, hotwords="、".join(COURT_WORDS)),
    "faster-whisper, word times": partial(theirs, beam_size=5, vad_filter=True, word_timestamps=True),
    "one call per stretch, prompt": partial(ours, manner=Manner(plain=False, terms=(), longest_ms=0)),
    "one call per stretch, no prompt": partial(ours, manner=Manner(plain=False, guided=False, longest_ms=0)),
    **{
        f"packs of {seconds} s, no prompt": partial(ours, manner=Manner(plain=False, guided=False, longest_ms=seconds * 1000))
        for seconds in (10, 15, 20, 27)
    },
    "packs, prompt": partial(ours, manner=Manner(plain=False, terms=())),
    "packs, prompt and court words": partial(ours, manner=Manner(plain=False)),
    "two readings, not weighed": partial(ours, manner=Manner(weighed=False)),
    "two readings, no court words": partial(ours, manner=Manner(terms=())),
    "two readings, beam 1": partial(ours, manner=Manner(beam=1)),
    "two readings, beam 8": partial(ours, manner=Manner(beam=8)),
}


def measure(name: str, read: Reader, tracks: Sequence[Track], simplify: Simplifier) -> Score:
    """One system over all tracks; loading its model is not counted."""
    score = Score(name)
    read(tracks[-1])
    for track in tracks:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        lines = read(track)
        score.cpu_s += time.process_time() - cpu_s
        score.wall_s += time.perf_counter() - wall_s
        score.add(track, lines, simplify)
    return score


def compared(score: Score, plain: Score) -> dict[str, object]:
    """A row of the table: the figures, and the difference to plain faster-whisper over all and over each half."""
    halves: dict[str, Callable[[str], bool]] = {"all": lambda _: True}
    if any(speaker in TUNED_ON for speaker, _ in score.errors):
        halves |= {"tuned_on": lambda speaker: speaker in TUNED_ON, "confirming": lambda speaker: speaker not in TUNED_ON}
    less = {}
    for half, chosen in halves.items():
        found, low, high = (round(value, 4) for value in difference(score, plain, chosen))
        less[half] = {"cer": round(score.rate(chosen), 4), "less": found, "low": low, "high": high}
    return {**score.row(), "against_plain": less}


def run(corpus: str, bench: Bench, systems: dict[str, Callable[[Bench], Reader]], arrangements: int) -> list[dict[str, object]]:
    """All systems on one corpus; prints each row as it comes."""
    tracks = [track for number in range(arrangements) for track in CORPORA[corpus](number)]
    said = sum(len(track.spoken) for track in tracks) // arrangements
    print(f"\n{corpus}: {said} utterances in {arrangements} arrangements")
    print(
        "| system | CER | less plain | 95 % | tuned on | confirming | invented | onset p50/p90/worst ms | CPU, wall s per s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    plain: Score | None = None
    rows = []
    for name, build in systems.items():
        score = measure(name, build(bench), tracks, bench.simplify)
        plain = plain or score
        rows.append(compared(score, plain))
        print(_as_row(rows[-1]), flush=True)
    return rows


def _as_row(row: dict[str, object]) -> str:
    less: dict[str, dict[str, float]] = row["against_plain"]  # type: ignore[assignment]
    halves = [
        f"{half['cer']:.1%} ({half['less']:+.1%})" if half else "" for half in (less.get("tuned_on"), less.get("confirming"))
    ]
    every = less["all"]
    cells = (
        row["system"], f"{every['cer']:.1%}", f"{every['less']:+.1%}", f"{every['low']:+.1%} … {every['high']:+.1%}", *halves,
        row["invented"], f"{row['onset_p50_ms']} / {row['onset_p90_ms']} / {row['onset_worst_ms']}",
        f"{row['cpu_s_per_speech_s']}, {row['wall_s_per_speech_s']}",
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="character error rate, times and invented text on real speech")
    parser.add_argument("--corpus", default="real,loan")
    parser.add_argument("--experiments", action="store_true", help="also everything else that was tried")
    parser.add_argument("--only", default="", help="only systems whose name holds this (plain is always read)")
    parser.add_argument(
        "--arrangements", type=int, default=1, help="read every clip in so many orders with pauses of their own"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, help="where the joined model is kept (default: a temporary folder)")
    parser.add_argument("--model", type=Path, help="another CTranslate2 Whisper folder")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    systems = TABLE | (EXPERIMENTS if arguments.experiments or arguments.only else {})
    systems = {name: build for name, build in systems.items() if name == PLAIN or arguments.only in name}
    with tempfile.TemporaryDirectory() as scratch:
        files = prepare(arguments.data or Path(scratch), arguments.model, lambda _: None)
        bench = Bench(files, arguments.threads)
        load = os.getloadavg()[0]
        found: dict[str, object] = {
            name: run(name, bench, systems, arguments.arrangements) for name in arguments.corpus.split(",")
        }
    found["machine"] = {
        "cores": os.cpu_count(), "threads": arguments.threads, "arrangements": arguments.arrangements, "load_before": load, "model": files.name, "sha256": files.sha256,
    }  # fmt: skip
    text = json.dumps(found, indent=1, ensure_ascii=False)
    print(text)
    if arguments.json:
        arguments.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
