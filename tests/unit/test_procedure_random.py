"""Whatever people do in whatever order, the invariants of a hearing hold."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from hearing import commands as c
from hearing.audience import RECORDER, TAP, GrantTable, Kind, grant_table
from hearing.documents import from_document, to_document
from hearing.errors import UserError
from hearing.ledger import entry_bytes, first_link, package_line, read_entry, seal, verify
from hearing.model import (
    BENCH,
    ISOLATED_UNTIL_CALLED,
    SYSTEM,
    Actor,
    CameraReason,
    Context,
    Difficulty,
    ExhibitId,
    HandReason,
    Keeping,
    Part,
    ParticipantId,
    Sitting,
    SittingState,
    Stage,
)
from hearing.parts import KEEPINGS, kept, takes_part
from hearing.procedure import decide, evolve, replay
from hearing.states import HEARD, LIVE, OVER
from tests.courts import EXHIBITS, NINE, a_hearing, a_sitting, actor

HEARING = a_hearing()
CONTEXT = Context(exhibits=EXHIBITS, room_limit=6)
PEOPLE = [person.id for person in HEARING.participants]

anybody = st.sampled_from([*PEOPLE, ParticipantId("nobody")])
commands: st.SearchStrategy[c.Command] = st.one_of(
    st.sampled_from([c.OpenLobby(), c.OpenSitting(), c.Adjourn(), c.Resume(), c.MuteAll(), c.OpenFloor(), c.WithdrawExhibit()]),
    st.sampled_from([c.Enter(), c.Enter(), c.Enter(), c.Leave(), c.Leave("lost"), c.LowerHand(), c.SuspendForFault("fault")]),
    st.sampled_from([c.Close(), c.Cancel(), c.EndPart()]),
    st.builds(c.BeginPart, st.sampled_from(Part), st.just("裁定"), st.none() | st.sampled_from(Keeping)),
    st.builds(c.GoToStage, st.sampled_from(Stage)),
    st.builds(c.GiveFloor, anybody),
    st.builds(c.MuteParticipant, anybody),
    st.builds(c.UnmuteParticipant, anybody),
    st.builds(c.Exclude, anybody),
    st.builds(c.Admit, anybody),
    st.builds(c.MarkAttendance, anybody, st.booleans()),
    st.builds(c.CallWitness, anybody),
    st.builds(c.DismissWitness, anybody),
    st.builds(c.RaiseHand, st.sampled_from(HandReason)),
    st.builds(c.LowerHand, st.none() | anybody),
    st.builds(c.SetMicrophone, st.booleans()),
    st.builds(c.SetCamera, st.booleans()),
    st.builds(c.AllowPresenting, anybody, st.booleans()),
    st.builds(c.ShowExhibit, st.sampled_from([e.id for e in EXHIBITS] + [ExhibitId("exh_none")]), st.integers(0, 4)),
    st.sampled_from([c.StartScreen(), c.StartScreen(), c.StopScreen(), c.WithdrawCameraRequest()]),
    st.builds(c.StopScreen, anybody),
    st.builds(c.RequestCameraLeave, st.sampled_from(CameraReason)),
    st.builds(c.AllowCameraOff, anybody, st.booleans()),
    st.builds(c.ReportDifficulty, st.sampled_from(Difficulty), st.booleans()),
    st.builds(c.AddNote, st.text(max_size=20)),
    st.builds(
        c.RecordGap, anybody, st.sampled_from(["audio", "video"]), st.integers(0, 99), st.integers(100, 999), st.just("x")
    ),
)
# The presiding judge acts more often than the others, or hardly any sitting would ever be opened.
actors = st.one_of(
    st.sampled_from(["presiding", "presiding", "presiding", "clerk"]).map(actor),
    st.sampled_from([str(id_) for id_ in PEOPLE]).map(actor),
    st.just(SYSTEM),
)
OPENING: list[tuple[Actor, c.Command]] = [
    (actor(word), c.Enter()) for word in ("presiding", "clerk", "plaintiff", "witness", "observer")
]
OPENING += [(actor("clerk"), c.OpenLobby())]


def check_grants(sitting: Sitting, table: GrantTable) -> None:
    roles = {person.id: person.role for person in HEARING.participants}
    for grant in table.grants:
        assert sitting.state in HEARD
        recorded = grant.receivers & {RECORDER, TAP}
        assert bool(recorded) == (kept(sitting) is not Keeping.NONE)
        assert sitting.state is SittingState.IN_SESSION or not recorded
        assert TAP not in grant.receivers or grant.kind is Kind.AUDIO
        assert grant.source not in grant.receivers
        for person in {grant.source, *grant.receivers} - {RECORDER, TAP}:
            assert person in sitting.present
            assert person not in sitting.excluded
            assert takes_part(sitting.part, roles[person])
            if roles[person] in ISOLATED_UNTIL_CALLED:
                assert person in sitting.called
                assert person not in sitting.dismissed
        if grant.kind is Kind.AUDIO:
            assert grant.source not in sitting.court_muted | sitting.microphone_off
            assert sitting.floor in (None, grant.source) or roles[grant.source] in BENCH
    if sitting.state not in LIVE:
        assert not table.members
    assert sitting.keeping in KEEPINGS[sitting.part]
    assert sitting.part is Part.OPEN or sitting.state in {SittingState.IN_SESSION, SittingState.TECH_SUSPENDED}


def check_screen_and_cameras(sitting: Sitting) -> None:
    """One thing on everybody's screen, in session only, of a person who is here; leave and requests of those who need them."""
    assert sitting.showing is None or sitting.screen is None
    assert (sitting.showing is None and sitting.screen is None) or sitting.state is SittingState.IN_SESSION
    if sitting.screen is not None:
        assert sitting.screen in sitting.present - sitting.excluded - sitting.dismissed
    free = {person.id for person in HEARING.participants if person.role in BENCH}
    assert not free & (sitting.camera_leave | {asked.participant_id for asked in sitting.camera_requests})
    assert not sitting.camera_leave & {asked.participant_id for asked in sitting.camera_requests}
    assert sitting.camera_leave <= sitting.camera_off
    assert (sitting.camera_failed | sitting.microphone_failed | sitting.in_background) <= set(PEOPLE)


@settings(max_examples=150, deadline=None)
@given(opened=st.booleans(), script=st.lists(st.tuples(actors, commands), max_size=60))
def test_invariants_hold_under_any_commands(*, opened: bool, script: list[tuple[Actor, c.Command]]) -> None:
    sitting, now, head = a_sitting(), NINE, first_link("sit_test")
    events, lines, was_over = [], [], False
    opening: list[tuple[Actor, c.Command]] = [(actor("presiding"), c.OpenSitting())] if opened else []
    for acting, command in [*OPENING, *opening, *script]:
        now += timedelta(milliseconds=250)
        try:
            decided = decide(HEARING, sitting, command, acting, now, CONTEXT)
        except UserError:
            continue
        assert decided == decide(HEARING, sitting, command, acting, now, CONTEXT)
        for event in decided:
            number = sitting.ledger_number + 1
            sitting = evolve(sitting, event, number)
            raw = entry_bytes(sitting.id, number, event, acting, opened_at=sitting.opened_at, command_id=None)
            entry = seal(number, head, raw, bytes(16))
            head = entry.chain_hash
            events.append(event)
            lines.append(package_line(entry))
            assert read_entry(raw).event == event
        assert not was_over or all(event.type == "record.gap_recorded" for event in decided)
        was_over = sitting.state in OVER
        assert len(sitting.present) <= CONTEXT.room_limit + len([p for p in HEARING.participants if p.role in BENCH])
        check_screen_and_cameras(sitting)
        check_grants(sitting, grant_table(HEARING, sitting, now))
        assert from_document(to_document(sitting)) == sitting
    assert replay(a_sitting(), tuple(events)) == sitting
    assert verify("sit_test", lines, head=head) == ()
