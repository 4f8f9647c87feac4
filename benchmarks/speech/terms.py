"""How many names, amounts, dates and legal words of a hearing are written wrongly, with the words of its case and without.

    COURT_SPEECH_DIR=… python -m benchmarks.speech.terms [--readings live,final] [--threads 1] [--no-harm] [--json FILE]

The synthetic loan hearing of the rehearsals; its vocabulary is made from what the court's data say of it (loan.json), as the
server makes it. Each way of using the vocabulary reads the same stretches in the same run. `--no-harm` reads the recorded
clips of COURT_SPEECH_DIR with the loan vocabulary and without. What the columns mean: benchmarks/speech/README.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.speech.scoring import Line, Score, difference
from benchmarks.speech.tracks import Spoken, Track, loan_tracks, real_tracks
from court.roles.transcripts import COURT_WORDS
from transcripts.audio import Block
from transcripts.chinese import cardinal, digit_by_digit
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.reading import READING, read_track
from transcripts.recognizer import SAMPLE_RATE_HZ, Recognition
from transcripts.script import Simplifier
from transcripts.vad import VoiceNetwork
from transcripts.vocabulary import NO_WORDS, CaseFacts, CaseWords, case_words
from transcripts.weights import ModelFiles, prepare
from transcripts.whisper import PROMPT, WhisperRecognizer
from transcripts.windows import USUAL
from transcripts.word_lists import legal_table

LOAN = Path(__file__).parents[2] / "rehearsals" / "loan.json"
NAMES = ("张伟", "李强", "王芳")
AMOUNT = re.compile("[一二两三四五六七八九十百千万]+元")
DATE = re.compile("(?:二零二四年)?[一二三四五六七八九十]+月(?:[一二三四五六七八九十]+日)?|去年九月")
OTHER_LEGAL = (
    "诉讼参与人", "法庭纪律", "庭审内容", "当事人", "身份证号码", "案由", "公开开庭", "审理", "原件", "法律责任", "陈述", "归纳", "异议",
    "认定", "主持", "确认无误", "签名", "约定", "支付", "属实", "注明", "承担", "终结", "认可", "出示",
)  # fmt: skip
"""Words of the court in the references that no list of ours holds: what the vocabulary cannot know."""

KINDS = ("names", "amounts", "dates", "legal, listed", "legal, not listed")
DECODES = ("none", "court", "case", "hotwords")
SYSTEMS = {  # how the stretches are read, and whether words are replaced by sound
    "no words": ("none", False),
    "court words in the prompt": ("court", False),
    "+ case words in the prompt": ("case", False),
    "+ case words as hotwords": ("hotwords", False),
    "no words, replacement by sound": ("none", True),
    "court words, replacement by sound": ("court", True),
    "all: prompt and replacement": ("case", True),
}


class HotwordRecognizer(WhisperRecognizer):
    """The words as faster-whisper's hotwords: before the opening sentence, with nothing said about them."""

    def _build_prompt(self, terms: tuple[str, ...]) -> list[int]:
        before = self._tokenizer.encode(f" {PROMPT}")
        words = "、".join(terms)
        tokens: list[int] = self._model.get_prompt(self._tokenizer, before, without_timestamps=True, hotwords=words)
        return tokens


@dataclass
class Bench:
    """The model, and what it has heard in each track by each way of decoding."""

    files: ModelFiles
    threads: int
    words: CaseWords

    def __post_init__(self) -> None:
        self.network = VoiceNetwork()
        self.simplify = Simplifier()
        self.loaded = WhisperRecognizer(self.files, threads=self.threads, workers=1)

    def recognizer(self, reading: str, decode: str) -> WhisperRecognizer:
        kind = HotwordRecognizer if decode == "hotwords" else WhisperRecognizer
        final = reading == "final"
        return kind(
            self.files, threads=self.threads, workers=1, beam=5, plain=final,
            terms=() if decode == "none" else COURT_WORDS, shared=self.loaded,
        )  # fmt: skip

    def heard(self, track: Track, reading: str, decode: str) -> list[tuple[Cut, Recognition]]:
        """Every stretch of a track with what was heard in it, live (each alone) or final (in packs)."""
        recognizer = self.recognizer(reading, decode)
        known = self.words if decode in {"case", "hotwords"} else NO_WORDS
        listener, cuts = Listener(self.network), []
        for start in range(0, len(track.samples), SAMPLE_RATE_HZ):
            block = Block(start * 1000 // SAMPLE_RATE_HZ, track.samples[start : start + SAMPLE_RATE_HZ], joined=start > 0)
            cuts += listener.hear(block, USUAL if reading == "live" else READING)
        cuts += listener.finish()
        if reading == "final":
            return list(read_track(recognizer, cuts, known, lambda _: None))
        return [(cut, recognizer.recognise(cut.samples, terms=known.terms)) for cut in cuts]

    def lines(self, heard: list[tuple[Cut, Recognition]], words: CaseWords) -> list[Line]:
        maker = LineMaker(self.loaded, self.simplify)
        written = (maker.write(found, cut, "sit", "part_x-audio", "final", words) for cut, found in heard)
        return [Line(line.t0_ms, line.t1_ms, line.text) for line in written if line is not None]


def loan_words() -> CaseWords:
    """The vocabulary of the loan hearing, from the same facts that the server reads in its database."""
    script = json.loads(LOAN.read_text(encoding="utf-8"))
    facts = CaseFacts(
        people=tuple(person["name"] for person in script["participants"]), cause=script["hearing"]["cause"],
        title=script["hearing"]["title"],
        exhibits=tuple((step["title"], step["purpose"]) for step in script["steps"] if step["do"] == "submit"),
    )  # fmt: skip
    return case_words(facts, legal_table())


def wanted(text: str, words: CaseWords) -> Iterator[tuple[str, str]]:
    """(kind, word) of everything in a reference that must be right; a legal word inside a longer one counts once."""
    yield from (("names", name) for name in NAMES for _ in range(text.count(name)))
    yield from (("amounts", amount) for amount in AMOUNT.findall(text))
    yield from (("dates", date) for date in DATE.findall(text))
    legal = sorted({*words.legal, *OTHER_LEGAL}, key=len, reverse=True)
    for word in re.findall("|".join(map(re.escape, legal)), text):
        yield "legal, listed" if word in words.legal else "legal, not listed", word


def missing(spoken: Spoken, lines: list[Line], words: CaseWords) -> Iterator[tuple[str, str]]:
    """What of an utterance is not in the lines over it as often as it was said."""
    near = "".join(line.text for line in lines if spoken.t0_ms <= (line.t0_ms + line.t1_ms) // 2 < spoken.t1_ms)
    readings = _spoken_forms(near)
    for (kind, word), times in Counter(wanted(spoken.text, words)).items():
        plain = word.replace("两", "二")
        yield from [(kind, word)] * (times - min(times, max(reading.count(plain) for reading in readings)))


def _spoken_forms(text: str) -> list[str]:
    """The text with its digits read out: as one number, digit by digit, and years digit by digit with the rest as numbers."""
    text = re.sub("[，。、？！：；,]", "", text)
    ways = (
        lambda found: cardinal(found.group()) if len(found.group()) <= 12 else digit_by_digit(found.group()),
        lambda found: digit_by_digit(found.group()),
        lambda found: digit_by_digit(found.group()) if len(found.group()) == 4 else cardinal(found.group()[:12]),
    )
    return [re.sub(r"\d+", way, text).replace("两", "二").replace("幺", "一") for way in ways]


def count(bench: Bench, reading: str) -> list[dict[str, object]]:
    """One row for each system: wrong of each kind, and the character error rate."""
    tracks = loan_tracks()
    said = [item for track in tracks for spoken in track.spoken for item in wanted(spoken.text, bench.words)]
    heard = {decode: [bench.heard(track, reading, decode) for track in tracks] for decode in DECODES}
    rows: list[dict[str, object]] = []
    for name, (decode, replaced) in SYSTEMS.items():
        score, wrong = Score(name), []
        for track, found in zip(tracks, heard[decode], strict=True):
            lines = bench.lines(found, bench.words if replaced else NO_WORDS)
            score.add(track, lines, bench.simplify)
            wrong += [item for spoken in track.spoken for item in missing(spoken, lines, bench.words)]
        by_kind = {kind: f"{sum(k == kind for k, _ in wrong)}/{sum(k == kind for k, _ in said)}" for kind in KINDS}
        rows.append({
            "reading": reading, "system": name, **by_kind, "wrong": len(wrong), "said": len(said), "cer": round(score.rate(), 4),
            "which": [word for _, word in wrong],
        })  # fmt: skip
    return rows


def no_harm(bench: Bench, reading: str) -> dict[str, object]:
    """The recorded clips, which have nothing to do with a loan: error rate with its vocabulary less that without."""
    tracks = real_tracks()
    scores = {name: Score(name) for name in ("court", "sound", "all")}
    for track in tracks:
        plain, case = bench.heard(track, reading, "court"), bench.heard(track, reading, "case")
        scores["court"].add(track, bench.lines(plain, NO_WORDS), bench.simplify)
        scores["sound"].add(track, bench.lines(plain, bench.words), bench.simplify)
        scores["all"].add(track, bench.lines(case, bench.words), bench.simplify)
    rows = {}
    for name in ("sound", "all"):
        rows[name] = [round(figure, 4) for figure in difference(scores[name], scores["court"])]
    return {"reading": reading, "cer": {name: round(score.rate(), 4) for name, score in scores.items()}, "less_court": rows}


def show(rows: list[dict[str, object]]) -> None:
    print(f"{'reading':8}{'system':36}" + "".join(f"{kind:>19}" for kind in KINDS) + f"{'wrong':>9}{'CER':>8}")
    for row in rows:
        kinds = "".join(f"{row[kind]:>19}" for kind in KINDS)
        print(
            f"{row['reading']:8}{row['system']:36}{kinds}{row['wrong']:>5}/{row['said']:<3}{100 * cast('float', row['cer']):>7.1f}%"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", default="live,final")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-harm", action="store_true")
    parser.add_argument("--data", type=Path, help="where the model is kept once joined")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(prepare(asked.data or Path(folder), None, lambda _: None), asked.threads, loan_words())
        readings = asked.readings.split(",")
        rows = [row for reading in readings for row in count(bench, reading)]
        harm = [no_harm(bench, reading) for reading in readings] if asked.no_harm else []
    show(rows)
    result = {
        "model": bench.files.name,
        "words": len(bench.words),
        "terms": len(bench.words.terms),
        "rows": rows,
        "no_harm": harm,
    }
    text = json.dumps(result, ensure_ascii=False, indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
