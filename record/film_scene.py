"""Draws the courtroom and the cards of a film: the court's name, seats with their people, the centre, the burnt-in time."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import av
from av.video.reformatter import VideoReformatter
from PIL import Image, UnidentifiedImageError

from hearing.model import BENCH, ExhibitId, Hearing, Participant, ParticipantId, Role
from hearing.stages import STAGE_NAMES
from hearing.timeline import at_of, hh_mm_ss
from record import film_letters as ink
from record.acts import ROLE_NAMES, person_mark
from record.course import Course, stages
from record.film_canvas import Canvas
from record.film_layout import BENCH_BOTTOM, FOOTER_TOP, HEADER, HEIGHT, WIDTH, Box, Layout, Tile, layout_of
from record.film_plan import CAUSE_WORDS, Card, Centre, FilmPlan, Focus, Scene, Steps, card_length
from record.film_sound import Mixer
from record.film_tracks import VideoFeed
from record.model import Material

PageOf = Callable[[ExhibitId, int], bytes | None]
"""PNG of an exhibit's page; None: it cannot be had."""
_FOOTER = Box(0, FOOTER_TOP, WIDTH, HEIGHT - FOOTER_TOP)
_STAGE = Box(16, FOOTER_TOP + 4, 560, 36)
_CLOCK = Box(660, FOOTER_TOP + 4, 360, 36)
_RECORD_TIME = Box(1028, FOOTER_TOP + 4, 236, 36)
CLOCK_AREA = Box(660, FOOTER_TOP + 4, 604, 36)
"""Where the burnt-in times stand, on every picture of the film."""


class Scenery:
    """One film's picture. Everything is drawn once and again only when it changes."""

    def __init__(self, material: Material, course: Course, plan: FilmPlan, page_of: PageOf, zone: ZoneInfo) -> None:
        self.canvas = Canvas(WIDTH, HEIGHT)
        self._material, self._course, self._plan, self._page_of, self._zone = material, course, plan, page_of, zone
        self._layout: Layout = layout_of(material.hearing)
        self._stage = Steps([(s.t0_ms, STAGE_NAMES[s.stage]) for s in stages(course)], "")
        self._presiding = next((p.id for p in material.hearing.participants if p.role is Role.PRESIDING_JUDGE), None)
        self._marks = material.exhibit_marks()
        self._scalers: dict[str, VideoReformatter] = {}
        self._drawn: dict[str, object] = {}
        self._page: tuple[object, Image.Image | None] = (None, None)

    def court(self, t_ms: int, videos: Mapping[str, VideoFeed], mixer: Mixer) -> None:
        """The courtroom at a moment of the record clock. `videos`: by track."""
        self._ground("court")
        focus, speaking = self._plan.focus.at(t_ms), mixer.speaking(t_ms)
        if focus.participant_id is None:
            focus = replace(focus, participant_id=mixer.talker or self._presiding)
        pictures = {tile.participant_id: self._picture(videos, tile.participant_id, t_ms) for tile in self._layout.tiles}
        for tile in self._layout.tiles:
            self._tile(tile, pictures[tile.participant_id], videos, t_ms, tile.participant_id in speaking, focus)
        self._centre(focus, pictures, videos, t_ms)
        self._footer(self._stage.at(t_ms), self._wall(t_ms), f"庭审时间 {hh_mm_ss(t_ms)}")

    def card(self, scene: Scene, card: Card) -> None:
        """A stretch that is not shown: title, cause and length; the clock shows the jump."""
        self._ground("card")
        if not self._changed("card", scene):
            return
        box = Box(240, 214, 800, 420)
        self.canvas.fill(box, ink.SURFACE)
        self.canvas.frame_round(box, ink.LINE, 2)
        length = card_length(scene.t1_ms - scene.t0_ms)
        span = f"庭审时间 {hh_mm_ss(scene.t0_ms)} 至 {hh_mm_ss(scene.t1_ms)}，共 {length}"
        words = ((card.title, 40, ink.INK_STRONG, ink.BOLD, 290), (card.cause, 24, ink.INK, ink.REGULAR, 384))
        for text, size, colour, weight, y in (*words, (span, 20, ink.INK_SOFT, ink.REGULAR, 456)):
            self._words(Box(280, y, 720, 64), text, size, colour, ink.SURFACE, weight, "centre")
        self._footer(
            "",
            f"{self._wall(scene.t0_ms)} → {self._wall(scene.t1_ms)[11:]}",
            f"{hh_mm_ss(scene.t0_ms)} → {hh_mm_ss(scene.t1_ms)}",
        )

    def _wall(self, t_ms: int) -> str:
        local: datetime = at_of(self._course.opened_at, t_ms).astimezone(self._zone)
        return f"{local:%Y-%m-%d %H:%M:%S}"

    def _changed(self, what: str, value: object) -> bool:
        if self._drawn.get(what, _NEVER) == value:
            return False
        self._drawn[what] = value
        return True

    def _words(
        self,
        box: Box,
        words: str,
        size: int,
        colour: ink.Colour,
        ground: ink.Colour,
        weight: int = ink.REGULAR,
        align: str = "left",
    ) -> None:
        self.canvas.put(box, ink.line(words, (box.width, box.height), size, colour, ground, weight, align))

    def _ground(self, kind: str) -> None:
        """What stands all the time. Changing between courtroom and card begins with an empty picture."""
        if self._drawn.get("ground") == kind:
            return
        self._drawn = {"ground": kind}
        canvas, hearing = self.canvas, self._material.hearing
        canvas.fill(Box(0, 0, WIDTH, HEIGHT), ink.PAGE)
        canvas.fill(Box(0, 0, WIDTH, HEADER if kind == "card" else BENCH_BOTTOM), ink.BLUE_950)
        canvas.fill(Box(0, HEADER if kind == "card" else BENCH_BOTTOM, WIDTH, 4), ink.RED_700)
        canvas.put(Box(16, 8, 32, 32), ink.mark(32, ink.BLUE_950))
        name = self._material.sitting.court_name
        self._words(Box(58, 6, 460, 36), name, 22, ink.ON_DARK, ink.BLUE_950, ink.BOLD)
        case = f"{hearing.case_number}　{hearing.cause}　第{self._material.sitting.ordinal}次庭审"
        self._words(Box(530, 6, 734, 36), case, 18, ink.ON_DARK_SOFT, ink.BLUE_950, align="right")
        canvas.fill(_FOOTER, ink.SURFACE)
        canvas.fill(Box(0, FOOTER_TOP, WIDTH, 2), ink.LINE)
        if kind == "court":
            for box, words in self._layout.headings:
                self._words(box, words, 18, ink.INK, ink.PAGE, ink.BOLD)

    def _footer(self, stage: str, wall: str, record: str) -> None:
        if self._changed("stage", stage):
            self._words(_STAGE, f"庭审阶段　{stage}" if stage else "", 20, ink.INK_STRONG, ink.SURFACE, ink.MEDIUM)
        if self._changed("clock", (wall, record)):
            self._words(_CLOCK, wall, 20, ink.INK, ink.SURFACE, align="right")
            self._words(_RECORD_TIME, record, 20, ink.INK_STRONG, ink.SURFACE, ink.BOLD, "right")

    def _picture(self, videos: Mapping[str, VideoFeed], person: ParticipantId, t_ms: int) -> av.VideoFrame | None:
        feed = videos.get(f"{person}-video")
        return feed.at(t_ms) if feed else None

    def _tile(
        self,
        tile: Tile,
        picture: av.VideoFrame | None,
        videos: Mapping[str, VideoFeed],
        t_ms: int,
        speaking: bool,
        focus: Focus,
    ) -> None:
        person = self._material.hearing.participant(tile.participant_id)
        if person is None:
            return
        fresh = self._drawn.get(f"picture {person.id}") is not picture
        cause = "" if picture else self._cause(videos, person.id, t_ms)
        state = (cause, speaking, focus.has_floor and focus.participant_id == person.id)
        changed = self._changed(f"tile {person.id}", state)
        if not (changed or (picture and fresh)):
            return
        self._drawn[f"picture {person.id}"] = picture
        if picture:
            self.canvas.put_frame(tile.picture, picture, self._scaler(f"tile {person.id}"))
        elif changed:
            self._placeholder(tile.picture, cause)
        if changed:
            self._plate(tile, person, state[2], speaking)
        if speaking:
            self.canvas.frame_round(tile.picture, ink.BRASS if person.role in BENCH else ink.BLUE_700, 4)

    def _cause(self, videos: Mapping[str, VideoFeed], person: ParticipantId, t_ms: int) -> str:
        if self._plan.withheld[person].at(t_ms):
            return "withheld"
        feed = videos.get(f"{person}-video")
        if feed and feed.broken_at(t_ms):
            return "broken"
        return self._plan.causes[person].at(t_ms) or "no_media"

    def _placeholder(self, box: Box, cause: str) -> None:
        self.canvas.fill(box, ink.SUNKEN)
        middle = Box(box.x + 4, box.y + (box.height - 28) // 4 * 2, box.width - 8, 28)
        self._words(middle, CAUSE_WORDS.get(cause, CAUSE_WORDS["no_media"]), 16, ink.INK_SOFT, ink.SUNKEN, align="centre")

    def _plate(self, tile: Tile, person: Participant, has_floor: bool, speaking: bool) -> None:
        ground = ink.BLUE_700 if has_floor or speaking else ink.SURFACE
        colour = ink.ON_DARK if ground == ink.BLUE_700 else _seat_colour(self._material.hearing, person)
        self.canvas.fill(tile.plate, ground)
        x, y, width, height = tile.plate
        self._words(
            Box(x + 8, y, width - 16, height), seat_words(self._material.hearing, person), 16, colour, ground, ink.MEDIUM
        )

    def _centre(
        self, focus: Focus, pictures: Mapping[ParticipantId, av.VideoFrame | None], videos: Mapping[str, VideoFeed], t_ms: int
    ) -> None:
        box = self._layout.centre
        if self._changed("caption", focus):
            self._words(self._layout.caption, self._caption(focus), 18, ink.INK_STRONG, ink.PAGE, ink.BOLD)
            self._drawn.pop("centre", None)
        if focus.kind is Centre.EXHIBIT:
            self._exhibit(box, focus)
            return
        if focus.kind is Centre.SCREEN:
            feed = videos.get(f"{focus.participant_id}-screen")
            picture = feed.at(t_ms) if feed else None
        else:
            picture = pictures.get(focus.participant_id) if focus.participant_id else None
        if picture is None:
            cause = (
                "no_media"
                if focus.kind is Centre.SCREEN or focus.participant_id is None
                else self._cause(videos, focus.participant_id, t_ms)
            )
            if self._changed("centre", cause):
                self._placeholder(box, cause)
        elif self._drawn.get("centre") is not picture:
            self._drawn["centre"] = picture
            self.canvas.put_frame_whole(box, picture, self._scaler(f"centre {focus.kind}"), ink.DEEP)

    def _exhibit(self, box: Box, focus: Focus) -> None:
        if not self._changed("centre", focus):
            return
        key = (focus.exhibit_id, focus.page)
        if self._page[0] != key and focus.exhibit_id is not None:
            self._page = (key, _opened(self._page_of(focus.exhibit_id, focus.page)))
        if (image := self._page[1]) is None:
            self._placeholder(box, "no_media")
        else:
            self.canvas.put_whole(box, image, ink.DEEP)

    def _caption(self, focus: Focus) -> str:
        who = person_mark(self._material.hearing, focus.participant_id) if focus.participant_id else ""
        match focus.kind:
            case Centre.EXHIBIT:
                mark = self._marks.get(focus.exhibit_id, "证据") if focus.exhibit_id else "证据"
                return f"出示 {mark}　第 {focus.page} 页"
            case Centre.SCREEN:
                return f"{who} 共享屏幕"
            case Centre.PERSON:
                return f"{who} 发言" if focus.has_floor else who

    def _scaler(self, name: str) -> VideoReformatter:
        return self._scalers.setdefault(name, VideoReformatter())


_NEVER = object()


def seat_words(hearing: Hearing, person: Participant) -> str:
    """A seat's plate: 审判长 陈静; agents with their party: 原告代理人 孙晓梅."""
    principal = hearing.participant(person.represents) if person.represents else None
    role = f"{ROLE_NAMES[principal.role]}代理人" if principal else ROLE_NAMES[person.role]
    return f"{role} {person.name}"


def _seat_colour(hearing: Hearing, person: Participant) -> ink.Colour:
    principal = hearing.participant(person.represents) if person.represents else None
    role = principal.role if principal else person.role
    if role in BENCH:
        return ink.RED_700
    return {Role.PLAINTIFF: ink.BLUE_700, Role.DEFENDANT: ink.DEFENDANT}.get(role, ink.OTHER)


def _opened(png: bytes | None) -> Image.Image | None:
    if png is None:
        return None
    try:
        with Image.open(io.BytesIO(png)) as image:
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return None
