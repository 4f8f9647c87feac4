"""Who may send what to whom (S1, W1): the grant table in every state and for every kind of person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hearing.audience import RECORDER, TAP, Kind, grant_table, may_see, may_speak
from hearing.model import ParticipantId, Sitting, SittingState
from tests.courts import NINE, a_hearing, a_sitting, pid

HEARING = a_hearing()
PEOPLE = frozenset(person.id for person in HEARING.participants)


def sitting(state: SittingState = SittingState.IN_SESSION, **changes: object) -> Sitting:
    return replace(a_sitting(), state=state, present=PEOPLE, opened_at=NINE, **changes)  # type: ignore[arg-type]


def grants(of: Sitting) -> dict[tuple[str, Kind], frozenset[ParticipantId]]:
    return {(grant.source, grant.kind): grant.receivers for grant in grant_table(HEARING, of, NINE).grants}


def someone(word: str) -> frozenset[ParticipantId]:
    return frozenset({pid(word)})


def test_in_session_everybody_in_the_courtroom_is_seen_heard_and_recorded() -> None:
    table = grants(sitting())
    room = PEOPLE - {pid("witness"), pid("expert")}
    assert {source for source, _ in table} == room - someone("observer")
    assert table["plaintiff", Kind.AUDIO] == (room - someone("plaintiff")) | {RECORDER, TAP}
    assert table["plaintiff", Kind.VIDEO] == (room - someone("plaintiff")) | {RECORDER}


def test_an_uncalled_witness_neither_gives_nor_gets_but_may_test_devices() -> None:
    table = grant_table(HEARING, sitting(), NINE)
    assert pid("witness") in table.members
    assert not [g for g in table.grants if g.source == "witness" or pid("witness") in g.receivers]


def test_a_called_witness_is_in_and_a_dismissed_one_is_out_for_good() -> None:
    called = grants(sitting(called=someone("witness")))
    assert ("witness", Kind.VIDEO) in called
    assert pid("witness") in called["plaintiff", Kind.AUDIO]
    table = grant_table(HEARING, sitting(dismissed=someone("witness")), NINE)
    assert pid("witness") not in table.members
    assert not [g for g in table.grants if g.source == "witness" or pid("witness") in g.receivers]


@pytest.mark.parametrize("change", [{"excluded": someone("plaintiff")}, {"present": PEOPLE - someone("plaintiff")}])
def test_a_screen_is_sent_only_from_within_the_courtroom(change: dict[str, object]) -> None:
    shared = sitting(screen=pid("plaintiff"))
    table = grants(shared)
    assert {source for source, kind in table if kind is Kind.SCREEN} == {"plaintiff"}
    assert table["plaintiff", Kind.SCREEN] == table["plaintiff", Kind.VIDEO]
    assert ("plaintiff", Kind.SCREEN) not in grants(replace(shared, **change))  # type: ignore[arg-type]


def test_in_the_lobby_people_meet_but_nothing_is_recorded() -> None:
    table = grants(sitting(SittingState.LOBBY))
    assert table
    assert not [receivers for receivers in table.values() if receivers & {RECORDER, TAP}]


@pytest.mark.parametrize("state", sorted(set(SittingState) - {SittingState.LOBBY, SittingState.IN_SESSION}))
def test_otherwise_nobody_gets_anything(state: SittingState) -> None:
    assert grants(sitting(state)) == {}


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"court_muted": someone("plaintiff")}, {Kind.AUDIO}),
        ({"microphone_off": someone("plaintiff")}, {Kind.AUDIO}),
        ({"floor": pid("defendant")}, {Kind.AUDIO}),
        ({"floor": pid("plaintiff")}, set()),
        ({"camera_off": someone("plaintiff")}, {Kind.VIDEO}),
        ({"excluded": someone("plaintiff")}, {Kind.AUDIO, Kind.VIDEO}),
        ({"present": PEOPLE - someone("plaintiff")}, {Kind.AUDIO, Kind.VIDEO}),
        (
            {"camera_failed": someone("plaintiff"), "in_background": someone("plaintiff")},
            set(),
        ),  # packets that come are welcome
    ],
)
def test_what_takes_away_a_sources_grants(change: dict[str, object], lost: set[Kind]) -> None:
    table = grants(replace(sitting(), **change))  # type: ignore[arg-type]
    assert {kind for kind in Kind if ("plaintiff", kind) in table} == {Kind.AUDIO, Kind.VIDEO} - lost


def test_the_excluded_and_the_absent_receive_nothing() -> None:
    for change in ({"excluded": someone("third")}, {"present": PEOPLE - someone("third")}):
        table = grants(replace(sitting(), **change))  # type: ignore[arg-type]
        assert not [receivers for receivers in table.values() if pid("third") in receivers]


def test_the_bench_speaks_beside_the_floor_unless_muted_or_switched_off() -> None:
    floor = pid("plaintiff")
    assert ("clerk", Kind.AUDIO) in grants(sitting(floor=floor))
    assert ("clerk", Kind.AUDIO) not in grants(sitting(floor=floor, microphone_off=someone("clerk")))
    assert ("clerk", Kind.AUDIO) not in grants(sitting(floor=floor, court_muted=someone("clerk")))


def test_a_person_alone_in_the_lobby_is_sent_to_nobody() -> None:
    assert grants(replace(sitting(SittingState.LOBBY), present=someone("clerk"))) == {}


def test_a_person_alone_in_session_is_recorded() -> None:
    alone = grants(replace(sitting(), present=someone("presiding")))
    assert alone == {("presiding", Kind.AUDIO): {RECORDER, TAP}, ("presiding", Kind.VIDEO): {RECORDER}}


def test_the_table_carries_the_number_and_the_zero_of_the_clock() -> None:
    table = grant_table(HEARING, sitting(ledger_number=7), NINE)
    assert (table.number, table.effective_at, table.opened_at) == (7, NINE, NINE)


def test_who_may_see_and_who_may_speak() -> None:
    now = sitting(excluded=someone("third"), floor=pid("plaintiff"))
    assert may_see(HEARING, now, pid("observer"))
    assert not may_see(HEARING, now, pid("third"))
    assert not may_see(HEARING, now, pid("witness"))
    assert not may_see(HEARING, now, pid("nobody"))
    speakers = {person.id for person in HEARING.participants if may_speak(now, person)}
    assert speakers == {pid(w) for w in ("presiding", "judge", "assessor", "clerk", "plaintiff")}
