"""The one door for commands: every command answered once, stable codes, order, one seat per person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from hearing.model import SittingId
from hearing.permissions import RULES
from signaling import protocol
from signaling.gateway import NAMESPACE, Gateway, MissingHandler
from tests.integration.signaling_bed import STAFF, Bed, Browser, court_house, until


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


FIELDS: dict[str, dict[str, Any]] = {
    "stage.go": {"stage": "identity"}, "floor.give": {"participant_id": "?"}, "participant.mute": {"participant_id": "?"},
    "participant.unmute": {"participant_id": "?"}, "participant.exclude": {"participant_id": "?"}, "participant.admit": {"participant_id": "?"},
    "attendance.mark": {"participant_id": "?"}, "witness.call": {"participant_id": "?"}, "witness.dismiss": {"participant_id": "?"},
    "microphone.set": {"on": True}, "camera.set": {"on": True}, "exhibit.allow": {"participant_id": "?"},
    "camera.request_leave": {"reason": "health"}, "camera.allow_off": {"participant_id": "?"}, "difficulty.report": {"difficulty": "camera"},
    "exhibit.show": {"exhibit_id": "exh_none"}, "note.add": {"text": "记一行"}, "part.begin": {"part": "closed", "ruling": "涉及商业秘密"},
}  # fmt: skip
"""A well-formed body for each command; nobody has the id `?`, so what the role may do fails later, for another reason."""


ROLES_TO_TRY = (*STAFF, "plaintiff", "defendant", "third", "agent", "witness", "expert", "interpreter", "observer")


async def test_every_role_gets_only_its_commands(bed: Bed) -> None:
    """Role × command over the wire: not_permitted exactly where the law's table has no row for the role."""
    hearing, _ = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    tried = 0
    for key in ROLES_TO_TRY:
        person = await bed.joined(key)
        role = next(p.role for p in hearing.participants if p.id == bed.ids[key])
        for name in sorted(protocol.COURT_COMMANDS.keys() - {"sitting.open_lobby", "sitting.cancel"}):  # these would succeed
            ack = await person.send(name, **FIELDS.get(name, {}))
            code = ack["error"]["code"] if ack["error"] else "ok"
            assert (code == "not_permitted") == (role not in RULES[name].roles), (key, name, code)
            assert ack["error"] is None or any("一" <= letter <= "鿿" for letter in ack["error"]["message"])
            tried += 1
    assert tried == len(ROLES_TO_TRY) * (len(protocol.COURT_COMMANDS) - 2)


async def test_bad_input_is_answered_and_changes_nothing(bed: Bed) -> None:
    judge = await bed.joined("presiding")
    before = (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].ledger_number
    header = {"command_id": "x1", "sitting_id": bed.sitting_id}
    cases = [
        ("sitting.fly", header, "unknown_command", None),
        ("connect", header, "unknown_command", None),
        ("disconnect", "transport close", "unknown_command", None),
        ("stage.go", None, "bad_field", "command"),
        ("stage.go", ["a"], "bad_field", "command"),
        ("stage.go", {**header, "stage": "dinner"}, "bad_field", "stage"),
        ("stage.go", header, "bad_field", "stage"),
        ("stage.go", {**header, "stage": "identity", "extra": 1}, "bad_field", "extra"),
        ("stage.go", {"sitting_id": bed.sitting_id, "stage": "identity"}, "bad_field", "command_id"),
        ("stage.go", {**header, "command_id": "x" * 65, "stage": "identity"}, "bad_field", "command_id"),
        ("stage.go", {**header, "sitting_id": "sit_other", "stage": "identity"}, "bad_field", "sitting_id"),
        ("microphone.set", {**header, "on": "yes"}, "bad_field", "on"),
        ("sitting.adjourn", {**header, "planned_resume_at": "2026-11-21T10:00:00"}, "bad_field", "planned_resume_at"),
        ("note.add", {**header, "text": "长" * 100_000}, "too_large", None),
        (
            "media.answer",
            {**header, "peer_id": "p", "connection": "sideways", "revision": 1, "sdp": ""},
            "bad_field",
            "connection",
        ),
        ("media.answer", {**header, "peer_id": "p", "connection": "up", "revision": 1, "sdp": ""}, "bad_field", "peer_id"),
        ("sitting.open", header, "illegal_move", None),
    ]
    for name, data, code, field in cases:
        ack = await judge.raw(name, data)
        assert (ack["ok"], ack["error"]["code"], ack["error"]["field"]) == (False, code, field), (name, ack)
        assert ack["error"]["message"]
    assert (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].ledger_number == before
    assert (await judge.send("sitting.open_lobby"))["ok"], "the socket lives on"


async def test_a_handler_that_fails_is_still_answered(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = await bed.joined("presiding")

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("hearing.service.HearingService.execute", broken)
    ack = await judge.send("sitting.open_lobby")
    assert ack["error"]["code"] == "internal_error"
    assert "a bug" not in ack["error"]["message"]


async def test_the_same_command_id_acts_once(bed: Bed) -> None:
    clerk = await bed.joined("clerk")
    await clerk.send("sitting.open_lobby")
    first = await clerk.send("note.add", command_id="note-1", text="当事人身份已核对")
    again = await clerk.send("note.add", command_id="note-1", text="当事人身份已核对")
    assert first["ok"]
    assert again["ok"]
    assert first["number"] == again["number"]
    _, sitting = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    assert sitting.ledger_number == first["number"]


async def test_commands_of_one_client_keep_their_order(bed: Bed) -> None:
    clerk = await bed.joined("clerk")
    await clerk.send("sitting.open_lobby")
    acks = await asyncio.gather(*(clerk.send("note.add", text=f"第 {n} 行") for n in range(20)))
    numbers = [ack["number"] for ack in acks]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 20


async def test_too_many_commands(tmp_path: Path) -> None:
    async with court_house(tmp_path, commands_per_10_s=5) as bed:
        judge = await bed.joined("presiding")
        codes = [(await judge.send("sitting.open"))["error"]["code"] for _ in range(6)]
        assert codes == ["illegal_move"] * 4 + ["too_many_commands"] * 2


async def test_the_handshake_is_refused_with_a_code(bed: Bed) -> None:
    stranger, clerk, plaintiff = bed.browser(), await bed.person("clerk"), await bed.person("plaintiff")
    other = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    assert other
    for browser, sitting_id, code in (
        (stranger, bed.sitting_id, "not_signed_in"), (clerk, "sit_none", "not_found"), (plaintiff, "no id!", "bad_field"),
    ):  # fmt: skip
        with pytest.raises(socketio.exceptions.ConnectionError):
            await browser.connect(sitting_id)
        assert browser.refusal["data"]["code"] == code
    with pytest.raises(socketio.exceptions.ConnectionError):
        await (await bed.person("clerk")).connect(bed.sitting_id, headers={"Origin": "http://evil.example"})


async def test_no_command_before_the_seat_is_taken(bed: Bed) -> None:
    judge = await bed.person("presiding")
    await judge.connect(bed.sitting_id)
    assert (await judge.send("sitting.open_lobby"))["error"]["code"] == "not_joined"


async def test_second_page_takes_the_seat_and_the_first_is_told(bed: Bed) -> None:
    first = await bed.joined("presiding")
    number = (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].ledger_number
    second = await bed.joined("presiding")
    await until(lambda: not first.socket.connected)
    assert first.named("session.replaced")
    assert (await second.send("sitting.open_lobby"))["ok"]
    await asyncio.sleep(0.8)  # longer than the grace period
    _, sitting = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    assert bed.ids["presiding"] in sitting.present
    assert sitting.ledger_number == number + 1, "taking over is no departure and no arrival"


async def test_reload_keeps_the_seat_and_a_lost_person_leaves(bed: Bed) -> None:
    judge, plaintiff = await bed.in_session(), await bed.joined("plaintiff")
    await plaintiff.send("hand.raise", reason="objection")
    numbers = (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].ledger_number
    await plaintiff.socket.disconnect()
    reloaded = Browser(bed.url)
    reloaded.http.cookie_jar.update_cookies({c.key: c.value for c in plaintiff.http.cookie_jar})
    bed.browsers.append(reloaded)
    ack = await reloaded.join(bed.sitting_id)
    assert ack["joined"]["sitting"]["hands"][0]["participant_id"] == bed.ids["plaintiff"]
    await asyncio.sleep(0.8)
    assert (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].ledger_number == numbers, "no ghost, no entry"
    await reloaded.socket.disconnect()
    await until(lambda: not seat(judge.view, bed.ids["plaintiff"])["present"])


def seat(view: dict[str, object], participant_id: str) -> dict[str, object]:
    people: list[dict[str, object]] = view["participants"]  # type: ignore[assignment]
    return next(person for person in people if person["id"] == participant_id)


async def test_one_more_than_the_room_holds_is_refused(tmp_path: Path) -> None:
    async with court_house(tmp_path, room_limit=3) as bed:
        await bed.in_session()
        await bed.joined("plaintiff")
        defendant = await bed.joined("defendant")
        observer = await bed.person("observer")
        ack = await observer.join(bed.sitting_id)
        assert ack["error"]["code"] == "room_full"
        assert "已满" in ack["error"]["message"]
        assert (await observer.send("hand.raise"))["error"]["code"] == "not_joined"
        await bed.joined("clerk")  # the bench always gets in
        await defendant.socket.disconnect()


async def test_a_change_reaches_everyone_with_a_growing_number(bed: Bed) -> None:
    judge, plaintiff = await bed.in_session(), await bed.joined("plaintiff")
    ack = await judge.send("stage.go", stage="identity")
    await until(lambda: plaintiff.named("sitting.updated") and plaintiff.view["number"] >= ack["number"])
    assert plaintiff.view["stage"] == "identity"
    assert plaintiff.view["me"] == bed.ids["plaintiff"]
    numbers = [event["sitting"]["number"] for event in plaintiff.named("sitting.updated")]
    assert numbers == sorted(numbers)
    assert "sitting.close" in judge.view["allowed"]
    assert "sitting.close" not in plaintiff.view["allowed"]


def test_a_missing_handler_stops_the_server_at_its_start() -> None:
    with pytest.raises(MissingHandler, match=r"sitting\.open"):
        Gateway(None, None, None, None, {}, None)  # type: ignore[arg-type]
    assert NAMESPACE == "/court"
