"""What is different between two versions of a transcript: lines side by side by their time, then their characters.

Two passes cut speech at different places, so one line may stand against several. Lines of a track that share time belong
together; what is left of them is compared letter by letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from transcripts.guards import letters_of
from transcripts.model import Line

SHARED_MS = 300  # lines that share less than this only touch: each is padded by a fifth of a second

Change = Literal["same", "changed", "added", "removed"]
Kind = Literal["same", "added", "removed"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some letters: in both texts, only in the new one, or only in the old one."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Old and new lines of a track that tell the same stretch; `pieces` in reading order.

    `change` is same where the words are: marks are the machine's, and two readings rarely set the same ones.
    """

    change: Change
    track_id: str
    t0_ms: int
    t1_ms: int
    old: tuple[Line, ...]
    new: tuple[Line, ...]
    pieces: tuple[Piece, ...]


def diff(old: Iterable[Line], new: Iterable[Line]) -> tuple[Row, ...]:
    """Every line of both, in order of time."""
    rows = [_row(*group) for group in _groups(tuple(old), tuple(new))]
    return tuple(sorted(rows, key=lambda row: (row.t0_ms, row.track_id, row.t1_ms)))


def _groups(old: Sequence[Line], new: Sequence[Line]) -> list[tuple[list[Line], list[Line]]]:
    """Lines of one track that share time, directly or through one another."""
    groups: list[tuple[list[Line], list[Line]]] = []
    tracks = {line.utterance.track_id for line in (*old, *new)}
    for track_id in sorted(tracks):
        mine = [(line, number) for number, lines in enumerate((old, new)) for line in lines if _track(line) == track_id]
        mine.sort(key=lambda one: (one[0].utterance.t0_ms, one[1], one[0].utterance.t1_ms))
        ends = [0, 0]  # of the old lines and of the new ones in the group
        for line, side in mine:
            said = line.utterance
            least_ms = min(SHARED_MS, (said.t1_ms - said.t0_ms) // 2)
            fresh = not groups or _track(_first(groups[-1])) != track_id
            if fresh or ends[1 - side] - said.t0_ms <= least_ms:
                groups.append(([], []))
                ends = [said.t0_ms, said.t0_ms]
            groups[-1][side].append(line)
            ends[side] = max(ends[side], said.t1_ms)
    return groups


def _row(old: list[Line], new: list[Line]) -> Row:
    lines = [*old, *new]
    before, after = ("".join(line.text for line in side) for side in (old, new))
    change: Change = (
        "removed" if not new else "added" if not old else "same" if letters_of(before) == letters_of(after) else "changed"
    )
    return Row(
        change, _track(lines[0]), min(line.utterance.t0_ms for line in lines), max(line.utterance.t1_ms for line in lines),
        tuple(old), tuple(new), tuple(_pieces(before, after)),
    )  # fmt: skip


def _pieces(old: str, new: str) -> Iterable[Piece]:
    for _, a0, a1, b0, b1 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if old[a0:a1] == new[b0:b1]:
            yield Piece("same", new[b0:b1])
            continue
        if a1 > a0:
            yield Piece("removed", old[a0:a1])
        if b1 > b0:
            yield Piece("added", new[b0:b1])


def _track(line: Line) -> str:
    return line.utterance.track_id


def _first(group: tuple[list[Line], list[Line]]) -> Line:
    return (group[0] or group[1])[0]
