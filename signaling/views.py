"""What each viewer may see of a sitting, and who may read what beside it. Pure: state in, messages out.

A witness or expert who has not been called, or was dismissed (OLR-26, EV-72), sees the state of the sitting and itself:
no acts of others, no exhibits, no captions, no floor. The same holds for a person sent to the waiting area.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from evidence.model import Exhibit
from hearing import permissions, stages
from hearing.audience import Place, may_speak, place_of
from hearing.commands import EditDraft
from hearing.model import BENCH, PARTIES, Difficulty, Hearing, Participant, Role, Sitting
from hearing.states import LIVE, OVER
from hearing.timeline import t_ms
from signaling.alarms import Alarm, names_single_tracks
from signaling.caption_watch import OFF, Captions
from signaling.protocol import (
    DRAFT_COMMANDS,
    AlarmView,
    CameraRequestView,
    ExhibitView,
    HandView,
    HearingView,
    ParticipantView,
    ShowingView,
    SittingView,
)

CASE_READERS = BENCH | PARTIES | {Role.AGENT, Role.INTERPRETER}
"""Who may read every exhibit during the hearing (an interpreter must)."""
RECORD_READERS = BENCH | PARTIES | {Role.AGENT}
"""Who may read the record afterwards (CPL-52, OLR-37: parties and agents may consult it)."""
QUALITY_WATCHERS = frozenset({Role.PRESIDING_JUDGE, Role.CLERK})
"""Who is shown everybody's path to the court: who conducts the sitting and who looks after it."""

RECORDING_WATCHERS = frozenset({Role.PRESIDING_JUDGE, Role.CLERK})
"""Who may hear back what was just written: who looks after the recording and who answers for it (C35)."""

RecordingState = Literal["off", "starting", "on", "fault", "stopped"]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of the recording now."""

    state: RecordingState
    detail: str = ""
    alarms: tuple[Alarm, ...] = ()  # for the bench
    captions: Captions = OFF


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a view is made from; the same for all viewers."""

    hearing: Hearing
    sitting: Sitting
    exhibits: tuple[Exhibit, ...]
    recording: Recording
    court_name: str
    now: datetime


def hearing_view(hearing: Hearing, court_name: str) -> HearingView:
    return HearingView(
        id=hearing.id, court_name=court_name, case_number=hearing.case_number, cause=hearing.cause, title=hearing.title,
        procedure=hearing.procedure, public=hearing.public, courtroom=hearing.courtroom, scheduled_at=hearing.scheduled_at,
    )  # fmt: skip


def exhibit_view(exhibit: Exhibit) -> ExhibitView:
    return ExhibitView(
        id=exhibit.id, side=exhibit.side.value, number=exhibit.number, title=exhibit.title, purpose=exhibit.purpose,
        media_type=exhibit.media_type, bytes=exhibit.bytes, pages=exhibit.pages, sha256=exhibit.sha256,
        submitted_by=exhibit.submitted_by, submitted_at=exhibit.submitted_at,
    )  # fmt: skip


def participant_view(sitting: Sitting, person: Participant) -> ParticipantView:
    return ParticipantView(
        id=person.id, role=person.role, name=person.name, label=person.label, represents=person.represents,
        present=person.id in sitting.present, attended=person.id in sitting.attended, place=place_of(sitting, person).value,
        may_speak=may_speak(sitting, person), may_present=person.id in sitting.may_present,
        court_muted=person.id in sitting.court_muted, microphone_off=person.id in sitting.microphone_off,
        camera_off=person.id in sitting.camera_off, camera_leave=person.id in sitting.camera_leave,
        must_be_seen=permissions.must_be_seen(sitting, person), difficulties=difficulties_of(sitting, person),
    )  # fmt: skip


def difficulties_of(sitting: Sitting, person: Participant) -> list[Difficulty]:
    reported = {
        Difficulty.CAMERA: sitting.camera_failed,
        Difficulty.MICROPHONE: sitting.microphone_failed,
        Difficulty.BACKGROUND: sitting.in_background,
    }
    return [difficulty for difficulty, people in reported.items() if person.id in people]


def is_inside(sitting: Sitting, viewer: Participant) -> bool:
    """Whether the viewer may be shown what happens in the courtroom."""
    return place_of(sitting, viewer) is Place.COURTROOM


def may_open_exhibit(sitting: Sitting, viewer: Participant, exhibit_id: str) -> bool:
    """The case's own people may open every exhibit, others in the courtroom the one being shown."""
    if sitting.state in OVER:
        return viewer.role in CASE_READERS
    if not is_inside(sitting, viewer):
        return False
    return viewer.role in CASE_READERS or (sitting.showing is not None and sitting.showing.exhibit_id == exhibit_id)


def sitting_view(scene: Scene, viewer: Participant) -> SittingView:
    """The sitting as `viewer` may see it."""
    hearing, sitting, inside = scene.hearing, scene.sitting, is_inside(scene.sitting, viewer)
    showing = sitting.showing if inside else None
    shown = (
        ShowingView(exhibit_id=showing.exhibit_id, page=showing.page, presenter_id=showing.presenter_id) if showing else None
    )
    return SittingView(
        id=sitting.id, number=sitting.ledger_number, ordinal=sitting.number, hearing=hearing_view(hearing, scene.court_name),
        me=viewer.id, state=sitting.state, stage=sitting.stage,
        stages_done=list(stages.done(hearing.procedure, sitting.stage, sitting.stages_entered)),
        part=sitting.part, part_recorded=sitting.keeping, part_ruling=sitting.part_ruling if inside else "",
        part_since_at=sitting.part_since_at,
        opened_at=sitting.opened_at, closed_at=sitting.closed_at, recess_at=sitting.recess_at,
        planned_resume_at=sitting.planned_resume_at, record_ms=_record_ms(sitting, scene.now), server_at=scene.now,
        floor=sitting.floor if inside else None,
        participants=[participant_view(sitting, person) for person in hearing.participants if inside or person.id == viewer.id],
        hands=[
            HandView(participant_id=hand.participant_id, reason=hand.reason, raised_at=hand.raised_at)
            for hand in sitting.hands if inside or hand.participant_id == viewer.id
        ],
        camera_requests=[
            CameraRequestView(participant_id=asked.participant_id, reason=asked.reason, asked_at=asked.asked_at)
            for asked in sitting.camera_requests if viewer.role in BENCH or asked.participant_id == viewer.id
        ],
        showing=shown, screen=sitting.screen if inside else None,
        exhibits=[exhibit_view(exhibit) for exhibit in scene.exhibits if may_open_exhibit(sitting, viewer, exhibit.id)],
        allowed=allowed_names(hearing, sitting, viewer), may_watch_quality=viewer.role in QUALITY_WATCHERS,
        may_hear_back=viewer.role in RECORDING_WATCHERS,
        recording=scene.recording.state,
        recording_detail=scene.recording.detail if viewer.role in BENCH else "",
        alarms=[alarm_view(sitting, alarm) for alarm in scene.recording.alarms] if viewer.role in BENCH else [],
        captions=scene.recording.captions.state,
        captions_detail=scene.recording.captions.detail if viewer.role in BENCH else "",
    )  # fmt: skip


def alarm_view(sitting: Sitting, alarm: Alarm) -> AlarmView:
    """Since when stands in the ledger, from where it also goes into the statement (AV-4)."""
    since = next((fault.since_at for fault in sitting.faults if fault.code == alarm.code), alarm.since_at)
    tracks = list(alarm.tracks) if names_single_tracks(alarm.code) else []
    return AlarmView(
        code=alarm.code, severity=alarm.severity, title=alarm.title, advice=alarm.advice, tracks=tracks, since_at=since
    )  # fmt: skip


def allowed_names(hearing: Hearing, sitting: Sitting, viewer: Participant) -> list[str]:
    """Wire names of what the viewer may do now; to correct the draft is one right and several commands."""
    names = permissions.allowed(hearing, sitting, viewer)
    drafting = DRAFT_COMMANDS if EditDraft.type in names else ()
    return sorted({*names - {EditDraft.type}, *drafting})


def _record_ms(sitting: Sitting, now: datetime) -> int | None:
    """The record clock runs from 宣布开庭 to 闭庭, through a recess too."""
    if sitting.opened_at is None:
        return None
    return t_ms(sitting.opened_at, now if sitting.state in LIVE else sitting.closed_at or now)
