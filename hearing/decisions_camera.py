"""Decisions on the picture of a person: all but the bench stay in it unless the presiding judge gives leave (OLR-24, 25)."""

from __future__ import annotations

from hearing import events as e
from hearing.commands import (
    AllowCameraOff,
    CameraCommand,
    ReportDifficulty,
    RequestCameraLeave,
    SetCamera,
    WithdrawCameraRequest,
)
from hearing.errors import InvalidField, NotNow, NotPermitted
from hearing.model import BENCH, SILENT, CameraReason, Difficulty, Participant, ParticipantId, Sitting
from hearing.permissions import must_be_seen
from hearing.scene import Scene


def decide_camera(scene: Scene, command: CameraCommand) -> tuple[e.Event, ...]:
    """Change who is in the picture. What is so already gives no event."""
    match command:
        case SetCamera(on=on):
            return _set(scene, scene.actor_person(), on=on)
        case RequestCameraLeave(reason=reason):
            return _request(scene, scene.actor_person(), reason)
        case WithdrawCameraRequest():
            return withdrawn_request(scene, scene.actor_person().id)
        case AllowCameraOff(participant_id=id_, allowed=allowed):
            return _rule(scene, scene.person(id_), allowed=allowed)
        case ReportDifficulty(difficulty=difficulty, on=on):
            return _report(scene, scene.actor_person(), difficulty, on=on)


def withdrawn_request(scene: Scene, participant_id: ParticipantId) -> tuple[e.Event, ...]:
    """The request of this person is gone, if there is one."""
    return (e.CameraRequestWithdrawn(scene.now, participant_id),) if _asks(scene.sitting, participant_id) else ()


def _asks(sitting: Sitting, participant_id: ParticipantId) -> bool:
    return any(request.participant_id == participant_id for request in sitting.camera_requests)


def _set(scene: Scene, person: Participant, *, on: bool) -> tuple[e.Event, ...]:
    sitting = scene.sitting
    if on == (person.id not in sitting.camera_off):
        return ()
    if not on and must_be_seen(sitting, person):
        raise NotPermitted("庭审中须保持出镜。确需关闭摄像头的，请先申请，由审判长准许。", code="camera_leave_required")
    return (e.CameraSet(scene.now, person.id, on),)


def _request(scene: Scene, person: Participant, reason: CameraReason) -> tuple[e.Event, ...]:
    if not must_be_seen(scene.sitting, person):
        if person.id in scene.sitting.camera_leave:
            return ()
        raise NotNow("您现在不在法庭中，不需要申请。")
    same = any((asked.participant_id, asked.reason) == (person.id, reason) for asked in scene.sitting.camera_requests)
    return () if same else (e.CameraLeaveRequested(scene.now, person.id, reason),)


def _rule(scene: Scene, person: Participant, *, allowed: bool) -> tuple[e.Event, ...]:
    """Whoever gets leave is out of the picture at once: that is what was asked for."""
    if person.role in BENCH | SILENT:
        raise InvalidField("此人关闭摄像头不需要许可。", field="participant_id")
    sitting = scene.sitting
    has = person.id in sitting.camera_leave
    if allowed == has and (allowed or not _asks(sitting, person.id)):
        return ()
    off = (e.CameraSet(scene.now, person.id, on=False),) if allowed and person.id not in sitting.camera_off else ()
    return (e.CameraLeaveRuled(scene.now, person.id, allowed), *off)


def _report(scene: Scene, person: Participant, difficulty: Difficulty, *, on: bool) -> tuple[e.Event, ...]:
    known = {
        Difficulty.CAMERA: scene.sitting.camera_failed,
        Difficulty.MICROPHONE: scene.sitting.microphone_failed,
        Difficulty.BACKGROUND: scene.sitting.in_background,
    }[difficulty]
    return () if on == (person.id in known) else (e.DifficultyReported(scene.now, person.id, difficulty, on),)
