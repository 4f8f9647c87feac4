"""Media follows the law: tables in order, retried, sent again after a restart; silence becomes a technical suspension."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import func, select

from hearing.audience import RECORDER
from hearing.model import SittingId
from storage import tables as t
from tests.integration.signaling_bed import INTERNAL, MEDIA_URL, Bed, FakeMedia, court_house, parts_for, running, until

ALIVE = {"type": "worker.alive", "sittings": [], "spool_free_bytes": 900 * 1024**3}
STARTED = {"type": "worker.started", "control_url": MEDIA_URL}


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncIterator[Bed]:
    async with court_house(tmp_path) as bed:
        yield bed


async def state_of(bed: Bed) -> str:
    return (await bed.parts.hearings.load(SittingId(bed.sitting_id)))[1].state.value


async def test_every_act_sends_its_table_in_order(bed: Bed) -> None:
    judge, plaintiff = await bed.in_session(), await bed.joined("plaintiff")
    ack = await judge.send("participant.mute", participant_id=bed.ids["plaintiff"])
    await until(lambda: bed.media.tables and bed.media.tables[-1].number == ack["number"])
    numbers = [table.number for table in bed.media.tables]
    assert numbers == sorted(set(numbers))
    opened = next(table for table in bed.media.tables if any(RECORDER in grant.receivers for grant in table.grants))
    assert opened.effective_at == opened.opened_at, "recording begins with 宣布开庭"
    heard = {grant.source for grant in bed.media.tables[-1].grants if grant.kind.value == "audio"}
    assert bed.ids["plaintiff"] not in heard
    assert (await bed.parts.hearings.worker_of(SittingId(bed.sitting_id))) == MEDIA_URL
    assert plaintiff.socket.connected


async def test_tables_wait_for_a_worker_that_is_away_and_closing_closes(bed: Bed) -> None:
    judge = await bed.in_session()
    bed.media.away = True
    ack = await judge.send("sitting.close")
    assert ack["ok"], "the law does not wait for media"
    await asyncio.sleep(0.5)
    assert not bed.media.closed
    bed.media.away = False
    await until(lambda: bed.media.closed == [bed.sitting_id])
    assert bed.media.tables[-1].number == ack["number"]
    assert bed.media.tables[-1].grants == ()


async def test_a_restarted_worker_gets_all_tables_and_browsers_are_told(bed: Bed) -> None:
    judge = await bed.in_session()
    await until(lambda: bed.media.tables)
    known = len(bed.media.tables)
    assert (await bed.report(STARTED))[1] == {"taken": 1, "refused": 0}
    await until(lambda: len(bed.media.tables) > known)
    await until(lambda: judge.named("media.lost") == [{"reason": "worker_restarted"}])
    again = bed.media.tables[-1]
    assert any(RECORDER in grant.receivers for grant in again.grants)


async def test_a_worker_that_died_while_closing_is_told_again(bed: Bed) -> None:
    judge = await bed.in_session()
    await judge.send("sitting.close")
    await until(lambda: bed.media.closed == [bed.sitting_id])
    assert (await bed.report(STARTED))[1] == {"taken": 1, "refused": 0}
    await until(lambda: bed.media.closed == [bed.sitting_id] * 2)


async def test_silence_is_told_and_becomes_a_technical_suspension(tmp_path: Path) -> None:
    async with court_house(tmp_path, media_silence_s=0.6, suspend_after_s=1.5) as bed:
        judge = await bed.joined("presiding")
        beating = asyncio.create_task(beat(bed))
        await judge.send("sitting.open_lobby")
        assert (await judge.send("sitting.open"))["ok"]
        beating.cancel()
        await until(lambda: {"reason": "unreachable"} in judge.named("media.lost"))
        await until(lambda: judge.view["state"] == "tech_suspended")
        await bed.report(ALIVE)
        beating = asyncio.create_task(beat(bed))
        assert (await judge.send("sitting.resume"))["ok"], "the judge resumes by hand"
        await asyncio.sleep(1.0)
        assert await state_of(bed) == "in_session"
        beating.cancel()


async def beat(bed: Bed, url: str = MEDIA_URL) -> None:
    while True:
        await bed.report({**ALIVE, "control_url": url})
        await asyncio.sleep(0.1)


async def test_recording_is_shown_as_it_is(tmp_path: Path) -> None:
    async with court_house(tmp_path, recorder_silence_s=1.0) as bed:
        judge = await bed.joined("presiding")
        await judge.send("sitting.open_lobby")
        await until(lambda: judge.view["recording"] == "off")
        await judge.send("sitting.open")
        await until(lambda: judge.view["recording"] == "starting")
        health = {
            "type": "recorder.health",
            "sitting_id": bed.sitting_id,
            "ok": True,
            "tracks": 2,
            "written_bytes": 9000,
            "detail": "",
        }
        await bed.report(health)
        await until(lambda: judge.view["recording"] == "on")
        await bed.report({**health, "ok": False, "detail": "errno 28"})
        await until(lambda: (judge.view["recording"], judge.view["recording_detail"]) == ("fault", "录制磁盘已满"))
        await bed.report(health)
        await until(lambda: judge.view["recording"] == "on")
        await until(lambda: judge.view["recording"] == "fault")  # no report for a second
        await judge.send("sitting.adjourn")
        await until(lambda: judge.view["recording"] == "stopped")


async def test_the_media_commands_reach_the_worker(bed: Bed) -> None:
    judge = await bed.in_session()
    ack = await judge.send("media.connect")
    assert [offer["connection"] for offer in ack["offers"]] == ["up", "down"]
    answered = await judge.send("media.answer", peer_id=ack["peer_id"], connection="up", revision=1, sdp="v=0 mine")
    assert answered["ok"]
    assert ("answer", ack["peer_id"], "up", 1, "v=0 mine") in bed.media.calls
    restarted = await judge.send("media.restart_ice", peer_id=ack["peer_id"], connection="down")
    assert restarted["offers"][0]["revision"] == 2
    offer = {"type": "offer.made", "sitting_id": bed.sitting_id, "participant_id": bed.ids["presiding"], "peer_id": ack["peer_id"],
             "connection": "down", "revision": 3, "sdp": "v=0 more"}  # fmt: skip
    await bed.report(offer)
    await until(lambda: judge.named("media.offered"))
    assert judge.named("media.offered")[0] == {
        "peer_id": ack["peer_id"], "offer": {"connection": "down", "revision": 3, "sdp": "v=0 more"},
    }  # fmt: skip
    lost = {
        "type": "peer.state",
        "sitting_id": bed.sitting_id,
        "participant_id": bed.ids["presiding"],
        "peer_id": ack["peer_id"],
        "state": "lost",
    }
    await bed.report(lost)
    await until(lambda: {"reason": "peer_lost"} in judge.named("media.lost"))
    bed.media.away = True
    refused = await judge.send("media.connect")
    assert refused["error"]["code"] == "media_unreachable"


def segment(bed: Bed, index: int = 0) -> dict[str, Any]:
    track = f"{bed.ids['plaintiff']}-audio"
    return {
        "type": "segment.stored", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "track_id": track, "kind": "audio",
        "codec": "opus", "index": index, "t0_ms": 0, "t1_ms": 10_000, "started_at": "2026-11-21T01:00:00.000Z", "bytes": 9, "sha256": "a" * 64,
        "sm3": "b" * 64, "prev_sha256": "", "object_key": f"courts/court_test/sittings/{bed.sitting_id}/tracks/{track}/{index:06d}.webm",
        "packets": 500, "lost_packets": 0, "filled_ms": 0, "muted_ms": 0, "closed_by": "rotate",
    }  # fmt: skip


async def test_reports_that_come_twice_change_nothing(bed: Bed) -> None:
    await bed.in_session()
    gap = {"type": "gap.found", "sitting_id": bed.sitting_id, "participant_id": bed.ids["plaintiff"], "kind": "audio", "t0_ms": 0,
           "t1_ms": 500, "cause": "media_restart"}  # fmt: skip
    finished = {"type": "recording.finished", "sitting_id": bed.sitting_id,
                "tracks": [{"track_id": segment(bed)["track_id"], "segments": 1, "last_sha256": "a" * 64}]}  # fmt: skip
    for _ in range(2):
        assert (await bed.report(segment(bed), gap, finished))[1] == {"taken": 3, "refused": 0}
    async with bed.parts.database.read() as connection:
        counts = [
            (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (t.segments, t.track_ends)
        ]
    assert counts == [1, 1]
    entries = await bed.parts.hearings.ledger(SittingId(bed.sitting_id))
    assert sum(b'"record.gap_recorded"' in entry.entry for entry in entries) == 1


async def test_a_report_nobody_can_use_does_not_block_the_others(bed: Bed) -> None:
    await bed.in_session()
    unknown = {**segment(bed), "sitting_id": "sit_none"}
    stranger = {**segment(bed), "participant_id": "part_none"}
    status, body = await bed.report(unknown, stranger, {"type": "nonsense"}, {"type": "worker.alive"}, segment(bed))
    assert (status, body) == (200, {"taken": 1, "refused": 4})


async def test_internal_doors_are_on_the_internal_port_alone(tmp_path: Path) -> None:
    async with court_house(tmp_path, internal_port=1) as bed:
        assert (await bed.report({"type": "worker.alive"}))[0] == 404


async def test_internal_doors_are_locked(bed: Bed) -> None:
    async with aiohttp.ClientSession(bed.url) as session:
        for method, path in (
            ("POST", "/internal/media/reports"), ("POST", "/internal/utterances"), ("GET", "/internal/utterances/heads"),
            ("POST", "/internal/jobs"), ("POST", "/internal/captions/progress"), ("GET", "/metrics"),
        ):  # fmt: skip
            async with session.request(method, path, json={}, headers={"Authorization": "Bearer wrong"}) as response:
                assert (response.status, (await response.json())["code"]) == (401, "bad_internal_token")
        job = {"kind": "refill", "payload": {"sitting_id": bed.sitting_id, "track_id": "x", "t0_ms": 0, "t1_ms": 5}}
        async with session.post("/internal/jobs", json=job, headers=INTERNAL) as response:
            assert response.status == 200
        async with session.post("/internal/jobs", json={**job, "kind": "seal"}, headers=INTERNAL) as response:
            assert (response.status, (await response.json())["field"]) == (400, "kind")
        async with session.get("/internal/utterances/heads", headers=INTERNAL) as response:
            assert await response.json() == {"heads": {}}
        async with session.get("/metrics", headers=INTERNAL) as response:
            assert "court_http_requests_total" in await response.text()
        async with session.get("/healthz") as response:
            workers = {"media": False, "media_workers": {"media-1": False}}
            record = {"recording": ["shipper_silent"], "faulty_copies": 0}  # no shipper runs here
            record["captions"] = {"state": "off", "troubles": []}
            assert await response.json() == {"ok": True, "database": True, "store": True, **workers, **record}


async def test_a_restarted_signaling_goes_on_where_it_was(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        judge = await bed.in_session()
        await judge.send("stage.go", stage="identity")
    media = bed.media
    port = int(bed.url.rpartition(":")[2])
    parts = parts_for(tmp_path, port, media, court_id="court_test")
    media.tables.clear()
    async with running(parts):
        await until(lambda: media.tables)
        bed.parts, bed.browsers = parts, []
        again = await bed.joined("presiding")
        view = (await again.send("sitting.join"))["joined"]["sitting"]
        assert (view["state"], view["stage"]) == ("in_session", "identity")
        await again.close()
    await parts.database.close()


async def vouch(bed: Bed, url: str, **in_force: int) -> dict[str, Any]:
    """A sign of life of one worker; what signaling says to it."""
    alive = {**ALIVE, "sittings": list(in_force), "control_url": url, "in_force": in_force, "people": len(in_force)}
    status, word = await bed.report(alive)
    assert status == 200
    return dict(word)


async def test_a_table_that_was_lost_is_sent_again_within_a_second(bed: Bed) -> None:
    judge = await bed.in_session()
    ack = await judge.send("participant.mute", participant_id=bed.ids["plaintiff"])
    await until(lambda: bed.media.tables[-1].number == ack["number"])
    word = await vouch(bed, MEDIA_URL, **{bed.sitting_id: ack["number"]})
    assert (word["newest"], word["elsewhere"]) == ({bed.sitting_id: ack["number"]}, [])
    known = len(bed.media.tables)
    word = await vouch(bed, MEDIA_URL, **{bed.sitting_id: ack["number"] - 1})  # it holds an older one
    assert word["newest"] == {bed.sitting_id: ack["number"]}
    await until(lambda: len(bed.media.tables) > known)
    assert bed.media.tables[-1].number == ack["number"]
    known = len(bed.media.tables)
    await vouch(bed, MEDIA_URL)  # it does not hold the sitting at all
    await until(lambda: len(bed.media.tables) > known)


async def test_acts_are_in_force_within_moments_and_counted(bed: Bed) -> None:
    judge = await bed.in_session()
    for _ in range(5):
        await judge.send("participant.mute", participant_id=bed.ids["plaintiff"])
        await judge.send("participant.unmute", participant_id=bed.ids["plaintiff"])
    _, sitting = await bed.parts.hearings.load(SittingId(bed.sitting_id))
    await until(lambda: bed.media.tables[-1].number == sitting.ledger_number)
    late = {table.number: (at - table.effective_at).total_seconds() for table, at in bed.media.applied}
    assert sorted(late.values())[len(late) // 2] < 0.1, "usually; a busy machine may be late now and then"
    async with aiohttp.ClientSession(bed.url) as session, session.get("/metrics", headers=INTERNAL) as response:
        lines = (await response.text()).splitlines()
    counted = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}
    assert counted["court_grants_applied_seconds_count"] == len({table.number for table in bed.media.tables})
    assert counted['court_live_sittings{worker="media-1"}'] == 1
    assert not any(person in line for line in lines for person in (bed.sitting_id, bed.ids["plaintiff"]))


SECOND = "http://second.invalid"


async def test_what_a_dead_worker_held_goes_on_at_another(tmp_path: Path) -> None:
    second = FakeMedia()
    async with court_house(tmp_path, media_silence_s=0.6, move_after_s=1.2, other_media={SECOND: second}) as bed:
        judge = await bed.in_session()
        await until(lambda: bed.media.tables)
        assert (await bed.parts.hearings.worker_of(SittingId(bed.sitting_id))) == MEDIA_URL
        number = bed.media.tables[-1].number
        assert (await vouch(bed, SECOND, **{bed.sitting_id: number}))["elsewhere"] == [bed.sitting_id]
        bed.media.away = True
        beating = asyncio.create_task(beat(bed, SECOND))
        await until(lambda: second.tables)
        assert any(RECORDER in grant.receivers for grant in second.tables[-1].grants)
        await until(lambda: judge.named("media.lost")[-1:] == [{"reason": "worker_restarted"}])
        assert (await bed.parts.hearings.worker_of(SittingId(bed.sitting_id))) == SECOND
        assert (await judge.send("media.connect"))["ok"]
        assert any(call[0] == "connect" for call in second.calls)
        beating.cancel()
        bed.media.away = False  # it comes back: the sitting is not its own any more
        assert (await vouch(bed, MEDIA_URL, **{bed.sitting_id: number}))["elsewhere"] == [bed.sitting_id]
        assert (await judge.send("sitting.close"))["ok"]
        await until(lambda: second.closed == [bed.sitting_id])
        assert bed.media.closed == []


async def test_a_worker_that_answers_keeps_its_sittings(tmp_path: Path) -> None:
    second = FakeMedia()
    async with court_house(tmp_path, media_silence_s=0.4, move_after_s=0.8, other_media={SECOND: second}) as bed:
        await bed.in_session()
        beating = asyncio.create_task(beat(bed, SECOND))
        await asyncio.sleep(2.0)
        beating.cancel()
        assert (await bed.parts.hearings.worker_of(SittingId(bed.sitting_id))) == MEDIA_URL
        assert not second.tables


async def test_a_worker_of_another_start_holds_nothing(bed: Bed) -> None:
    await bed.in_session()
    word = await vouch(bed, "http://127.0.0.1:9", **{bed.sitting_id: 3})
    assert (word["newest"], word["elsewhere"]) == ({}, [bed.sitting_id])


async def test_a_new_socket_takes_the_running_peer_over(bed: Bed) -> None:
    judge = await bed.in_session()
    peer_id = (await judge.send("media.connect"))["peer_id"]
    await judge.socket.disconnect()
    await judge.connect(bed.sitting_id)
    assert (await judge.send("sitting.join"))["ok"]
    stale = await judge.send("media.answer", peer_id=peer_id, connection="down", revision=2, sdp="v=0")
    assert stale["error"]["code"] == "bad_field"
    assert (await judge.send("media.resume", peer_id=peer_id))["ok"]
    assert (await judge.send("media.answer", peer_id=peer_id, connection="down", revision=2, sdp="v=0"))["ok"]
    refused = await judge.send("media.resume", peer_id="peer_of_nobody")
    assert refused["error"]["code"] == "peer_unknown"


async def test_an_unreachable_worker_is_no_fault_of_ours(bed: Bed, capsys: pytest.CaptureFixture[str]) -> None:
    judge = await bed.in_session()
    bed.media.away = True
    assert (await judge.send("media.connect"))["error"]["code"] == "media_unreachable"
    assert "Traceback" not in "".join(capsys.readouterr())
