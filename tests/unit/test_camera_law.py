"""Staying in the picture (OLR-24, 25): the camera goes off in session only by the presiding judge's leave; faults are no fault."""

from __future__ import annotations

from itertools import product

import pytest

from hearing import commands as c
from hearing.errors import InvalidField, NotNow, NotPermitted
from hearing.model import CameraReason, Difficulty, Participant, SittingState
from hearing.permissions import allowed, must_be_seen
from hearing.procedure import replay
from tests.courts import a_hearing, a_sitting, pid
from tests.unit.test_procedure import Court, in_lobby, in_session, kinds

HEARING = a_hearing()
BENCH = ("presiding", "judge", "assessor", "clerk")
SEEN = ("plaintiff", "defendant", "third", "counsel", "interpreter")
ASK = c.RequestCameraLeave(CameraReason.HEALTH)


def person(word: str) -> Participant:
    found = HEARING.participant(pid(word))
    assert found is not None
    return found


def camera_commands(court: Court, word: str) -> set[str]:
    return {name for name in allowed(HEARING, court.sitting, person(word)) if name.startswith("camera.")}


@pytest.mark.parametrize("word", SEEN)
def test_in_session_nobody_but_the_bench_leaves_the_picture_alone(word: str) -> None:
    court = in_session(word)
    with pytest.raises(NotPermitted) as refusal:
        court.do(word, c.SetCamera(on=False))
    assert refusal.value.code == "camera_leave_required"
    assert camera_commands(court, word) == {"camera.request_leave"}


@pytest.mark.parametrize("word", BENCH)
def test_the_bench_is_free(word: str) -> None:
    court = in_session(word)
    assert kinds(court.do(word, c.SetCamera(on=False))) == ["camera.set"]
    with pytest.raises(NotPermitted):
        court.do(word, ASK)
    with pytest.raises(InvalidField):
        court.do("presiding", c.AllowCameraOff(pid(word)))


def test_before_and_between_and_after_everybody_is_free() -> None:
    court = in_lobby("plaintiff")
    assert kinds(court.do("plaintiff", c.SetCamera(on=False))) == ["camera.set"]
    court.do("plaintiff", c.SetCamera(on=True))
    court.do("presiding", c.OpenSitting())
    court.do("presiding", c.Adjourn())
    assert kinds(court.do("plaintiff", c.SetCamera(on=False))) == ["camera.set"]


def test_who_must_be_seen_in_every_state() -> None:
    words = (*BENCH, *SEEN, "witness", "expert", "observer")
    for word, state in product(words, SittingState):
        court = in_session()
        sitting = court.sitting.__class__(**{**_fields(court), "state": state})
        assert must_be_seen(sitting, person(word)) == (state is SittingState.IN_SESSION and word in SEEN), (word, state)


def _fields(court: Court) -> dict[str, object]:
    return {name: getattr(court.sitting, name) for name in court.sitting.__dataclass_fields__}


def test_a_witness_must_be_seen_once_called() -> None:
    court = in_session("witness")
    court.do("witness", c.SetCamera(on=False))
    court.do("witness", c.SetCamera(on=True))
    court.do("presiding", c.CallWitness(pid("witness")))
    with pytest.raises(NotPermitted):
        court.do("witness", c.SetCamera(on=False))


def test_leave_is_asked_for_given_and_ends_when_the_camera_is_on_again() -> None:
    court = in_session("plaintiff")
    assert kinds(court.do("plaintiff", ASK)) == ["camera.leave_requested"]
    assert court.do("plaintiff", ASK) == ()
    assert camera_commands(court, "plaintiff") == {"camera.withdraw_request"}
    with pytest.raises(NotPermitted):
        court.do("plaintiff", c.SetCamera(on=False))
    assert kinds(court.do("presiding", c.AllowCameraOff(pid("plaintiff")))) == ["camera.leave_ruled", "camera.set"]
    assert court.do("presiding", c.AllowCameraOff(pid("plaintiff"))) == ()
    assert pid("plaintiff") in court.sitting.camera_off & court.sitting.camera_leave
    assert court.sitting.camera_requests == ()
    assert camera_commands(court, "plaintiff") == {"camera.set"}
    court.do("plaintiff", c.SetCamera(on=True))
    with pytest.raises(NotPermitted):
        court.do("plaintiff", c.SetCamera(on=False))


def test_a_new_reason_replaces_the_old_request() -> None:
    court = in_session("plaintiff")
    court.do("plaintiff", ASK)
    court.do("plaintiff", c.RequestCameraLeave(CameraReason.NETWORK))
    assert [asked.reason for asked in court.sitting.camera_requests] == [CameraReason.NETWORK]


def test_a_request_is_refused_or_withdrawn() -> None:
    court = in_session("plaintiff")
    court.do("plaintiff", ASK)
    assert kinds(court.do("presiding", c.AllowCameraOff(pid("plaintiff"), allowed=False))) == ["camera.leave_ruled"]
    assert court.do("presiding", c.AllowCameraOff(pid("plaintiff"), allowed=False)) == ()
    court.do("plaintiff", ASK)
    assert kinds(court.do("plaintiff", c.WithdrawCameraRequest())) == ["camera.request_withdrawn"]
    assert court.do("plaintiff", c.WithdrawCameraRequest()) == ()
    assert court.sitting.camera_requests == ()


def test_the_end_of_a_leave_asks_the_person_back_and_switches_no_camera_on() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.AllowCameraOff(pid("plaintiff")))  # asked for in words
    assert kinds(court.do("presiding", c.AllowCameraOff(pid("plaintiff"), allowed=False))) == ["camera.leave_ruled"]
    assert pid("plaintiff") in court.sitting.camera_off
    assert must_be_seen(court.sitting, person("plaintiff"))
    assert camera_commands(court, "plaintiff") == {"camera.set", "camera.request_leave"}


def test_leave_outlasts_a_recess_and_a_lost_line_but_not_the_courtroom() -> None:
    court = in_session("plaintiff")
    court.do("presiding", c.AllowCameraOff(pid("plaintiff")))
    court.do("presiding", c.Adjourn())
    court.do("presiding", c.Resume())
    court.do("plaintiff", c.Leave("lost"))
    court.enter("plaintiff")
    assert pid("plaintiff") in court.sitting.camera_leave
    court.do("presiding", c.Exclude(pid("plaintiff")))
    assert not court.sitting.camera_leave


def test_who_is_sent_out_asks_no_longer_and_cannot_ask() -> None:
    court = in_session("plaintiff")
    court.do("plaintiff", ASK)
    assert kinds(court.do("presiding", c.Exclude(pid("plaintiff")))) == ["camera.request_withdrawn", "participant.excluded"]
    with pytest.raises(NotNow):
        court.do("plaintiff", ASK)


@pytest.mark.parametrize("difficulty", Difficulty)
def test_a_difficulty_is_noted_once_and_ends_with_the_page(difficulty: Difficulty) -> None:
    court = in_session("plaintiff")
    assert court.do("plaintiff", c.ReportDifficulty(difficulty, on=False)) == ()
    assert kinds(court.do("plaintiff", c.ReportDifficulty(difficulty))) == ["difficulty.reported"]
    assert court.do("plaintiff", c.ReportDifficulty(difficulty)) == ()
    assert court.sitting.camera_failed | court.sitting.microphone_failed | court.sitting.in_background == {pid("plaintiff")}
    court.do("plaintiff", c.Leave("lost"))
    assert not court.sitting.camera_failed | court.sitting.microphone_failed | court.sitting.in_background


def test_every_step_is_in_the_ledger() -> None:
    court = in_session("plaintiff", "defendant")
    court.do("plaintiff", ASK)
    court.do("presiding", c.AllowCameraOff(pid("plaintiff")))
    court.do("defendant", c.ReportDifficulty(Difficulty.CAMERA))
    court.do("clerk", c.StartScreen())
    assert replay(a_sitting(), tuple(court.events)) == court.sitting
