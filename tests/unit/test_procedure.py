"""The rules of the courtroom one by one, each as commands in and facts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from hearing import commands as c
from hearing import events as e
from hearing.audience import Place, place_of
from hearing.errors import IllegalMove, InvalidField, NotNow, NotPermitted, RoomFull, UnknownId
from hearing.model import SYSTEM, Actor, Context, ExhibitId, HandReason, Sitting, SittingState, Stage
from hearing.procedure import decide, evolve, replay
from tests.courts import EXHIBITS, NINE, a_hearing, a_sitting, actor, pid

HEARING = a_hearing()


class Court:
    """A sitting driven by commands, as the service drives it."""

    def __init__(self, room_limit: int = 16) -> None:
        self.sitting: Sitting = a_sitting()
        self.events: list[e.Event] = []
        self.now = NINE
        self.context = Context(exhibits=EXHIBITS, room_limit=room_limit)

    def do(self, who: str | Actor, command: c.Command) -> tuple[e.Event, ...]:
        self.now += timedelta(seconds=1)
        acting = actor(who) if isinstance(who, str) else who
        events = decide(HEARING, self.sitting, command, acting, self.now, self.context)
        for event in events:
            self.sitting = evolve(self.sitting, event, self.sitting.ledger_number + 1)
        self.events += events
        return events

    def enter(self, *words: str) -> Court:
        for word in words:
            self.do(word, c.Enter())
        return self

    def place(self, word: str) -> Place:
        person = HEARING.participant(pid(word))
        assert person is not None
        return place_of(self.sitting, person)


def in_lobby(*words: str) -> Court:
    court = Court().enter("presiding", "clerk", *words)
    court.do("clerk", c.OpenLobby())
    return court


def in_session(*words: str) -> Court:
    court = in_lobby(*words)
    court.do("presiding", c.OpenSitting())
    return court


def kinds(events: Sequence[e.Event]) -> list[str]:
    return [event.type for event in events]


def test_opening_sets_the_zero_of_the_record_clock_and_the_stage() -> None:
    court = in_lobby()
    court.do("presiding", c.OpenSitting())
    assert court.sitting.state is SittingState.IN_SESSION
    assert court.sitting.opened_at == court.now
    assert court.sitting.stage is Stage.OPENING


def test_recess_and_resume_keep_the_zero_stage_and_floor() -> None:
    court = in_session("plaintiff")
    opened_at = court.sitting.opened_at
    court.do("presiding", c.GoToStage(Stage.EVIDENCE))
    court.do("presiding", c.GiveFloor(pid("plaintiff")))
    planned = court.now + timedelta(minutes=15)
    court.do("presiding", c.Adjourn(planned))
    assert (court.sitting.state, court.sitting.planned_resume_at) == (SittingState.RECESS, planned)
    court.do("presiding", c.Resume())
    assert (court.sitting.opened_at, court.sitting.stage, court.sitting.floor) == (opened_at, Stage.EVIDENCE, pid("plaintiff"))
    assert court.sitting.recess_at is None
    assert court.sitting.planned_resume_at is None


@pytest.mark.parametrize("planned", [NINE - timedelta(hours=1), NINE.replace(tzinfo=None), NINE + timedelta(days=400)])
def test_a_recess_cannot_end_before_it_begins(planned: object) -> None:
    court = in_session()
    with pytest.raises(InvalidField) as refusal:
        court.do("presiding", c.Adjourn(planned))  # type: ignore[arg-type]
    assert refusal.value.field == "planned_resume_at"


def test_closing_ends_everything_and_nothing_reopens() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.GiveFloor(pid("plaintiff")))
    court.do("presiding", c.ShowExhibit(EXHIBITS[0].id))
    assert kinds(court.do("presiding", c.Close())) == ["exhibit.withdrawn", "sitting.closed"]
    sitting = court.sitting
    assert (sitting.floor, sitting.showing, sitting.present, sitting.stage) == (None, None, frozenset(), Stage.CLOSING)
    for command in (c.OpenSitting(), c.Resume(), c.Adjourn(), c.Close()):
        with pytest.raises(IllegalMove):
            court.do("presiding", command)


def test_coming_and_going_after_the_end_is_no_event_and_no_error() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.Close())
    assert court.do("plaintiff", c.Leave()) == ()
    assert court.do("plaintiff", c.Enter()) == ()


def test_stages_go_forward_and_back_but_not_before_the_opening() -> None:
    court = in_session()
    assert kinds(court.do("presiding", c.GoToStage(Stage.DEBATE))) == ["stage.entered"]
    assert court.do("presiding", c.GoToStage(Stage.DEBATE)) == ()
    (back,) = court.do("presiding", c.GoToStage(Stage.INVESTIGATION))
    assert isinstance(back, e.StageEntered)
    assert (back.previous, back.stage) == (Stage.DEBATE, Stage.INVESTIGATION)
    with pytest.raises(InvalidField):
        court.do("presiding", c.GoToStage(Stage.PREPARATION))


def test_the_floor_lifts_a_mute_and_answers_the_hand() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.MuteAll())
    court.do("plaintiff", c.RaiseHand())
    given = court.do("presiding", c.GiveFloor(pid("plaintiff")))
    assert kinds(given) == ["participant.unmuted", "floor.given", "hand.lowered"]
    assert court.do("presiding", c.GiveFloor(pid("plaintiff"))) == ()


@pytest.mark.parametrize("word", ["defendant", "witness"])
def test_the_floor_goes_only_to_who_is_in_the_courtroom(word: str) -> None:
    court = in_session("witness")
    with pytest.raises(NotNow):
        court.do("presiding", c.GiveFloor(pid(word)))


def test_an_observer_never_gets_a_voice() -> None:
    court = in_session("observer")
    for command in (c.GiveFloor(pid("observer")), c.MuteParticipant(pid("observer"))):
        with pytest.raises(NotPermitted):
            court.do("presiding", command)


def test_muting_all_spares_the_bench_and_the_uncalled_witness() -> None:
    court = in_session("plaintiff", "witness", "observer")
    court.do("presiding", c.MuteAll())
    assert court.sitting.court_muted == {pid(w) for w in ("plaintiff", "defendant", "third", "counsel", "interpreter")}
    assert court.do("presiding", c.MuteAll()) == ()


def test_muting_the_muted_is_acknowledged_without_an_event() -> None:
    court = in_session("plaintiff")
    assert kinds(court.do("presiding", c.MuteParticipant(pid("plaintiff")))) == ["participant.muted"]
    assert court.do("presiding", c.MuteParticipant(pid("plaintiff"))) == ()
    assert kinds(court.do("presiding", c.UnmuteParticipant(pid("plaintiff")))) == ["participant.unmuted"]
    assert court.do("presiding", c.UnmuteParticipant(pid("plaintiff"))) == ()


def test_hands_queue_in_order_and_a_new_reason_keeps_the_place() -> None:
    court = in_session("plaintiff", "defendant")
    court.do("plaintiff", c.RaiseHand())
    court.do("defendant", c.RaiseHand())
    court.do("plaintiff", c.RaiseHand(HandReason.OBJECTION))
    assert court.do("plaintiff", c.RaiseHand(HandReason.OBJECTION)) == ()
    assert [(h.participant_id, h.reason) for h in court.sitting.hands] == [
        (pid("plaintiff"), HandReason.OBJECTION),
        (pid("defendant"), HandReason.SPEAK),
    ]


def test_only_the_judge_and_the_clerk_lower_another_hand() -> None:
    court = in_session("plaintiff", "defendant")
    court.do("plaintiff", c.RaiseHand())
    with pytest.raises(NotPermitted):
        court.do("defendant", c.LowerHand(pid("plaintiff")))
    assert kinds(court.do("clerk", c.LowerHand(pid("plaintiff")))) == ["hand.lowered"]
    assert court.do("plaintiff", c.LowerHand()) == ()


def test_own_switches() -> None:
    court = in_session("plaintiff")
    assert court.do("plaintiff", c.SetMicrophone(on=True)) == ()
    assert kinds(court.do("plaintiff", c.SetMicrophone(on=False))) == ["microphone.set"]
    assert kinds(court.do("clerk", c.SetCamera(on=False))) == ["camera.set"]
    assert (court.sitting.microphone_off, court.sitting.camera_off) == ({pid("plaintiff")}, {pid("clerk")})
    court.do("plaintiff", c.SetMicrophone(on=True))
    assert pid("plaintiff") not in court.sitting.microphone_off


def test_a_full_room_refuses_one_more_but_never_the_bench() -> None:
    court = Court(room_limit=3).enter("plaintiff", "defendant", "observer")
    with pytest.raises(RoomFull) as refusal:
        court.do("third", c.Enter())
    assert refusal.value.code == "room_full"
    assert kinds(court.do("presiding", c.Enter())) == ["participant.entered"]
    assert court.do("plaintiff", c.Enter()) == ()  # already inside: a reload is no newcomer


def test_who_is_lost_keeps_the_floor_and_the_hand() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.GiveFloor(pid("plaintiff")))
    court.do("plaintiff", c.RaiseHand())
    court.do("plaintiff", c.Leave("lost"))
    assert court.sitting.floor == pid("plaintiff")
    assert len(court.sitting.hands) == 1
    with pytest.raises(InvalidField):
        court.do("presiding", c.Leave("bored"))


def test_the_excluded_lose_floor_hand_and_screen_until_admitted() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id))
    court.do("presiding", c.GiveFloor(pid("plaintiff")))
    court.do("plaintiff", c.RaiseHand())
    gone = court.do("presiding", c.Exclude(pid("plaintiff")))
    assert kinds(gone) == ["exhibit.withdrawn", "floor.opened", "hand.lowered", "participant.excluded"]
    assert court.place("plaintiff") is Place.WAITING
    assert court.do("presiding", c.Exclude(pid("plaintiff"))) == ()
    with pytest.raises(NotPermitted):
        court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id))
    court.do("presiding", c.Admit(pid("plaintiff")))
    assert court.place("plaintiff") is Place.COURTROOM


def test_the_bench_is_not_sent_out() -> None:
    court = in_session()
    with pytest.raises(NotPermitted):
        court.do("presiding", c.Exclude(pid("clerk")))


def test_the_life_of_a_witness() -> None:
    court = in_session()
    assert court.place("witness") is Place.ISOLATED
    with pytest.raises(NotNow):
        court.do("presiding", c.CallWitness(pid("witness")))  # not here yet
    with pytest.raises(NotNow):
        court.do("presiding", c.Admit(pid("witness")))  # not the way in
    court.enter("witness")
    court.do("presiding", c.CallWitness(pid("witness")))
    assert court.place("witness") is Place.COURTROOM
    assert court.do("presiding", c.CallWitness(pid("witness"))) == ()
    court.do("presiding", c.GiveFloor(pid("witness")))
    assert kinds(court.do("presiding", c.DismissWitness(pid("witness")))) == ["floor.opened", "witness.dismissed"]
    assert court.place("witness") is Place.DISMISSED
    court.do("witness", c.Leave())
    with pytest.raises(NotNow):
        court.do("witness", c.Enter())
    court.do("presiding", c.CallWitness(pid("witness")))  # recalled by the judge, and only so
    court.enter("witness")
    assert court.place("witness") is Place.COURTROOM


def test_a_party_is_not_called_as_a_witness() -> None:
    court = in_session("plaintiff")
    with pytest.raises(InvalidField):
        court.do("presiding", c.CallWitness(pid("plaintiff")))


def test_attendance_is_marked_and_taken_back() -> None:
    court = in_lobby("plaintiff")
    assert kinds(court.do("clerk", c.MarkAttendance(pid("plaintiff")))) == ["attendance.marked"]
    assert court.do("clerk", c.MarkAttendance(pid("plaintiff"))) == ()
    court.do("clerk", c.MarkAttendance(pid("plaintiff"), attended=False))
    assert not court.sitting.attended


def test_a_party_shows_its_own_exhibit_only_with_leave() -> None:
    court = in_session("plaintiff", "defendant")
    with pytest.raises(NotPermitted) as refusal:
        court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id))
    assert refusal.value.code == "presenting_not_allowed"
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    assert kinds(court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id, 2))) == ["exhibit.shown"]
    assert court.do("plaintiff", c.ShowExhibit(EXHIBITS[0].id, 2)) == ()
    with pytest.raises(NotPermitted):
        court.do("plaintiff", c.ShowExhibit(EXHIBITS[1].id))  # the other side's
    with pytest.raises(NotPermitted):
        court.do("defendant", c.WithdrawExhibit())
    ended = court.do("presiding", c.AllowPresenting(pid("plaintiff"), allowed=False))
    assert kinds(ended) == ["exhibit.withdrawn", "exhibit.allowed"]


def test_the_floor_in_examination_of_evidence_is_leave_enough() -> None:
    court = in_session("defendant")
    court.do("presiding", c.GiveFloor(pid("defendant")))
    with pytest.raises(NotPermitted):
        court.do("defendant", c.ShowExhibit(EXHIBITS[1].id))
    court.do("presiding", c.GoToStage(Stage.EVIDENCE))
    assert kinds(court.do("defendant", c.ShowExhibit(EXHIBITS[1].id))) == ["exhibit.shown"]


def test_counsel_acts_for_the_party() -> None:
    court = in_session("plaintiff", "counsel", "defendant")
    court.do("presiding", c.AllowPresenting(pid("plaintiff")))
    court.do("counsel", c.ShowExhibit(EXHIBITS[0].id))
    assert kinds(court.do("plaintiff", c.WithdrawExhibit())) == ["exhibit.withdrawn"]
    with pytest.raises(NotPermitted):
        court.do("counsel", c.ShowExhibit(EXHIBITS[1].id))


@pytest.mark.parametrize("page", [0, -1, 4])
def test_there_is_no_such_page(page: int) -> None:
    court = in_session()
    with pytest.raises(InvalidField) as refusal:
        court.do("clerk", c.ShowExhibit(EXHIBITS[0].id, page))
    assert refusal.value.field == "page"


def test_there_is_no_such_exhibit_or_person() -> None:
    court = in_session()
    with pytest.raises(UnknownId):
        court.do("clerk", c.ShowExhibit(ExhibitId("exh_none")))
    with pytest.raises(UnknownId):
        court.do("presiding", c.MuteParticipant(pid("nobody")))


def test_nothing_stays_on_the_screen_out_of_session() -> None:
    pauses: list[tuple[str | Actor, c.Command]] = [("presiding", c.Adjourn()), (SYSTEM, c.SuspendForFault("media_lost"))]
    for who, command in pauses:
        court = in_session()
        court.do("clerk", c.ShowExhibit(EXHIBITS[0].id))
        assert kinds(court.do(who, command))[0] == "exhibit.withdrawn"
        assert court.sitting.showing is None


@pytest.mark.parametrize("text", ["", "   ", "字" * 2001, "退\x00庭", "\ud800"])
def test_a_note_has_bounds(text: str) -> None:
    court = in_session()
    with pytest.raises(InvalidField) as refusal:
        court.do("clerk", c.AddNote(text))
    assert refusal.value.field == "text"


def test_a_gap_is_never_refused_even_after_the_end() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.Close())
    gap = c.RecordGap(pid("plaintiff"), "audio", 1000, 2000, "media_restart")
    assert kinds(court.do(SYSTEM, gap)) == ["record.gap_recorded"]


def test_a_cancelled_sitting_is_over() -> None:
    court = in_lobby()
    court.do("clerk", c.Cancel())
    assert court.sitting.state is SittingState.CANCELLED
    with pytest.raises(IllegalMove):
        court.do("presiding", c.OpenSitting())


def test_the_state_is_derived_from_the_events_alone() -> None:
    court = in_session("plaintiff", "witness")
    court.do("presiding", c.CallWitness(pid("witness")))
    court.do("plaintiff", c.RaiseHand())
    court.do("clerk", c.AddNote("原告提交证据。"))
    assert replay(a_sitting(), tuple(court.events)) == court.sitting
    assert court.sitting.ledger_number == len(court.events)
    assert court.sitting.updated_at == court.now
    assert replace(court.sitting, ledger_number=0) != court.sitting
