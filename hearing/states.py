"""The states of a sitting (庭次) and the moves between them: one table, and one door through it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from hearing.errors import IllegalMove
from hearing.model import SittingState as S


class Move(StrEnum):
    """What can be done to a sitting as a whole."""

    OPEN_LOBBY = "open_lobby"  # 开始候审
    OPEN = "open"  # 宣布开庭
    ADJOURN = "adjourn"  # 休庭
    RESUME = "resume"  # 恢复庭审
    SUSPEND = "suspend"  # 技术中断
    CLOSE = "close"  # 闭庭
    CANCEL = "cancel"  # 取消


NEXT: Mapping[tuple[S, Move], S] = MappingProxyType(
    {
        (S.SCHEDULED, Move.OPEN_LOBBY): S.LOBBY,
        (S.SCHEDULED, Move.CANCEL): S.CANCELLED,
        (S.LOBBY, Move.OPEN): S.IN_SESSION,  # recording starts (AV-3)
        (S.LOBBY, Move.CANCEL): S.CANCELLED,
        (S.IN_SESSION, Move.ADJOURN): S.RECESS,  # AV-3(1)
        (S.IN_SESSION, Move.SUSPEND): S.TECH_SUSPENDED,  # AV-4, OLR-25
        (S.IN_SESSION, Move.CLOSE): S.CLOSED,  # recording ends (AV-3)
        (S.RECESS, Move.RESUME): S.IN_SESSION,
        (S.RECESS, Move.CLOSE): S.CLOSED,
        (S.TECH_SUSPENDED, Move.RESUME): S.IN_SESSION,
        (S.TECH_SUSPENDED, Move.ADJOURN): S.RECESS,  # the fault lasts: the judge adjourns
        (S.TECH_SUSPENDED, Move.CLOSE): S.CLOSED,
    }
)
"""Every legal edge. CLOSED and CANCELLED have none: a closed sitting never reopens, a new sitting is set down instead."""

LIVE = frozenset({S.LOBBY, S.IN_SESSION, S.RECESS, S.TECH_SUSPENDED})  # people are here
HEARD = frozenset({S.LOBBY, S.IN_SESSION})  # people see and hear one another
OVER = frozenset({S.CLOSED, S.CANCELLED})

STATE_NAMES: Mapping[S, str] = MappingProxyType(
    {
        S.SCHEDULED: "待开庭",
        S.LOBBY: "候审",
        S.IN_SESSION: "开庭",
        S.RECESS: "休庭",
        S.TECH_SUSPENDED: "技术中断",
        S.CLOSED: "闭庭",
        S.CANCELLED: "取消",
    }
)

MOVE_NAMES: Mapping[Move, str] = MappingProxyType(
    {
        Move.OPEN_LOBBY: "开始候审",
        Move.OPEN: "宣布开庭",
        Move.ADJOURN: "休庭",
        Move.RESUME: "恢复庭审",
        Move.SUSPEND: "技术中断",
        Move.CLOSE: "闭庭",
        Move.CANCEL: "取消开庭",
    }
)


def after(state: S, move: Move) -> S:
    """The state that `move` leads to from `state`; raises IllegalMove, naming the edge, when there is none."""
    try:
        return NEXT[state, move]
    except KeyError:
        message = f"当前为“{STATE_NAMES[state]}”状态，不能{MOVE_NAMES[move]}。"
        raise IllegalMove(message, state=state, move=move) from None
