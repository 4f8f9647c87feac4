"""What is wrong with a reading of a track: characters, times, and text where nobody spoke."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.speech.tracks import Track
from transcripts.cer import Errors, spread

NEAR_MS = 300  # a line that touches nothing said within that has been invented
DRAWS = 5_000


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a reading."""

    t0_ms: int
    t1_ms: int
    text: str


@dataclass(slots=True)
class Score:
    """Of one system over all tracks. An utterance (speaker, text) read in several arrangements has the errors of all of them."""

    name: str
    errors: dict[tuple[str, str], Errors] = field(default_factory=dict)
    onsets_ms: list[int] = field(default_factory=list)  # nearest line begins that much after the voice
    invented: int = 0  # characters
    cpu_s: float = 0.0
    wall_s: float = 0.0
    speech_s: float = 0.0
    track_s: float = 0.0

    def add(self, track: Track, lines: Sequence[Line], simplify: Callable[[str], str]) -> None:
        """One more track."""
        texts = [one.text for one in track.spoken]
        for text, errors in zip(texts, spread(texts, "".join(line.text for line in lines), simplify), strict=True):
            self.errors[track.speaker, text] = self.errors.get((track.speaker, text), Errors(0, 0)) + errors
        starts_ms = [line.t0_ms for line in lines]
        self.onsets_ms += [
            min((start_ms - one.voice_ms for start_ms in starts_ms), key=abs, default=one.t1_ms - one.voice_ms)
            for one in track.spoken
        ]
        self.invented += sum(sum(map(str.isalnum, line.text)) for line in lines if not _near(line, track))
        self.speech_s += sum(one.t1_ms - one.t0_ms for one in track.spoken) / 1000
        self.track_s += len(track.samples) / 16_000

    def rate(self, speakers: Callable[[str], bool] = lambda _: True) -> float:
        """Character error rate over the speakers chosen."""
        return sum((errors for (speaker, _), errors in self.errors.items() if speakers(speaker)), Errors(0, 0)).rate

    def row(self) -> dict[str, float | str]:
        """What the table shows."""
        late = sorted(abs(onset_ms) for onset_ms in self.onsets_ms)
        return {
            "system": self.name, "cer": round(self.rate(), 4), "invented": self.invented,
            "onset_p50_ms": late[len(late) // 2], "onset_p90_ms": late[len(late) * 9 // 10], "onset_worst_ms": late[-1],
            "cpu_s_per_speech_s": round(self.cpu_s / self.speech_s, 3),
            "wall_s_per_speech_s": round(self.wall_s / self.speech_s, 3),
            "wall_s_per_track_s": round(self.wall_s / self.track_s, 3),
        }  # fmt: skip


def difference(one: Score, other: Score, speakers: Callable[[str], bool] = lambda _: True) -> tuple[float, float, float]:
    """Error rate of `one` less that of `other`, with the 95 % interval of a paired bootstrap over utterances."""
    pairs = [(errors, other.errors[utterance]) for utterance, errors in one.errors.items() if speakers(utterance[0])]
    chance = random.Random(1)
    draws = sorted(_less(chance.choices(pairs, k=len(pairs))) for _ in range(DRAWS))
    return _less(pairs), draws[DRAWS * 25 // 1000], draws[DRAWS * 975 // 1000]


def _less(pairs: Sequence[tuple[Errors, Errors]]) -> float:
    return sum(ours.edits - theirs.edits for ours, theirs in pairs) / max(1, sum(ours.characters for ours, _ in pairs))


def _near(line: Line, track: Track) -> bool:
    return any(line.t0_ms < one.t1_ms + NEAR_MS and line.t1_ms > one.t0_ms - NEAR_MS for one in track.spoken)
