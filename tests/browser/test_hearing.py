"""A hearing with four people in four real Chromium processes: seen, heard, captioned, shown, reloaded, sealed, verified."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from record.verify import verify
from signaling.protocol import RecordView
from storage.clock import SystemClock
from tests.browser.people import chromium, launch, write_camera, write_microphone
from tests.browser.scene import Scene, account, come_in, open_sitting, sees_and_hears, set_down, until
from tests.rehearsing import ROOT
from transcripts.cer import compare, distance
from transcripts.script import Simplifier

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LOAN = ROOT / "rehearsals" / "speech" / "loan"
SPEAKS = {"presiding_judge": (10,), "clerk": (1,), "plaintiff": (12,), "defendant": (14,)}  # lines of the loan hearing
ROUND_S = 60.0
LISTEN_S = 75.0  # at least one round, whatever the moment the microphone was opened
SAME_BREATH_MS = 4_000  # much shorter than the rest of a round, in which the person is silent
LEAST_CHARACTERS = 10  # of a stretch that is judged: a word or two sounds like anybody's
CLOSER = 0.25  # a line is this much nearer to its own speaker's words than to anybody else's


@contextlib.asynccontextmanager
async def scene_with_people(folder: Path) -> AsyncIterator[Scene]:
    camera = folder / "camera.y4m"
    write_camera(camera)
    async with (
        temporary_server(folder, captions=True) as server,
        Door(server.base_url) as clerk,
        async_playwright() as playwright,
    ):
        scene = await set_down(server, clerk)
        try:
            for number, (key, lines) in enumerate(SPEAKS.items()):
                microphone = folder / f"{key}.wav"
                write_microphone(microphone, [voice(n, key) for n in lines], 1 + number * 13, ROUND_S)
                scene.people[key] = await launch(playwright, key, scene.ids[key], microphone, camera)
            yield scene
        finally:
            for person in scene.everyone():
                await person.browser.close()


def voice(line: int, key: str) -> Path:
    return LOAN / f"loan_{line:02d}_{key}.opus"


# --- what people do -----------------------------------------------------------------------------------


async def all_see_and_hear_all(scene: Scene) -> None:
    pairs = [(viewer, source) for viewer in scene.everyone() for source in scene.everyone() if viewer is not source]
    await asyncio.gather(*(sees_and_hears(viewer, source) for viewer, source in pairs))


async def show_exhibits(scene: Scene) -> None:
    """The judge shows one exhibit after another; everyone's page follows."""
    judge = scene.people["presiding_judge"]
    async with Door(scene.server.base_url) as judge_door:
        await judge_door.sign_in(account(scene.server, "judge"))
        # The bench submits for the court: enough for "everyone follows", and no second session of a party is needed.
        first = await judge_door.submit_exhibit(scene.created.hearing_id, ROOT / "rehearsals/exhibits/iou.pdf", "借条", "")
        second = await judge_door.submit_exhibit(
            scene.created.hearing_id, ROOT / "rehearsals/exhibits/transfer.png", "转账凭证", ""
        )
    for exhibit in (first, second):
        await judge.locate("exhibits-open").click()
        await judge.locate(f"exhibit-show-{exhibit.id}").click()
        for person in scene.everyone():
            shown = person.page.locator(f'[data-testid="exhibit-page"][data-exhibit="{exhibit.id}"][data-loaded="true"]')
            await expect(shown).to_be_visible()
    await judge.locate("exhibit-withdraw").click()
    for person in scene.everyone():
        await expect(person.locate("exhibit-page")).to_have_count(0)


async def reload_returns_to_the_seat(scene: Scene) -> None:
    defendant, judge = scene.people["defendant"], scene.people["presiding_judge"]
    await defendant.page.reload()
    await expect(defendant.locate("courtroom")).to_be_visible()
    await sees_and_hears(defendant, judge, voice_too=False)
    await sees_and_hears(judge, defendant, voice_too=False)
    await expect(judge.locate(f"tile-{defendant.participant_id}")).to_have_count(1)


async def close_and_fetch_record(scene: Scene) -> RecordView:
    judge = scene.people["presiding_judge"]
    await judge.locate("close-sitting").click()
    await judge.locate("close-dialog").get_by_test_id("dialog-confirm").click()

    async def sealed() -> bool:
        with contextlib.suppress(Exception):  # the record is not there before the sitting is closed
            return (await scene.clerk.record(scene.created.sitting_id)).proof.state != "sealing"
        return False

    await until("the record is sealed", sealed, within_s=120)
    return await scene.clerk.record(scene.created.sitting_id)


# --- what must come of it -----------------------------------------------------------------------------


def nearness(caption: str, text: str, simplify: Simplifier) -> float:
    """Error rate of a caption against the stretch of `text` it fits best: a caption may be part of what was said."""
    size = max(1, len(caption))
    stretches = {
        text[start : start + size + extra] for extra in (-1, 0, 1) for start in range(max(1, len(text) - size - extra + 1))
    }
    return min(compare(stretch, caption, simplify).rate for stretch in stretches if stretch)


def captions_belong_to_their_speakers(record: RecordView, ids: dict[str, str]) -> None:
    texts = spoken_texts()
    simplify = Simplifier()
    keys = {participant_id: key for key, participant_id in ids.items()}
    stretches = [stretch for stretch in spoken_stretches(record) if len(stretch[1]) >= LEAST_CHARACTERS]
    assert {keys[participant_id] for participant_id, _ in stretches} == set(SPEAKS), f"not everyone was captioned: {stretches}"
    wrong = []
    for participant_id, text in stretches:
        rates = {key: min(nearness(text, line, simplify) for line in lines) for key, lines in texts.items()}
        own = rates.pop(keys[participant_id])
        if min(rates.values()) - own < CLOSER:
            wrong.append((keys[participant_id], text, own, rates))
    assert not wrong, wrong


def spoken_stretches(record: RecordView) -> list[tuple[str, str]]:
    """Who, and the captions of one breath together: a line with pauses comes as several captions."""
    found: list[tuple[str, str]] = []
    ended: dict[str, int] = {}
    for line in sorted(
        (line for line in record.lines if line.kind == "speech"), key=lambda line: (line.participant_id or "", line.t0_ms)
    ):
        who = line.participant_id or ""
        if found and found[-1][0] == who and line.t0_ms - ended[who] < SAME_BREATH_MS:
            found[-1] = (who, found[-1][1] + line.text)
        else:
            found.append((who, line.text))
        ended[who] = line.t1_ms
    return found


def spoken_texts() -> dict[str, list[str]]:
    lines = json.loads((LOAN / "lines.json").read_text(encoding="utf-8"))
    return {key: [lines[number - 1]["text"] for number in numbers] for key, numbers in SPEAKS.items()}


def test_nearness_tells_speakers_apart() -> None:
    texts, simplify = spoken_texts(), Simplifier()
    part = texts["plaintiff"][0][2:14]
    assert nearness(part, texts["plaintiff"][0], simplify) == 0
    assert nearness(part, texts["clerk"][0], simplify) > CLOSER
    assert distance("", "abc") == 3


async def test_a_hearing_in_four_browsers(tmp_path: Path) -> None:
    chromium()
    expect.set_options(timeout=45_000)
    async with scene_with_people(tmp_path) as scene:
        judge = scene.people["presiding_judge"]
        await come_in(scene, judge)
        await judge.locate("open-lobby").click()
        await asyncio.gather(*(come_in(scene, person) for person in scene.everyone() if person is not judge))
        await open_sitting(scene)
        opened = SystemClock().monotonic()
        await all_see_and_hear_all(scene)
        await show_exhibits(scene)
        await asyncio.sleep(max(0.0, LISTEN_S - (SystemClock().monotonic() - opened)))
        for person in scene.everyone():
            await expect(person.page.locator('[data-testid="caption-line"][data-kind="speech"]').first).to_be_visible()
        await reload_returns_to_the_seat(scene)
        record = await close_and_fetch_record(scene)
        captions_belong_to_their_speakers(record, scene.ids)
        assert len(record.showings) == 2
        assert {(track.participant_id, track.kind) for track in record.tracks} == {
            (participant_id, kind) for participant_id in scene.ids.values() for kind in ("audio", "video")
        }
        await scene.clerk.save_package(scene.created.hearing_id, tmp_path / "package.zip")
        assert verify(tmp_path / "package.zip").complete
        assert {person.key: person.problems for person in scene.everyone()} == {key: [] for key in SPEAKS}
