"""The course of a sitting (庭审经过) read out of its ledger: intervals, stages, what was shown, where each person was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hearing import events as law
from hearing.ledger import Recorded
from hearing.model import (
    BENCH,
    ISOLATED_UNTIL_CALLED,
    Difficulty,
    ExhibitId,
    Hearing,
    Keeping,
    Part,
    ParticipantId,
    Role,
    SittingState,
    Stage,
)
from hearing.parts import PART_NAMES, takes_part
from hearing.timeline import t_ms

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interval:
    """A span of one state and part. `number` is the ledger entry that began it, `author` who gave it (None: the server)."""

    state: SittingState
    t0_ms: int
    t1_ms: int
    recorded: Keeping
    cause: str  # 休庭, 技术中断, 不公开审理 … ; "": in session, in the open
    number: int
    part: Part = Part.OPEN
    author: ParticipantId | None = None
    ruling: str = ""  # the words by which the part was ordered


@dataclass(frozen=True, slots=True)
class StageSpan:
    """One stage as it was held; a stage held twice gives two spans."""

    stage: Stage
    t0_ms: int
    t1_ms: int


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page of an exhibit on everybody's screen."""

    exhibit_id: ExhibitId
    page: int
    presenter_id: ParticipantId
    t0_ms: int
    t1_ms: int


@dataclass(frozen=True, slots=True)
class SharedScreen:
    """A person's own screen on everybody's (共享屏幕)."""

    participant_id: ParticipantId
    t0_ms: int
    t1_ms: int


@dataclass(frozen=True, slots=True)
class Course:
    """A sitting's course on the record clock; `end_ms` is 闭庭, or the present of a sitting that still runs."""

    entries: tuple[Recorded, ...]
    opened_at: datetime
    closed_at: datetime | None
    end_ms: int

    def ms(self, at: datetime) -> int:
        """Place on the record clock, held within 宣布开庭 → 闭庭."""
        return min(max(0, t_ms(self.opened_at, at)), self.end_ms)

    def recorded(self) -> list[Span]:
        """Spans in which sound and picture are recorded."""
        return [(i.t0_ms, i.t1_ms) for i in intervals(self) if i.recorded is not Keeping.NONE]


def course_of(entries: Sequence[Recorded], until: datetime) -> Course | None:
    """The course of a sitting; None before 宣布开庭. `until` ends one that is not closed."""
    opened = next((e.at for e in entries if isinstance(e.event, law.SittingOpened)), None)
    if opened is None:
        return None
    closed = next((e.at for e in entries if isinstance(e.event, law.SittingClosed)), None)
    return Course(tuple(entries), opened, closed, max(0, t_ms(opened, closed or until)))


def intervals(course: Course) -> list[Interval]:
    """Spans of state and part from 宣布开庭 to 闭庭, without a hole (AV-3). A technical break does not end a part."""
    begun: list[Interval] = []
    running: law.PartBegan | law.PartEnded = law.PartEnded(course.opened_at, Part.OPEN)
    for entry in course.entries:
        if isinstance(entry.event, law.PartBegan | law.PartEnded):
            running = entry.event
        state = _state_after(entry.event, begun[-1].state if begun else SittingState.LOBBY)
        if state is not None:
            begun.append(_interval(course, entry, state, running))
    ends = [*(one.t0_ms for one in begun[1:]), course.end_ms]
    return [
        replace(one, t1_ms=t1) for one, t1 in zip(begun, ends, strict=True) if t1 > one.t0_ms or one.t0_ms == 0 == course.end_ms
    ]


def _state_after(event: law.Event, before: SittingState) -> SittingState | None:
    """The state of the interval that an event begins; None: it begins none."""
    match event:
        case law.SittingOpened() | law.SittingResumed():
            return SittingState.IN_SESSION
        case law.SittingAdjourned():
            return SittingState.RECESS
        case law.SittingSuspended():
            return SittingState.TECH_SUSPENDED
        case law.PartBegan() | law.PartEnded():
            return before
        case _:
            return None


def _interval(course: Course, entry: Recorded, state: SittingState, running: law.PartBegan | law.PartEnded) -> Interval:
    """The interval that an entry begins; its end is not known yet."""
    part, keeping, ruling = Part.OPEN, Keeping.FULL, ""
    if isinstance(running, law.PartBegan):
        part, keeping, ruling = running.part, running.recorded, running.ruling
    t0, cause = course.ms(entry.at), PART_NAMES[part] if part is not Part.OPEN else ""
    match state:
        case SittingState.RECESS:
            keeping, cause = Keeping.NONE, "休庭"
        case SittingState.TECH_SUSPENDED:
            keeping, cause = Keeping.NONE, getattr(entry.event, "cause", "") or "技术中断"
        case _:
            pass
    return Interval(state, t0, t0, keeping, cause, entry.number, part, entry.participant_id, ruling)


def stages(course: Course) -> list[StageSpan]:
    """The stages as they were held, from 宣布开庭 on."""
    marks = [(0, Stage.OPENING)] + [
        (course.ms(entry.at), entry.event.stage)
        for entry in course.entries
        if isinstance(entry.event, law.StageEntered) and entry.at >= course.opened_at
    ]
    ends = [*(m[0] for m in marks[1:]), course.end_ms]
    return [StageSpan(stage, t0, t1) for (t0, stage), t1 in zip(marks, ends, strict=True) if t1 > t0]


def showings(course: Course) -> list[ShownPage]:
    """Every page shown (出示): from its event to the next showing, its withdrawal, a break or 闭庭."""
    shown: list[ShownPage] = []
    running: tuple[int, law.ExhibitShown] | None = None
    ending = law.ExhibitShown | law.ExhibitWithdrawn | law.SittingAdjourned | law.SittingSuspended | law.SittingClosed
    for entry in course.entries:
        now = course.ms(entry.at)
        if running and isinstance(entry.event, ending):
            t0, event = running
            shown.append(ShownPage(event.exhibit_id, event.page, event.presenter_id, t0, now))
            running = None
        if isinstance(entry.event, law.ExhibitShown):
            running = (now, entry.event)
    if running:
        shown.append(ShownPage(running[1].exhibit_id, running[1].page, running[1].presenter_id, running[0], course.end_ms))
    return shown


def screens(course: Course) -> list[SharedScreen]:
    """Every sharing of a screen, from its start to its stop; the law stops it before a break and before its person leaves."""
    shared: list[SharedScreen] = []
    running: tuple[int, ParticipantId] | None = None
    for entry in course.entries:
        match entry.event:
            case law.ScreenStarted(participant_id=id_):
                running = (course.ms(entry.at), id_)
            case law.ScreenStopped() if running:
                shared.append(SharedScreen(running[1], running[0], course.ms(entry.at)))
                running = None
            case _:
                pass
    if running:
        shared.append(SharedScreen(running[1], running[0], course.end_ms))
    return shared


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Spans that explain why nothing of a person was to be recorded. `lost` are those of `absent` that began unmeant.

    In those of `hindered`, reported by the person's page, something was to be recorded and could not be.
    """

    absent: tuple[Span, ...]
    lost: tuple[Span, ...]
    outside: tuple[Span, ...]  # isolated, dismissed, sent to the waiting area, not of the part that was held
    camera_off: tuple[Span, ...]
    muted: tuple[Span, ...]  # by the court, by own switch, or while another held the floor
    not_shared: tuple[Span, ...]  # the screen, nearly always
    hindered: Mapping[Difficulty, tuple[Span, ...]]


def whereabouts(course: Course, hearing: Hearing, participant_id: ParticipantId) -> Whereabouts:
    """Where a person was and what was switched off, from the ledger."""
    person = hearing.participant(participant_id)
    role = person.role if person else Role.OBSERVER
    now = {"present": False, "inside": role not in ISOLATED_UNTIL_CALLED, "camera": True, "microphone": True, "unmuted": True}
    now |= {"floor": True, "meant": True, "shared": False, "takes_part": True} | dict.fromkeys(_HINDERED.values(), False)
    states: list[tuple[int, dict[str, bool]]] = [(0, dict(now))]
    for entry in course.entries:
        now |= _change(entry.event, participant_id, bench=role in BENCH)
        if isinstance(entry.event, law.PartBegan | law.PartEnded):
            now["takes_part"] = isinstance(entry.event, law.PartEnded) or takes_part(entry.event.part, role)
        states.append((course.ms(entry.at), dict(now)))
    ends = [*(s[0] for s in states[1:]), course.end_ms]
    held = [((t0, t1), state) for (t0, state), t1 in zip(states, ends, strict=True) if t1 > t0]
    return Whereabouts(
        absent=_joined(span for span, s in held if not s["present"]),
        lost=_joined(span for span, s in held if not s["present"] and not s["meant"]),
        outside=_joined(span for span, s in held if not (s["inside"] and s["takes_part"])),
        camera_off=_joined(span for span, s in held if not s["camera"]),
        muted=_joined(span for span, s in held if not (s["microphone"] and s["unmuted"] and s["floor"])),
        not_shared=_joined(span for span, s in held if not s["shared"]),
        hindered={kind: _joined(span for span, s in held if s[name]) for kind, name in _HINDERED.items()},
    )


_HINDERED = {difficulty: f"hindered_by_{difficulty}" for difficulty in Difficulty}
_SWITCHES: dict[type, tuple[str, bool]] = {
    law.ParticipantExcluded: ("inside", False), law.WitnessDismissed: ("inside", False),
    law.ParticipantAdmitted: ("inside", True), law.WitnessCalled: ("inside", True),
    law.ParticipantMuted: ("unmuted", False), law.ParticipantUnmuted: ("unmuted", True),
    law.ScreenStarted: ("shared", True), law.ScreenStopped: ("shared", False),
}  # fmt: skip


def _change(event: law.Event, me: ParticipantId, *, bench: bool) -> dict[str, bool]:
    """What an event changes for one person."""
    if isinstance(event, law.FloorGiven | law.FloorOpened):
        return {"floor": bench or getattr(event, "participant_id", me) == me}
    if getattr(event, "participant_id", None) != me:
        return {}
    match event:
        case law.ParticipantEntered():
            return {"present": True, "meant": True}
        case law.ParticipantLeft(cause=cause):
            return {"present": False, "meant": cause == "left"} | dict.fromkeys(_HINDERED.values(), False)
        case law.CameraSet(on=on):
            return {"camera": on}
        case law.DifficultyReported(difficulty=difficulty, on=on):
            return {_HINDERED[difficulty]: on}
        case law.MicrophoneSet(on=on):
            return {"microphone": on}
        case _:
            switch = _SWITCHES.get(type(event))
            return {switch[0]: switch[1]} if switch else {}


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Neighbouring spans made one."""
    joined: list[Span] = []
    for t0, t1 in spans:
        if joined and joined[-1][1] >= t0:
            joined[-1] = (joined[-1][0], max(t1, joined[-1][1]))
        else:
            joined.append((t0, t1))
    return tuple(joined)
