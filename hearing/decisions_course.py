"""Decisions on the course of the sitting: its moves and its stages."""

from __future__ import annotations

from datetime import timedelta

from hearing import events as e
from hearing.commands import (
    Adjourn,
    Cancel,
    Close,
    GoToStage,
    MoveCommand,
    OpenLobby,
    OpenSitting,
    Resume,
    SuspendForFault,
)
from hearing.decisions_screen import stopped_screen, withdrawn_exhibit
from hearing.errors import InvalidField
from hearing.model import Stage
from hearing.scene import CAUSE_CHARACTERS, Scene, bounded_text
from hearing.stages import order
from hearing.states import Move, after

_LONGEST_RECESS = timedelta(days=180)


def decide_move(scene: Scene, command: MoveCommand) -> tuple[e.Event, ...]:
    """Move the sitting as a whole; raises IllegalMove where the table has no edge."""
    state, now = scene.sitting.state, scene.now
    match command:
        case OpenLobby():
            after(state, Move.OPEN_LOBBY)
            return (e.LobbyOpened(now),)
        case OpenSitting():
            after(state, Move.OPEN)
            return (e.SittingOpened(now),)
        case Adjourn(planned_resume_at=planned):
            after(state, Move.ADJOURN)
            if planned is not None and (planned.tzinfo is None or not now <= planned <= now + _LONGEST_RECESS):
                raise InvalidField("预定恢复时间应晚于现在。", field="planned_resume_at")
            return (*_take_down(scene), e.SittingAdjourned(now, planned))
        case Resume():
            after(state, Move.RESUME)
            return (e.SittingResumed(now),)
        case SuspendForFault(cause=cause):
            after(state, Move.SUSPEND)
            return (*_take_down(scene), e.SittingSuspended(now, bounded_text(cause, CAUSE_CHARACTERS, "cause")))
        case Close():
            after(state, Move.CLOSE)
            return (*_take_down(scene), e.SittingClosed(now))
        case Cancel():
            after(state, Move.CANCEL)
            return (e.SittingCancelled(now),)


def decide_stage(scene: Scene, command: GoToStage) -> tuple[e.Event, ...]:
    """Go to a stage, forward or back; the stage it is in already gives no event."""
    stage = command.stage
    if stage is Stage.PREPARATION or stage not in order(scene.hearing.procedure):
        raise InvalidField("开庭后不能回到庭前准备。", field="stage")
    if stage is scene.sitting.stage:
        return ()
    return (e.StageEntered(scene.now, stage, scene.sitting.stage),)


def _take_down(scene: Scene) -> tuple[e.Event, ...]:
    """Nothing stays on everybody's screen out of session: what is shown ends where the recording pauses."""
    return (*withdrawn_exhibit(scene), *stopped_screen(scene))
