"""Parts of a sitting (不公开审理、调解、合议): who takes part, what is kept, which moves end it (J17, J18, J19, AV-3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from hearing import commands as c
from hearing import events as e
from hearing.access import AccessClass
from hearing.audience import RECORDER, TAP, Kind, Place, grant_table, may_see, may_speak, place_of
from hearing.documents import from_document, to_document
from hearing.errors import InvalidField, NotNow, NotPermitted
from hearing.model import BENCH, SYSTEM, Keeping, Part, Showing, Sitting, SittingState
from hearing.parts import KEEPINGS, kept, takes_part
from hearing.permissions import allowed
from hearing.procedure import decide, evolve
from tests.courts import EXHIBITS, NINE, a_hearing, a_sitting, actor, pid

HEARING = a_hearing()
S = SittingState
EVERYONE = {person.id for person in HEARING.participants}
INSIDE: dict[Part, set[str]] = {  # the witness has been called, the expert has not
    Part.OPEN: EVERYONE - {"expert"},
    Part.CLOSED: EVERYONE - {"expert", "observer"},
    Part.MEDIATION: EVERYONE - {"expert", "observer"},
    Part.DELIBERATION: {"presiding", "judge", "assessor"},
}
MAY_BE_KEPT = {
    Part.OPEN: {Keeping.FULL},
    Part.CLOSED: {Keeping.SEALED, Keeping.NONE},
    Part.MEDIATION: {Keeping.NONE},
    Part.DELIBERATION: {Keeping.NONE},
}


def in_part(part: Part, keeping: Keeping | None = None, state: S = S.IN_SESSION) -> Sitting:
    """Everybody is connected; the witness is in the room."""
    return replace(
        a_sitting(), state=state, opened_at=NINE, updated_at=NINE, present=frozenset(map(pid, EVERYONE)), part=part,
        keeping=KEEPINGS[part][0] if keeping is None else keeping, called=frozenset({pid("witness")}),
    )  # fmt: skip


def after(sitting: Sitting, command: c.Command, who: str = "presiding") -> tuple[Sitting, list[e.Event]]:
    events = decide(HEARING, sitting, command, actor(who) if who else SYSTEM, NINE)
    for number, event in enumerate(events, sitting.ledger_number + 1):
        sitting = evolve(sitting, event, number)
    return sitting, list(events)


@pytest.mark.parametrize("part", Part)
def test_who_takes_part_sees_hears_and_is_heard_and_nobody_else(part: Part) -> None:
    sitting = in_part(part)
    table = grant_table(HEARING, sitting, NINE)
    inside = INSIDE[part]
    assert {person.id for person in HEARING.participants if may_see(HEARING, sitting, person.id)} == inside
    assert {grant.source for grant in table.grants} == inside - {"observer"}
    for grant in table.grants:
        assert set(grant.receivers) - {RECORDER, TAP} == inside - {grant.source}
    for person in HEARING.participants:
        if person.id not in inside:
            assert not may_speak(sitting, person)
    assert table.members == EVERYONE, "who is outside keeps the connection, and gets nothing over it"


@pytest.mark.parametrize(("part", "keeping", "state"), [*product(Part, Keeping, S)])
def test_the_recorder_and_the_tap_listen_only_where_something_is_kept(part: Part, keeping: Keeping, state: S) -> None:
    sitting = in_part(part, keeping, state)
    table = grant_table(HEARING, sitting, NINE)
    listened = [grant for grant in table.grants if grant.receivers & {RECORDER, TAP}]
    if state is S.IN_SESSION and keeping is not Keeping.NONE:
        assert len(listened) == len(table.grants) > 0
        assert table.access is (AccessClass.SEALED if keeping is Keeping.SEALED else AccessClass.PARTIES)
        assert all((TAP in grant.receivers) == (grant.kind is Kind.AUDIO) for grant in listened)
    else:
        assert listened == []
        assert kept(sitting) is Keeping.NONE


@pytest.mark.parametrize(("part", "keeping"), [*product(Part, Keeping)])
def test_what_a_ruling_may_say(part: Part, keeping: Keeping) -> None:
    command = c.BeginPart(part, "涉及个人隐私", keeping)
    if part is Part.OPEN or keeping not in MAY_BE_KEPT[part]:
        with pytest.raises(InvalidField):
            after(in_part(Part.OPEN), command)
        return
    sitting, _ = after(in_part(Part.OPEN), command)
    assert (sitting.part, sitting.keeping, sitting.part_ruling) == (part, keeping, "涉及个人隐私")


@pytest.mark.parametrize(
    ("part", "usual"), [(Part.CLOSED, Keeping.SEALED), (Part.MEDIATION, Keeping.NONE), (Part.DELIBERATION, Keeping.NONE)]
)
def test_without_a_word_a_closed_part_is_sealed_and_the_others_are_not_recorded(part: Part, usual: Keeping) -> None:
    sitting, events = after(in_part(Part.OPEN), c.BeginPart(part, " 裁定 "))
    assert events == [e.PartBegan(NINE, part, usual, "裁定")]
    assert from_document(to_document(sitting)) == sitting


@pytest.mark.parametrize("ruling", ["", "  ", "裁" * 501, "裁\x00定"])
def test_no_part_without_a_ruling(ruling: str) -> None:
    with pytest.raises(InvalidField):
        after(in_part(Part.OPEN), c.BeginPart(Part.CLOSED, ruling))


def test_parts_follow_one_another_through_the_open() -> None:
    for part, next_part in product(set(Part) - {Part.OPEN}, set(Part) - {Part.OPEN}):
        with pytest.raises(NotNow):
            after(in_part(part), c.BeginPart(next_part, "裁定"))
        back, events = after(in_part(part), c.EndPart())
        assert events == [e.PartEnded(NINE, part)]
        assert (back.part, back.keeping, back.part_ruling) == (Part.OPEN, Keeping.FULL, "")
    assert after(in_part(Part.OPEN), c.EndPart())[1] == []


@pytest.mark.parametrize("part", set(Part) - {Part.OPEN})
def test_recess_and_close_end_a_part_in_the_same_moment(part: Part) -> None:
    for command, state in ((c.Adjourn(), S.RECESS), (c.Close(), S.CLOSED)):
        for before in (S.IN_SESSION, S.TECH_SUSPENDED):
            sitting, events = after(in_part(part, state=before), command)
            assert [type(event) for event in events[:-1]] == [e.PartEnded]
            assert (sitting.state, sitting.part, sitting.keeping) == (state, Part.OPEN, Keeping.FULL)


@pytest.mark.parametrize("part", set(Part) - {Part.OPEN})
def test_a_fault_does_not_open_a_closed_part(part: Part) -> None:
    broken, events = after(in_part(part), c.SuspendForFault("媒体服务中断"), who="")
    assert [type(event) for event in events] == [e.SittingSuspended]
    back, _ = after(broken, c.Resume())
    assert (back.state, back.part, back.keeping) == (S.IN_SESSION, part, KEEPINGS[part][0])
    observer = HEARING.participant(pid("observer"))
    assert observer is not None
    assert place_of(back, observer) is Place.OUTSIDE


def test_nothing_stays_on_the_screen_from_one_part_to_another() -> None:
    shown = replace(in_part(Part.OPEN), showing=Showing(EXHIBITS[0].id, 1, pid("plaintiff"), NINE))
    closed, events = after(shown, c.BeginPart(Part.CLOSED, "裁定"))
    assert [type(event) for event in events] == [e.ExhibitWithdrawn, e.PartBegan]
    shared = replace(closed, screen=pid("plaintiff"))
    opened, events = after(shared, c.EndPart())
    assert [type(event) for event in events] == [e.ScreenStopped, e.PartEnded]
    assert opened.screen is opened.showing is None


def test_who_is_outside_neither_writes_nor_shows() -> None:
    sitting = in_part(Part.DELIBERATION)
    of_the_room = {c.AddNote.type, c.ShowExhibit.type, c.WithdrawExhibit.type, c.StartScreen.type, c.StopScreen.type}
    clerk = HEARING.participant(pid("clerk"))
    assert clerk is not None
    assert not of_the_room & allowed(HEARING, sitting, clerk)
    for command in (c.AddNote("合议意见"), c.ShowExhibit(EXHIBITS[0].id), c.StartScreen()):
        with pytest.raises(NotNow):
            after(sitting, command, "clerk")
    assert of_the_room <= allowed(HEARING, in_part(Part.MEDIATION), clerk)


def test_nobody_but_the_presiding_judge_begins_or_ends_a_part_and_the_page_knows() -> None:
    for person in HEARING.participants:
        told = allowed(HEARING, in_part(Part.OPEN), person) & {c.BeginPart.type, c.EndPart.type}
        assert told == ({c.BeginPart.type} if person.id == "presiding" else set())
        told = allowed(HEARING, in_part(Part.CLOSED), person) & {c.BeginPart.type, c.EndPart.type}
        assert told == ({c.EndPart.type} if person.id == "presiding" else set())
        if person.id != "presiding":
            with pytest.raises(NotPermitted):
                after(in_part(Part.OPEN), c.BeginPart(Part.CLOSED, "裁定"), person.id)


def test_the_bench_is_never_put_out_but_of_the_deliberation_of_which_it_is_not() -> None:
    for part, person in product(Part, HEARING.participants):
        if person.role in BENCH and part is not Part.DELIBERATION:
            assert takes_part(part, person.role)


def test_an_observer_may_still_be_sent_out_for_good_and_come_in_again() -> None:
    sent, _ = after(in_part(Part.CLOSED), c.Exclude(pid("observer")))
    assert pid("observer") in sent.excluded
    assert after(in_part(Part.CLOSED), c.Admit(pid("observer")))[1] == []
    late = replace(in_part(Part.CLOSED), present=frozenset())
    entered, _ = after(late, c.Enter(), "observer")
    assert grant_table(HEARING, entered, NINE + timedelta(seconds=1)).grants == ()
