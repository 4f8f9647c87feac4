"""What a sitting's film (合成录像) shows at each moment: scenes, cards, the centre, the causes of empty tiles. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from hearing import events as law
from hearing.access import AccessClass, may_have
from hearing.model import ExhibitId, Keeping, Part, ParticipantId, SittingState
from hearing.parts import PART_NAMES
from record.access import Classes, class_of_interval
from record.course import Course, Interval, screens, showings
from record.gaps import gaps_of
from record.links import Timed
from record.model import Material
from record.verify import subtract

CARD_MS = 5000
"""How long a card stands for what is not shown; a shorter interval keeps its own length."""
SAID_MS = 1000
"""A shorter utterance (嗯) does not bring its speaker to the centre."""
FILM_CLASS = AccessClass.PARTIES
"""The film is made for the parties: nothing stricter is in it."""

_CARD_WORDS = {
    Part.MEDIATION: "调解过程不录音录像。",
    Part.DELIBERATION: "合议庭合议，不录音录像。",
}
CAUSE_WORDS = {
    "absent": "未在庭", "outside": "庭外等候", "camera_off": "摄像头已关闭", "camera_failed": "摄像头故障",
    "in_background": "手机切到后台", "joining": "正在进入", "leaving": "正在离开", "connection_lost": "掉线",
    "recording_unfinished": "录像未完成", "media_restart": "音视频服务重启", "leave": "离开", "disk_full": "录制磁盘已满",
    "overflow": "录制写入不及", "no_media": "没有画面", "broken": "本段录像无法读出", "withheld": "本段录像已封存",
}  # fmt: skip
Value = TypeVar("Value")
Shown = TypeVar("Shown", bound=Timed)


class Steps(Generic[Value]):
    """A value that changes at given moments."""

    def __init__(self, changes: Iterable[tuple[int, Value]], before: Value) -> None:
        ordered = sorted(changes, key=lambda change: change[0])
        self._at_ms = [at_ms for at_ms, _ in ordered]
        self._values = [before, *(value for _, value in ordered)]

    def at(self, t_ms: int) -> Value:
        return self._values[bisect_right(self._at_ms, t_ms)]

    @property
    def moments(self) -> Sequence[int]:
        return self._at_ms


@dataclass(frozen=True, slots=True)
class Card:
    """What is said in place of a stretch that is not shown."""

    title: str
    cause: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch [t0, t1) of the record clock as the film's pictures [first, first + frames). With a card: the clock jumps."""

    t0_ms: int
    t1_ms: int
    first: int
    frames: int
    card: Card | None = None


class Centre(StrEnum):
    """What takes the middle of the picture."""

    EXHIBIT = "exhibit"
    SCREEN = "screen"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class Focus:
    """The middle: a page of an exhibit, a person's screen, or a person large (None: whoever is heard)."""

    kind: Centre
    participant_id: ParticipantId | None
    exhibit_id: ExhibitId | None = None
    page: int = 0
    has_floor: bool = False


@dataclass(frozen=True, slots=True)
class FilmPlan:
    """Everything that the film needs to know beforehand; times on the record clock, `fps` pictures a second."""

    fps: int
    scenes: tuple[Scene, ...]
    focus: Steps[Focus]
    causes: dict[ParticipantId, Steps[str]]  # why no picture of a person, as one of CAUSE_WORDS; "": not known
    withheld: dict[ParticipantId, Steps[bool]]  # a single track's picture is of a stricter class

    @property
    def frames(self) -> int:
        return sum(scene.frames for scene in self.scenes)

    @property
    def duration_ms(self) -> int:
        return self.frames * 1000 // self.fps


def plan_of(material: Material, course: Course, fps: int) -> FilmPlan:
    """The film of a sitting."""
    classes = Classes(course, material.orders)
    return FilmPlan(
        fps, tuple(scenes_of(classes, fps)), focus_of(material, course),
        {person.id: _causes(material, course, person.id) for person in material.hearing.participants},
        {person.id: _withheld(classes, f"{person.id}-video") for person in material.hearing.participants},
    )  # fmt: skip


def scenes_of(classes: Classes, fps: int) -> list[Scene]:
    """The course from 宣布开庭 to 闭庭 in order, without a hole: in full where the parties may see it, else as a card."""
    scenes: list[Scene] = []
    for t0_ms, t1_ms, card in sorted(_stretches(classes), key=lambda one: one[:2]):
        shown_ms = t1_ms - t0_ms if card is None else min(t1_ms - t0_ms, CARD_MS)
        frames = max(1, round(shown_ms * fps / 1000))
        first = scenes[-1].first + scenes[-1].frames if scenes else 0
        scenes.append(Scene(t0_ms, t1_ms, first, frames, card))
    return scenes


def _stretches(classes: Classes) -> Iterable[tuple[int, int, Card | None]]:
    ordered = [
        (one.t0_ms, one.t1_ms) for one in classes.orders if not one.track_id and not may_have(FILM_CLASS, one.access)
    ]  # fmt: skip
    for interval in classes.intervals:
        if card := _card_of(interval):
            yield interval.t0_ms, interval.t1_ms, card
            continue
        shown = subtract((interval.t0_ms, interval.t1_ms), ordered)
        yield from ((t0, t1, None) for t0, t1 in shown)
        sealed = Card("本段封存", "闭庭后依决定封存，本片不予播放。")
        yield from ((t0, t1, sealed) for t0, t1 in subtract((interval.t0_ms, interval.t1_ms), shown))


def _card_of(interval: Interval) -> Card | None:
    """Why an interval is not shown; None: it is."""
    if interval.state is SittingState.RECESS:
        return Card("休庭", "休庭期间不录音录像。")
    if interval.state is SittingState.TECH_SUSPENDED:
        return Card("技术中断", "庭审因技术故障中断，期间不录音录像。")
    if interval.recorded is Keeping.FULL and may_have(FILM_CLASS, class_of_interval(interval)):
        return None
    if interval.recorded is Keeping.SEALED:
        return Card(PART_NAMES[interval.part], f"{PART_NAMES[interval.part]}，本段封存。")
    return Card(PART_NAMES[interval.part], _CARD_WORDS.get(interval.part, "依裁定不录音录像。"))


def focus_of(material: Material, course: Course) -> Steps[Focus]:
    """The middle over time: exhibit, else screen, else floor holder, else who spoke last by the transcript."""
    pages = Steps(_shown(showings(course)), None)
    shared = Steps(_shown(screens(course)), None)
    floor = Steps(_floors(course), None)
    spoken = ((u.t0_ms, u.participant_id) for u in material.utterances if u.t1_ms - u.t0_ms >= SAID_MS)
    speaker: Steps[ParticipantId | None] = Steps(spoken, None)

    def at(t_ms: int) -> Focus:
        if page := pages.at(t_ms):
            return Focus(Centre.EXHIBIT, page.presenter_id, page.exhibit_id, page.page)
        if screen := shared.at(t_ms):
            return Focus(Centre.SCREEN, screen.participant_id)
        holder = floor.at(t_ms)
        return Focus(Centre.PERSON, holder or speaker.at(t_ms), has_floor=holder is not None)

    moments = sorted({m for steps in (pages, shared, floor, speaker) for m in steps.moments})
    return Steps([(m, at(m)) for m in moments], at(-1))


def _shown(spans: Sequence[Shown]) -> list[tuple[int, Shown | None]]:
    """Each span from its beginning; nothing from its end, unless the next begins there."""
    begins = {span.t0_ms for span in spans}
    changes: list[tuple[int, Shown | None]] = [(span.t1_ms, None) for span in spans if span.t1_ms not in begins]
    return [*changes, *((span.t0_ms, span) for span in spans if span.t1_ms > span.t0_ms)]


def _floors(course: Course) -> Iterable[tuple[int, ParticipantId | None]]:
    for entry in course.entries:
        match entry.event:
            case law.FloorGiven(participant_id=holder):
                yield course.ms(entry.at), holder
            case law.FloorOpened():
                yield course.ms(entry.at), None
            case _:
                pass


def _causes(material: Material, course: Course, person: ParticipantId) -> Steps[str]:
    """From the declared gaps of the person's picture."""
    track_id = f"{person}-video"
    cover = material.cover(track_id, material.tracks().get(track_id, []))
    gaps = gaps_of(course, material.hearing, cover)
    begins = {gap.t0_ms for gap in gaps}
    ends = [(gap.t1_ms, "") for gap in gaps if gap.t1_ms not in begins]
    return Steps([*ends, *((gap.t0_ms, gap.cause) for gap in gaps)], "")


def _withheld(classes: Classes, track_id: str) -> Steps[bool]:
    spans = [
        (one.t0_ms, one.t1_ms) for one in classes.orders if one.track_id == track_id and not may_have(FILM_CLASS, one.access)
    ]  # fmt: skip
    edges = sorted({edge for span in spans for edge in span})
    return Steps([(edge, any(t0 <= edge < t1 for t0, t1 in spans)) for edge in edges], before=False)


def card_length(card_ms: int) -> str:
    """Length of what is left out, for people: 4 分 10 秒."""
    seconds = max(1, round(card_ms / 1000))
    hours, minutes = divmod(seconds // 60, 60)
    words = [(hours, "小时"), (minutes, "分"), (seconds % 60, "秒")]
    return " ".join(f"{n} {unit}" for n, unit in words if n)
