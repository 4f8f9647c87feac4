"""Where everything stands in the film's picture: bench above, the parties at the sides, the centre between. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hearing.model import BENCH, SILENT, Hearing, Participant, ParticipantId, Role

WIDTH, HEIGHT = 1280, 720
HEADER, BENCH_BOTTOM, FOOTER_TOP = 48, 194, 676
_MARGIN, _GAP = 16, 8
_SIDE, _HEADING = 216, 28
_PLATE = 28


class Box(NamedTuple):
    """A rectangle in pixels; all four are even, so that it has whole colour samples (4:2:0)."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Tile:
    """A person's place: the picture, and the seat's plate below it."""

    participant_id: ParticipantId
    picture: Box
    plate: Box


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of one sitting; they never change, so that everybody is found where they were."""

    tiles: tuple[Tile, ...]
    headings: tuple[tuple[Box, str], ...]
    centre: Box  # 16:9
    caption: Box  # what the centre shows, above it


def layout_of(hearing: Hearing) -> Layout:
    """Observers are not shown; who belongs to no side stands where there is more room, right first (as a witness does)."""
    people = [person for person in hearing.participants if person.role not in SILENT]
    bench = sorted((p for p in people if p.role in BENCH), key=_bench_order)
    left = [p for p in people if _side(hearing, p) is Role.PLAINTIFF]
    right = [p for p in people if _side(hearing, p) is Role.DEFENDANT]
    headings = (["原告席"], ["被告席"])
    for person in (p for p in people if p.role not in BENCH and p not in left and p not in right):
        side = 0 if len(left) < len(right) else 1
        (left, right)[side].append(person)
        headings[side][1:] = ["其他诉讼参与人"]
    edges = (_MARGIN, WIDTH - _MARGIN - _SIDE)
    columns = [tile for x, side in zip(edges, (left, right), strict=True) for tile in _column(x, side)]
    words = tuple((Box(x, BENCH_BOTTOM + 8, _SIDE, _HEADING), "、".join(h)) for x, h in zip(edges, headings, strict=True))
    x, width = _MARGIN * 2 + _SIDE, WIDTH - 4 * _MARGIN - 2 * _SIDE
    height = _even(width * 9 / 16)
    y = FOOTER_TOP - 8 - height
    return Layout(
        (*_row(bench), *columns), words, Box(x, y, width, height), Box(x, BENCH_BOTTOM + 8, width, y - BENCH_BOTTOM - 8)
    )


def _bench_order(person: Participant) -> tuple[int, str]:
    """The presiding judge in the middle of two at the sides cannot be sorted: first 审判长, then the panel, 书记员 last."""
    return ([Role.PRESIDING_JUDGE, Role.JUDGE, Role.ASSESSOR, Role.CLERK].index(person.role), "")


def _side(hearing: Hearing, person: Participant) -> Role | None:
    """Plaintiff or defendant, also through the party that an agent represents."""
    principal = hearing.participant(person.represents) if person.represents else None
    role = principal.role if principal else person.role
    return role if role in (Role.PLAINTIFF, Role.DEFENDANT) else None


def _row(bench: Sequence[Participant]) -> list[Tile]:
    """The bench: panel with the presiding judge in the middle, the clerk set apart at the right."""
    panel = [p for p in bench if p.role is not Role.CLERK]
    clerks = [p for p in bench if p.role is Role.CLERK]
    if panel:
        panel = [*panel[1::2][::-1], panel[0], *panel[2::2]]
    apart = 24 if panel and clerks else 0
    count = max(1, len(bench))
    picture_height = BENCH_BOTTOM - HEADER - 14 - _PLATE
    width = _even(min(picture_height * 16 / 9, (WIDTH - 2 * _MARGIN - apart) / count - _GAP))
    height = _even(width * 9 / 16)
    x, y = _even((WIDTH - count * (width + _GAP) + _GAP - apart) / 2), HEADER + 4
    tiles = []
    for person in (*panel, *clerks):
        x += apart if person in clerks and person is clerks[0] else 0
        tiles.append(Tile(person.id, Box(x, y, width, height), Box(x, y + height, width, _PLATE)))
        x += width + _GAP
    return tiles


def _column(x: int, people: Sequence[Participant]) -> list[Tile]:
    """A side: one column as large as it goes, two where more than four stand in it."""
    columns = 1 if len(people) <= 4 else 2
    rows = max(1, -(-len(people) // columns))
    top = BENCH_BOTTOM + 8 + _HEADING
    plate = _PLATE if columns == 1 else 24
    room = (FOOTER_TOP - 8 - top - (rows - 1) * _GAP) / rows - plate
    width = _even(min((_SIDE - (columns - 1) * _GAP) / columns, room * 16 / 9))
    height = _even(width * 9 / 16)
    tiles = []
    for index, person in enumerate(people):
        at_x, at_y = x + index % columns * (width + _GAP), top + index // columns * (height + plate + _GAP)
        tiles.append(Tile(person.id, Box(at_x, at_y, width, height), Box(at_x, at_y + height, width, plate)))
    return tiles


def _even(value: float) -> int:
    return max(2, int(value) // 2 * 2)
