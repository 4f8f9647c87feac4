"""The order of stages and what counts as done."""

from __future__ import annotations

import pytest

from hearing.model import Procedure, Stage
from hearing.stages import STAGE_NAMES, done, order


@pytest.mark.parametrize("procedure", Procedure)
def test_the_order_is_the_laws(procedure: Procedure) -> None:
    names = [STAGE_NAMES[stage] for stage in order(procedure)]
    assert names == [
        "庭前准备", "宣布开庭", "核对当事人", "告知权利义务", "询问回避", "法庭调查", "举证质证", "法庭辩论", "最后意见", "调解", "宣判", "闭庭",
    ]  # fmt: skip


def test_a_stage_passed_over_is_not_done() -> None:
    entered = frozenset({Stage.PREPARATION, Stage.OPENING, Stage.JUDGMENT})
    assert done(Procedure.ORDINARY, Stage.JUDGMENT, entered) == (Stage.PREPARATION, Stage.OPENING)


def test_a_move_back_makes_what_followed_undone() -> None:
    entered = frozenset({Stage.OPENING, Stage.INVESTIGATION, Stage.DEBATE})
    assert done(Procedure.ORDINARY, Stage.INVESTIGATION, entered) == (Stage.OPENING,)
