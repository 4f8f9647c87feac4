"""Decisions on what is on everybody's screen (出示证据)."""

from __future__ import annotations

from dataclasses import replace

from hearing import events as e
from hearing.commands import (
    AllowPresenting,
    ExhibitCommand,
    ShowExhibit,
    StartScreen,
    StopScreen,
    WithdrawExhibit,
)
from hearing.decisions_screen import decide_screen, ended_for, stopped_screen, withdrawn_exhibit
from hearing.errors import InvalidField, NotPermitted
from hearing.model import PARTIES, ExhibitRef, Participant, ParticipantId, Role, Side
from hearing.permissions import acts_for, may_show, may_withdraw
from hearing.scene import Scene


def decide_exhibit(scene: Scene, command: ExhibitCommand) -> tuple[e.Event, ...]:
    """Change the screen or who may change it. What is so already gives no event."""
    match command:
        case AllowPresenting(participant_id=id_, allowed=allowed):
            return _allow(scene, id_, allowed=allowed)
        case ShowExhibit(exhibit_id=id_, page=page):
            return _show(scene, scene.actor_person(), scene.exhibit(id_), page)
        case WithdrawExhibit():
            return _withdraw(scene, scene.actor_person())
        case StartScreen() | StopScreen():
            return decide_screen(scene, command)


def side_of(hearing_party: Participant) -> Side:
    """The side whose exhibits this party's are; the bench's are the court's own."""
    match hearing_party.role:
        case Role.PLAINTIFF:
            return Side.PLAINTIFF
        case Role.DEFENDANT:
            return Side.DEFENDANT
        case Role.THIRD_PARTY:
            return Side.THIRD_PARTY
        case _:
            return Side.COURT


def _allow(scene: Scene, participant_id: ParticipantId, *, allowed: bool) -> tuple[e.Event, ...]:
    person = scene.person(participant_id)
    if person.role not in PARTIES | {Role.AGENT}:
        raise InvalidField("只有当事人及其代理人出示己方证据。", field="participant_id")
    if allowed == (person.id in scene.sitting.may_present):
        return ()
    ruled = e.PresentingAllowed(scene.now, person.id, allowed)
    return (ruled,) if allowed else (*withdrawn_exhibit(scene, person.id), *_unshared(scene, person), ruled)


def _unshared(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    """A shared screen ends with the leave it rested on: the sharer's own, or that of the party acted for."""
    sharer = scene.hearing.participant(scene.sitting.screen) if scene.sitting.screen else None
    without = replace(scene.sitting, may_present=scene.sitting.may_present - {person.id})
    return stopped_screen(scene) if sharer and not may_show(scene.hearing, without, sharer) else ()


def _show(scene: Scene, presenter: Participant, exhibit: ExhibitRef, page: int) -> tuple[e.Event, ...]:
    party = acts_for(scene.hearing, presenter)
    if party.role in PARTIES and exhibit.side is not side_of(party):
        raise NotPermitted("只能出示己方提交的证据。", field="exhibit_id")
    if not may_show(scene.hearing, scene.sitting, presenter):
        raise NotPermitted("请等待审判长准许出示证据。", code="presenting_not_allowed")
    if not 1 <= page <= exhibit.pages:
        raise InvalidField(f"此证据共 {exhibit.pages} 页。", field="page")
    showing = scene.sitting.showing
    if showing and (showing.exhibit_id, showing.page, showing.presenter_id) == (exhibit.id, page, presenter.id):
        return ()
    return (*ended_for(scene, presenter), e.ExhibitShown(scene.now, exhibit.id, page, presenter.id))


def _withdraw(scene: Scene, person: Participant) -> tuple[e.Event, ...]:
    if scene.sitting.showing is None:
        return ()
    if not may_withdraw(scene.hearing, scene.sitting, person):
        raise NotPermitted("只能收回己方出示的证据。")
    return withdrawn_exhibit(scene)
