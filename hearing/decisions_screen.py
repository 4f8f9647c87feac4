"""Decisions on whose screen everybody sees (共享屏幕), and what it takes to clear everybody's screen.

One thing at a time is on everybody's screen: an exhibit page or one person's shared screen. What comes ends what was there.
A shared screen is a live picture, so it also ends when its person leaves; a shown page stays.
"""

from __future__ import annotations

from hearing import events as e
from hearing.commands import ScreenCommand, StartScreen, StopScreen
from hearing.errors import Conflict, NotNow, NotPermitted
from hearing.model import Participant, ParticipantId, Role
from hearing.permissions import may_show
from hearing.scene import Scene

_BENCH_AT_THE_SCREEN = frozenset({Role.PRESIDING_JUDGE, Role.CLERK})


def decide_screen(scene: Scene, command: ScreenCommand) -> tuple[e.Event, ...]:
    """Start or stop the sharing of a screen. What is so already gives no event."""
    person = scene.actor_person()
    match command:
        case StartScreen():
            return _start(scene, person)
        case StopScreen(participant_id=None):
            return stopped_screen(scene, person.id)
        case StopScreen(participant_id=id_):
            owner = scene.person(id_) if id_ else person
            if owner != person and person.role not in _BENCH_AT_THE_SCREEN:
                raise NotPermitted("只能停止自己的屏幕共享。", field="participant_id")
            return stopped_screen(scene, owner.id)


def stopped_screen(scene: Scene, participant_id: ParticipantId | None = None) -> tuple[e.Event, ...]:
    """The sharing ends: this person's, or whosever it is."""
    sharer = scene.sitting.screen
    ends = sharer is not None and participant_id in (None, sharer)
    return (e.ScreenStopped(scene.now, sharer),) if sharer and ends else ()


def withdrawn_exhibit(scene: Scene, presenter_id: ParticipantId | None = None) -> tuple[e.Event, ...]:
    """The shown page is taken down: this person's, or whosever it is."""
    showing = scene.sitting.showing
    ends = showing is not None and presenter_id in (None, showing.presenter_id)
    return (e.ExhibitWithdrawn(scene.now, showing.exhibit_id, showing.page),) if showing and ends else ()


def ended_for(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    """Another's shared screen ends for the bench; a party waits. Raises Conflict (screen_in_use)."""
    if scene.sitting.screen not in (None, person.id) and person.role not in _BENCH_AT_THE_SCREEN:
        raise Conflict("他人正在共享屏幕，请等待结束，或者请审判长停止。", code="screen_in_use")
    return stopped_screen(scene)


def _start(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    sitting = scene.sitting
    if not may_show(scene.hearing, sitting, person):
        raise NotPermitted("请等待审判长准许共享屏幕。", code="presenting_not_allowed")
    if person.id not in sitting.present:
        raise NotNow("您还没有进入法庭。")
    if sitting.screen == person.id:
        return ()
    return (*ended_for(scene, person), *withdrawn_exhibit(scene), e.ScreenStarted(scene.now, person.id))
