"""Decisions on the course of the sitting: its moves, its stages and (decisions_parts) its parts."""

from __future__ import annotations

from datetime import timedelta

from hearing import events as e
from hearing.commands import (
    Adjourn,
    BeginPart,
    Cancel,
    Close,
    EndPart,
    GoToStage,
    MoveCommand,
    OpenLobby,
    OpenSitting,
    PartCommand,
    Resume,
    SuspendForFault,
)
from hearing.decisions_parts import decide_part, ended_part, taken_down
from hearing.decisions_record import overridden
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
            return (*overridden(scene, command), e.SittingOpened(now))
        case Adjourn(planned_resume_at=planned):
            after(state, Move.ADJOURN)
            if planned is not None and (planned.tzinfo is None or not now <= planned <= now + _LONGEST_RECESS):
                raise InvalidField("预定恢复时间应晚于现在。", field="planned_resume_at")
            return (*taken_down(scene), *ended_part(scene), e.SittingAdjourned(now, planned))
        case Resume():
            after(state, Move.RESUME)
            return (e.SittingResumed(now),)
        case SuspendForFault(cause=cause):
            after(state, Move.SUSPEND)
            return (*taken_down(scene), e.SittingSuspended(now, bounded_text(cause, CAUSE_CHARACTERS, "cause")))
        case Close():
            after(state, Move.CLOSE)
            return (*taken_down(scene), *ended_part(scene), e.SittingClosed(now))
        case Cancel():
            after(state, Move.CANCEL)
            return (e.SittingCancelled(now),)


def decide_progress(scene: Scene, command: GoToStage | PartCommand) -> tuple[e.Event, ...]:
    """Go on within the session: to another stage, into a part or out of it."""
    match command:
        case GoToStage():
            return _go_to(scene, command)
        case BeginPart() | EndPart():
            return decide_part(scene, command)


def _go_to(scene: Scene, command: GoToStage) -> tuple[e.Event, ...]:
    """Go to a stage, forward or back; the stage it is in already gives no event."""
    stage = command.stage
    if stage is Stage.PREPARATION or stage not in order(scene.hearing.procedure):
        raise InvalidField("开庭后不能回到庭前准备。", field="stage")
    if stage is scene.sitting.stage:
        return ()
    return (e.StageEntered(scene.now, stage, scene.sitting.stage),)
