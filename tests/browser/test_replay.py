"""A record replayed by real Chromium: three speakers in sync as heard, jumps, chosen voices, sealed parts, the access log."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from sqlalchemy import select, update

from hearing import events as law
from hearing.model import Participant, Role, Stage
from storage import tables as t
from tests.browser.people import FLAGS, chromium
from tests.browser.replayed_court import (
    RATE_HZ,
    TINTS,
    Replayed,
    at,
    audio_segments,
    replayed_court,
    sound,
    video_segments,
)
from tests.browser.scene import until
from tests.integration.signaling_bed import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

DURATION_MS = 40_000
RECESS = (20_000, 24_000)
SPEAKERS = (Role.PRESIDING_JUDGE, Role.PLAINTIFF, Role.DEFENDANT)
SPEECH: dict[Role, tuple[tuple[int, int, str], ...]] = {
    Role.PRESIDING_JUDGE: (
        (500, 5000, "现在开庭。请原告陈述诉讼请求和事实、理由。"),
        (14_000, 18_000, "被告是否认可借条的真实性？"),
    ),
    Role.PLAINTIFF: ((5500, 13_000, "请求判令被告归还借款本金五万元，并支付利息。二〇二四年三月，被告向我借款，写有借条。"),),
    Role.DEFENDANT: ((25_000, 31_000, "借条是我写的，但是我已经还了两万元，有转账凭证。"),),
}
SYNC_MS = 60.0  # two tracks as heard; the 100 ms with room for what the browser adds
SEEK_MS = 1000.0
SLACK = 3.0  # a busy machine

CAPTURE = """
async (ids) => {
  const context = new AudioContext({ sampleRate: 48000 });
  await context.resume();
  const merger = context.createChannelMerger(ids.length);
  ids.forEach((id, i) => {
    const source = context.createMediaElementSource(document.querySelector(`audio[data-track="${id}"]`));
    source.connect(merger, 0, i);
  });
  const heard = (window.__heard = ids.map(() => []));
  const recorder = context.createScriptProcessor(4096, ids.length, 1);
  recorder.onaudioprocess = (event) => ids.forEach((_, i) => heard[i].push(event.inputBuffer.getChannelData(i).slice()));
  merger.connect(recorder);
  recorder.connect(context.destination);
  window.__recorder = recorder;
}
"""
"""Two players' sound goes through one audio clock, so that their offset is that of what is heard."""

HEARD = """
() => window.__heard.map((blocks) => {
  const all = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) { all.set(block, at); at += block.length; }
  const bytes = new Uint8Array(all.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
})
"""

SEEK = """
async ({ to_ms }) => {
  const room = document.querySelector('[data-testid="record-play"]');
  const head = document.querySelector('[data-testid="record-playhead"]');
  const lanes = head.parentElement.getBoundingClientRect();
  const x = lanes.left + lanes.width * to_ms / (Number(head.getAttribute("aria-valuemax")) * 1000);
  const lane = document.querySelector('[data-testid="record-lane-speaker"] .track');
  const y = lane.getBoundingClientRect().top + 2;
  const begin = performance.now();
  for (const type of ["pointerdown", "pointerup"])
    lane.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX: x, clientY: y, pointerId: 1 }));
  const media = [...document.querySelectorAll("audio[data-coverage=ready], audio[data-coverage=loading]")];
  const there = () => room.dataset.state === "playing" && media.some((one) => !one.seeking && !one.paused
    && one.readyState >= 3 && one.currentTime * 1000 > to_ms - 400 && one.currentTime * 1000 < to_ms + 3000);
  while (!there()) {
    if (performance.now() - begin > 20000) return -1;
    await new Promise((done) => setTimeout(done, 5));
  }
  return performance.now() - begin;
}
"""
"""Press the timeline, and wait until sound runs at the new place; milliseconds."""


async def record_forty_seconds(court: Replayed) -> None:
    """开庭, three speakers, a recess, an exhibit-less end; the defendant's picture changes its size on the way."""
    judge = court.person(Role.PRESIDING_JUDGE)
    stages = ((500, Stage.IDENTITY), (5200, Stage.INVESTIGATION), (13_500, Stage.EVIDENCE), (31_000, Stage.DEBATE))
    events: list[tuple[law.Event, Participant]] = [(law.LobbyOpened(at(-60_000)), judge)]
    events += [(law.ParticipantEntered(at(-50_000 + i), person.id), person) for i, person in enumerate(court.people)]
    events.append((law.SittingOpened(at(0)), judge))
    before = Stage.OPENING
    for t_ms, stage in stages:
        events.append((law.StageEntered(at(t_ms), stage, before), judge))
        before = stage
    events += [(law.SittingAdjourned(at(RECESS[0]), None), judge), (law.SittingResumed(at(RECESS[1])), judge)]
    events.append((law.SittingClosed(at(DURATION_MS)), judge))
    await court.tell(sorted(events, key=lambda told: told[0].at))
    for number, role in enumerate(SPEAKERS):
        person = court.person(role)
        samples = sound(DURATION_MS, 180 + 60 * number, [(t0, t1) for t0, t1, _ in SPEECH[role]])
        runs = ((40 * number, RECESS[0]), (RECESS[1] + 40 * number, DURATION_MS))
        await keep(court, person, "audio", [one for run in runs for one in audio_segments(samples, run, 9960 - 1000 * number)])
        wide = (320, 240) if role is Role.DEFENDANT else (320, 180)
        pictures = [
            one for run in runs for one in video_segments(run, lambda i, w=wide: w if i % 2 else (160, 90), TINTS[number])
        ]  # type: ignore[misc]
        await keep(court, person, "video", pictures)
    await court.write_segments()
    await court.say([(court.person(role).id, t0, t1, text) for role in SPEAKERS for t0, t1, text in SPEECH[role]])
    await court.close_the_sitting()


async def keep(court: Replayed, person: Participant, kind: str, segments: Any) -> None:
    track_id = f"{person.id}-{kind}"
    for index, (span, data) in enumerate(segments):
        court.add_segment(track_id, kind, index, span, data)
        await court.bed.parts.store.put(court.rows[-1]["object_key"], data)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, "--enable-precise-memory-info"])
        try:
            yield started
        finally:
            await started.close()


async def open_record(started: Browser, court: Replayed, key: str, size: tuple[int, int] = (1440, 900)) -> Page:
    """The record page of this person; it has loaded, nothing plays yet."""
    context = await started.new_context(
        viewport={"width": size[0], "height": size[1]}, locale="zh-CN", timezone_id="Asia/Shanghai", base_url=court.bed.url
    )
    if key in {"presiding", "clerk"}:
        login = {"presiding": "judge_1", "clerk": "clerk_1"}[key]
        answer = await context.request.post("/api/sign-in", data={"login": login, "password": PASSWORD})
    else:
        token = (await court.bed.fresh_link(key)).rpartition("/")[2]
        answer = await context.request.post("/api/link", data={"token": token})
    assert answer.ok, await answer.text()
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page threw {error}"))
    await page.goto(f"/sittings/{court.sitting_id}/record")
    await expect(page.get_by_test_id("record-room")).to_be_visible(timeout=30_000)
    return page


async def playing(page: Page) -> None:
    await expect(page.get_by_test_id("record-play")).to_have_attribute("data-state", "playing", timeout=20_000)


def apart_ms(first: np.ndarray, second: np.ndarray, reach_ms: int = 400) -> list[float]:
    """For every clap heard in the first track, how much later the second has it, by cross-correlation."""
    found: list[float] = []
    reach = reach_ms * RATE_HZ // 1000
    loud = np.flatnonzero(np.abs(first) > 0.2)
    while loud.size:
        clap = int(loud[0])
        piece, around = first[clap - 240 : clap + 720], second[clap - 240 - reach : clap + 720 + reach]
        if clap > 240 + reach and len(piece) == 960 and len(around) == 960 + 2 * reach and np.abs(around).max() > 0.1:
            found.append((int(np.argmax(np.correlate(around, piece, "valid"))) - reach) * 1000 / RATE_HZ)
        loud = loud[loud > clap + RATE_HZ]
    return found


async def hear(page: Page, ids: list[str], seconds: float) -> list[np.ndarray]:
    await page.evaluate("() => window.__heard.forEach((blocks) => blocks.splice(0))")
    await page.wait_for_timeout(seconds * 1000)
    return [np.frombuffer(base64.b64decode(text), dtype=np.float32) for text in await page.evaluate(HEARD)]


async def shot(page: Page, name: str) -> None:
    """A picture of the page where COURT_SHOTS names a folder."""
    if folder := os.environ.get("COURT_SHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png")


async def test_three_speakers_are_replayed_in_sync(tmp_path: Path) -> None:
    async with replayed_court(tmp_path, DURATION_MS) as court, browser() as started:
        await record_forty_seconds(court)
        await court.seal()
        page = await open_record(started, court, "clerk")
        ids = [f"{court.person(role).id}-audio" for role in SPEAKERS]
        await page.evaluate(CAPTURE, ids)
        await page.get_by_test_id("record-play").click()
        await playing(page)
        heard = await hear(page, ids, 5.5)
        await shot(page, "record-1440")
        offsets = [offset for other in heard[1:] for offset in apart_ms(heard[0], other)]
        print(f"clap between tracks as played, ms: {[round(one, 1) for one in offsets]}")
        assert len(offsets) >= 2, [len(one) / RATE_HZ for one in heard]
        assert max(map(abs, offsets)) < SYNC_MS * SLACK
        assert float(np.median(np.abs(offsets))) < SYNC_MS

        took = [await page.evaluate(SEEK, {"to_ms": to}) for to in (33_000, 12_000, 36_000, 2000, 27_000)]
        print(f"jump until sound runs, ms: {[round(one) for one in took]}")
        assert min(took) > 0
        assert sorted(took)[len(took) // 2] < SEEK_MS * SLACK
        after = await hear(page, ids, 4)
        again = [offset for other in after[1:] for offset in apart_ms(after[0], other)]
        print(f"the same after five jumps, ms: {[round(one, 1) for one in again]}")
        assert again
        assert float(np.median(np.abs(again))) < SYNC_MS


async def rows_of(court: Replayed, what: str) -> list[Any]:
    async with court.bed.parts.database.read() as connection:
        return list((await connection.execute(select(t.access_log).where(t.access_log.c.what == what))).all())


async def test_a_reader_chooses_what_to_hear_and_every_view_is_logged(tmp_path: Path) -> None:
    async with replayed_court(tmp_path, DURATION_MS) as court, browser() as started:
        await record_forty_seconds(court)
        await court.seal()
        page = await open_record(started, court, "clerk", (390, 844))
        await expect(page.get_by_test_id("record-layout")).to_have_value("speaker")
        await page.get_by_test_id("record-layout").select_option("court")
        plaintiff, defendant = court.person(Role.PLAINTIFF).id, court.person(Role.DEFENDANT).id
        await page.get_by_test_id("record-voices-open").click()
        voice = page.locator(f'[data-testid="record-voice"][data-participant="{defendant}"]')
        await voice.get_by_role("checkbox").uncheck()
        await page.get_by_test_id("record-speed").select_option("2")
        await page.get_by_test_id("record-play").click()
        await playing(page)
        if "COURT_SHOTS" in os.environ:
            await page.get_by_test_id("record-voices-open").click()
            await page.get_by_test_id("record-layout").select_option("speaker")
            await page.evaluate("scrollTo(0, 0)")
            await page.wait_for_timeout(3000)
            await shot(page, "record-390")

        async def plays(track_id: str) -> Any:
            return await page.evaluate(
                "(id) => { const one = document.querySelector(`audio[data-track='${id}']`); return [one.paused, one.preservesPitch, one.playbackRate]; }",
                track_id,
            )

        async def heard() -> bool:
            paused, pitch_kept, rate = await plays(f"{plaintiff}-audio")
            return not paused and pitch_kept and rate > 1.5

        await until("the plaintiff is heard at twice the speed, pitch kept", heard, within_s=20)
        assert (await plays(f"{defendant}-audio"))[0], "a muted person is not played"
        time = page.get_by_test_id("record-time")
        await until("the recess is skipped", lambda: beyond(time, RECESS[1]), within_s=40)
        await page.get_by_test_id("record-play").click()
        (opened,) = await rows_of(court, "record")
        assert (opened.sitting_id, len(opened.view_id)) == (court.sitting_id, 8)
        assert opened.view_id in await page.get_by_test_id("record-watermark").inner_text()

        async def told() -> bool:
            return bool(await rows_of(court, "watched"))

        await until("the page tells what it played", told, within_s=20)
        watched = await rows_of(court, "watched")
        assert {row.view_id for row in watched} == {opened.view_id}
        assert not any(row.t0_ms < RECESS[1] - 300 and row.t1_ms > RECESS[0] + 300 for row in watched), (
            "the recess was not played"
        )
        assert [(row.t0_ms, row.t1_ms) for row in await rows_of(court, "play")] == [(0, 60_000)]
        await page.reload()
        await expect(page.get_by_test_id("record-resumed")).to_be_visible()
        assert await beyond(page.get_by_test_id("record-time"), RECESS[1] - 1)


async def beyond(time: Any, t_ms: int) -> bool:
    return int(await time.get_attribute("data-ms")) >= t_ms


async def test_a_sealed_stretch_is_kept_from_a_party_and_the_network_may_go_away(tmp_path: Path) -> None:
    async with replayed_court(tmp_path, DURATION_MS) as court, browser() as started:
        await record_forty_seconds(court)
        sealed = (t.segments.c.sitting_id == court.sitting_id) & (
            t.segments.c.track_id == f"{court.person(Role.DEFENDANT).id}-audio"
        )
        async with court.bed.parts.database.transaction() as connection:
            await connection.execute(update(t.segments).where(sealed, t.segments.c.index == 0).values(access="sealed"))
        page = await open_record(started, court, "plaintiff")
        kept = await page.evaluate(
            """async ({ sitting, track }) => {
              const page = await (await fetch(`/api/sittings/${sitting}/segments/0`)).json();
              const flat = page.tracks.find((one) => one.track_id === track).segments;
              const status = async (n) => (await fetch(`/api/sittings/${sitting}/tracks/${track}/segments/${n}.webm`)).status;
              return [flat[0], await status("000000"), await status("000001")];
            }""",
            {"sitting": court.sitting_id, "track": f"{court.person(Role.DEFENDANT).id}-audio"},
        )
        assert kept == [1, 404, 200]
        await page.get_by_test_id("record-player").focus()
        await page.keyboard.press("Space")
        await playing(page)
        await page.context.set_offline(True)
        await page.get_by_test_id("record-lane-stage").last.click()
        await page.keyboard.press("Alt+BracketRight")
        await expect(page.get_by_test_id("record-trouble")).to_be_visible(timeout=40_000)
        await page.context.set_offline(False)
        await expect(page.get_by_test_id("record-trouble")).to_have_count(0, timeout=20_000)
