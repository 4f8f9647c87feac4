"""Who may do what, when: written out a second time, as the court would say it, and held against decide() in every state."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from hearing import commands as c
from hearing.errors import NotNow, NotPermitted, UserError
from hearing.model import SYSTEM, CameraReason, Difficulty, Fault, HandReason, Part, ParticipantId, Sitting, StaffId, Stage
from hearing.model import SittingState as S
from hearing.permissions import RULES, allowed
from hearing.procedure import decide
from tests.courts import EXHIBITS, NINE, a_hearing, a_sitting, actor, pid

LIVE = {S.LOBBY, S.IN_SESSION, S.RECESS, S.TECH_SUSPENDED}
SENDERS = {
    "presiding", "judge", "assessor", "clerk", "plaintiff", "defendant", "third", "counsel", "witness", "expert", "interpreter",
}  # fmt: skip
EVERYONE = SENDERS | {"observer"}
RAISERS = SENDERS - {"presiding", "judge", "assessor", "clerk"}
SHOWERS = {"presiding", "clerk", "plaintiff", "defendant", "third", "counsel"}

EXPECTED: dict[type[c.Command], tuple[set[str], set[S]]] = {
    c.OpenLobby: ({"presiding", "clerk"}, {S.SCHEDULED}),
    c.Cancel: ({"presiding", "clerk"}, {S.SCHEDULED, S.LOBBY}),
    c.OpenSitting: ({"presiding"}, {S.LOBBY}),
    c.Adjourn: ({"presiding"}, {S.IN_SESSION, S.TECH_SUSPENDED}),
    c.Resume: ({"presiding"}, {S.RECESS, S.TECH_SUSPENDED}),
    c.Close: ({"presiding"}, {S.IN_SESSION, S.RECESS, S.TECH_SUSPENDED}),
    c.GoToStage: ({"presiding"}, {S.IN_SESSION}),
    c.BeginPart: ({"presiding"}, {S.IN_SESSION}),
    c.EndPart: ({"presiding"}, {S.IN_SESSION}),
    c.GiveFloor: ({"presiding"}, {S.IN_SESSION}),
    c.OpenFloor: ({"presiding"}, {S.IN_SESSION}),
    c.MuteParticipant: ({"presiding"}, LIVE),
    c.UnmuteParticipant: ({"presiding"}, LIVE),
    c.MuteAll: ({"presiding"}, LIVE),
    c.Exclude: ({"presiding"}, LIVE),
    c.Admit: ({"presiding"}, LIVE),
    c.CallWitness: ({"presiding"}, {S.IN_SESSION}),
    c.DismissWitness: ({"presiding"}, {S.IN_SESSION}),
    c.AllowPresenting: ({"presiding"}, LIVE),
    c.MarkAttendance: ({"clerk"}, LIVE),
    c.AddNote: ({"clerk"}, LIVE),
    c.EditDraft: ({"clerk"}, LIVE | {S.CLOSED}),
    c.RaiseHand: (RAISERS, LIVE),
    c.LowerHand: (RAISERS | {"presiding", "clerk"}, LIVE),
    c.SetMicrophone: (SENDERS, LIVE | {S.SCHEDULED}),
    c.SetCamera: (SENDERS, LIVE | {S.SCHEDULED}),
    c.RequestCameraLeave: (RAISERS, {S.IN_SESSION}),
    c.WithdrawCameraRequest: (RAISERS, LIVE),
    c.AllowCameraOff: ({"presiding"}, LIVE),
    c.ReportDifficulty: (SENDERS, LIVE),
    c.StartScreen: (SHOWERS, {S.IN_SESSION}),
    c.StopScreen: (SHOWERS, {S.IN_SESSION}),
    c.ShowExhibit: (SHOWERS, {S.IN_SESSION}),
    c.WithdrawExhibit: (SHOWERS, {S.IN_SESSION}),
    c.Enter: (EVERYONE, set(S)),
    c.Leave: (EVERYONE, set(S)),
    c.SuspendForFault: (set(), {S.IN_SESSION}),
    c.RecordGap: (set(), set(S)),
    c.BeginFault: (set(), {S.IN_SESSION}),
    c.EndFault: (set(), set(S)),
    c.ConfirmStatement: ({"clerk"}, {S.CLOSED}),
    c.SignStatement: ({"presiding"}, {S.CLOSED}),
    c.DestroyRecord: (set(), {S.CLOSED, S.CANCELLED}),
}

A_CORRECTION = c.EditDraft("rev_1", "sit_1:part_a-audio@0", "replace_text", "part_a-audio", 0, 900, "0" * 64)

COMMANDS: tuple[c.Command, ...] = (
    c.OpenLobby(), c.Cancel(), c.OpenSitting(), c.Adjourn(), c.Resume(), c.Close(), c.GoToStage(Stage.DEBATE),
    c.BeginPart(Part.CLOSED, "涉及个人隐私"), c.EndPart(),
    c.GiveFloor(pid("plaintiff")), c.OpenFloor(), c.MuteParticipant(pid("plaintiff")), c.UnmuteParticipant(pid("plaintiff")),
    c.MuteAll(), c.Exclude(pid("observer")), c.Admit(pid("third")), c.CallWitness(pid("witness")), c.DismissWitness(pid("expert")),
    c.AllowPresenting(pid("defendant")), c.MarkAttendance(pid("plaintiff")), c.AddNote("记一行"), A_CORRECTION, c.RaiseHand(HandReason.OBJECTION),
    c.LowerHand(), c.SetMicrophone(on=False), c.SetCamera(on=False), c.ShowExhibit(EXHIBITS[0].id), c.WithdrawExhibit(), c.Enter(),
    c.RequestCameraLeave(CameraReason.HEALTH), c.WithdrawCameraRequest(), c.AllowCameraOff(pid("plaintiff")),
    c.ReportDifficulty(Difficulty.CAMERA), c.StartScreen(), c.StopScreen(),
    c.Leave(), c.SuspendForFault("media_lost"), c.RecordGap(pid("plaintiff"), "audio", 0, 10, "media_restart"),
    c.BeginFault("disk_full", "", "errno 28"), c.EndFault("stalled"), c.ConfirmStatement("stat_1", "course", "0" * 64),
    c.SignStatement("stat_1", "fault", "0" * 64), c.DestroyRecord("档销〔2046〕3号", StaffId("clerk_1"), StaffId("judge_1"), 9),
)  # fmt: skip


def in_state(state: S) -> Sitting:
    """A sitting in this state in which everybody is here and every command could be given."""
    return replace(
        a_sitting(),
        state=state,
        opened_at=NINE,
        present=frozenset(ParticipantId(word) for word in EVERYONE),
        called=frozenset({pid("expert")}),
        excluded=frozenset({pid("third")}),
        faults=(Fault("stalled", "", NINE),),
    )


def refusal(state: S, command: c.Command, word: str) -> UserError | None:
    try:
        decide(a_hearing(), in_state(state), command, actor(word), NINE)
    except UserError as error:
        return error
    return None


def test_the_table_is_complete() -> None:
    assert set(RULES) == {command.type for command in EXPECTED} == {command.type for command in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_wrong_role_is_not_permitted_in_any_state(command: c.Command) -> None:
    roles, _ = EXPECTED[type(command)]
    for word, state in product(EVERYONE - roles, S):
        assert isinstance(refusal(state, command, word), NotPermitted), (word, state)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_right_role_in_wrong_state_is_not_now(command: c.Command) -> None:
    roles, states = EXPECTED[type(command)]
    for word, state in product(roles, set(S) - states):
        assert isinstance(refusal(state, command, word), NotNow), (word, state)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_right_role_in_right_state_is_not_refused_for_either(command: c.Command) -> None:
    roles, states = EXPECTED[type(command)]
    for word, state in product(roles, states):
        error = refusal(state, command, word)
        # The details (whose exhibit, whose hand, whose camera) are the decisions' own affair, with their own tests.
        detailed = isinstance(command, c.ShowExhibit | c.StartScreen | c.SetCamera | c.RequestCameraLeave)
        assert not isinstance(error, NotPermitted | NotNow) or detailed, (word, state, error)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.type)
def test_the_server_gives_only_its_own_commands(command: c.Command) -> None:
    sitting = in_state(S.IN_SESSION)
    if isinstance(command, c.SuspendForFault | c.RecordGap | c.BeginFault | c.EndFault):
        assert decide(a_hearing(), sitting, command, SYSTEM, NINE)
        return
    if isinstance(command, c.DestroyRecord):
        assert decide(a_hearing(), in_state(S.CLOSED), command, SYSTEM, NINE)
        return
    with pytest.raises(NotPermitted):
        decide(a_hearing(), sitting, command, SYSTEM, NINE)


def test_nobody_borrows_a_role() -> None:
    judge_by_claim = replace(actor("plaintiff"), role=actor("presiding").role)
    with pytest.raises(NotPermitted):
        decide(a_hearing(), in_state(S.IN_SESSION), c.Close(), judge_by_claim, NINE)
    clerk_by_claim = replace(actor("presiding"), role=actor("clerk").role)  # the ledger would name a wrong role
    with pytest.raises(NotPermitted):
        decide(a_hearing(), in_state(S.IN_SESSION), c.Close(), clerk_by_claim, NINE)
    stranger = replace(actor("presiding"), participant_id=pid("nobody"))
    with pytest.raises(NotPermitted):
        decide(a_hearing(), in_state(S.IN_SESSION), c.Close(), stranger, NINE)


def test_the_page_is_told_what_the_table_says() -> None:
    hearing = a_hearing()
    for word, state in product(EVERYONE, S):
        person = hearing.participant(pid(word))
        assert person is not None
        told = allowed(hearing, in_state(state), person)
        table = {k.type for k, (roles, states) in EXPECTED.items() if word in roles and state in states}
        table -= {c.Enter.type, c.Leave.type}
        table.discard(c.EndPart.type)  # the sitting is in the open
        table.discard(c.WithdrawCameraRequest.type)  # nothing was asked for
        if word in SHOWERS - {"presiding", "clerk"}:
            table -= {
                c.ShowExhibit.type,
                c.WithdrawExhibit.type,
                c.StartScreen.type,
                c.StopScreen.type,
            }  # no leave, nothing shown
        if word in RAISERS and state is S.IN_SESSION:
            seen = word not in {"third", "witness"}  # these two are not in the courtroom
            table.discard(c.SetCamera.type if seen else c.RequestCameraLeave.type)
        assert told == table, (word, state)


def test_a_dismissed_witness_may_do_nothing() -> None:
    sitting = replace(in_state(S.IN_SESSION), called=frozenset(), dismissed=frozenset({pid("expert")}))
    expert = a_hearing().participant(pid("expert"))
    assert expert is not None
    assert allowed(a_hearing(), sitting, expert) == frozenset()
