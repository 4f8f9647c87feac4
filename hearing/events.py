"""Every fact that can happen to a sitting: what decide() yields, evolve() folds in and the ledger keeps.

`type` and the fields are the record's format: a field may be added with a default, never renamed. `at` is aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, get_args

from hearing.events_record import DraftEdited as DraftEdited
from hearing.events_record import FaultBegan as FaultBegan
from hearing.events_record import FaultEnded as FaultEnded
from hearing.events_record import GapRecorded as GapRecorded
from hearing.events_record import NoteAdded as NoteAdded
from hearing.events_record import PreflightOverridden as PreflightOverridden
from hearing.events_record import RecordDestroyed as RecordDestroyed
from hearing.events_record import StatementConfirmed as StatementConfirmed
from hearing.events_record import StatementSigned as StatementSigned
from hearing.model import CameraReason, Difficulty, ExhibitId, HandReason, Keeping, Part, ParticipantId, Stage


@dataclass(frozen=True, slots=True)
class LobbyOpened:
    """候审开始."""

    at: datetime
    type: ClassVar[str] = "sitting.lobby_opened"


@dataclass(frozen=True, slots=True)
class SittingOpened:
    """宣布开庭: `at` is the zero of the record clock; recording starts."""

    at: datetime
    type: ClassVar[str] = "sitting.opened"


@dataclass(frozen=True, slots=True)
class SittingAdjourned:
    """休庭: recording pauses, cause 休庭 (AV-3(1))."""

    at: datetime
    planned_resume_at: datetime | None
    type: ClassVar[str] = "sitting.adjourned"


@dataclass(frozen=True, slots=True)
class SittingResumed:
    """恢复庭审: recording goes on."""

    at: datetime
    type: ClassVar[str] = "sitting.resumed"


@dataclass(frozen=True, slots=True)
class SittingSuspended:
    """技术中断, found by the server."""

    at: datetime
    cause: str
    type: ClassVar[str] = "sitting.suspended"


@dataclass(frozen=True, slots=True)
class SittingClosed:
    """闭庭: recording ends."""

    at: datetime
    type: ClassVar[str] = "sitting.closed"


@dataclass(frozen=True, slots=True)
class SittingCancelled:
    """取消开庭."""

    at: datetime
    type: ClassVar[str] = "sitting.cancelled"


@dataclass(frozen=True, slots=True)
class StageEntered:
    """进入庭审阶段; a `previous` that stands later in the order means a move back."""

    at: datetime
    stage: Stage
    previous: Stage
    type: ClassVar[str] = "stage.entered"


@dataclass(frozen=True, slots=True)
class PartBegan:
    """转入不公开审理、调解或合议, by ruling: who is not of the part is cut off, and is recorded as `recorded` says (AV-3)."""

    at: datetime
    part: Part
    recorded: Keeping
    ruling: str
    type: ClassVar[str] = "part.began"


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The part is over: the sitting goes on in the open (恢复公开审理), or pauses or ends in the same moment."""

    at: datetime
    part: Part
    type: ClassVar[str] = "part.ended"


@dataclass(frozen=True, slots=True)
class FloorGiven:
    """准许发言."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "floor.given"


@dataclass(frozen=True, slots=True)
class FloorOpened:
    """发言权收回: nobody holds the floor."""

    at: datetime
    type: ClassVar[str] = "floor.opened"


@dataclass(frozen=True, slots=True)
class ParticipantMuted:
    """法庭静音."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.muted"


@dataclass(frozen=True, slots=True)
class ParticipantUnmuted:
    """解除法庭静音."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.unmuted"


@dataclass(frozen=True, slots=True)
class ParticipantExcluded:
    """请出法庭, to the waiting area."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.excluded"


@dataclass(frozen=True, slots=True)
class ParticipantAdmitted:
    """准许入庭."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.admitted"


@dataclass(frozen=True, slots=True)
class AttendanceMarked:
    """到庭, or taken back."""

    at: datetime
    participant_id: ParticipantId
    attended: bool
    type: ClassVar[str] = "attendance.marked"


@dataclass(frozen=True, slots=True)
class WitnessCalled:
    """传唤证人(鉴定人)到庭."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "witness.called"


@dataclass(frozen=True, slots=True)
class WitnessDismissed:
    """证人(鉴定人)退庭."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "witness.dismissed"


@dataclass(frozen=True, slots=True)
class HandRaised:
    """举手."""

    at: datetime
    participant_id: ParticipantId
    reason: HandReason
    type: ClassVar[str] = "hand.raised"


@dataclass(frozen=True, slots=True)
class HandLowered:
    """放下举手."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "hand.lowered"


@dataclass(frozen=True, slots=True)
class MicrophoneSet:
    """A person's own switch."""

    at: datetime
    participant_id: ParticipantId
    on: bool
    type: ClassVar[str] = "microphone.set"


@dataclass(frozen=True, slots=True)
class CameraSet:
    """A person's own switch, or off by the leave just given. Switching on ends the leave."""

    at: datetime
    participant_id: ParticipantId
    on: bool
    type: ClassVar[str] = "camera.set"


@dataclass(frozen=True, slots=True)
class CameraLeaveRequested:
    """申请关闭摄像头."""

    at: datetime
    participant_id: ParticipantId
    reason: CameraReason
    type: ClassVar[str] = "camera.leave_requested"


@dataclass(frozen=True, slots=True)
class CameraRequestWithdrawn:
    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "camera.request_withdrawn"


@dataclass(frozen=True, slots=True)
class CameraLeaveRuled:
    """准许关闭摄像头; not `allowed`: refused, or the leave is over (保持出镜)."""

    at: datetime
    participant_id: ParticipantId
    allowed: bool
    type: ClassVar[str] = "camera.leave_ruled"


@dataclass(frozen=True, slots=True)
class DifficultyReported:
    """A person's page reported what hinders the person, or that it is over."""

    at: datetime
    participant_id: ParticipantId
    difficulty: Difficulty
    on: bool
    type: ClassVar[str] = "difficulty.reported"


@dataclass(frozen=True, slots=True)
class PresentingAllowed:
    """准许出示证据, or the leave taken back."""

    at: datetime
    participant_id: ParticipantId
    allowed: bool
    type: ClassVar[str] = "exhibit.allowed"


@dataclass(frozen=True, slots=True)
class ExhibitShown:
    """出示证据: this page is on everybody's screen from now; it ends the showing before it."""

    at: datetime
    exhibit_id: ExhibitId
    page: int
    presenter_id: ParticipantId
    type: ClassVar[str] = "exhibit.shown"


@dataclass(frozen=True, slots=True)
class ExhibitWithdrawn:
    """收回出示."""

    at: datetime
    exhibit_id: ExhibitId
    page: int
    type: ClassVar[str] = "exhibit.withdrawn"


@dataclass(frozen=True, slots=True)
class ScreenStarted:
    """共享屏幕: this person's screen is on everybody's; nothing else is."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "screen.started"


@dataclass(frozen=True, slots=True)
class ScreenStopped:
    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "screen.stopped"


@dataclass(frozen=True, slots=True)
class ParticipantEntered:
    """A person is connected."""

    at: datetime
    participant_id: ParticipantId
    type: ClassVar[str] = "participant.entered"


@dataclass(frozen=True, slots=True)
class ParticipantLeft:
    """A person left, was lost (掉线, never "缺席": that is the judge's ruling) or was replaced."""

    at: datetime
    participant_id: ParticipantId
    cause: str  # left | lost | replaced
    type: ClassVar[str] = "participant.left"


MoveEvent = (
    LobbyOpened | SittingOpened | SittingAdjourned | SittingResumed | SittingSuspended | SittingClosed | SittingCancelled
)  # fmt: skip
PartEvent = PartBegan | PartEnded
FloorEvent = FloorGiven | FloorOpened | ParticipantMuted | ParticipantUnmuted
OwnEvent = HandRaised | HandLowered | MicrophoneSet
CameraEvent = CameraSet | CameraLeaveRequested | CameraRequestWithdrawn | CameraLeaveRuled | DifficultyReported
AttendanceEvent = (
    ParticipantEntered | ParticipantLeft | ParticipantExcluded | ParticipantAdmitted | AttendanceMarked | WitnessCalled
    | WitnessDismissed
)  # fmt: skip
ExhibitEvent = PresentingAllowed | ExhibitShown | ExhibitWithdrawn
ScreenEvent = ScreenStarted | ScreenStopped
RecordEvent = (
    NoteAdded | DraftEdited | GapRecorded | FaultBegan | FaultEnded | PreflightOverridden | StatementConfirmed | StatementSigned
    | RecordDestroyed
)  # fmt: skip
Event = (
    MoveEvent | StageEntered | PartEvent | FloorEvent | OwnEvent | CameraEvent | AttendanceEvent | ExhibitEvent | ScreenEvent
    | RecordEvent
)  # fmt: skip
"""All events; procedure.evolve() matches on them exhaustively."""

TYPES: Mapping[str, type[Event]] = {event.type: event for event in get_args(Event)}
