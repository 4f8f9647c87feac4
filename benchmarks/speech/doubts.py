"""What the marks of a line are worth: how much of what is wrong they cover, and how much of what they cover is wrong.

    COURT_SPEECH_DIR=… python -m benchmarks.speech.doubts [--second 'http://127.0.0.1:8811/v1?model=vosk-small-cn'] [--json FILE]

The final reading of the recorded clips, letter by letter against its reference. With `--second`, a second engine by its address
(`transcripts/engine_address.py`) hears the same stretches as it does in a final pass, and its own error rate is shown.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.speech.accuracy import Bench, Manner
from benchmarks.speech.scoring import Line, Score, difference
from benchmarks.speech.tracks import Track, real_tracks
from transcripts.chinese import cardinal, digit_by_digit
from transcripts.engines import prepare as prepare_engines
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.merging import align
from transcripts.model import MarkKind, Utterance
from transcripts.reading import READING, read_track
from transcripts.recognizer import Recognizer
from transcripts.second_opinion import SecondOpinion
from transcripts.settings import TranscriptSettings
from transcripts.vocabulary import NO_WORDS
from transcripts.weights import prepare

DOUBTS = frozenset({MarkKind.LOW_CONFIDENCE, MarkKind.SECOND_OPINION})
ROWS: dict[str, frozenset[MarkKind]] = {
    "low confidence": frozenset({MarkKind.LOW_CONFIDENCE}),
    "second opinion": frozenset({MarkKind.SECOND_OPINION}),
    "either": DOUBTS,
}
Letter = tuple[str, frozenset[MarkKind]]
DIGITS = re.compile(r"(\d+)(%?)")


def letters_of(line: Utterance, said: str) -> Iterator[Letter]:
    """The letters of a line as they were spoken, each with the doubts that lie on it; digits read out as they stand in `said`."""
    spoken_as = {mark.start: mark for mark in line.marks if mark.kind is MarkKind.NUMBER and mark.note}
    at = 0
    while at < len(line.text):
        number, digits = spoken_as.get(at), DIGITS.match(line.text, at)
        if number is not None:
            end, spoken = number.end, number.note
        elif digits is not None:
            end, spoken = digits.end(), _read_out(digits, said)
        else:
            end, spoken = at + 1, line.text[at]
        doubts = frozenset(mark.kind for mark in line.marks if mark.kind in DOUBTS and mark.start < end and at < mark.end)
        yield from ((letter, doubts) for letter in spoken if letter.isalnum())
        at = end


def _read_out(digits: re.Match[str], said: str) -> str:
    part = "百分之" if digits[2] else ""
    readings = [part + way(digits[1]) for way in (cardinal, digit_by_digit)]
    return next((reading for reading in readings if reading in said), digits[1])


def said_in(track: Track) -> str:
    return "".join(letter for spoken in track.spoken for letter in spoken.text if letter.isalnum())


def judged(track: Track, lines: Iterable[Utterance]) -> Iterator[tuple[bool, frozenset[MarkKind]]]:
    """Each letter written: whether it is wrong, and its doubts."""
    said = said_in(track)
    written = [letter for line in lines for letter in letters_of(line, said)]
    for place, other in align(said, [letter for letter, _ in written]):
        if other is not None:
            yield place is None or said[place] != written[other][0], written[other][1]


def row(name: str, letters: Sequence[tuple[bool, frozenset[MarkKind]]]) -> dict[str, object]:
    """Of all letters, how many the marks cover; of these, how many are wrong; of the wrong ones, how many they cover."""
    found = Counter((wrong, bool(doubts & ROWS[name])) for wrong, doubts in letters)
    marked, wrong = found[True, True] + found[False, True], found[True, True] + found[True, False]
    return {
        "marks": name, "letters": len(letters), "marked": round(marked / max(1, len(letters)), 4),
        "wrong_of_marked": round(found[True, True] / max(1, marked), 4),
        "wrong_covered": round(found[True, True] / max(1, wrong), 4), "wrong": wrong,
    }  # fmt: skip


def read(bench: Bench, second: Recognizer | None) -> dict[str, object]:
    """All clips: one row for each kind of mark, and the error rates of both engines."""
    recognizer = bench.recognizer(Manner())
    maker, opinion = LineMaker(recognizer, bench.simplify), SecondOpinion(second) if second else None
    ear = LineMaker(second, bench.simplify) if second else None
    ours, theirs = Score("ours, final"), Score("second engine")
    letters: list[tuple[bool, frozenset[MarkKind]]] = []
    for track in real_tracks():
        heard = read_track(recognizer, bench.cuts(track, READING), NO_WORDS, lambda _: None)
        lines: list[tuple[Utterance, Cut]] = [
            (line, cut)
            for cut, found in heard
            if (line := maker.write(found, cut, "sitting", "part_x-audio", "final")) is not None
        ]
        if opinion is not None and ear is not None:
            others = [ear.make("sitting", "part_x-audio", cut, "final", NO_WORDS) for _, cut in lines]
            theirs.add(track, [_spoken(line, track) for line in others if line is not None], bench.simplify)
            lines = [(opinion.on(line, cut, NO_WORDS), cut) for line, cut in lines]
        ours.add(track, [_spoken(line, track) for line, _ in lines], bench.simplify)
        letters += judged(track, [line for line, _ in lines])
    rows = [row(name, letters) for name in ROWS if second or name == "low confidence"]
    found: dict[str, object] = {"cer": round(ours.rate(), 4), "marks": rows}
    if second:
        found |= {"second_cer": round(theirs.rate(), 4), "second_less_ours": [round(x, 4) for x in difference(theirs, ours)]}
    return found


def _spoken(line: Utterance, track: Track) -> Line:
    return Line(line.t0_ms, line.t1_ms, "".join(letter for letter, _ in letters_of(line, said_in(track))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--second", default="", help="address of a second engine")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="where the model is kept once joined")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = asked.data or Path(folder)
        bench = Bench(prepare(data, None, lambda _: None), asked.threads)
        settings = TranscriptSettings((), "", "", data, threads=asked.threads, second=asked.second)
        found = read(bench, prepare_engines(settings, captions=False).second if asked.second else None)
    text = json.dumps(found, ensure_ascii=False, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
