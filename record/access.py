"""Which class each piece of a sitting's record has, and so who may have it (S21): one decision for playback, lists and export.

A piece has the strictest class of: what it was recorded as, the part of the sitting in which it lies, and every order that
touches it (封存, after the fact). Orders only ever make a piece stricter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from hearing import events as law
from hearing.access import AccessClass, may_have, strictest
from hearing.ledger import Recorded
from hearing.model import Keeping, Part
from record.course import Course, Interval, ShownPage, intervals
from record.model import AccessOrder, Segment

SLACK_MS = 100
"""A segment is cut at the packet that lies at the event; where the media clock puts that packet may differ by so much."""

ALWAYS_TOLD = law.MoveEvent | law.StageEntered | law.PartEvent | law.ParticipantEntered | law.ParticipantLeft | law.GapRecorded
"""Facts that everybody of the case learns: that there was a part, by what ruling, and what is missing of the record."""


class TimedLine(Protocol):
    """What must be known of a line: record.lines.Line, or its form on the wire."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def participant_id(self) -> str | None: ...
    @property
    def track_id(self) -> str | None: ...
    @property
    def t0_ms(self) -> int: ...
    @property
    def t1_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Withheld:
    """A stretch kept from a holder. `track_id` is "" where it is the whole courtroom."""

    track_id: str
    t0_ms: int
    t1_ms: int
    access: AccessClass


def class_of_interval(interval: Interval) -> AccessClass:
    """What is said and noted in a part is for those who took part in it, whether it is recorded or not."""
    match interval.part:
        case Part.OPEN:
            return AccessClass.PARTIES
        case Part.MEDIATION:
            return AccessClass.PARTIES
        case Part.DELIBERATION:
            return AccessClass.PANEL
        case Part.CLOSED:
            return AccessClass.SEALED


class Classes:
    """The classes of everything in one sitting's record."""

    def __init__(self, course: Course, orders: Iterable[AccessOrder] = ()) -> None:
        self.intervals: Sequence[Interval] = intervals(course)
        self.orders = tuple(orders)
        self._entries = {entry.number: entry for entry in course.entries}

    def of_segment(self, segment: Segment) -> AccessClass:
        """The whole segment's class: it is handed out whole or not at all."""
        return self.of_recorded(segment.track_id, segment.t0_ms, segment.t1_ms, segment.access)

    def of_recorded(self, track_id: str, t0_ms: int, t1_ms: int, recorded_as: AccessClass) -> AccessClass:
        """The class of a segment that was recorded as `recorded_as`."""
        where = self._parts(t0_ms + SLACK_MS, t1_ms - SLACK_MS) if t1_ms - t0_ms > 2 * SLACK_MS else ()
        return strictest([recorded_as, *where, *self._ordered(track_id, t0_ms, t1_ms)])

    def of_stretch(self, t0_ms: int, t1_ms: int) -> AccessClass:
        """The class of what the whole courtroom shows (a page, a shared screen, a picture of all) in [t0, t1)."""
        return strictest([AccessClass.PARTIES, *self._parts(t0_ms, t1_ms), *self._ordered("", t0_ms, t1_ms)])

    def of_line(self, line: TimedLine) -> AccessClass:
        """Speech by its time and track; acts and notes by their ledger entry."""
        if line.kind == "speech":
            track_id = line.track_id or f"{line.participant_id}-audio"
            ordered = self._ordered(track_id, line.t0_ms, line.t1_ms)
            return strictest([AccessClass.PARTIES, *self._parts(line.t0_ms, line.t1_ms), *ordered])
        return self.of_entry(self._entries[int(line.id.rpartition("#")[2])], line.t0_ms)

    def of_entry(self, entry: Recorded, t_ms: int | None = None) -> AccessClass:
        """A ledger entry belongs to the part in which it was written; `t_ms`: where it stands on the record clock."""
        if isinstance(entry.event, ALWAYS_TOLD):
            return AccessClass.PARTIES
        if isinstance(entry.event, law.DraftEdited):
            line = entry.event
            edited = self._ordered(line.track_id, line.t0_ms, line.t1_ms)
            return strictest([AccessClass.PARTIES, *self._parts(line.t0_ms, line.t1_ms), *edited])
        inside = [interval for interval in self.intervals if interval.number <= entry.number][-1:]
        ordered = [] if t_ms is None else self._ordered("", t_ms, t_ms)
        return strictest([AccessClass.PARTIES, *map(class_of_interval, inside), *ordered])

    def of_made(self, made_as: AccessClass) -> AccessClass:
        """A file made of the whole sitting (a form of the transcript, the film) before the orders of today."""
        return strictest([made_as, *(order.access for order in self.orders)])

    def of_showing(self, shown: ShownPage) -> AccessClass:
        return self.of_stretch(shown.t0_ms, shown.t1_ms)

    def withheld_from(self, holder: AccessClass, segments: Iterable[Segment]) -> list[Withheld]:
        """What is kept from who is cleared for `holder`: parts and orders first, then what is left of single tracks."""
        stretches = [
            Withheld("", one.t0_ms, one.t1_ms, access)
            for one in self.intervals
            if not may_have(holder, access := class_of_interval(one)) and one.recorded is not Keeping.NONE
        ]
        stretches += [
            Withheld(order.track_id, order.t0_ms, order.t1_ms, order.access)
            for order in self.orders
            if not may_have(holder, order.access)
        ]
        for segment in segments:
            access = self.of_segment(segment)
            if not may_have(holder, access) and not any(_covers(one, segment) for one in stretches):
                stretches.append(Withheld(segment.track_id, segment.t0_ms, segment.t1_ms, access))
        return stretches

    def _parts(self, t0_ms: int, t1_ms: int) -> Iterator[AccessClass]:
        """Classes of the parts that [t0, t1) touches; a moment is a stretch of one millisecond."""
        end_ms = max(t1_ms, t0_ms + 1)
        return (class_of_interval(one) for one in self.intervals if t0_ms < one.t1_ms and end_ms > one.t0_ms)

    def _ordered(self, track_id: str, t0_ms: int, t1_ms: int) -> Iterator[AccessClass]:
        return (order.access for order in self.orders if order.touches(track_id, t0_ms, t1_ms))


def _covers(one: Withheld, segment: Segment) -> bool:
    same = one.track_id in ("", segment.track_id)
    return same and one.t0_ms - SLACK_MS <= segment.t0_ms and segment.t1_ms <= one.t1_ms + SLACK_MS
