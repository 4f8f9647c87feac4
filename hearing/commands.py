"""Every command that changes a sitting, as the browser sends it (imperative; wire name in `type`).

The field names and types here are the wire format: signaling/protocol.py validates JSON straight into these classes.
Bounds on text and unknown ids are checked by procedure.decide().
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hearing.commands_draft import EditDraft as EditDraft
from hearing.model import CameraReason, Difficulty, ExhibitId, HandReason, Keeping, Part, ParticipantId, StaffId, Stage


@dataclass(frozen=True, slots=True)
class OpenLobby:
    """Clerk or judge opens the waiting area (候审)."""

    type: ClassVar[str] = "sitting.open_lobby"


@dataclass(frozen=True, slots=True)
class OpenSitting:
    """宣布开庭: recording starts in the same command (J4, AV-3).

    `override_reason`: why the court opens although the pre-flight failed (J3); without meaning when it did not.
    """

    override_reason: str | None = None
    type: ClassVar[str] = "sitting.open"


@dataclass(frozen=True, slots=True)
class Adjourn:
    """休庭, with the planned time of resuming (J16)."""

    planned_resume_at: datetime | None = None
    type: ClassVar[str] = "sitting.adjourn"


@dataclass(frozen=True, slots=True)
class Resume:
    """恢复庭审."""

    type: ClassVar[str] = "sitting.resume"


@dataclass(frozen=True, slots=True)
class Close:
    """闭庭: recording ends, the record is sealed; a closed sitting never reopens."""

    type: ClassVar[str] = "sitting.close"


@dataclass(frozen=True, slots=True)
class Cancel:
    """取消开庭, before 宣布开庭 only; another sitting of the hearing can then be set down."""

    type: ClassVar[str] = "sitting.cancel"


@dataclass(frozen=True, slots=True)
class GoToStage:
    """Move the stage bar forward or back (恢复法庭调查 is a move back)."""

    stage: Stage
    type: ClassVar[str] = "stage.go"


@dataclass(frozen=True, slots=True)
class BeginPart:
    """转入不公开审理、调解或合议, with the ruling's text. `recorded` null: as is usual for the part (J17, AV-3)."""

    part: Part
    ruling: str
    recorded: Keeping | None = None
    type: ClassVar[str] = "part.begin"


@dataclass(frozen=True, slots=True)
class EndPart:
    """恢复公开审理."""

    type: ClassVar[str] = "part.end"


@dataclass(frozen=True, slots=True)
class GiveFloor:
    """准许发言: give the floor; others but the bench are muted at the server (J9)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "floor.give"


@dataclass(frozen=True, slots=True)
class OpenFloor:
    """Take the floor back: everyone not muted may speak."""

    type: ClassVar[str] = "floor.open"


@dataclass(frozen=True, slots=True)
class MuteParticipant:
    """法庭静音: the server forwards and records no sound of this person (J10)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "participant.mute"


@dataclass(frozen=True, slots=True)
class UnmuteParticipant:
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.unmute"


@dataclass(frozen=True, slots=True)
class MuteAll:
    """全体静音: everyone but the bench."""

    type: ClassVar[str] = "participant.mute_all"


@dataclass(frozen=True, slots=True)
class Exclude:
    """Send a person from the courtroom to the waiting area (J12)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "participant.exclude"


@dataclass(frozen=True, slots=True)
class Admit:
    """Let a person from the waiting area into the courtroom (J12)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "participant.admit"


@dataclass(frozen=True, slots=True)
class MarkAttendance:
    """到庭: the clerk marks a person as attending (C5 thin)."""

    participant_id: ParticipantId
    attended: bool = True
    type: ClassVar[str] = "attendance.mark"


@dataclass(frozen=True, slots=True)
class CallWitness:
    """传唤证人 (J13)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "witness.call"


@dataclass(frozen=True, slots=True)
class DismissWitness:
    """证人退庭 (J13, W9)."""

    participant_id: ParticipantId
    type: ClassVar[str] = "witness.dismiss"


@dataclass(frozen=True, slots=True)
class RaiseHand:
    """举手 (P9)."""

    reason: HandReason = HandReason.SPEAK
    type: ClassVar[str] = "hand.raise"


@dataclass(frozen=True, slots=True)
class LowerHand:
    """Lower one's own hand, or (judge, clerk) another's."""

    participant_id: ParticipantId | None = None  # None: one's own
    type: ClassVar[str] = "hand.lower"


@dataclass(frozen=True, slots=True)
class SetMicrophone:
    """A person's own microphone switch; stops packets at the server too."""

    on: bool
    type: ClassVar[str] = "microphone.set"


@dataclass(frozen=True, slots=True)
class SetCamera:
    """A person's own camera switch. In session only the bench, or who has leave, may switch it off."""

    on: bool
    type: ClassVar[str] = "camera.set"


@dataclass(frozen=True, slots=True)
class RequestCameraLeave:
    """申请关闭摄像头."""

    reason: CameraReason
    type: ClassVar[str] = "camera.request_leave"


@dataclass(frozen=True, slots=True)
class WithdrawCameraRequest:
    type: ClassVar[str] = "camera.withdraw_request"


@dataclass(frozen=True, slots=True)
class AllowCameraOff:
    """准许关闭摄像头, asked for or not; `allowed` false refuses a request or ends the leave."""

    participant_id: ParticipantId
    allowed: bool = True
    type: ClassVar[str] = "camera.allow_off"


@dataclass(frozen=True, slots=True)
class ReportDifficulty:
    """A person's page says that something hinders the person, or no longer does."""

    difficulty: Difficulty
    on: bool = True
    type: ClassVar[str] = "difficulty.report"


@dataclass(frozen=True, slots=True)
class AllowPresenting:
    """Judge lets a person show own exhibits (P15), or takes the leave back."""

    participant_id: ParticipantId
    allowed: bool = True
    type: ClassVar[str] = "exhibit.allow"


@dataclass(frozen=True, slots=True)
class ShowExhibit:
    """出示证据: a page everyone follows; turning the page is showing another page."""

    exhibit_id: ExhibitId
    page: int = 1
    type: ClassVar[str] = "exhibit.show"


@dataclass(frozen=True, slots=True)
class WithdrawExhibit:
    """收回出示."""

    type: ClassVar[str] = "exhibit.withdraw"


@dataclass(frozen=True, slots=True)
class StartScreen:
    """共享屏幕: one's own screen is on everybody's from now; the bench ends another's by starting its own."""

    type: ClassVar[str] = "screen.start"


@dataclass(frozen=True, slots=True)
class StopScreen:
    """停止共享屏幕: one's own, or (presiding judge, clerk) another's."""

    participant_id: ParticipantId | None = None  # None: one's own
    type: ClassVar[str] = "screen.stop"


@dataclass(frozen=True, slots=True)
class AddNote:
    """The clerk notes a line in the draft (书记员记一行)."""

    text: str
    type: ClassVar[str] = "note.add"


@dataclass(frozen=True, slots=True)
class Enter:
    """A person takes the seat (given by the server when the browser joins)."""

    type: ClassVar[str] = "sitting.enter"


@dataclass(frozen=True, slots=True)
class Leave:
    """A person leaves or is lost (given by the server)."""

    cause: str = "left"  # left | lost | replaced
    type: ClassVar[str] = "sitting.leave"


@dataclass(frozen=True, slots=True)
class SuspendForFault:
    """技术中断, given by the server when the media plane stays away (J20, S11)."""

    cause: str
    type: ClassVar[str] = "sitting.suspend"


@dataclass(frozen=True, slots=True)
class RecordGap:
    """The server states that a span of a track is missing, with cause; never refused."""

    participant_id: ParticipantId
    kind: str  # audio | video | screen
    t0_ms: int
    t1_ms: int
    cause: str  # media_restart | disk_full | overflow …
    type: ClassVar[str] = "record.gap"


@dataclass(frozen=True, slots=True)
class BeginFault:
    """The server states that something is not being recorded; fields as in FaultBegan."""

    code: str
    tracks: str
    evidence: str = ""
    type: ClassVar[str] = "record.fault"


@dataclass(frozen=True, slots=True)
class EndFault:
    """The server states that this fault is over."""

    code: str
    type: ClassVar[str] = "record.fault_end"


@dataclass(frozen=True, slots=True)
class ConfirmStatement:
    """确认起止与中断情况记录 or 故障说明: the clerk's, after 闭庭."""

    statement_id: str
    kind: str  # course | fault
    sha256: str
    type: ClassVar[str] = "statement.confirm"


@dataclass(frozen=True, slots=True)
class SignStatement:
    """审核签字: the presiding judge's, of what the clerk confirmed."""

    statement_id: str
    kind: str
    sha256: str
    type: ClassVar[str] = "statement.sign"


@dataclass(frozen=True, slots=True)
class DestroyRecord:
    """依法销毁, as ordered and approved by two members of staff; fields as in RecordDestroyed."""

    order_number: str
    ordered_by: StaffId
    approved_by: StaffId
    objects: int
    type: ClassVar[str] = "record.destroy"


MoveCommand = OpenLobby | OpenSitting | Adjourn | Resume | Close | Cancel | SuspendForFault
"""Commands that move the sitting along an edge of states.py."""

PartCommand = BeginPart | EndPart
"""Who takes part, and what is kept of it."""

FloorCommand = GiveFloor | OpenFloor | MuteParticipant | UnmuteParticipant | MuteAll
"""Whom the court lets be heard."""

OwnCommand = RaiseHand | LowerHand | SetMicrophone
"""What each person does for themself."""

CameraCommand = SetCamera | RequestCameraLeave | WithdrawCameraRequest | AllowCameraOff | ReportDifficulty
"""Who is in the picture, and why not."""

AttendanceCommand = Enter | Leave | Exclude | Admit | MarkAttendance | CallWitness | DismissWitness
"""Who is in the courtroom."""

ScreenCommand = StartScreen | StopScreen
"""Whose own screen is on everybody's."""

ExhibitCommand = AllowPresenting | ShowExhibit | WithdrawExhibit | ScreenCommand
"""What is on everybody's screen."""

RecordCommand = AddNote | EditDraft | RecordGap | BeginFault | EndFault | ConfirmStatement | SignStatement | DestroyRecord
"""What is written into the record by hand or by the server, what endangers it, and who answers for it."""

Command = (
    MoveCommand | GoToStage | PartCommand | FloorCommand | OwnCommand | CameraCommand | AttendanceCommand | ExhibitCommand
    | RecordCommand
)  # fmt: skip
"""All commands; procedure.decide() matches on them exhaustively."""
