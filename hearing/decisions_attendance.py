"""Decisions on who is in the courtroom: coming and going, exclusion, witnesses, attendance."""

from __future__ import annotations

from hearing import events as e
from hearing.audience import Place, place_of
from hearing.commands import (
    Admit,
    AttendanceCommand,
    CallWitness,
    DismissWitness,
    Enter,
    Exclude,
    Leave,
    MarkAttendance,
)
from hearing.decisions_camera import withdrawn_request
from hearing.decisions_screen import stopped_screen, withdrawn_exhibit
from hearing.decisions_speech import lowered_hand, released_floor
from hearing.errors import InvalidField, NotNow, NotPermitted, RoomFull
from hearing.model import BENCH, ISOLATED_UNTIL_CALLED, Participant, ParticipantId
from hearing.scene import Scene
from hearing.states import OVER

LEAVE_CAUSES = ("left", "lost", "replaced")


def decide_attendance(scene: Scene, command: AttendanceCommand) -> tuple[e.Event, ...]:
    """Change who is here. What is so already gives no event."""
    match command:
        case Enter():
            return _enter(scene, scene.actor_person())
        case Leave(cause=cause):
            return _leave(scene, scene.actor_person(), cause)
        case Exclude(participant_id=id_):
            return _exclude(scene, scene.person(id_))
        case Admit(participant_id=id_):
            return _admit(scene, scene.person(id_))
        case MarkAttendance(participant_id=id_, attended=attended):
            person = scene.person(id_)
            same = attended == (person.id in scene.sitting.attended)
            return () if same else (e.AttendanceMarked(scene.now, person.id, attended),)
        case CallWitness(participant_id=id_):
            return _call(scene, _witness(scene, id_))
        case DismissWitness(participant_id=id_):
            return _dismiss(scene, _witness(scene, id_))


def _enter(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    sitting = scene.sitting
    if sitting.state in OVER or person.id in sitting.present:
        return ()
    if place_of(sitting, person) is Place.DISMISSED:
        raise NotNow("您已退庭，不能再次进入本次庭审。")
    # The bench is never shut out of its own court by a full room.
    if len(sitting.present) >= scene.context.room_limit and person.role not in BENCH:
        raise RoomFull(f"法庭人数已满（上限 {scene.context.room_limit} 人），请联系书记员。")
    return (e.ParticipantEntered(scene.now, person.id),)


def _leave(scene: Scene, person: Participant, cause: str) -> tuple[e.Event, ...]:
    """Who leaves keeps the floor and the raised hand: a lost line is no waiver. A shared screen went with the line."""
    if cause not in LEAVE_CAUSES:
        raise InvalidField("离开原因无效。", field="cause")
    sitting = scene.sitting
    if sitting.state in OVER or person.id not in sitting.present:
        return ()
    return (*stopped_screen(scene, person.id), e.ParticipantLeft(scene.now, person.id, cause))


def _exclude(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    if person.role in BENCH:
        raise NotPermitted("不能将审判人员、书记员请出法庭。", field="participant_id")
    match place_of(scene.sitting, person):
        case Place.WAITING:
            return ()
        case Place.ISOLATED | Place.DISMISSED:
            raise NotNow("此人现在不在法庭中。", field="participant_id")
        case Place.COURTROOM | Place.OUTSIDE:
            return (*_cleared(scene, person), e.ParticipantExcluded(scene.now, person.id))


def _admit(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    match place_of(scene.sitting, person):
        case Place.COURTROOM | Place.OUTSIDE:
            return ()
        case Place.ISOLATED | Place.DISMISSED:
            raise NotNow("证人、鉴定人须经传唤入庭。", field="participant_id")
        case Place.WAITING:
            return (e.ParticipantAdmitted(scene.now, person.id),)


def _witness(scene: Scene, participant_id: ParticipantId) -> Participant:
    person = scene.person(participant_id)
    if person.role not in ISOLATED_UNTIL_CALLED:
        raise InvalidField("只能传唤证人、鉴定人。", field="participant_id")
    return person


def _call(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    sitting = scene.sitting
    if person.id in sitting.called:
        return ()
    # A dismissed witness is no longer connected as a rule, and comes back by the call alone (EV-74).
    if person.id not in sitting.present and person.id not in sitting.dismissed:
        raise NotNow("证人尚未进入等候区，不能传唤。", field="participant_id")
    return (e.WitnessCalled(scene.now, person.id),)


def _dismiss(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    if person.id not in scene.sitting.called:
        if person.id in scene.sitting.dismissed:
            return ()
        raise NotNow("证人尚未到庭，不能退庭。", field="participant_id")
    return (*_cleared(scene, person), e.WitnessDismissed(scene.now, person.id))


def _cleared(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    """Whoever is taken out of the courtroom loses everybody's screen, the floor, the raised hand and the request."""
    return (
        *withdrawn_exhibit(scene, person.id), *stopped_screen(scene, person.id), *released_floor(scene, person.id),
        *lowered_hand(scene, person.id), *withdrawn_request(scene, person.id),
    )  # fmt: skip
