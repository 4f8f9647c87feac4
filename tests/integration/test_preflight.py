"""宣布开庭 only when the sitting can be recorded, or with a reason that stays in the record (J3); faults reach bench and ledger."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hearing import events as e
from hearing.ledger import read_entry
from hearing.model import SittingId
from storage.clock import SystemClock
from tests.integration.signaling_bed import MEDIA_URL, Bed, Browser, court_house, until

NOW = SystemClock().now().isoformat()
GOOD = {"code": "ok", "since": NOW}
ALIVE = {"type": "worker.alive", "sittings": [], "spool_free_bytes": 900 * 1024**3, "control_url": MEDIA_URL}
HEALTHY = {
    "type": "store.health", "host": "m1", "a": GOOD, "b": GOOD, "shipping": GOOD, "backlog_segments": 0, "backlog_bytes": 0,
    "oldest_age_s": 0.0, "spool_free_bytes": 900 * 1024**3,
}  # fmt: skip
BENCH_KEYS = ("presiding", "judge", "assessor", "clerk")


async def bench(bed: Bed, *keys: str) -> dict[str, Browser]:
    people = {key: await bed.joined(key) for key in keys or BENCH_KEYS}
    assert (await people["presiding"].send("sitting.open_lobby"))["ok"]
    return people


async def checks(browser: Browser, bed: Bed) -> dict[str, str]:
    status, body = await browser.get(f"/api/sittings/{bed.sitting_id}/preflight")
    assert status == 200, body
    return {check["code"]: check["state"] for check in body["checks"]}


async def events_of(bed: Bed) -> list[e.Event]:
    return [read_entry(sealed.entry).event for sealed in await bed.parts.hearings.ledger(SittingId(bed.sitting_id))]


async def test_all_green_opens_and_needs_no_reason(tmp_path: Path) -> None:
    async with court_house(tmp_path, preflight=True) as bed:
        await bed.report(ALIVE, HEALTHY)
        people = await bench(bed)
        found = await checks(people["presiding"], bed)
        assert {code for code, state in found.items() if state == "fail"} == set()
        assert found["recorder"] == found["store_a"] == found["store_b"] == found["panel"] == "ok"
        assert found["parties"] == "warn", "the parties are told of, not waited for"
        assert (await people["presiding"].send("sitting.open"))["ok"]
        assert not any(isinstance(event, e.PreflightOverridden) for event in await events_of(bed))


async def test_what_is_red_refuses_until_a_reason_is_given_and_the_reason_stays(tmp_path: Path) -> None:
    async with court_house(tmp_path, preflight=True) as bed:
        away = {**HEALTHY, "b": {"code": "unreachable", "since": NOW}}
        await bed.report(ALIVE, away)
        judge = (await bench(bed, "presiding", "judge", "clerk"))["presiding"]
        refused = await judge.send("sitting.open")
        assert refused["error"]["code"] == "preflight_failed"
        assert "第二份存储无法连接" in refused["error"]["message"]
        assert "人民陪审员陪审员丙尚未进入法庭" in refused["error"]["message"]
        assert (await judge.send("sitting.open", override_reason="   "))["error"]["field"] == "override_reason"
        assert (await judge.send("sitting.open", override_reason="第二份存储正在检修，经报告院长同意开庭"))["ok"]
        overridden, opened = (await events_of(bed))[-2:]
        assert overridden == e.PreflightOverridden(overridden.at, "store_b panel", "第二份存储正在检修，经报告院长同意开庭")
        assert isinstance(opened, e.SittingOpened)
        assert opened.at == overridden.at


@pytest.mark.parametrize(
    ("break_it", "code"),
    [({"away": True}, "recorder"), ({"spool": "io_error"}, "recorder"), ({"spool": "differs"}, "recorder"), ({}, "shipper")],
)
async def test_each_failure_is_named(tmp_path: Path, break_it: dict[str, Any], code: str) -> None:
    async with court_house(tmp_path, preflight=True) as bed:
        await bed.report(ALIVE, *([HEALTHY] if break_it else []))
        judge = (await bench(bed))["presiding"]
        for name, value in break_it.items():
            setattr(bed.media, name, value)
        assert (await checks(judge, bed))[code] == "fail"
        assert (await judge.send("sitting.open"))["error"]["code"] == "preflight_failed"


async def test_without_disk_no_reason_opens(tmp_path: Path) -> None:
    async with court_house(tmp_path, preflight=True) as bed:
        await bed.report({**ALIVE, "spool_free_bytes": 1}, {**HEALTHY, "spool_free_bytes": 1})
        judge = (await bench(bed))["presiding"]
        assert (await checks(judge, bed))["spool"] == "fail"
        assert (await judge.send("sitting.open", override_reason="必须开"))["error"]["code"] == "spool_full"


async def test_only_the_bench_sees_the_checks(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        for key in ("plaintiff", "observer"):
            status, _ = await (await bed.person(key)).get(f"/api/sittings/{bed.sitting_id}/preflight")
            assert status == 403


async def test_a_fault_is_red_for_the_bench_and_stands_in_the_ledger_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        await bed.report(HEALTHY)
        plaintiff, clerk = await bed.joined("plaintiff"), await bed.joined("clerk")
        judge = await bed.in_session()
        track = f"{bed.ids['plaintiff']}-audio"
        well = {
            "type": "recorder.health", "sitting_id": bed.sitting_id, "ok": True, "tracks": 3, "written_bytes": 9, "detail": "",
            "faults": [],
        }  # fmt: skip
        fault = {"track_id": track, "code": "track_silent", "evidence": "nothing new on the disk for 7 s", "until_ms": 1200}
        await until(lambda: judge.view["recording"] == "starting")
        await bed.report(well)
        await until(lambda: judge.view["recording"] == "on" and not judge.view["alarms"])
        await bed.report({**well, "ok": False, "detail": "track_silent", "faults": [fault]})
        await until(
            lambda: [a["code"] for a in judge.view["alarms"]] == ["track_silent"] and judge.view["alarms"][0]["since_at"]
        )
        [alarm] = judge.view["alarms"]
        assert (alarm["severity"], alarm["tracks"]) == ("fault", [track])
        assert "请技术人员处理" in alarm["advice"]
        await until(lambda: clerk.view["alarms"] == judge.view["alarms"])
        assert plaintiff.view["recording"] == "fault", "everybody learns that it is not recorded"
        assert plaintiff.view["alarms"] == [], "why is for the bench"
        beating = asyncio.create_task(_repeat(bed, well))
        await until(lambda: judge.view["recording"] == "on" and not judge.view["alarms"])
        async with asyncio.timeout(15):
            while not any(isinstance(event, e.FaultEnded) for event in await events_of(bed)):
                await asyncio.sleep(0.2)
        beating.cancel()
        told = [event for event in await events_of(bed) if isinstance(event, e.FaultBegan | e.FaultEnded)]
        assert [(type(event), event.code) for event in told] == [(e.FaultBegan, "track_silent"), (e.FaultEnded, "track_silent")]
        assert isinstance(told[0], e.FaultBegan)
        assert (told[0].tracks, "read back until 1200 ms" in told[0].evidence) == (track, True)


async def _repeat(bed: Bed, report: dict[str, Any]) -> None:
    while True:
        await bed.report(report)
        await asyncio.sleep(0.5)


async def test_a_store_that_is_away_is_a_warning_and_no_fault(tmp_path: Path) -> None:
    async with court_house(tmp_path) as bed:
        await bed.report({**HEALTHY, "a": {"code": "timeout", "since": NOW}})
        judge = await bed.in_session()
        await until(lambda: judge.view["recording"] == "starting")
        await bed.report(
            {"type": "recorder.health", "sitting_id": bed.sitting_id, "ok": True, "tracks": 1, "written_bytes": 1, "detail": ""}
        )
        await until(lambda: judge.view["recording"] == "on")
        [alarm] = judge.view["alarms"]
        assert (alarm["code"], alarm["severity"]) == ("store_a_timeout", "warning")
        assert "可继续开庭" in alarm["advice"]
        assert not any(isinstance(event, e.FaultBegan) for event in await events_of(bed))
