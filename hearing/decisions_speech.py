"""Decisions on who may speak: floor, court mute, hands, own switches."""

from __future__ import annotations

from hearing import events as e
from hearing.audience import Place, place_of
from hearing.commands import (
    FloorCommand,
    GiveFloor,
    LowerHand,
    MuteAll,
    MuteParticipant,
    OpenFloor,
    OwnCommand,
    RaiseHand,
    SetMicrophone,
    UnmuteParticipant,
)
from hearing.errors import NotNow, NotPermitted
from hearing.model import BENCH, SILENT, HandReason, Participant, ParticipantId, Role, Sitting
from hearing.scene import Scene


def decide_floor(scene: Scene, command: FloorCommand) -> tuple[e.Event, ...]:
    """Change who may be heard. What is so already gives no event."""
    sitting, now = scene.sitting, scene.now
    match command:
        case GiveFloor(participant_id=id_):
            return _give_floor(scene, _speaker(scene, id_))
        case OpenFloor():
            return (e.FloorOpened(now),) if sitting.floor else ()
        case MuteParticipant(participant_id=id_):
            person = _speaker(scene, id_)
            return () if person.id in sitting.court_muted else (e.ParticipantMuted(now, person.id),)
        case UnmuteParticipant(participant_id=id_):
            person = _speaker(scene, id_)
            return (e.ParticipantUnmuted(now, person.id),) if person.id in sitting.court_muted else ()
        case MuteAll():
            return tuple(e.ParticipantMuted(now, p.id) for p in scene.hearing.participants if _can_be_quieted(sitting, p))


def decide_own(scene: Scene, command: OwnCommand) -> tuple[e.Event, ...]:
    """Change what a person does for themself. What is so already gives no event."""
    sitting, now = scene.sitting, scene.now
    match command:
        case RaiseHand(reason=reason):
            return _raise_hand(scene, reason)
        case LowerHand(participant_id=id_):
            return _lower_hand(scene, id_)
        case SetMicrophone(on=on):
            person = scene.actor_person()
            return () if on == (person.id not in sitting.microphone_off) else (e.MicrophoneSet(now, person.id, on),)


def lowered_hand(scene: Scene, participant_id: ParticipantId) -> tuple[e.Event, ...]:
    """The hand of this person comes down, if it is up."""
    up = any(hand.participant_id == participant_id for hand in scene.sitting.hands)
    return (e.HandLowered(scene.now, participant_id),) if up else ()


def released_floor(scene: Scene, participant_id: ParticipantId) -> tuple[e.Event, ...]:
    """The floor is taken back, if this person holds it."""
    return (e.FloorOpened(scene.now),) if scene.sitting.floor == participant_id else ()


def _give_floor(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    """准许发言 answers the raised hand and lifts a court mute: whoever has the floor is heard."""
    sitting = scene.sitting
    if person.id not in sitting.present or place_of(sitting, person) is not Place.COURTROOM:
        raise NotNow("此人现在不在法庭中，不能准许发言。", field="participant_id")
    lifted = (e.ParticipantUnmuted(scene.now, person.id),) if person.id in sitting.court_muted else ()
    given = () if sitting.floor == person.id else (e.FloorGiven(scene.now, person.id),)
    return (*lifted, *given, *lowered_hand(scene, person.id))


def _speaker(scene: Scene, participant_id: ParticipantId) -> Participant:
    """A person who can be heard at all; raises NotPermitted for an observer."""
    person = scene.person(participant_id)
    if person.role in SILENT:
        raise NotPermitted("旁听人员不能发言。", field="participant_id")
    return person


def _can_be_quieted(sitting: Sitting, person: Participant) -> bool:
    """全体静音 leaves out the bench, and a witness who is not in the room: the call would else bring a mute one."""
    exempt = person.role in BENCH | SILENT or person.id in sitting.court_muted
    return not exempt and place_of(sitting, person) is Place.COURTROOM


def _raise_hand(scene: Scene, reason: HandReason) -> tuple[e.Event, ...]:
    person, sitting = scene.actor_person(), scene.sitting
    if place_of(sitting, person) is Place.DISMISSED:
        raise NotNow("您已退庭。")
    if any(hand.participant_id == person.id and hand.reason is reason for hand in sitting.hands):
        return ()
    return (e.HandRaised(scene.now, person.id, reason),)


def _lower_hand(scene: Scene, participant_id: ParticipantId | None) -> tuple[e.Event, ...]:
    actor = scene.actor_person()
    owner = actor if participant_id is None else scene.person(participant_id)
    if owner != actor and actor.role not in {Role.PRESIDING_JUDGE, Role.CLERK}:
        raise NotPermitted("只能放下自己的举手。", field="participant_id")
    return lowered_hand(scene, owner.id)
