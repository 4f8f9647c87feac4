"""What each viewer may see of a sitting; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from evidence.model import Exhibit
from hearing.model import (
    CameraReason,
    CameraRequest,
    Difficulty,
    ExhibitId,
    Hand,
    HandReason,
    HearingId,
    Role,
    Showing,
    Side,
    SittingState,
    Stage,
)
from signaling.protocol import SittingView
from signaling.views import Recording, Scene, may_open_exhibit, sitting_view
from tests.courts import COURT, NINE, a_hearing, a_sitting, pid


def an_exhibit(word: str) -> Exhibit:
    return Exhibit(
        id=ExhibitId(word), court_id=COURT, hearing_id=HearingId("hear_test"), side=Side.PLAINTIFF, ordinal=1, number="原告证据1",
        title="借条", purpose="证明借款", file_name="iou.pdf", media_type="application/pdf", bytes=10, pages=3, sha256="a" * 64, sm3="b" * 64,
        object_key="k", submitted_by=pid("plaintiff"), submitted_at=NINE,
    )  # fmt: skip


def a_scene(**changes: object) -> Scene:
    """In session, evidence stage, the plaintiff speaking with a hand up, the first of two exhibits shown."""
    hearing = a_hearing()
    sitting = replace(
        a_sitting(), state=SittingState.IN_SESSION, stage=Stage.EVIDENCE, opened_at=NINE, floor=pid("plaintiff"), ledger_number=9,
        present=frozenset(person.id for person in hearing.participants), hands=(Hand(pid("defendant"), HandReason.OBJECTION, NINE),),
        showing=Showing(ExhibitId("exh_iou"), 2, pid("plaintiff"), NINE), stages_entered=frozenset({Stage.OPENING}),
    )  # fmt: skip
    sitting = replace(sitting, **changes)  # type: ignore[arg-type]
    exhibits = (an_exhibit("exh_iou"), an_exhibit("exh_other"))
    return Scene(hearing, sitting, exhibits, Recording("fault", "磁盘空间不足"), "某区人民法院", NINE + timedelta(seconds=61))


def seen_by(scene: Scene, word: str) -> SittingView:
    viewer = scene.hearing.participant(pid(word))
    assert viewer is not None
    return sitting_view(scene, viewer)


def test_the_bench_and_the_parties_see_the_whole_courtroom() -> None:
    for word in ("presiding", "clerk", "plaintiff", "counsel", "interpreter"):
        view = seen_by(a_scene(), word)
        assert len(view.participants) == 12
        assert (view.floor, len(view.hands), len(view.exhibits)) == ("plaintiff", 1, 2)
        assert view.showing is not None
        assert view.record_ms == 61_000
        assert view.stages_done == [Stage.OPENING]


def test_a_request_to_leave_the_picture_is_between_the_person_and_the_bench() -> None:
    asked = (CameraRequest(pid("defendant"), CameraReason.HEALTH, NINE),)
    scene = a_scene(camera_requests=asked, camera_failed=frozenset({pid("plaintiff")}), screen=pid("plaintiff"))
    told = {word for word in ("presiding", "judge", "clerk", "defendant", "plaintiff", "counsel", "observer", "witness")
            if seen_by(scene, word).camera_requests}  # fmt: skip
    assert told == {"presiding", "judge", "clerk", "defendant"}
    seats = {person.id: person for person in seen_by(scene, "clerk").participants}
    assert seats["plaintiff"].difficulties == [Difficulty.CAMERA]
    assert (seats["plaintiff"].must_be_seen, seats["clerk"].must_be_seen) == (True, False)
    assert (seen_by(scene, "observer").screen, seen_by(scene, "witness").screen) == ("plaintiff", None)


@pytest.mark.parametrize("word", ["witness", "expert"])
def test_an_uncalled_witness_sees_itself_and_the_state(word: str) -> None:
    view = seen_by(a_scene(), word)
    assert [person.id for person in view.participants] == [word]
    assert (view.state, view.floor, view.hands, view.showing, view.exhibits) == (SittingState.IN_SESSION, None, [], None, [])
    assert "plaintiff" not in view.model_dump_json()


def test_a_called_witness_sees_the_room_but_only_the_exhibit_shown() -> None:
    view = seen_by(a_scene(called=frozenset({pid("witness")})), "witness")
    assert len(view.participants) == 12
    assert [exhibit.id for exhibit in view.exhibits] == ["exh_iou"]


def test_a_dismissed_witness_and_an_excluded_party_are_outside_again() -> None:
    scene = a_scene(dismissed=frozenset({pid("witness")}), excluded=frozenset({pid("defendant")}))
    assert seen_by(scene, "witness").participants[0].place == "dismissed"
    defendant = seen_by(scene, "defendant")
    assert [person.place for person in defendant.participants] == ["waiting"]
    assert [hand.participant_id for hand in defendant.hands] == ["defendant"], "one's own hand stays"
    assert defendant.exhibits == []


def test_allowed_is_the_laws_answer_and_details_of_faults_are_for_the_bench() -> None:
    judge, plaintiff = seen_by(a_scene(), "presiding"), seen_by(a_scene(), "plaintiff")
    assert "sitting.close" in judge.allowed
    assert "sitting.close" not in plaintiff.allowed
    assert "exhibit.show" in plaintiff.allowed, "holds the floor in 举证质证"
    assert (judge.recording, judge.recording_detail) == ("fault", "磁盘空间不足")
    assert (plaintiff.recording, plaintiff.recording_detail) == ("fault", "")


def test_the_record_clock_stands_after_closing_and_does_not_exist_before_opening() -> None:
    closed = a_scene(state=SittingState.CLOSED, closed_at=NINE + timedelta(seconds=30))
    assert seen_by(closed, "clerk").record_ms == 30_000
    assert seen_by(a_scene(opened_at=None, state=SittingState.LOBBY), "clerk").record_ms is None


@pytest.mark.parametrize("role", list(Role))
def test_after_closing_only_the_cases_own_people_open_exhibits(role: Role) -> None:
    scene = a_scene(state=SittingState.CLOSED)
    viewer = next(person for person in scene.hearing.participants if person.role is role)
    outsiders = {Role.WITNESS, Role.EXPERT, Role.OBSERVER}
    assert may_open_exhibit(scene.sitting, viewer, "exh_other") == (role not in outsiders)
