"""Who may do what, when: one table. Everything else a person may not do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hearing import commands as c
from hearing.audience import Place, place_of
from hearing.errors import NotNow, NotPermitted
from hearing.model import (
    BENCH,
    PARTIES,
    SILENT,
    Actor,
    Hearing,
    Part,
    Participant,
    Role,
    Sitting,
    SittingState,
    Stage,
)
from hearing.parts import PART_NAMES
from hearing.states import LIVE, OVER, STATE_NAMES

_EVERYONE = frozenset(Role)
_PRESIDING = frozenset({Role.PRESIDING_JUDGE})
_CLERK = frozenset({Role.CLERK})
_SENDERS = _EVERYONE - SILENT
_SIDES = PARTIES | {Role.AGENT}
_S = SittingState


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: these roles may, in these states. `by_server` marks what the server does in the person's name."""

    roles: frozenset[Role]
    states: frozenset[SittingState]
    by_server: bool = False


_BEFORE_SESSION = frozenset({_S.SCHEDULED, _S.LOBBY})
_IN_SESSION = frozenset({_S.IN_SESSION})
_PAUSED = frozenset({_S.RECESS, _S.TECH_SUSPENDED})

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # The course of the sitting: the presiding judge's; the clerk prepares it.
        c.OpenLobby.type: Rule(_PRESIDING | _CLERK, frozenset({_S.SCHEDULED})),
        c.Cancel.type: Rule(_PRESIDING | _CLERK, _BEFORE_SESSION),
        c.OpenSitting.type: Rule(_PRESIDING, frozenset({_S.LOBBY})),
        c.Adjourn.type: Rule(_PRESIDING, frozenset({_S.IN_SESSION, _S.TECH_SUSPENDED})),
        c.Resume.type: Rule(_PRESIDING, _PAUSED),
        c.Close.type: Rule(_PRESIDING, _IN_SESSION | _PAUSED),
        c.GoToStage.type: Rule(_PRESIDING, _IN_SESSION),
        c.BeginPart.type: Rule(_PRESIDING, _IN_SESSION),
        c.EndPart.type: Rule(_PRESIDING, _IN_SESSION),
        # Order in the courtroom (CR-17): the presiding judge's.
        c.GiveFloor.type: Rule(_PRESIDING, _IN_SESSION),
        c.OpenFloor.type: Rule(_PRESIDING, _IN_SESSION),
        c.MuteParticipant.type: Rule(_PRESIDING, LIVE),
        c.UnmuteParticipant.type: Rule(_PRESIDING, LIVE),
        c.MuteAll.type: Rule(_PRESIDING, LIVE),
        c.Exclude.type: Rule(_PRESIDING, LIVE),
        c.Admit.type: Rule(_PRESIDING, LIVE),
        c.CallWitness.type: Rule(_PRESIDING, _IN_SESSION),
        c.DismissWitness.type: Rule(_PRESIDING, _IN_SESSION),
        c.AllowPresenting.type: Rule(_PRESIDING, LIVE),
        c.AllowCameraOff.type: Rule(_PRESIDING, LIVE),
        # The clerk's desk.
        c.MarkAttendance.type: Rule(_CLERK, LIVE),
        c.AddNote.type: Rule(_CLERK, LIVE),
        c.EditDraft.type: Rule(_CLERK, LIVE | {_S.CLOSED}),
        # Everybody's own.
        c.RaiseHand.type: Rule(_SENDERS - BENCH, LIVE),
        c.LowerHand.type: Rule(_SENDERS - BENCH | _PRESIDING | _CLERK, LIVE),
        c.SetMicrophone.type: Rule(_SENDERS, LIVE | {_S.SCHEDULED}),
        c.SetCamera.type: Rule(_SENDERS, LIVE | {_S.SCHEDULED}),
        c.RequestCameraLeave.type: Rule(_SENDERS - BENCH, _IN_SESSION),
        c.WithdrawCameraRequest.type: Rule(_SENDERS - BENCH, LIVE),
        c.ReportDifficulty.type: Rule(_SENDERS, LIVE),
        c.ShowExhibit.type: Rule(_PRESIDING | _CLERK | _SIDES, _IN_SESSION),
        c.WithdrawExhibit.type: Rule(_PRESIDING | _CLERK | _SIDES, _IN_SESSION),
        c.StartScreen.type: Rule(_PRESIDING | _CLERK | _SIDES, _IN_SESSION),
        c.StopScreen.type: Rule(_PRESIDING | _CLERK | _SIDES, _IN_SESSION),
        # What the server does in a person's name. Coming and going when all is over is not an error, and not an event.
        c.Enter.type: Rule(_EVERYONE, LIVE | {_S.SCHEDULED} | OVER, by_server=True),
        c.Leave.type: Rule(_EVERYONE, LIVE | {_S.SCHEDULED} | OVER, by_server=True),
        # Who answers for the recording (AV-3, AV-4).
        c.ConfirmStatement.type: Rule(_CLERK, frozenset({_S.CLOSED})),
        c.SignStatement.type: Rule(_PRESIDING, frozenset({_S.CLOSED})),
        # What only the server does.
        c.SuspendForFault.type: Rule(frozenset(), _IN_SESSION, by_server=True),
        c.RecordGap.type: Rule(frozenset(), frozenset(_S), by_server=True),
        c.BeginFault.type: Rule(frozenset(), _IN_SESSION, by_server=True),
        c.EndFault.type: Rule(frozenset(), frozenset(_S), by_server=True),
        c.DestroyRecord.type: Rule(frozenset(), OVER, by_server=True),
    }
)


def require(hearing: Hearing, sitting: Sitting, command_type: str, actor: Actor) -> None:
    """Raise NotPermitted for a wrong role, NotNow for a wrong state. Moves are left to states.after(), which names the edge."""
    rule = RULES[command_type]
    if not _has_role(hearing, rule, actor):
        raise NotPermitted
    if sitting.state not in rule.states and command_type not in _MOVES:
        raise NotNow(f"当前为“{STATE_NAMES[sitting.state]}”状态，不能进行此项操作。")
    person = hearing.participant(actor.participant_id) if actor.participant_id else None
    if person is not None and command_type in _OF_THE_ROOM and place_of(sitting, person) is Place.OUTSIDE:
        raise NotNow(f"{PART_NAMES[sitting.part]}进行中，您现在不在其中。")


def allowed(hearing: Hearing, sitting: Sitting, participant: Participant) -> frozenset[str]:
    """Wire names of the commands this person may give now: what the page shows as usable. decide() remains the judge."""
    names = {
        name
        for name, rule in RULES.items()
        if not rule.by_server and participant.role in rule.roles and sitting.state in rule.states
    }
    if place_of(sitting, participant) is Place.DISMISSED:
        return frozenset()
    names.discard(c.EndPart.type if sitting.part is Part.OPEN else c.BeginPart.type)
    if place_of(sitting, participant) is Place.OUTSIDE:
        names -= _OF_THE_ROOM
    if participant.role in _SIDES:
        if not may_show(hearing, sitting, participant):
            names -= {c.ShowExhibit.type, c.StartScreen.type}
        if not may_withdraw(hearing, sitting, participant):
            names.discard(c.WithdrawExhibit.type)
        if sitting.screen is not None and sitting.screen != participant.id:
            names -= {c.ShowExhibit.type, c.StartScreen.type}
        if sitting.screen != participant.id:
            names.discard(c.StopScreen.type)
    return frozenset(names - _useless_camera_commands(sitting, participant))


def must_be_seen(sitting: Sitting, participant: Participant) -> bool:
    """Whether this person may not leave the picture now: in session, in the courtroom, not of the bench, without leave."""
    if sitting.state is not SittingState.IN_SESSION or participant.role in BENCH | SILENT:
        return False
    return place_of(sitting, participant) is Place.COURTROOM and participant.id not in sitting.camera_leave


def _useless_camera_commands(sitting: Sitting, participant: Participant) -> frozenset[str]:
    """The camera commands that could only be refused, or change nothing."""
    asks = any(request.participant_id == participant.id for request in sitting.camera_requests)
    useless = {c.RequestCameraLeave.type if asks else c.WithdrawCameraRequest.type}
    if not must_be_seen(sitting, participant):
        useless.add(c.RequestCameraLeave.type)
    elif participant.id not in sitting.camera_off:
        useless.add(c.SetCamera.type)
    return frozenset(useless)


def acts_for(hearing: Hearing, participant: Participant) -> Participant:
    """The party a person acts for: an agent's principal (CPL-61), else the person."""
    principal = hearing.participant(participant.represents) if participant.represents else None
    return principal or participant


def may_show(hearing: Hearing, sitting: Sitting, participant: Participant) -> bool:
    """Whether this person may put an exhibit of the own side, or the own screen, on everybody's screen now.

    With the judge's leave, given to the person or the party acted for, or while holding the floor in 举证质证.
    """
    if participant.role not in _SIDES:
        return participant.role in _PRESIDING | _CLERK
    if place_of(sitting, participant) is not Place.COURTROOM:
        return False
    leave = {participant.id, acts_for(hearing, participant).id} & sitting.may_present
    return bool(leave) or (sitting.floor == participant.id and sitting.stage is Stage.EVIDENCE)


def may_withdraw(hearing: Hearing, sitting: Sitting, participant: Participant) -> bool:
    """Whether this person may take down what is shown now: the bench always, a party what its own people put up."""
    if participant.role not in _SIDES:
        return participant.role in _PRESIDING | _CLERK
    if sitting.showing is None or place_of(sitting, participant) is not Place.COURTROOM:
        return False
    presenter = hearing.participant(sitting.showing.presenter_id)
    return presenter is not None and acts_for(hearing, presenter) == acts_for(hearing, participant)


_OF_THE_ROOM = frozenset({c.AddNote.type, c.ShowExhibit.type, c.WithdrawExhibit.type, c.StartScreen.type, c.StopScreen.type})
"""What one may do only where one takes part: others neither see nor change what is there (合议)."""

_MOVES = frozenset(
    {
        c.OpenLobby.type,
        c.OpenSitting.type,
        c.Adjourn.type,
        c.Resume.type,
        c.Close.type,
        c.Cancel.type,
        c.SuspendForFault.type,
    }
)


def _has_role(hearing: Hearing, rule: Rule, actor: Actor) -> bool:
    if actor.participant_id is None and actor.role is None:
        return not rule.roles and rule.by_server
    participant = hearing.participant(actor.participant_id) if actor.participant_id else None
    return participant is not None and participant.role == actor.role and participant.role in rule.roles
