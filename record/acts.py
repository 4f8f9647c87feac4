"""What happened, as the transcript writes it: （审判长宣布开庭）（出示原告证据1《借条》第1页）. Shared with live captions (C24)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hearing import events as law
from hearing.model import Difficulty, ExhibitId, HandReason, Hearing, Keeping, ParticipantId, Role, Stage
from hearing.parts import PART_NAMES
from hearing.stages import STAGE_NAMES
from hearing.timeline import local_date_time

ROLE_NAMES: Mapping[Role, str] = MappingProxyType(
    {
        Role.PRESIDING_JUDGE: "审判长",
        Role.JUDGE: "审判员",
        Role.ASSESSOR: "人民陪审员",
        Role.CLERK: "书记员",
        Role.PLAINTIFF: "原告",
        Role.DEFENDANT: "被告",
        Role.THIRD_PARTY: "第三人",
        Role.AGENT: "诉讼代理人",
        Role.WITNESS: "证人",
        Role.EXPERT: "鉴定人",
        Role.INTERPRETER: "翻译",
        Role.OBSERVER: "旁听人员",
    }
)
_PERSON_ACTS: Mapping[type, str] = MappingProxyType(
    {
        law.FloorGiven: "准许{who}发言",
        law.ParticipantMuted: "{who}被法庭静音",
        law.ParticipantUnmuted: "解除{who}的法庭静音",
        law.ParticipantExcluded: "{who}退至候审区",
        law.ParticipantAdmitted: "准许{who}入庭",
        law.WitnessCalled: "传{who}到庭",
        law.WitnessDismissed: "{who}退庭",
        law.ScreenStarted: "{who}共享屏幕",
        law.ScreenStopped: "{who}停止共享屏幕",
    }
)
_PLAIN_ACTS: Mapping[type, str] = MappingProxyType(
    {
        law.SittingOpened: "{actor}宣布开庭",
        law.SittingResumed: "{actor}宣布恢复庭审",
        law.SittingSuspended: "技术中断，暂停庭审",
        law.SittingClosed: "{actor}宣布闭庭",
        law.FaultBegan: "录音录像发生故障",
        law.FaultEnded: "录音录像恢复正常",
    }
)
_DIFFICULTIES: Mapping[Difficulty, str] = MappingProxyType({Difficulty.CAMERA: "摄像头", Difficulty.MICROPHONE: "麦克风"})
_KEEPINGS: Mapping[Keeping, str] = MappingProxyType(
    {Keeping.FULL: "录音录像", Keeping.SEALED: "录音录像封存", Keeping.NONE: "不录音录像"}
)
_OWN_WORDS = frozenset({Stage.PREPARATION, Stage.OPENING, Stage.CLOSING})  # said by the act itself: 宣布开庭, 宣布闭庭
_ORDER = list(Stage)


def exhibit_mark(number: str, title: str) -> str:
    """How an exhibit is named in a line: 原告证据1《借条》."""
    return f"{number}《{title}》"


def person_mark(hearing: Hearing, participant_id: ParticipantId | None) -> str:
    """How a person is named in a line: 原告张伟; agents with their party: 原告诉讼代理人孙晓梅."""
    person = hearing.participant(participant_id) if participant_id else None
    if person is None:
        return "系统"
    principal = hearing.participant(person.represents) if person.represents else None
    return f"{ROLE_NAMES[principal.role] if principal else ''}{ROLE_NAMES[person.role]}{person.name}"


def act_text(
    event: law.Event, hearing: Hearing, exhibits: Mapping[ExhibitId, str], actor_role: Role | None = None
) -> str | None:
    """The line of an event in （ ）; None where the transcript keeps silent (switches, hands, comings before a loss).

    `exhibits` gives each exhibit's mark (exhibit_mark); `actor_role` names who gave the order, the presiding judge if None.
    """
    who = person_mark(hearing, getattr(event, "participant_id", None))
    actor = ROLE_NAMES[actor_role or Role.PRESIDING_JUDGE]
    words = _court_act(event, actor) or _person_act(event, who) or _shown_act(event, who, exhibits)
    return f"（{words}）" if words else None


def _court_act(event: law.Event, actor: str) -> str | None:
    if plain := _PLAIN_ACTS.get(type(event)):
        return plain.format(actor=actor)
    match event:
        case law.SittingAdjourned(planned_resume_at=None):
            return f"{actor}宣布休庭"
        case law.SittingAdjourned(planned_resume_at=at) if at is not None:
            return f"{actor}宣布休庭，预计{local_date_time(at)}恢复庭审"
        case law.PartBegan(part=part, recorded=recorded, ruling=ruling):
            return f"{actor}宣布转入{PART_NAMES[part]}，{_KEEPINGS[recorded]}：{ruling}"
        case law.PartEnded(part=part):
            return f"{PART_NAMES[part]}结束"
        case law.StageEntered(stage=stage, previous=previous) if stage not in _OWN_WORDS:
            back = _ORDER.index(stage) < _ORDER.index(previous)
            return f"恢复{STAGE_NAMES[stage]}" if back else f"进入{STAGE_NAMES[stage]}阶段"
        case _:
            return None


def _shown_act(event: law.Event, who: str, exhibits: Mapping[ExhibitId, str]) -> str | None:
    match event:
        case law.PresentingAllowed(allowed=True):
            return f"准许{who}出示证据"
        case law.ExhibitShown(exhibit_id=exhibit_id, page=page):
            return f"出示{exhibits.get(exhibit_id, '证据')}第{page}页"
        case law.ExhibitWithdrawn(exhibit_id=exhibit_id):
            return f"收回出示{exhibits.get(exhibit_id, '证据')}"
        case _:
            return None


def _person_act(event: law.Event, who: str) -> str | None:
    match event:
        case law.AttendanceMarked(attended=attended):
            return f"{who}到庭" if attended else f"撤销{who}的到庭记载"
        case law.HandRaised(reason=HandReason.OBJECTION):
            return f"{who}提出异议"
        case law.CameraLeaveRequested():  # the reason is for the bench, and in the ledger
            return f"{who}申请关闭摄像头"
        case law.CameraLeaveRuled(allowed=allowed):
            return f"准许{who}关闭摄像头" if allowed else f"要求{who}保持出镜"
        case law.DifficultyReported(difficulty=difficulty, on=on) if difficulty in _DIFFICULTIES:
            return f"{who}的{_DIFFICULTIES[difficulty]}{'发生故障' if on else '恢复正常'}"
        case law.ParticipantLeft(cause="lost"):
            return f"{who}连接中断"
        case _:
            template = _PERSON_ACTS.get(type(event))
            return template.format(who=who) if template else None
