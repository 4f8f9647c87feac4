"""The two statements the law asks for, drafted from the ledger: what was recorded from when to when, and what went wrong.

起止与中断情况记录 (`course`, AV-3): start and end, every interruption with time, cause, author and ruling.
录音录像故障说明 (`fault`, AV-4): every fault and technical gap: who noticed it, when, on what evidence, whom it concerns.

A document holds JSON values without floats; its SHA-256 over the canonical bytes is what is confirmed and signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from hearing import events as law
from hearing.ledger import canonical
from hearing.model import PANEL, Keeping, ParticipantId, Role, SittingState
from hearing.timeline import at_of, iso_utc
from record.acts import ROLE_NAMES, person_mark
from record.course import Course, Interval, course_of, intervals
from record.gaps import Gap, gaps_of, owed_tracks
from record.model import Material

SCHEMA = "remote-court-statement-1"
COURSE, FAULT = "course", "fault"
TITLES = MappingProxyType({COURSE: "庭审录音录像起止与中断情况记录", FAULT: "庭审录音录像故障说明"})
REMARKS_CHARACTERS = 2000

FAULT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "recorder_silent": "录音录像服务没有回应",
        "disk_full": "录制磁盘已满",
        "io_error": "录制磁盘读写失败",
        "writer_stuck": "录制磁盘没有反应",
        "overflow": "录制磁盘太慢，未能及时写入",
        "stalled": "录制停顿，没有新内容写入",
        "file_changed": "录制文件被替换、截断或删除",
        "track_silent": "声音或图像没有写入",
    }
)
GAP_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "media_restart": "音视频服务重新启动",
        "disk_full": "录制磁盘写入失败",
        "overflow": "录制磁盘太慢，未能及时写入",
        "no_media": "没有收到声音或图像",
        "connection_lost": "该人员网络连接中断",
        "leave": "该人员的音视频连接中断后重新接入",
        "recording_unfinished": "录制没有正常结束",
        "camera_failed": "该人员的摄像头发生故障",
        "microphone_failed": "该人员的麦克风发生故障",
    }
)
"""Causes of gaps that are technical; what is as it should be (muted, absent, camera off by leave) needs no statement."""
CHECK_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "recorder": "录制服务",
        "spool": "录制磁盘空间",
        "store_a": "第一份存储",
        "store_b": "第二份存储",
        "shipper": "归档服务",
        "clock": "服务器时钟",
        "presiding": "审判长到庭",
        "clerk": "书记员到庭",
        "panel": "合议庭成员到齐",
    }
)
KIND_WORDS = MappingProxyType({"audio": "声音", "video": "图像", "screen": "共享屏幕"})


@dataclass(frozen=True, slots=True)
class Draft:
    """One statement as it stands. `document` holds JSON values only."""

    kind: str
    document: dict[str, Any]

    @property
    def sha256(self) -> str:
        return sha256_of(self.document)


def sha256_of(document: Mapping[str, Any]) -> str:
    """What is signed: the hash of the document's canonical bytes."""
    return hashlib.sha256(canonical(document)).hexdigest()


def with_remarks(document: Mapping[str, Any], remarks: str) -> dict[str, Any]:
    """The document with the clerk's remarks, which are all that a person writes into it."""
    return {**document, "remarks": remarks}


def drafts_of(material: Material, now: datetime, versions: Mapping[str, int]) -> list[Draft]:
    """Both statements as the ledger stands; none before 宣布开庭, and no fault statement where there is nothing to state.

    `versions`: how many of each kind were made before.
    """
    course = course_of(material.entries, now)
    if course is None:
        return []
    found = [(COURSE, {"spans": [_span(material, course, one) for one in intervals(course)]})]
    faults, gaps, overrides = _faults(material, course), _gaps(material, course), _overrides(material, course)
    if faults or gaps or overrides:
        found.append((FAULT, {"overrides": overrides, "faults": faults, "gaps": gaps}))
    return [
        Draft(kind, {**_head(material, course, kind, versions.get(kind, 0) + 1, now), **body}) for kind, body in found
    ]  # fmt: skip


def facts_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a document comes from the record: the same facts need no new version."""
    passing = {"version", "drafted_at", "remarks", "ledger"}
    return {name: value for name, value in document.items() if name not in passing}


def _head(material: Material, course: Course, kind: str, version: int, now: datetime) -> dict[str, Any]:
    hearing, sitting = material.hearing, material.sitting
    bench = [p for p in hearing.participants if p.role in PANEL | {Role.CLERK}]
    return {
        "schema": SCHEMA,
        "kind": kind,
        "title": TITLES[kind],
        "version": version,
        "court": sitting.court_name,
        "hearing": {
            "id": hearing.id, "case_number": hearing.case_number, "cause": hearing.cause, "title": hearing.title,
            "courtroom": hearing.courtroom, "public": hearing.public,
        },
        "sitting": {"id": sitting.id, "ordinal": sitting.ordinal},
        "bench": [{"role": ROLE_NAMES[person.role], "name": person.name} for person in bench],
        "started_at": iso_utc(course.opened_at),
        "ended_at": iso_utc(course.closed_at) if course.closed_at else None,
        "length_ms": course.end_ms,
        "ledger": {"entries": len(material.ledger), "head": material.ledger[-1].chain_hash},
        "drafted_at": iso_utc(now),
        "remarks": "",
    }  # fmt: skip


def _span(material: Material, course: Course, one: Interval) -> dict[str, Any]:
    """An interval as the clerk would write it down."""
    recording = {Keeping.FULL: "录音录像", Keeping.SEALED: "录音录像并封存", Keeping.NONE: "不录音录像"}[one.recorded]
    first = one.t0_ms == 0
    in_session = one.state is SittingState.IN_SESSION
    cause = one.cause or ("宣布开庭" if first else "恢复庭审")
    return {
        **_times(course, one.t0_ms, one.t1_ms),
        "cause": cause,
        "recorded": one.recorded.value,
        "recording": recording,
        "interrupted": not in_session or one.recorded is Keeping.NONE,
        "author": person_mark(material.hearing, one.author),
        "ruling": one.ruling,
        "number": one.number,
    }


def _times(course: Course, t0_ms: int, t1_ms: int) -> dict[str, Any]:
    """On the record clock, and as the wall clock showed it."""
    at = {"from_at": iso_utc(at_of(course.opened_at, t0_ms)), "until_at": iso_utc(at_of(course.opened_at, t1_ms))}
    return {"t0_ms": t0_ms, "t1_ms": t1_ms, "length_ms": t1_ms - t0_ms, **at}


def _overrides(material: Material, course: Course) -> list[dict[str, Any]]:
    """宣布开庭 although the checks failed: who decided it, and why (J3)."""
    return [
        {
            "at": iso_utc(entry.at),
            "checks": [CHECK_WORDS.get(code, code) for code in entry.event.checks.split()],
            "reason": entry.event.reason,
            "author": person_mark(material.hearing, entry.participant_id),
            "number": entry.number,
        }
        for entry in course.entries
        if isinstance(entry.event, law.PreflightOverridden)
    ]


def _faults(material: Material, course: Course) -> list[dict[str, Any]]:
    """Every fault from its beginning to its end, or to the end of the recording; widening to other tracks is a new line."""
    found: list[dict[str, Any]] = []
    running: dict[str, dict[str, Any]] = {}
    for entry in course.entries:
        event = entry.event
        if isinstance(event, law.FaultBegan | law.FaultEnded) and (line := running.pop(event.code, None)):
            line |= _times(course, line["t0_ms"], course.ms(entry.at)) | {"ended_number": entry.number}
        if isinstance(event, law.FaultBegan):
            running[event.code] = line = {
                **_times(course, course.ms(entry.at), course.end_ms),
                "code": event.code,
                "words": FAULT_WORDS.get(event.code, FAULT_WORDS["io_error"]),
                "noticed_by": "系统自动发现（读回已写入的内容）",
                "tracks": [_track(material, track_id) for track_id in event.tracks.split()],
                "evidence": event.evidence,
                "number": entry.number,
                "ended_number": None,
            }
            found.append(line)
    return found


def _gaps(material: Material, course: Course) -> list[dict[str, Any]]:
    """Technical holes of the tracks; of a sitting that is not sealed, those that were reported."""
    sealed, tracks = material.sitting.sealed_manifest_sha256 is not None, material.tracks()
    reported = [entry.event for entry in course.entries if isinstance(entry.event, law.GapRecorded)]
    wanted = {*tracks, *owed_tracks(course, material.hearing), *(f"{gap.participant_id}-{gap.kind}" for gap in reported)}
    gaps = [
        gap
        for track_id in wanted
        for gap in gaps_of(course, material.hearing, material.cover(track_id, tracks.get(track_id, [])))
        if gap.cause in GAP_WORDS and (sealed or gap.number is not None)
    ]
    return [_gap(material, course, gap) for gap in sorted(gaps, key=lambda gap: (gap.t0_ms, gap.track_id))]


def _gap(material: Material, course: Course, gap: Gap) -> dict[str, Any]:
    return {
        **_times(course, gap.t0_ms, gap.t1_ms),
        "track": _track(material, gap.track_id),
        "cause": gap.cause,
        "words": GAP_WORDS[gap.cause],
        "noticed_by": "系统自动发现" if gap.number is not None else "封存时核对发现",
        "number": gap.number,
    }


def _track(material: Material, track_id: str) -> str:
    """原告张伟的声音."""
    participant_id, _, kind = track_id.rpartition("-")
    return f"{person_mark(material.hearing, ParticipantId(participant_id))}的{KIND_WORDS.get(kind, kind)}"
