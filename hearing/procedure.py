"""The law of a sitting: decide() says what a command leads to, evolve() says what an event changes. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from hearing import commands as c
from hearing import events as e
from hearing.decisions_attendance import decide_attendance
from hearing.decisions_camera import decide_camera
from hearing.decisions_course import decide_move, decide_progress
from hearing.decisions_exhibits import decide_exhibit
from hearing.decisions_record import decide_record
from hearing.decisions_speech import decide_floor, decide_own
from hearing.model import (
    Actor,
    CameraRequest,
    Context,
    Difficulty,
    Fault,
    Hand,
    Hearing,
    Keeping,
    Part,
    ParticipantId,
    Showing,
    Sitting,
    Stage,
)
from hearing.permissions import require
from hearing.scene import Scene
from hearing.states import Move, after

_NO_CONTEXT = Context()


def decide(
    hearing: Hearing,
    sitting: Sitting,
    command: c.Command,
    actor: Actor,
    now: datetime,
    context: Context = _NO_CONTEXT,
) -> tuple[e.Event, ...]:
    """What happens when `actor` gives `command` now; no event when everything is so already.

    Raises NotPermitted, NotNow or IllegalMove, InvalidField, UnknownId, RoomFull; then nothing happens.
    """
    require(hearing, sitting, command.type, actor)
    scene = Scene(hearing, sitting, actor, now, context)
    match command:
        case c.GoToStage() | c.BeginPart() | c.EndPart():
            return decide_progress(scene, command)
        case c.OpenLobby() | c.OpenSitting() | c.Adjourn() | c.Resume() | c.Close() | c.Cancel() | c.SuspendForFault():
            return decide_move(scene, command)
        case c.GiveFloor() | c.OpenFloor() | c.MuteParticipant() | c.UnmuteParticipant() | c.MuteAll():
            return decide_floor(scene, command)
        case c.RaiseHand() | c.LowerHand() | c.SetMicrophone():
            return decide_own(scene, command)
        case c.SetCamera() | c.RequestCameraLeave() | c.WithdrawCameraRequest() | c.AllowCameraOff() | c.ReportDifficulty():
            return decide_camera(scene, command)
        case c.Enter() | c.Leave() | c.Exclude() | c.Admit() | c.MarkAttendance() | c.CallWitness() | c.DismissWitness():
            return decide_attendance(scene, command)
        case c.AllowPresenting() | c.ShowExhibit() | c.WithdrawExhibit() | c.StartScreen() | c.StopScreen():
            return decide_exhibit(scene, command)
        case (
            c.AddNote() | c.EditDraft() | c.RecordGap() | c.BeginFault() | c.EndFault() | c.ConfirmStatement()
            | c.SignStatement() | c.DestroyRecord()
        ):  # fmt: skip
            return decide_record(scene, command)


def evolve(sitting: Sitting, event: e.Event, number: int) -> Sitting:
    """The sitting after `event`, which stands in the ledger under `number`."""
    match event:
        case (
            e.LobbyOpened() | e.SittingOpened() | e.SittingAdjourned() | e.SittingResumed() | e.SittingSuspended()
            | e.SittingClosed() | e.SittingCancelled() | e.StageEntered()
        ):  # fmt: skip
            changed = _after_move(sitting, event)
        case e.PartBegan(at=at, part=part, recorded=recorded, ruling=ruling):
            changed = replace(sitting, part=part, keeping=recorded, part_ruling=ruling, part_since_at=at)
        case e.PartEnded():
            changed = replace(sitting, part=Part.OPEN, keeping=Keeping.FULL, part_ruling="", part_since_at=None)
        case e.FloorGiven() | e.FloorOpened() | e.ParticipantMuted() | e.ParticipantUnmuted():
            changed = _after_floor(sitting, event)
        case e.HandRaised() | e.HandLowered() | e.MicrophoneSet():
            changed = _after_own(sitting, event)
        case (
            e.CameraSet() | e.CameraLeaveRequested() | e.CameraRequestWithdrawn() | e.CameraLeaveRuled()
            | e.DifficultyReported()
        ):  # fmt: skip
            changed = _after_camera(sitting, event)
        case (
            e.ParticipantEntered() | e.ParticipantLeft() | e.ParticipantExcluded() | e.ParticipantAdmitted()
            | e.AttendanceMarked() | e.WitnessCalled() | e.WitnessDismissed()
        ):  # fmt: skip
            changed = _after_attendance(sitting, event)
        case e.PresentingAllowed() | e.ExhibitShown() | e.ExhibitWithdrawn():
            changed = _after_exhibit(sitting, event)
        case e.ScreenStarted(participant_id=id_):
            changed = replace(sitting, screen=id_)
        case e.ScreenStopped():
            changed = replace(sitting, screen=None)
        case (
            e.NoteAdded() | e.DraftEdited() | e.GapRecorded() | e.FaultBegan() | e.FaultEnded() | e.PreflightOverridden()
            | e.StatementConfirmed() | e.StatementSigned() | e.RecordDestroyed()
        ):  # fmt: skip
            changed = _after_record(sitting, event)
    return replace(changed, ledger_number=number, updated_at=event.at)


def _after_move(sitting: Sitting, event: e.MoveEvent | e.StageEntered) -> Sitting:
    match event:
        case e.LobbyOpened():
            return replace(_enter_stage(sitting, Stage.PREPARATION), state=after(sitting.state, Move.OPEN_LOBBY))
        case e.SittingOpened(at=at):
            opened = replace(sitting, state=after(sitting.state, Move.OPEN), opened_at=at)
            return _enter_stage(opened, Stage.OPENING)
        case e.SittingAdjourned(at=at, planned_resume_at=planned):
            state = after(sitting.state, Move.ADJOURN)
            return replace(sitting, state=state, recess_at=at, planned_resume_at=planned)
        case e.SittingResumed():
            return replace(sitting, state=after(sitting.state, Move.RESUME), recess_at=None, planned_resume_at=None)
        case e.SittingSuspended(at=at):
            return replace(sitting, state=after(sitting.state, Move.SUSPEND), recess_at=at)
        case e.SittingClosed(at=at):
            closed = replace(sitting, state=after(sitting.state, Move.CLOSE), closed_at=at)
            return _enter_stage(_emptied(closed), Stage.CLOSING)
        case e.SittingCancelled():
            return replace(_emptied(sitting), state=after(sitting.state, Move.CANCEL))
        case e.StageEntered(stage=stage):
            return _enter_stage(sitting, stage)


def _enter_stage(sitting: Sitting, stage: Stage) -> Sitting:
    return replace(sitting, stage=stage, stages_entered=sitting.stages_entered | {stage})


def _emptied(sitting: Sitting) -> Sitting:
    """When all is over nobody is connected, speaks, waits or shows."""
    nobody: frozenset[ParticipantId] = frozenset()
    return replace(
        sitting, present=nobody, floor=None, hands=(), showing=None, screen=None, recess_at=None, planned_resume_at=None,
        camera_leave=nobody, camera_requests=(), camera_failed=nobody, microphone_failed=nobody, in_background=nobody,
        faults=(),
    )  # fmt: skip


def _after_floor(sitting: Sitting, event: e.FloorEvent) -> Sitting:
    match event:
        case e.FloorGiven(participant_id=id_):
            return replace(sitting, floor=id_)
        case e.FloorOpened():
            return replace(sitting, floor=None)
        case e.ParticipantMuted(participant_id=id_):
            return replace(sitting, court_muted=sitting.court_muted | {id_})
        case e.ParticipantUnmuted(participant_id=id_):
            return replace(sitting, court_muted=sitting.court_muted - {id_})


def _after_own(sitting: Sitting, event: e.OwnEvent) -> Sitting:
    match event:
        case e.HandRaised(at=at, participant_id=id_, reason=reason):
            # A new reason keeps the place in the queue.
            raised = Hand(id_, reason, at)
            if any(hand.participant_id == id_ for hand in sitting.hands):
                hands = tuple(replace(h, reason=reason) if h.participant_id == id_ else h for h in sitting.hands)
                return replace(sitting, hands=hands)
            return replace(sitting, hands=(*sitting.hands, raised))
        case e.HandLowered(participant_id=id_):
            return replace(sitting, hands=tuple(hand for hand in sitting.hands if hand.participant_id != id_))
        case e.MicrophoneSet(participant_id=id_, on=on):
            off = sitting.microphone_off
            return replace(sitting, microphone_off=off - {id_} if on else off | {id_})


def _after_camera(sitting: Sitting, event: e.CameraEvent) -> Sitting:
    id_ = event.participant_id
    match event:
        case e.CameraSet(on=True):
            return replace(_without_camera_wish(sitting, id_), camera_off=sitting.camera_off - {id_})
        case e.CameraSet():
            return replace(sitting, camera_off=sitting.camera_off | {id_})
        case e.CameraLeaveRequested(at=at, reason=reason):
            others = tuple(asked for asked in sitting.camera_requests if asked.participant_id != id_)
            return replace(sitting, camera_requests=(*others, CameraRequest(id_, reason, at)))
        case e.CameraRequestWithdrawn():
            requests = tuple(asked for asked in sitting.camera_requests if asked.participant_id != id_)
            return replace(sitting, camera_requests=requests)
        case e.CameraLeaveRuled(allowed=allowed):
            ruled = _without_camera_wish(sitting, id_)
            return replace(ruled, camera_leave=ruled.camera_leave | {id_}) if allowed else ruled
        case e.DifficultyReported(difficulty=difficulty, on=on):
            return _after_difficulty(sitting, id_, difficulty, on=on)


def _without_camera_wish(sitting: Sitting, id_: ParticipantId) -> Sitting:
    """Neither leave to be out of the picture nor a request for it."""
    requests = tuple(asked for asked in sitting.camera_requests if asked.participant_id != id_)
    return replace(sitting, camera_leave=sitting.camera_leave - {id_}, camera_requests=requests)


def _after_difficulty(sitting: Sitting, id_: ParticipantId, difficulty: Difficulty, *, on: bool) -> Sitting:
    def changed(people: frozenset[ParticipantId]) -> frozenset[ParticipantId]:
        return people | {id_} if on else people - {id_}

    match difficulty:
        case Difficulty.CAMERA:
            return replace(sitting, camera_failed=changed(sitting.camera_failed))
        case Difficulty.MICROPHONE:
            return replace(sitting, microphone_failed=changed(sitting.microphone_failed))
        case Difficulty.BACKGROUND:
            return replace(sitting, in_background=changed(sitting.in_background))


def _after_attendance(sitting: Sitting, event: e.AttendanceEvent) -> Sitting:
    match event:
        case e.ParticipantEntered(participant_id=id_):
            return replace(sitting, present=sitting.present | {id_})
        case e.ParticipantLeft(participant_id=id_):
            return replace(_without_difficulties(sitting, id_), present=sitting.present - {id_})
        case e.ParticipantExcluded(participant_id=id_):
            return replace(sitting, excluded=sitting.excluded | {id_}, camera_leave=sitting.camera_leave - {id_})
        case e.ParticipantAdmitted(participant_id=id_):
            return replace(sitting, excluded=sitting.excluded - {id_})
        case e.AttendanceMarked(participant_id=id_, attended=attended):
            marked = sitting.attended | {id_} if attended else sitting.attended - {id_}
            return replace(sitting, attended=marked)
        case e.WitnessCalled(participant_id=id_):
            return replace(
                sitting,
                called=sitting.called | {id_},
                dismissed=sitting.dismissed - {id_},
                excluded=sitting.excluded - {id_},
            )
        case e.WitnessDismissed(participant_id=id_):
            gone = replace(sitting, called=sitting.called - {id_}, dismissed=sitting.dismissed | {id_})
            return replace(gone, camera_leave=sitting.camera_leave - {id_})


def _without_difficulties(sitting: Sitting, id_: ParticipantId) -> Sitting:
    """What a page reported ends with the page."""
    return replace(
        sitting, camera_failed=sitting.camera_failed - {id_}, microphone_failed=sitting.microphone_failed - {id_},
        in_background=sitting.in_background - {id_},
    )  # fmt: skip


def _after_exhibit(sitting: Sitting, event: e.ExhibitEvent) -> Sitting:
    match event:
        case e.PresentingAllowed(participant_id=id_, allowed=allowed):
            may = sitting.may_present | {id_} if allowed else sitting.may_present - {id_}
            return replace(sitting, may_present=may)
        case e.ExhibitShown(at=at, exhibit_id=exhibit_id, page=page, presenter_id=presenter_id):
            return replace(sitting, showing=Showing(exhibit_id, page, presenter_id, at))
        case e.ExhibitWithdrawn():
            return replace(sitting, showing=None)


def _after_record(sitting: Sitting, event: e.RecordEvent) -> Sitting:
    """Only faults change anything: what is written down stands in the ledger and nowhere else."""
    match event:
        case e.FaultBegan(at=at, code=code, tracks=tracks):
            others = tuple(fault for fault in sitting.faults if fault.code != code)
            return replace(sitting, faults=(*others, Fault(code, tracks, at)))
        case e.FaultEnded(code=code):
            return replace(sitting, faults=tuple(fault for fault in sitting.faults if fault.code != code))
        case _:
            return sitting


def replay(sitting: Sitting, events: tuple[e.Event, ...]) -> Sitting:
    """The sitting after all of its ledger's events: the proof that the stored state is derived from the ledger."""
    for number, event in enumerate(events, start=sitting.ledger_number + 1):
        sitting = evolve(sitting, event, number)
    return sitting
