"""The stages of a civil first-instance hearing, in order, and which of them count as done."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hearing.model import Procedure, Stage

_CIVIL_FIRST_INSTANCE = tuple(Stage)  # CPL-140..151; the order of the enum is the order of the law

SEQUENCES: Mapping[Procedure, tuple[Stage, ...]] = MappingProxyType(
    {
        Procedure.ORDINARY: _CIVIL_FIRST_INSTANCE,
        # The same stages stand open to these; investigation, debate and final statements may be taken together (CPL-163),
        # which the judge does by passing a stage over.
        Procedure.SIMPLIFIED: _CIVIL_FIRST_INSTANCE,
        Procedure.SMALL_CLAIMS: _CIVIL_FIRST_INSTANCE,
    }
)

STAGE_NAMES: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.PREPARATION: "庭前准备",
        Stage.OPENING: "宣布开庭",
        Stage.IDENTITY: "核对当事人",
        Stage.RIGHTS: "告知权利义务",
        Stage.RECUSAL: "询问回避",
        Stage.INVESTIGATION: "法庭调查",
        Stage.EVIDENCE: "举证质证",
        Stage.DEBATE: "法庭辩论",
        Stage.FINAL_STATEMENTS: "最后意见",
        Stage.MEDIATION: "调解",
        Stage.JUDGMENT: "宣判",
        Stage.CLOSING: "闭庭",
    }
)


def order(procedure: Procedure) -> tuple[Stage, ...]:
    """The stages of this procedure, in order."""
    return SEQUENCES[procedure]


def done(procedure: Procedure, current: Stage, entered: frozenset[Stage]) -> tuple[Stage, ...]:
    """Stages that were held and stand before the current one.

    A stage passed over is not done. After a move back (恢复法庭调查) the stages behind it count as not
    done: they are to be held again.
    """
    stages = order(procedure)
    return tuple(stage for stage in stages[: stages.index(current)] if stage in entered)
