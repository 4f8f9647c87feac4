"""The triangle exhibit ↔ time ↔ line (S20): a join on the record clock, nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Timed(Protocol):
    """Anything with a place on the record clock."""

    @property
    def t0_ms(self) -> int: ...

    @property
    def t1_ms(self) -> int: ...


class TimedLine(Timed, Protocol):
    """A line of the transcript."""

    @property
    def id(self) -> str: ...


class TimedShowing(Timed, Protocol):
    """A page on everybody's screen."""

    @property
    def exhibit_id(self) -> str: ...

    @property
    def page(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ExhibitMoment:
    """One time an exhibit page was on screen, and the lines that were said meanwhile."""

    exhibit_id: str
    page: int
    t0_ms: int
    t1_ms: int
    line_ids: tuple[str, ...]


def overlaps(one: Timed, other: Timed) -> bool:
    """Whether two spans share time; a point (an act) lasts one millisecond."""
    return one.t0_ms < max(other.t1_ms, other.t0_ms + 1) and other.t0_ms < max(one.t1_ms, one.t0_ms + 1)


def moments(shown: Iterable[TimedShowing], lines: Sequence[TimedLine]) -> list[ExhibitMoment]:
    """Every moment of every exhibit page, in order of time."""
    return [
        ExhibitMoment(s.exhibit_id, s.page, s.t0_ms, s.t1_ms, tuple(line.id for line in lines if overlaps(s, line)))
        for s in sorted(shown, key=lambda s: s.t0_ms)
    ]


def exhibits_of_line(line: TimedLine, shown: Iterable[TimedShowing]) -> list[tuple[str, int]]:
    """The exhibit pages that were on screen while a line was spoken."""
    return list(dict.fromkeys((s.exhibit_id, s.page) for s in shown if overlaps(line, s)))
