"""What a hearing is made of: people, the hearing (庭审), its sittings (庭次)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

CourtId = NewType("CourtId", str)
StaffId = NewType("StaffId", str)
HearingId = NewType("HearingId", str)
SittingId = NewType("SittingId", str)
ParticipantId = NewType("ParticipantId", str)
ExhibitId = NewType("ExhibitId", str)


class Role(StrEnum):
    """The part a person plays in a hearing (诉讼地位)."""

    PRESIDING_JUDGE = "presiding_judge"  # 审判长 (or 独任审判员)
    JUDGE = "judge"  # 审判员
    ASSESSOR = "assessor"  # 人民陪审员
    CLERK = "clerk"  # 书记员
    PLAINTIFF = "plaintiff"  # 原告
    DEFENDANT = "defendant"  # 被告
    THIRD_PARTY = "third_party"  # 第三人
    AGENT = "agent"  # 诉讼代理人, represents a named party
    WITNESS = "witness"  # 证人
    EXPERT = "expert"  # 鉴定人
    INTERPRETER = "interpreter"  # 翻译
    OBSERVER = "observer"  # 旁听人员


PANEL = frozenset({Role.PRESIDING_JUDGE, Role.JUDGE, Role.ASSESSOR})  # 审判人员 (合议庭)
BENCH = PANEL | {Role.CLERK}
PARTIES = frozenset({Role.PLAINTIFF, Role.DEFENDANT, Role.THIRD_PARTY})
ISOLATED_UNTIL_CALLED = frozenset({Role.WITNESS, Role.EXPERT})  # OLR-26, EV-72
SILENT = frozenset({Role.OBSERVER})  # never send sound or picture (CR-17)


class Procedure(StrEnum):
    """Procedure of the case (审判程序)."""

    ORDINARY = "ordinary"  # 普通程序
    SIMPLIFIED = "simplified"  # 简易程序
    SMALL_CLAIMS = "small_claims"  # 小额诉讼


class SittingState(StrEnum):
    """State of one sitting; the moves between them stand in states.py."""

    SCHEDULED = "scheduled"  # 待开庭
    LOBBY = "lobby"  # 候审
    IN_SESSION = "in_session"  # 开庭
    RECESS = "recess"  # 休庭
    TECH_SUSPENDED = "tech_suspended"  # 技术中断
    CLOSED = "closed"  # 闭庭
    CANCELLED = "cancelled"  # 取消


class Part(StrEnum):
    """A part of a sitting in session by who takes part in it."""

    OPEN = "open"  # as the sitting is: public, unless the hearing is not
    CLOSED = "closed"  # 不公开审理(举证质证)
    MEDIATION = "mediation"  # 调解
    DELIBERATION = "deliberation"  # 合议


class Keeping(StrEnum):
    """What is kept of a span of the sitting as sound and picture (AV-3)."""

    FULL = "full"  # 录音录像
    SEALED = "sealed"  # 录音录像并封存
    NONE = "none"  # 不录音录像


class Stage(StrEnum):
    """Stage of a civil first-instance hearing (庭审阶段), in order (CPL-140..151)."""

    PREPARATION = "preparation"  # 庭前准备
    OPENING = "opening"  # 宣布开庭
    IDENTITY = "identity"  # 核对当事人
    RIGHTS = "rights"  # 告知权利义务
    RECUSAL = "recusal"  # 询问回避
    INVESTIGATION = "investigation"  # 法庭调查
    EVIDENCE = "evidence"  # 举证质证
    DEBATE = "debate"  # 法庭辩论
    FINAL_STATEMENTS = "final_statements"  # 最后意见
    MEDIATION = "mediation"  # 调解
    JUDGMENT = "judgment"  # 宣判
    CLOSING = "closing"  # 闭庭


class HandReason(StrEnum):
    """Why a hand is raised (举手事由)."""

    SPEAK = "speak"  # 请求发言
    OBJECTION = "objection"  # 异议
    TECHNICAL = "technical"  # 技术问题
    HEALTH = "health"  # 身体不适


class CameraReason(StrEnum):
    """Why a person asks to be out of the picture (申请关闭摄像头的事由)."""

    HEALTH = "health"  # 身体不适
    PRIVACY = "privacy"  # 个人隐私
    NETWORK = "network"  # 网络不好，先保声音
    OTHER = "other"  # 其他原因


class Difficulty(StrEnum):
    """What hinders a person now, as the own page reports it: a fact for the court, never a fault of the person (OLR-25)."""

    CAMERA = "camera"  # 摄像头故障
    MICROPHONE = "microphone"  # 麦克风故障
    BACKGROUND = "background"  # 页面在后台: another application, a call, a locked phone


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in one hearing; `label` is the short mark in the transcript (原1, 被代, 审 …)."""

    id: ParticipantId
    role: Role
    name: str
    label: str
    represents: ParticipantId | None = None  # agents only
    staff_id: StaffId | None = None  # court staff only


@dataclass(frozen=True, slots=True)
class Hearing:
    """One matter set down for hearing (庭审); it may have several sittings."""

    id: HearingId
    court_id: CourtId
    case_number: str  # 案号
    cause: str  # 案由
    title: str  # 张伟诉李强民间借贷纠纷
    procedure: Procedure
    public: bool  # 公开开庭
    courtroom: str  # 第三在线法庭
    scheduled_at: datetime
    participants: tuple[Participant, ...]

    def participant(self, participant_id: ParticipantId) -> Participant | None:
        return next((p for p in self.participants if p.id == participant_id), None)


@dataclass(frozen=True, slots=True)
class Hand:
    """A raised hand, queued in order of raising."""

    participant_id: ParticipantId
    reason: HandReason
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """A wish for leave to switch the camera off, waiting for the presiding judge."""

    participant_id: ParticipantId
    reason: CameraReason
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Showing:
    """The exhibit page everyone is looking at now (出示)."""

    exhibit_id: ExhibitId
    page: int  # from 1
    presenter_id: ParticipantId
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the recording that has not ended (录音录像故障); the fields are those of events.FaultBegan."""

    code: str
    tracks: str
    since_at: datetime


@dataclass(frozen=True, slots=True)
class Sitting:
    """One sitting (庭次): state, clock and chain belong to it. Built only by procedure.evolve()."""

    id: SittingId
    hearing_id: HearingId
    number: int  # 第 n 次
    state: SittingState = SittingState.SCHEDULED
    stage: Stage = Stage.PREPARATION
    opened_at: datetime | None = None  # zero of the record clock: 宣布开庭
    closed_at: datetime | None = None
    recess_at: datetime | None = None
    planned_resume_at: datetime | None = None
    part: Part = Part.OPEN
    keeping: Keeping = Keeping.FULL  # of this part; out of session nothing is recorded whatever stands here
    part_ruling: str = ""
    part_since_at: datetime | None = None
    floor: ParticipantId | None = None  # 发言权; None: the floor is open
    attended: frozenset[ParticipantId] = frozenset()  # 已到庭, marked by the clerk
    present: frozenset[ParticipantId] = frozenset()  # connected to the sitting now
    called: frozenset[ParticipantId] = frozenset()  # witnesses in the room
    dismissed: frozenset[ParticipantId] = frozenset()  # 退庭
    excluded: frozenset[ParticipantId] = frozenset()  # back to the waiting area by the judge
    court_muted: frozenset[ParticipantId] = frozenset()  # 法庭静音
    microphone_off: frozenset[ParticipantId] = frozenset()
    camera_off: frozenset[ParticipantId] = frozenset()
    camera_leave: frozenset[ParticipantId] = frozenset()  # 准许关闭摄像头; others but the bench stay in the picture
    camera_requests: tuple[CameraRequest, ...] = ()
    camera_failed: frozenset[ParticipantId] = frozenset()  # reported by their pages, with the two below
    microphone_failed: frozenset[ParticipantId] = frozenset()
    in_background: frozenset[ParticipantId] = frozenset()
    may_present: frozenset[ParticipantId] = frozenset()  # allowed to show own exhibits
    hands: tuple[Hand, ...] = ()
    showing: Showing | None = None
    screen: ParticipantId | None = None  # whose screen is shared (屏幕共享), one at a time
    faults: tuple[Fault, ...] = ()  # of the recording, in the order in which they began
    stages_entered: frozenset[Stage] = frozenset()  # every stage that was held, whole or in part
    updated_at: datetime | None = None  # time of the last event folded in
    ledger_number: int = 0  # number of the last ledger entry folded in


class Side(StrEnum):
    """Whose exhibit it is (举证方)."""

    PLAINTIFF = "plaintiff"
    DEFENDANT = "defendant"
    THIRD_PARTY = "third_party"
    COURT = "court"


@dataclass(frozen=True, slots=True)
class ExhibitRef:
    """What the law must know of an exhibit: whose it is and how many pages it has."""

    id: ExhibitId
    side: Side
    pages: int


@dataclass(frozen=True, slots=True)
class Context:
    """What decide() must know beyond the hearing and the sitting. `room_limit` counts people present.

    `failed_checks`: what stands against 宣布开庭 now, by the server's pre-flight (J3).
    """

    exhibits: tuple[ExhibitRef, ...] = ()
    failed_checks: tuple[str, ...] = ()
    room_limit: int = 16


@dataclass(frozen=True, slots=True)
class Actor:
    """Who gives a command. The system itself (a server fault) has no participant."""

    participant_id: ParticipantId | None
    role: Role | None
    ip: str = field(default="", repr=False)


SYSTEM = Actor(participant_id=None, role=None)
