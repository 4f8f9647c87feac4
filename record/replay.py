"""The record page: one sitting's tracks, lanes, lines and the state of its proof (S20, S27 thin)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hearing import store as law_store
from hearing.errors import NotNow, UnknownId
from hearing.model import Hearing, Participant, Role, Sitting
from hearing.timeline import Clock
from record import store
from record.check import Checked, check_sitting
from record.course import Course, course_of, intervals, screens, showings, stages
from record.gaps import gaps_of
from record.lines import lines_of
from record.links import exhibits_of_line, moments
from record.model import Material, Segment
from record.verify import BENIGN
from storage.clock import SystemClock
from storage.database import Database
from storage.objects import ObjectStore

_CLOCK = SystemClock()


async def record_view(database: Database, objects: ObjectStore, sitting_id: str, clock: Clock = _CLOCK) -> dict[str, object]:
    """Everything of protocol.RecordView but `viewer`; field names are the wire's.

    Raises UnknownId, or NotNow (not_opened) before 宣布开庭.
    """
    async with database.read() as connection:
        material = await store.material_of(connection, sitting_id)
        row = await law_store.load_sitting(connection, sitting_id)
        verification = await store.last_verification(connection, sitting_id)
    if material is None or row is None:
        raise UnknownId("没有这个庭次。", field="sitting_id")
    course = course_of(material.entries, clock.now())
    if course is None:
        raise NotNow("尚未开庭，没有庭审记录。", code="not_opened")
    lines = lines_of(course, sitting_id, material.hearing, material.exhibit_marks(), material.utterances)
    return {
        "sitting_id": sitting_id,
        "ordinal": material.sitting.ordinal,
        "hearing": _hearing(material),
        "state": material.sitting.state,
        "opened_at": course.opened_at,
        "closed_at": course.closed_at,
        "duration_ms": course.end_ms,
        "participants": [_participant(person, row.sitting) for person in material.hearing.participants],
        "tracks": [_track(material, course, track_id, segments) for track_id, segments in material.tracks().items()],
        "intervals": [_without(asdict(interval), "number") for interval in intervals(course)],
        "stages": [asdict(stage) for stage in stages(course)],
        "exhibits": [_exhibit(material, index) for index in range(len(material.exhibits))],
        "showings": [asdict(shown) for shown in showings(course)],
        "screens": [asdict(shared) for shared in screens(course)],
        "lines": [asdict(line) for line in lines],
        "proof": await _proof(material, objects, verification),
    }


async def exhibit_links(database: Database, sitting_id: str, clock: Clock = _CLOCK) -> dict[str, object]:
    """The triangle exhibit ↔ time ↔ line of a sitting: `moments` by exhibit page, `lines` by line id."""
    async with database.read() as connection:
        material = await store.material_of(connection, sitting_id)
    course = course_of(material.entries, clock.now()) if material else None
    if material is None or course is None:
        raise UnknownId("没有这个庭次的记录。", field="sitting_id")
    lines = lines_of(course, sitting_id, material.hearing, material.exhibit_marks(), material.utterances)
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
    base = f"/api/sittings/{material.sitting.id}/tracks/{track_id}/segments"
    return {
        "track_id": track_id,
        "participant_id": cover.participant_id,
        "kind": cover.kind,
        "segments": [
            {"index": s.index, "t0_ms": s.t0_ms, "t1_ms": s.t1_ms, "bytes": s.bytes, "url": f"{base}/{s.index:06d}.webm"}
            for s in segments
        ],
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


async def _proof(material: Material, objects: ObjectStore, verification: tuple[str, str] | None) -> dict[str, object]:
    """State of the record's proof: a quick check now, and what the last full verification of the stored bytes found."""
    if material.sitting.sealed_manifest_sha256 is None:
        nothing = dict.fromkeys(("manifest_sha256", "check_code", "key_fingerprint", "sealed_at"), None)
        return {"state": "sealing", "problems": [], **nothing}
    checked = await check_sitting(material, objects, deep=False)
    damage = verification[1].splitlines() if verification and verification[1] else []
    problems = [*checked.problems, *(text for text in damage if text not in checked.problems)]
    return {
        "state": _state(checked, problems),
        "problems": problems or list(checked.gaps),
        "manifest_sha256": checked.manifest_sha256,
        "check_code": checked.check_code,
        "key_fingerprint": checked.fingerprint,
        "sealed_at": material.sitting.sealed_at,
    }


def _state(checked: Checked, problems: list[str]) -> str:
    if problems:
        return "damaged"
    material_gap = any(gap["cause"] not in BENIGN for gap in checked.manifest["gaps"])
    return "complete_with_gaps" if material_gap else "complete"


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}
