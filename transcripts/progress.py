"""What of a sitting has been heard and is not written yet: told to those in the courtroom, stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from transcripts.waiting import Task


@dataclass(frozen=True, slots=True)
class Progress:
    """One sitting at one moment. All empty: everything said has its line."""

    sitting_id: str
    writing: tuple[str, ...] = ()  # tracks with speech that has no line yet
    behind_from_ms: int | None = None  # record time at which the oldest waiting speech ended
    lengthened: bool = False  # cuts are made longer, because speech comes faster than it is recognised


def progress(
    talking: Iterable[tuple[str, str]], waiting: Iterable[Task], unheard_from_ms: Mapping[str, int], *, lengthened: bool
) -> dict[str, Progress]:
    """Progress by sitting, from who is talking now (sitting, track), what waits, and where listening itself is late."""
    writing: dict[str, set[str]] = {}
    behind: dict[str, int] = dict(unheard_from_ms)
    for sitting_id, track_id in talking:
        writing.setdefault(sitting_id, set()).add(track_id)
    for task in waiting:
        writing.setdefault(task.sitting_id, set()).add(task.track_id)
        behind[task.sitting_id] = min(task.cut.t1_ms, behind.get(task.sitting_id, task.cut.t1_ms))
    return {
        sitting_id: Progress(
            sitting_id, tuple(sorted(writing.get(sitting_id, ()))), behind.get(sitting_id), lengthened=lengthened
        )
        for sitting_id in writing.keys() | behind.keys()
    }
