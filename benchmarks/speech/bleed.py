"""How much microphone bleed the final pass leaves out, and whether it ever leaves out speech of its own.

    python -m benchmarks.speech.bleed            the synthetic hearing; minutes on two cores

The judge's lines are heard a second time by the plaintiff's microphone, later and quieter, over the noise of a room. Then the
same machinery is given what must stay: other words at the same time, as loud as usual and softly.

With the bundled model and six lines: 4, 4 and 0 of 6 left out at 12, 18 and 24 dB below (fainter words are heard so wrongly that
the texts no longer agree, and then both lines stay), never speech of its own (0 of 18). Another reader gave 9 and 0 of 12.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import gettempdir

import numpy as np

from tests.simulated_tap import SpokenLine, loan_lines
from transcripts.audio import read_file
from transcripts.bleed import bleed_in
from transcripts.engines import prepare
from transcripts.final_pass import Place, Reader
from transcripts.final_worker import sound_of
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Utterance
from transcripts.recognizer import SAMPLES_PER_MS, Samples
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.vocabulary import NO_WORDS

JUDGE, PLAINTIFF = "judge-audio", "plaintiff-audio"
LOWER_DB = (12.0, 18.0, 24.0)
LATER_MS = 60
ROOM_DB = -62.0
STEP_MS = 30_000  # between two lines of the judge
LINES = 12

Write = Callable[[Samples, str, int], list[Utterance]]


def main() -> int:
    engines = prepare(TranscriptSettings((), "", "", Path(gettempdir()) / "court-benchmark"))
    reader = Reader(engines.final, LineMaker(engines.final, Simplifier()))

    def write(samples: Samples, track_id: str, t0_ms: int) -> list[Utterance]:
        length_ms = len(samples) // SAMPLES_PER_MS
        cut = Cut(t0_ms, t0_ms + length_ms, length_ms, samples)
        return reader.read(Place("sit_1", track_id, 1), [cut], NO_WORDS, lambda _: None)

    own = [one for one in loan_lines() if one.role == "plaintiff"]
    spoken = [one for one in loan_lines() if one.role == "presiding_judge"][:LINES]
    judge = list(said(write, JUDGE, spoken, 0))
    elsewhere = list(said(write, PLAINTIFF, own[:3], 10 * LINES * STEP_MS))
    for lower_db in LOWER_DB:
        heard = list(said(write, PLAINTIFF, spoken, LATER_MS, lower_db))
        found = bleed_in([*judge, *elsewhere, *heard], sound_of)
        print(f"bleed, {lower_db:.0f} dB lower: {len(found)} of {len(heard)} lines left out")
    wrong = 0
    for lower_db in (0.0, 18.0):
        other = list(said(write, PLAINTIFF, [*own, *own][: len(spoken)], 0, lower_db))
        found = bleed_in([*judge, *elsewhere, *other], sound_of)
        wrong += len(found)
        print(f"own words at the same time, {lower_db:.0f} dB lower: {len(found)} of {len(other)} lines left out (must be 0)")
    alike = [replace(one, track_id=PLAINTIFF, id=f"same{one.id}") for one in judge]
    found = bleed_in([*judge, *elsewhere, *alike], sound_of)
    print(f"the same words from two mouths, equally loud: {len(found)} of {len(alike)} lines left out (must be 0)")
    return 1 if wrong or found else 0


def said(write: Write, track_id: str, lines: Sequence[SpokenLine], late_ms: int, lower_db: float = 0.0) -> Iterator[Utterance]:
    """Lines of a track, one every STEP_MS, over the noise of a room."""
    rng = np.random.default_rng(5)
    for number, line in enumerate(lines):
        sound = read_file(line.file.read_bytes()) * np.float32(10 ** (-lower_db / 20))
        noise = rng.standard_normal(len(sound)).astype(np.float32) * np.float32(10 ** (ROOM_DB / 20))
        yield from write(sound + noise, track_id, number * STEP_MS + late_ms)


if __name__ == "__main__":
    sys.exit(main())
