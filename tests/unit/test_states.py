"""Every (state, move) pair, legal or not."""

from __future__ import annotations

from itertools import product

import pytest

from hearing.errors import IllegalMove
from hearing.model import SittingState as S
from hearing.states import HEARD, LIVE, MOVE_NAMES, OVER, STATE_NAMES, Move, after

LEGAL = """
scheduled      -> open_lobby -> lobby
scheduled      -> cancel     -> cancelled
lobby          -> open       -> in_session
lobby          -> cancel     -> cancelled
in_session     -> adjourn    -> recess
in_session     -> suspend    -> tech_suspended
in_session     -> close      -> closed
recess         -> resume     -> in_session
recess         -> close      -> closed
tech_suspended -> resume     -> in_session
tech_suspended -> adjourn    -> recess
tech_suspended -> close      -> closed
"""
EDGES = {
    (S(before), Move(move)): S(next_)
    for before, move, next_ in ([part.strip() for part in line.split("->")] for line in LEGAL.strip().splitlines())
}


@pytest.mark.parametrize(("state", "move"), list(product(S, Move)), ids=str)
def test_every_pair(state: S, move: Move) -> None:
    if (state, move) in EDGES:
        assert after(state, move) is EDGES[state, move]
        return
    with pytest.raises(IllegalMove) as refusal:
        after(state, move)
    assert refusal.value.edge == f"{state}->{move}->?"
    assert refusal.value.code == "illegal_move"
    assert STATE_NAMES[state] in refusal.value.message


def test_what_is_over_has_no_way_out() -> None:
    assert not [edge for edge in EDGES if edge[0] in OVER]


def test_every_state_and_move_has_a_chinese_name() -> None:
    assert STATE_NAMES.keys() == set(S)
    assert MOVE_NAMES.keys() == set(Move)


def test_people_hear_one_another_only_while_they_are_here() -> None:
    assert HEARD < LIVE
    assert not LIVE & OVER
