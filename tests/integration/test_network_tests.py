"""/api/network-tests at a real signaling server: for signed-in people, each only their own, with fresh relay credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from signaling.settings import IceServer
from tests.integration.signaling_bed import Bed, court_house

TESTS = "/api/network-tests"
GOOD = {
    "grade": "good", "path": "relay_tls", "family": "ipv4", "up_bps": 1_800_000, "down_bps": 1_700_000, "up_loss": 0.0,
    "down_loss": 0.01, "up_jitter_ms": 2.5, "down_jitter_ms": 4.0, "rtt_ms": 21.0, "heard_own_voice": True,
}  # fmt: skip
DEVICES = {"camera": "ok", "microphone": "ok", "speaker": "ok", "browser": "test"}


async def test_strangers_may_not_test(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        status, body = await bed.browser().post(TESTS)
        assert (status, body["code"]) == (401, "not_signed_in")
        someone = await bed.person("plaintiff")
        status, body = await someone.post(TESTS, headers={"X-CSRF-Token": "forged"})
        assert (status, body["code"]) == (403, "csrf_failed")
        assert bed.media.self_tests == {}


async def test_a_test_from_begin_to_end(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        status, begun = await someone.post(TESTS)
        assert (status, begun["sdp"], begun["relay_only"], begun["ice_servers"]) == (201, "v=0 test", False, [])
        one = f"{TESTS}/{begun['test_id']}"
        assert (await someone.post(f"{one}/answer", {"sdp": "v=0 mine"}))[0] == 204
        assert bed.media.calls[-1] == ("answer_self_test", bed.ids["plaintiff"], "v=0 mine")
        status, measured = await someone.get(one)
        assert (status, measured["up_best_bps"], measured["up_lost"]) == (200, 1_200_000, 5)
        assert (await someone.ask("DELETE", one))[0] == 204
        status, body = await someone.get(one)
        assert (status, body["code"]) == (404, "self_test_unknown")


async def test_nobody_touches_anothers_test(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        mine, other = await bed.person("plaintiff"), await bed.person("defendant")
        _, begun = await mine.post(TESTS)
        one = f"{TESTS}/{begun['test_id']}"
        for status, body in (await other.get(one), await other.post(f"{one}/answer", {"sdp": "v=0"})):
            assert (status, body["code"]) == (404, "self_test_unknown")
        assert (await other.ask("DELETE", one))[0] == 204
        assert (await mine.get(one))[0] == 200


async def test_beginning_again_and_again_is_limited(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        answers = [await someone.post(TESTS) for _ in range(15)]
        assert [status for status, _ in answers[:12]] == [201] * 12
        assert {(status, body["code"]) for status, body in answers[12:]} == {(429, "too_many_commands")}


def made_by(secret: str, server: dict[str, Any]) -> bool:
    """Whether coturn, which knows `secret`, would accept these credentials."""
    expected = hmac.new(secret.encode(), server["username"].encode(), hashlib.sha1).digest()
    return base64.b64decode(server["credential"]) == expected


async def test_tests_and_joins_get_relay_credentials_of_their_own(tmp_path: Path) -> None:
    fixed = IceServer(("stun:stun.court.cn",))
    relay = {"turn_urls": ("turn:turn.court.cn",), "turn_secret": "north", "relay_only": True, "ice_servers": (fixed,)}
    async with court_house(tmp_path, **relay) as bed:
        judge = await bed.joined("presiding")
        assert (await judge.send("sitting.open_lobby"))["ok"]
        _, begun = await judge.post(TESTS)
        person = await bed.person("plaintiff")
        joined = (await person.join(bed.sitting_id))["joined"]
        for answer, person_id in ((begun, "judge_1"), (joined, bed.ids["plaintiff"])):
            assert answer["relay_only"]
            stun, turn = answer["ice_servers"]
            assert (stun["urls"], turn["urls"]) == (["stun:stun.court.cn"], ["turn:turn.court.cn"])
            assert turn["username"].endswith(f":{person_id}")
            assert made_by("north", turn)
            assert "north" not in str(answer)


async def docket_row(bed: Bed, reader: str) -> dict[str, Any]:
    visitor = await bed.person(reader)
    _, item = await visitor.get(f"/api/hearings/{bed.hearing_id}")
    row: dict[str, Any] = next(one for one in item["participants"] if one["id"] == bed.ids["plaintiff"])
    return row


@pytest.mark.parametrize(("grade", "status"), [("good", "tested"), ("poor", "tested"), ("failed", "test_failed")])
async def test_the_clerk_sees_the_result_and_others_do_not(tmp_path: Path, grade: str, status: str) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        sent = await someone.post("/api/self-test", {**DEVICES, "network": {**GOOD, "grade": grade}})
        assert sent[0] == 204
        row = await docket_row(bed, "clerk")
        assert (row["status"], row["network"]) == (status, grade)
        assert (await docket_row(bed, "defendant"))["network"] is None


async def test_a_check_without_the_network_stays_valid(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        assert (await someone.post("/api/self-test", DEVICES))[0] == 204
        row = await docket_row(bed, "clerk")
        assert (row["status"], row["network"]) == ("tested", None)


@pytest.mark.parametrize("wrong", [{"up_loss": 2}, {"rtt_ms": -1}, {"path": "pigeon"}, {"grade": "superb"}])
async def test_impossible_results_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        status, body = await someone.post("/api/self-test", {**DEVICES, "network": {**GOOD, **wrong}})
        assert (status, body["code"], body["field"]) == (400, "bad_field", f"network.{next(iter(wrong))}")


async def test_an_absent_worker_is_said(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        someone = await bed.person("plaintiff")
        bed.media.away = True
        status, body = await someone.post(TESTS)
        assert (status, body["code"]) == (503, "media_unreachable")
