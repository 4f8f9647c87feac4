"""The record page: one sitting's tracks, lanes, lines and the state of its proof, as far as the viewer may have them.

Segments are not in it: a three-hour hearing has tens of thousands. The page asks for their index piece by piece
(segment_page) and for the bytes one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

from hearing import store as law_store
from hearing.access import AccessClass, may_have
from hearing.errors import NotNow, UnknownId
from hearing.model import Hearing, Participant, Role, Sitting
from hearing.timeline import Clock
from record import store
from record.access import Classes, Withheld
from record.checks import last_check
from record.course import Course, course_of, intervals, screens, showings, stages
from record.draft import Draft, draft_of
from record.gaps import gaps_of
from record.lines import line_of_draft, lines_of
from record.links import exhibits_of_line, moments
from record.model import Material, Segment
from record.proof import proof_of
from record.quiet import quiet_spans
from record.verify import COVER_MS, subtract
from storage.clock import SystemClock
from storage.database import Database
from storage.objects import ObjectStore

_CLOCK = SystemClock()
PAGE_MS = 600_000
"""One piece of the segment index: ten minutes; with twelve people about 1500 segments."""
EVERYTHING = AccessClass.SEALED


async def record_view(
    database: Database, objects: ObjectStore, sitting_id: str, holder: AccessClass = EVERYTHING, clock: Clock = _CLOCK
) -> dict[str, object]:
    """Everything of protocol.RecordView but `viewer` and `view_id`; field names are the wire's.

    Nothing is in it that who is cleared for `holder` may not have. Raises UnknownId, or NotNow (not_opened) before 宣布开庭.
    """
    async with database.read() as connection:
        material = await store.material_of(connection, sitting_id)
        row = await law_store.load_sitting(connection, sitting_id)
        verification = await last_check(connection, sitting_id)
        draft = await draft_of(connection, sitting_id, material.utterances if material else ())
    if material is None or row is None:
        raise UnknownId("没有这个庭次。", field="sitting_id")
    course = course_of(material.entries, clock.now())
    if course is None:
        raise NotNow("尚未开庭，没有庭审记录。", code="not_opened")
    proof = await proof_of(material, objects, verification)
    return await asyncio.to_thread(_body, material, row.sitting, course, draft, holder) | {"proof": proof}


def _body(material: Material, sitting: Sitting, course: Course, draft: Draft, holder: AccessClass) -> dict[str, object]:
    """The view without its proof; a second's work for a long hearing, so it is done beside the server's loop."""
    return {
        "sitting_id": material.sitting.id,
        "ordinal": material.sitting.ordinal,
        "hearing": _hearing(material),
        "state": material.sitting.state,
        "opened_at": course.opened_at,
        "closed_at": course.closed_at,
        "duration_ms": course.end_ms,
        "participants": [_participant(person, sitting) for person in material.hearing.participants],
        "tracks": [_track(material, course, track_id, segments) for track_id, segments in material.tracks().items()],
        "intervals": [_without(asdict(interval), "number") for interval in intervals(course)],
        "stages": [asdict(stage) for stage in stages(course)],
        "exhibits": [_exhibit(material, index) for index in range(len(material.exhibits))],
        **_happenings(material, course, draft, holder),
        "version": draft.version,
        "page_ms": PAGE_MS,
    }


def _happenings(material: Material, course: Course, draft: Draft, holder: AccessClass) -> dict[str, object]:
    """What was shown and said, without what is kept from the holder; and what that is."""
    classes = Classes(course, material.orders)
    withheld = _joined(classes.withheld_from(holder, material.segments))
    closed = [(one.t0_ms, one.t1_ms) for one in withheld if not one.track_id]
    spoken = [line_of_draft(line, material.hearing) for line in draft.lines if line.text]
    lines = lines_of(course, material.sitting.id, material.hearing, material.exhibit_marks(), spoken)
    quiet = quiet_spans(course.recorded(), material.segments, material.utterances)
    return {
        "showings": [part for shown in showings(course) for part in _outside(asdict(shown), closed)],
        "screens": [part for shared in screens(course) for part in _outside(asdict(shared), closed)],
        "lines": [asdict(line) for line in lines if may_have(holder, classes.of_line(line))],
        "quiet": list(chain.from_iterable(quiet)),
        "quiet_from": "speech" if material.utterances else "muted",
        "hidden": [asdict(one) for one in withheld],
    }


def _joined(pieces: Iterable[Withheld]) -> list[Withheld]:
    """Neighbouring segments of one track and class as one stretch."""
    joined: list[Withheld] = []
    for piece in sorted(pieces, key=lambda one: (one.track_id, one.t0_ms)):
        last = joined[-1] if joined else None
        if last and (last.track_id, last.access) == (piece.track_id, piece.access) and piece.t0_ms - last.t1_ms <= COVER_MS:
            joined[-1] = replace(last, t1_ms=max(last.t1_ms, piece.t1_ms))
        else:
            joined.append(piece)
    return joined


def _outside(stretch: dict[str, Any], closed: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """What of a stretch lies outside the sealed parts."""
    return [{**stretch, "t0_ms": t0, "t1_ms": t1} for t0, t1 in subtract((stretch["t0_ms"], stretch["t1_ms"]), closed)]


async def exhibit_links(database: Database, sitting_id: str, clock: Clock = _CLOCK) -> dict[str, object]:
    """The triangle exhibit ↔ time ↔ line of a sitting: `moments` by exhibit page, `lines` by line id."""
    async with database.read() as connection:
        material = await store.material_of(connection, sitting_id)
        draft = await draft_of(connection, sitting_id, material.utterances if material else ())
    course = course_of(material.entries, clock.now()) if material else None
    if material is None or course is None:
        raise UnknownId("没有这个庭次的记录。", field="sitting_id")
    spoken = [line_of_draft(line, material.hearing) for line in draft.lines]
    lines = lines_of(course, sitting_id, material.hearing, material.exhibit_marks(), spoken)
    shown = showings(course)
    return {
        "moments": [asdict(moment) for moment in moments(shown, lines)],
        "lines": {line.id: pages for line in lines if (pages := exhibits_of_line(line, shown))},
    }


def _hearing(material: Material) -> dict[str, object]:
    hearing: Hearing = material.hearing
    names = ("id", "case_number", "cause", "title", "procedure", "public", "courtroom", "scheduled_at")
    return {name: getattr(hearing, name) for name in names} | {"court_name": material.sitting.court_name}


def _participant(person: Participant, sitting: Sitting) -> dict[str, object]:
    """A seat on the record page: who it was; live marks have no meaning afterwards."""
    isolated = person.role in (Role.WITNESS, Role.EXPERT) and person.id not in sitting.called | sitting.dismissed
    place = "dismissed" if person.id in sitting.dismissed else "isolated" if isolated else "courtroom"
    fields = ("id", "role", "name", "label", "represents")
    names = (
        "present",
        "may_speak",
        "may_present",
        "court_muted",
        "microphone_off",
        "camera_off",
        "camera_leave",
        "must_be_seen",
    )
    marks: dict[str, object] = {**dict.fromkeys(names, False), "difficulties": []}
    return (
        {name: getattr(person, name) for name in fields} | marks | {"attended": person.id in sitting.attended, "place": place}
    )


def _track(material: Material, course: Course, track_id: str, segments: list[Segment]) -> dict[str, object]:
    cover = material.cover(track_id, segments)
    return {
        "track_id": track_id,
        "participant_id": cover.participant_id,
        "kind": cover.kind,
        "recorded_ms": sum(segment.t1_ms - segment.t0_ms for segment in segments),
        "bytes": sum(segment.bytes for segment in segments),
        "gaps": [
            {"t0_ms": gap.t0_ms, "t1_ms": gap.t1_ms, "cause": gap.cause} for gap in gaps_of(course, material.hearing, cover)
        ],
    }


def _exhibit(material: Material, index: int) -> dict[str, object]:
    exhibit = material.exhibits[index]
    names = (
        "id",
        "side",
        "number",
        "title",
        "purpose",
        "media_type",
        "bytes",
        "pages",
        "sha256",
        "submitted_by",
        "submitted_at",
    )
    return {name: getattr(exhibit, name) for name in names}


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
