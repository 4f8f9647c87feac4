"""How many characters recognition invents where nobody speaks, live and in the final reading: every one is one too many.

    python benchmarks/speech/silence.py [--minutes 10] [--kinds "silence,keyboard"] [--words] [--json FILE]

The sounds are synthesised (tests/non_speech.py), sent through Opus as a browser would, and heard by the very pipeline of the
transcripts role, as fast as the machine can; then they are cut and read as the final pass does. `--words` gives the engine
the case words of the loan hearing as well: more to invent from. Beside the characters stands how often the voice detector
was deceived, how many of those stretches the engine wrote something for, and what the guards struck.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import structlog

from court.roles.transcripts import COURT_WORDS
from storage.clock import SystemClock
from tests.non_speech import KINDS, pieces
from tests.simulated_tap import encode
from transcripts.audio import OpusTrack
from transcripts.engines import prepare
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.model import Engine, Utterance
from transcripts.pipeline import Pipeline
from transcripts.reading import READING, read_track
from transcripts.recognizer import Recognition, Recognizer, Samples
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.tap_message import PACKET_MS, Span, TapPacket
from transcripts.vad import VoiceNetwork
from transcripts.vocabulary import NO_WORDS, CaseWords

LOAN_WORDS = CaseWords(
    names=("张伟", "李强", "王芳"), exhibits=("借条", "银行转账凭证"), legal=("民间借贷", "借款本金", "逾期利息")
)
COLUMNS = ("sound", "minutes", "stretches taken for speech", "written by the engine", "characters live", "characters final")


@dataclass
class Counting:
    """An engine that remembers what it wrote, before any guard."""

    engine_itself: Recognizer
    wrote: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        return self.engine_itself.engine

    @property
    def prompt(self) -> str:
        return self.engine_itself.prompt

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        answer = self.engine_itself.recognise(samples, terms=terms, words=words)
        self.wrote.append(answer.text)
        return answer


@dataclass
class Kept:
    """The pipeline's outlet: keeps the lines."""

    lines: list[Utterance] = field(default_factory=list)
    lost_spans: list[Span] = field(default_factory=list)

    def line(self, utterance: Utterance) -> None:
        self.lines.append(utterance)

    def lost(self, span: Span) -> None:
        self.lost_spans.append(span)


@dataclass(frozen=True)
class Outcome:
    """What came of one kind of sound. The lines stand here only because nobody said them."""

    kind: str
    seconds: int
    live_stretches: int
    live_written: int
    live_characters: int
    final_stretches: int
    final_written: int
    final_characters: int
    live_lines: tuple[str, ...]
    final_lines: tuple[str, ...]


def listen(kind: str, seconds: int, live: Recognizer, final: Recognizer, words: CaseWords = NO_WORDS) -> Outcome:
    """One kind of sound through the live pipeline and the final reading."""
    packets = [opus for piece in pieces(kind, seconds) for opus in encode(piece)]
    heard, read = Counting(live), Counting(final)
    live_lines = _live(packets, heard, words)
    final_lines = _final(packets, read, words)
    return Outcome(
        kind, seconds, len(heard.wrote), sum(map(bool, heard.wrote)), sum(map(len, live_lines)),
        len(read.wrote), sum(map(bool, read.wrote)), sum(map(len, final_lines)), live_lines, final_lines,
    )  # fmt: skip


def _live(packets: list[bytes], engine: Counting, words: CaseWords) -> tuple[str, ...]:
    kept = Kept()
    maker = LineMaker(engine, Simplifier(), lambda _sitting_id: words)
    pipeline = Pipeline(maker, VoiceNetwork(), SystemClock(), kept)
    pipeline.start()
    try:
        for number, opus in enumerate(packets):
            _offer(pipeline, TapPacket(number, number * PACKET_MS, "sit_1", "part_a-audio", opus))
        _offer(pipeline, TapPacket(len(packets), len(packets) * PACKET_MS, "sit_1", "part_a-audio", b"", end=True))
        while pipeline.load.inbox_packets or pipeline.load.waiting_ms:
            time.sleep(0.02)
        time.sleep(0.2)  # the packet taken last
        while pipeline.load.waiting_ms:
            time.sleep(0.02)
    finally:
        pipeline.close()
    if kept.lost_spans:
        raise RuntimeError(f"not heard: {kept.lost_spans}")
    return tuple(line.text for line in kept.lines)


def _offer(pipeline: Pipeline, packet: TapPacket) -> None:
    while not pipeline.offer(packet):
        time.sleep(0.01)


def _final(packets: list[bytes], engine: Counting, words: CaseWords) -> tuple[str, ...]:
    track, listener, cuts = OpusTrack(), Listener(VoiceNetwork()), list[Cut]()
    for number, opus in enumerate(packets):
        for block in track.push(number * PACKET_MS, opus, filler=False):
            cuts += listener.hear(block, READING)
    cuts += listener.finish()
    maker = LineMaker(engine, Simplifier())
    lines = [
        maker.write(recognition, cut, "sit_1", "part_a-audio", "final", words, 1)
        for cut, recognition in read_track(engine, cuts, words, lambda _t_ms: None)
    ]
    return tuple(line.text for line in lines if line is not None)


def row(outcome: Outcome) -> str:
    """One line of the table."""
    stretches = f"{outcome.live_stretches} / {outcome.final_stretches}"
    written = f"{outcome.live_written} / {outcome.final_written}"
    cells = (outcome.kind, outcome.seconds / 60, stretches, written, outcome.live_characters, outcome.final_characters)
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="characters invented where nobody speaks")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--words", action="store_true", help="with the case words of the loan hearing")
    parser.add_argument("--data", type=Path, help="where the joined model is kept (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as scratch:
        engines = prepare(TranscriptSettings((), "", "", arguments.data or Path(scratch), terms=COURT_WORDS))
    print("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), sep="\n", flush=True)
    outcomes = []
    for kind in arguments.kinds:
        words = LOAN_WORDS if arguments.words else NO_WORDS
        outcomes.append(listen(kind, int(arguments.minutes * 60), engines.live, engines.final, words))
        print(row(outcomes[-1]), flush=True)
    live, final = (np.sum([getattr(o, name) for o in outcomes]) for name in ("live_characters", "final_characters"))
    print(f"invented: {live} characters live, {final} in the final reading")
    text = json.dumps([asdict(outcome) for outcome in outcomes], ensure_ascii=False, indent=1)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
