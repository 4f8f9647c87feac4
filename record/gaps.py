"""What is not recorded of a track although the sitting was, and why: every hole gets a cause (AV-3, AV-4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hearing import events as law
from hearing.audience import Kind
from hearing.model import Difficulty, Hearing, ParticipantId, Role
from record.course import Course, Span, Whereabouts, whereabouts
from record.verify import COVER_MS, subtract

EDGE_MS = 1000  # at the edges of an interval: first key frame, last packet
JOINING_MS = 10_000  # a person who came in connects camera and microphone
LEAVING_MS = 20_000  # a person's last packets; the seat is kept a while before the ledger says that they left


@dataclass(frozen=True, slots=True)
class Gap:
    """A declared hole. `number` is the ledger entry that reported it; None: found when the record was sealed."""

    track_id: str
    participant_id: ParticipantId
    kind: str
    t0_ms: int
    t1_ms: int
    cause: str
    number: int | None


@dataclass(frozen=True, slots=True)
class TrackCover:
    """What there is of a track: spans of its segments, and whether the recorder said that this is all.

    `cut_at`: ends of segments that a crash of the media worker cut short.
    """

    track_id: str
    participant_id: ParticipantId
    kind: str
    covers: tuple[Span, ...]
    finished: bool
    cut_at: tuple[int, ...] = ()


def gaps_of(course: Course, hearing: Hearing, track: TrackCover) -> list[Gap]:
    """Every hole of a track inside the recorded intervals, split by cause, in order.

    What the recorder reported counts also where there is a segment: there, silence stands for what was lost. Of a shared
    screen it counts only while the screen was shared.
    """
    who = whereabouts(course, hearing, track.participant_id)
    switched = _switched(who, track.kind)
    not_due = who.not_shared if track.kind == Kind.SCREEN else ()
    reported: list[tuple[Sequence[Span], str, int | None]] = [
        (subtract((event.t0_ms, event.t1_ms), not_due), event.cause, entry.number)
        for entry in course.entries
        if isinstance(event := entry.event, law.GapRecorded)
        and (event.participant_id, event.kind) == (track.participant_id, track.kind)
    ]
    known = ((who.absent, "absent"), (who.outside, "outside"), *switched)
    silent = [*who.absent, *who.outside, *switched[0][0]]
    gaps: list[Gap] = []
    for interval in course.recorded():
        unreported = [interval]
        for spans, cause, number in reported:
            gaps += [_gap(track, part, cause, number) for span in unreported for part in _common(span, spans)]
            unreported = [rest for span in unreported for rest in subtract(span, spans)]
        for hole in [rest for span in unreported for rest in subtract(span, track.covers)]:
            left = [hole]
            for spans, cause in known:
                gaps += [_gap(track, part, cause, None) for span in left for part in _common(span, spans)]
                left = [rest for span in left for rest in subtract(span, spans)]
            for rest in left:
                if rest[1] - rest[0] > COVER_MS:
                    gaps.append(_gap(track, rest, _edge_cause(rest, interval, silent, who.lost, track), None))
    return sorted(gaps, key=lambda gap: (gap.t0_ms, gap.t1_ms))


def _switched(who: Whereabouts, kind: str) -> list[tuple[tuple[Span, ...], str]]:
    """Why a person who is here sends nothing of a kind: first what is as it should be, then what went wrong."""
    background = (who.hindered[Difficulty.BACKGROUND], "in_background")
    match kind:
        case Kind.SCREEN:
            return [(who.not_shared, "not_shared")]
        case Kind.VIDEO:
            return [(who.camera_off, "camera_off"), (who.hindered[Difficulty.CAMERA], "camera_failed"), background]
        case _:
            return [(who.muted, "muted"), (who.hindered[Difficulty.MICROPHONE], "microphone_failed"), background]


def owed_tracks(course: Course, hearing: Hearing) -> list[str]:
    """Sound that the record owes: of everyone who may send and was in the courtroom while it was recorded."""
    owed = []
    for person in hearing.participants:
        who = whereabouts(course, hearing, person.id)
        away = [*who.absent, *who.outside]
        if person.role is not Role.OBSERVER and any(subtract(span, away) for span in course.recorded()):
            owed.append(f"{person.id}-audio")
    return owed


def _gap(track: TrackCover, span: Span, cause: str, number: int | None) -> Gap:
    return Gap(track.track_id, track.participant_id, track.kind, span[0], span[1], cause, number)


def _common(span: Span, others: Iterable[Span]) -> list[Span]:
    """The parts of `span` that lie in any of `others`."""
    parts = [(max(span[0], t0), min(span[1], t1)) for t0, t1 in others]
    return [part for part in parts if part[0] < part[1]]


def _edge_cause(hole: Span, interval: Span, silent: Sequence[Span], lost: Sequence[Span], track: TrackCover) -> str:
    """Cause of a hole that nothing in the ledger covers, by what it touches."""
    t0, t1 = hole
    if not track.finished and t1 == interval[1] and t0 >= max((c[1] for c in track.covers), default=0):
        return "recording_unfinished"
    if t0 in track.cut_at:
        return "media_restart"
    if any(abs(t1 - start) <= COVER_MS for start, _ in lost):
        return "connection_lost"
    if any(abs(t0 - end) <= COVER_MS for _, end in lost) and t1 - t0 <= JOINING_MS:
        return "connection_lost"
    starts = [end for _, end in silent]
    if (t0 == interval[0] and t1 - t0 <= EDGE_MS) or (t1 - t0 <= JOINING_MS and any(abs(t0 - s) <= COVER_MS for s in starts)):
        return "joining"
    ends = [start for start, _ in silent]
    if (t1 == interval[1] and t1 - t0 <= EDGE_MS) or (t1 - t0 <= LEAVING_MS and any(abs(t1 - e) <= COVER_MS for e in ends)):
        return "leaving"
    return "no_media"
