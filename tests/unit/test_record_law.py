"""The law of the record: faults begin and end once, a red pre-flight needs a reason, statements name what they state."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearing import commands as c
from hearing import events as e
from hearing.errors import InvalidField, NotNow, NotPermitted
from hearing.model import SYSTEM, Context, Fault, SittingState, StaffId
from hearing.procedure import decide, evolve
from tests.courts import NINE, a_hearing, a_sitting, actor

LOBBY = replace(a_sitting(), state=SittingState.LOBBY)
IN_SESSION = replace(a_sitting(), state=SittingState.IN_SESSION, opened_at=NINE)
RED = Context(failed_checks=("store_b", "panel"))


def test_a_fault_is_told_once_widened_and_ended_once() -> None:
    begin, wider = c.BeginFault("disk_full", "a-audio", "errno 28"), c.BeginFault("disk_full", "a-audio b-audio", "errno 28")
    [began] = decide(a_hearing(), IN_SESSION, begin, SYSTEM, NINE)
    known = evolve(IN_SESSION, began, 1)
    assert known.faults == (Fault("disk_full", "a-audio", NINE),)
    assert decide(a_hearing(), known, begin, SYSTEM, NINE) == ()
    [widened] = decide(a_hearing(), known, wider, SYSTEM, NINE)
    assert evolve(known, widened, 2).faults == (Fault("disk_full", "a-audio b-audio", NINE),)
    [ended] = decide(a_hearing(), known, c.EndFault("disk_full"), SYSTEM, NINE)
    assert evolve(known, ended, 2).faults == ()
    assert decide(a_hearing(), IN_SESSION, c.EndFault("disk_full"), SYSTEM, NINE) == ()


def test_a_fault_that_lasts_ends_with_the_sitting() -> None:
    known = evolve(IN_SESSION, e.FaultBegan(NINE, "stalled", "", ""), 1)
    assert evolve(known, e.SittingClosed(NINE), 2).faults == ()


def test_a_red_preflight_refuses_without_a_reason_and_keeps_the_reason_with_the_opening() -> None:
    with pytest.raises(NotNow) as refused:
        decide(a_hearing(), LOBBY, c.OpenSitting(), actor("presiding"), NINE, RED)
    assert refused.value.code == "preflight_failed"
    for nothing in ("", "  ", "x" * 201):
        with pytest.raises(InvalidField):
            decide(a_hearing(), LOBBY, c.OpenSitting(nothing), actor("presiding"), NINE, RED)
    assert decide(a_hearing(), LOBBY, c.OpenSitting(" 已报告院长 "), actor("presiding"), NINE, RED) == (
        e.PreflightOverridden(NINE, "store_b panel", "已报告院长"),
        e.SittingOpened(NINE),
    )
    assert decide(a_hearing(), LOBBY, c.OpenSitting("多余"), actor("presiding"), NINE) == (e.SittingOpened(NINE),)


@pytest.mark.parametrize("wrong", [c.SignStatement("s", "other", "0" * 64), c.SignStatement("s", "course", "0" * 63)])
def test_a_statement_is_named_by_kind_and_hash(wrong: c.SignStatement) -> None:
    closed = replace(IN_SESSION, state=SittingState.CLOSED)
    with pytest.raises(InvalidField):
        decide(a_hearing(), closed, wrong, actor("presiding"), NINE)


def test_two_persons_destroy_a_record_and_only_when_the_sitting_is_over() -> None:
    closed = replace(IN_SESSION, state=SittingState.CLOSED)
    clerk, judge = StaffId("clerk_1"), StaffId("judge_1")
    order = c.DestroyRecord("档销〔2046〕3号", clerk, judge, 12)
    [destroyed] = decide(a_hearing(), closed, order, SYSTEM, NINE)
    assert destroyed == e.RecordDestroyed(NINE, "档销〔2046〕3号", clerk, judge, 12)
    with pytest.raises(NotPermitted):
        decide(a_hearing(), closed, replace(order, approved_by=clerk), SYSTEM, NINE)
    with pytest.raises(NotNow):
        decide(a_hearing(), IN_SESSION, order, SYSTEM, NINE)
    with pytest.raises(NotPermitted):
        decide(a_hearing(), closed, order, actor("presiding"), NINE)
