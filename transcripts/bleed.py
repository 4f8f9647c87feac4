"""Microphone bleed (串音): the same words on two tracks because one microphone hears another person or a loudspeaker.

The louder track keeps the line; the other is left out, noted beside the one that is kept. Speech that differs is never left
out: the words must be the same by sound, at the same time, and clearly quieter than their own track usually is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from statistics import median

from transcripts.model import Utterance

NEAR_MS = 1_000  # how much later the echo of a loudspeaker may come, and how far word times may be wrong
LEAST_LETTERS = 4  # two people may say 同意 at once, and one of them softly
LEAST_ALIKE = 0.7  # of the letters of the line that is left out
LONGEST_OTHER = 2  # letters in a row that the louder track has not; more is speech of its own
OWN_LINES = 3  # so many lines of its own tell how loud a track usually is
CLEARLY_LOWER_DB = 6.0  # below what its track usually is, against the line that is kept
MUCH_LOWER_DB = 12.0  # where a track has not spoken enough itself to compare with
TURNS_THE_SENSE = frozenset("不没无未莫勿")  # 非 is what recognisers make of a faint 被

Sound = Callable[[str], str]
"""How a letter sounds; two letters of one sound count as the same."""


@dataclass(frozen=True, slots=True)
class Bleed:
    """A line that was left out, and the line that tells the same."""

    id: str
    kept_id: str
    track_id: str
    t0_ms: int
    t1_ms: int
    text: str
    lower_db: float


def bleed_in(lines: Sequence[Utterance], sound: Sound = str) -> tuple[Bleed, ...]:
    """Which of these lines (of one sitting) are bleed, in order of time. Lines without a level are never left out."""
    twins = [(quiet, loud) for quiet, loud in _at_the_same_time(lines) if _alike(quiet, loud, sound)]
    usual = usual_levels(lines, {one.id for pair in twins for one in pair})
    found: dict[str, Bleed] = {}
    for quiet, loud in twins:
        lower_db = _lower_db(quiet, loud, usual)
        known = found.get(quiet.id)
        if lower_db > 0 and (known is None or known.lower_db < lower_db):
            found[quiet.id] = Bleed(quiet.id, loud.id, quiet.track_id, quiet.t0_ms, quiet.t1_ms, quiet.text, round(lower_db, 1))
    kept = [one for one in found.values() if one.kept_id not in found]  # never both
    return tuple(sorted(kept, key=lambda one: (one.t0_ms, one.id)))


def usual_levels(lines: Iterable[Utterance], shared: set[str]) -> Mapping[str, float]:
    """How loud each track usually is, by the lines that it shares with nobody; without enough of them it is not there."""
    levels: dict[str, list[float]] = {}
    for line in lines:
        if line.level_db is not None and line.id not in shared:
            levels.setdefault(line.track_id, []).append(line.level_db)
    return {track_id: median(own) for track_id, own in levels.items() if len(own) >= OWN_LINES}


def _at_the_same_time(lines: Iterable[Utterance]) -> Iterator[tuple[Utterance, Utterance]]:
    """Lines of two tracks that lie within NEAR_MS of one another, each pair both ways."""
    open_lines: list[Utterance] = []
    for line in sorted(lines, key=lambda one: one.t0_ms):
        open_lines = [other for other in open_lines if other.t1_ms > line.t0_ms - NEAR_MS]
        for other in open_lines:
            if other.track_id != line.track_id:
                yield line, other
                yield other, line
        open_lines.append(line)


def _lower_db(quiet: Utterance, loud: Utterance, usual: Mapping[str, float]) -> float:
    """By how much the one is below the other, 0 where that is not clear."""
    if quiet.level_db is None or loud.level_db is None:
        return 0.0
    if quiet.track_id in usual and loud.track_id in usual:
        lower_db = (loud.level_db - usual[loud.track_id]) - (quiet.level_db - usual[quiet.track_id])
        return lower_db if lower_db >= CLEARLY_LOWER_DB else 0.0
    lower_db = loud.level_db - quiet.level_db
    return lower_db if lower_db >= MUCH_LOWER_DB else 0.0


def _alike(quiet: Utterance, loud: Utterance, sound: Sound) -> bool:
    """Whether everything in `quiet` is told by `loud` at that time."""
    said, heard = _letters(quiet.text), _letters(_text_near(loud, quiet.t0_ms - NEAR_MS, quiet.t1_ms + NEAR_MS))
    if len(said) < LEAST_LETTERS:
        return False
    matcher = SequenceMatcher(None, [sound(one) for one in heard], [sound(one) for one in said], autojunk=False)
    blocks = matcher.get_matching_blocks()
    if sum(block.size for block in blocks) < LEAST_ALIKE * len(said):
        return False
    end = 0
    for block in blocks:  # the last one is empty and stands at the end
        other = said[end : block.b]
        if len(other) > LONGEST_OTHER or any(one in TURNS_THE_SENSE or one.isdigit() for one in other):
            return False
        end = block.b + block.size
    return True


def _text_near(line: Utterance, from_ms: int, to_ms: int) -> str:
    """What of a line was said in that time, by its words; the whole line where it has none."""
    near = [word.text for word in line.words if word.t0_ms < to_ms and word.t1_ms > from_ms]
    return "".join(near) if line.words else line.text


def _letters(text: str) -> str:
    return "".join(one for one in text if one.isalnum())
