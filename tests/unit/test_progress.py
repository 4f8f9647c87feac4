"""What is told of speech that has no line yet."""

from __future__ import annotations

import numpy as np

from transcripts.listening import Cut
from transcripts.progress import Progress, progress
from transcripts.waiting import Task


def task(sitting_id: str, track_id: str, t1_ms: int) -> Task:
    return Task(sitting_id, track_id, Cut(t1_ms - 500, t1_ms, 400, np.zeros(0, dtype=np.float32)))


def test_nothing_said_is_nothing_told() -> None:
    assert progress([], [], {}, lengthened=False) == {}


def test_who_talks_and_whose_words_wait_are_told_together_and_each_sitting_alone() -> None:
    waiting = [task("sit_1", "b-audio", 9_000), task("sit_1", "a-audio", 7_000), task("sit_2", "c-audio", 3_000)]
    told = progress([("sit_1", "d-audio")], waiting, {}, lengthened=True)
    assert told == {
        "sit_1": Progress("sit_1", ("a-audio", "b-audio", "d-audio"), 7_000, lengthened=True),
        "sit_2": Progress("sit_2", ("c-audio",), 3_000, lengthened=True),
    }


def test_who_only_talks_is_not_late() -> None:
    assert progress([("sit_1", "a-audio")], [], {}, lengthened=False)["sit_1"].behind_from_ms is None


def test_listening_that_is_late_is_late_whatever_waits() -> None:
    told = progress([], [task("sit_1", "a-audio", 9_000)], {"sit_1": 4_000}, lengthened=False)
    assert told["sit_1"].behind_from_ms == 4_000
