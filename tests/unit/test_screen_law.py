"""Sharing one's screen (屏幕共享): who may, one at a time, and everything that ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearing import commands as c
from hearing.audience import RECORDER, Kind, grant_table
from hearing.errors import Conflict, NotNow, NotPermitted
from hearing.model import SYSTEM, Actor, Sitting, SittingState, Stage
from hearing.permissions import allowed
from hearing.procedure import decide
from tests.courts import EXHIBITS, NINE, a_hearing, actor, pid
from tests.unit.test_procedure import Court, in_session, kinds

HEARING = a_hearing()
BENCH_AT_THE_SCREEN = ("presiding", "clerk")


def sharing(word: str, *others: str) -> Court:
    """In session, `word` shares the screen with the judge's leave."""
    court = in_session(word, *others)
    if word not in BENCH_AT_THE_SCREEN:
        court.do("presiding", c.AllowPresenting(pid(word)))
    assert kinds(court.do(word, c.StartScreen()))[-1] == "screen.started"
    assert court.sitting.screen == pid(word)
    return court


def may_start(sitting: Sitting, word: str) -> bool:
    person = HEARING.participant(pid(word))
    assert person is not None
    return c.StartScreen.type in allowed(HEARING, sitting, person)


@pytest.mark.parametrize("word", ["plaintiff", "defendant", "third", "counsel"])
def test_a_party_shares_only_with_leave(word: str) -> None:
    court = in_session(word)
    assert not may_start(court.sitting, word)
    with pytest.raises(NotPermitted) as refusal:
        court.do(word, c.StartScreen())
    assert refusal.value.code == "presenting_not_allowed"
    court.do("presiding", c.AllowPresenting(pid(word)))
    assert may_start(court.sitting, word)
    assert kinds(court.do(word, c.StartScreen())) == ["screen.started"]
    assert court.do(word, c.StartScreen()) == ()


@pytest.mark.parametrize("word", BENCH_AT_THE_SCREEN)
def test_the_bench_needs_no_leave(word: str) -> None:
    assert kinds(in_session().do(word, c.StartScreen())) == ["screen.started"]


def test_the_floor_in_examination_of_evidence_is_leave_enough_to_start_and_its_passing_ends_nothing() -> None:
    court = in_session("plaintiff", "defendant")
    court.do("presiding", c.GiveFloor(pid("plaintiff")))
    with pytest.raises(NotPermitted):
        court.do("plaintiff", c.StartScreen())
    court.do("presiding", c.GoToStage(Stage.EVIDENCE))
    court.do("plaintiff", c.StartScreen())
    court.do("presiding", c.GiveFloor(pid("defendant")))  # to speak about what is shown
    assert court.sitting.screen == pid("plaintiff")


def test_nobody_shares_from_outside_the_page() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    gone = replace(court.sitting, present=court.sitting.present - {pid("plaintiff")})
    with pytest.raises(NotNow):
        decide(HEARING, gone, c.StartScreen(), actor("plaintiff"), NINE)


def test_a_second_party_waits_and_the_bench_takes_over() -> None:
    court = sharing("plaintiff", "defendant")
    court.do("presiding", c.AllowPresenting(pid("defendant")))
    assert not may_start(court.sitting, "defendant")
    with pytest.raises(Conflict) as refusal:
        court.do("defendant", c.StartScreen())
    assert refusal.value.code == "screen_in_use"
    with pytest.raises(Conflict):
        court.do("defendant", c.ShowExhibit(EXHIBITS[1].id))
    assert kinds(court.do("clerk", c.StartScreen())) == ["screen.stopped", "screen.started"]
    assert court.sitting.screen == pid("clerk")


def test_one_thing_is_on_everybodys_screen() -> None:
    court = in_session("plaintiff")
    court.do("clerk", c.ShowExhibit(EXHIBITS[2].id))
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    assert kinds(court.do("plaintiff", c.StartScreen())) == ["exhibit.withdrawn", "screen.started"]
    assert kinds(court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id))) == ["screen.stopped", "exhibit.shown"]


def test_one_stops_ones_own_and_the_bench_stops_anybodys() -> None:
    court = sharing("plaintiff", "defendant")
    with pytest.raises(NotPermitted):
        court.do("defendant", c.StopScreen(pid("plaintiff")))
    assert court.do("defendant", c.StopScreen()) == ()
    assert court.do("clerk", c.StopScreen(pid("defendant"))) == (), "a late click stops nobody else"
    assert kinds(court.do("clerk", c.StopScreen(pid("plaintiff")))) == ["screen.stopped"]
    court.do("plaintiff", c.StartScreen())
    assert kinds(court.do("plaintiff", c.StopScreen())) == ["screen.stopped"]
    assert court.do("plaintiff", c.StopScreen()) == ()


ENDS: list[tuple[str | Actor, c.Command]] = [
    ("presiding", c.Adjourn()), ("presiding", c.Close()), (SYSTEM, c.SuspendForFault("media_lost")),
    ("presiding", c.Exclude(pid("plaintiff"))), ("plaintiff", c.Leave()), ("plaintiff", c.Leave("lost")),
    ("presiding", c.AllowPresenting(pid("plaintiff"), allowed=False)),
]  # fmt: skip


@pytest.mark.parametrize(("who", "command"), ENDS, ids=lambda value: getattr(value, "type", ""))
def test_what_ends_a_sharing_says_so_in_the_ledger(who: str | Actor, command: c.Command) -> None:
    court = sharing("plaintiff")
    assert kinds(court.do(who, command))[0] == "screen.stopped"
    assert court.sitting.screen is None


def test_the_sharing_of_counsel_ends_with_the_leave_of_the_party() -> None:
    court = in_session("plaintiff", "counsel")
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    court.do("counsel", c.StartScreen())
    assert kinds(court.do("presiding", c.AllowPresenting(pid("plaintiff"), allowed=False)))[0] == "screen.stopped"


def test_a_leave_taken_from_another_ends_nothing() -> None:
    court = sharing("plaintiff", "defendant")
    court.do("presiding", c.AllowPresenting(pid("defendant")))
    assert kinds(court.do("presiding", c.AllowPresenting(pid("defendant"), allowed=False))) == ["exhibit.allowed"]


def test_only_the_sharers_screen_is_granted_to_the_room_and_recorded_and_only_in_session() -> None:
    court = sharing("plaintiff", "defendant", "witness", "observer")
    table = grant_table(HEARING, court.sitting, NINE)
    (screen,) = [grant for grant in table.grants if grant.kind is Kind.SCREEN]
    assert screen.source == pid("plaintiff")
    assert screen.receivers == {pid("presiding"), pid("clerk"), pid("defendant"), pid("observer"), RECORDER}
    paused = replace(court.sitting, state=SittingState.RECESS)
    assert not grant_table(HEARING, paused, NINE).grants
