"""Devices, the camera by leave, and shared screens in real Chromium: three people, two at desks and one on a telephone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Playwright, async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from record.verify import verify
from signaling.protocol import RecordView
from tests.browser.people import Person, chromium, launch, write_camera, write_microphone
from tests.browser.scene import Scene, come_in, open_sitting, set_down, until

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]

PHONE = {"width": 390, "height": 844}
SILENCE_WITHIN_MS = 40_000  # 10 s of silence, on a busy machine

UNPLUGGABLE = """
(() => {
  const media = navigator.mediaDevices, gone = new Set(), open = [];
  const list = media.enumerateDevices.bind(media), take = media.getUserMedia.bind(media);
  media.enumerateDevices = async () => (await list()).filter((d) => d.kind !== "audioinput" || (d.deviceId !== "default" && !gone.has(d.label)));
  media.getUserMedia = async (wanted) => {
    const here = await media.enumerateDevices();
    if (wanted.audio) {
      const exact = wanted.audio.deviceId?.exact;
      const found = here.find((d) => d.kind === "audioinput" && (!exact || d.deviceId === exact));
      if (!found) throw new DOMException("", exact ? "OverconstrainedError" : "NotFoundError");
      wanted = { ...wanted, audio: { ...wanted.audio, deviceId: { exact: found.deviceId } } };
    }
    const stream = await take(wanted);
    open.push(...stream.getTracks());
    return stream;
  };
  window.__plug = (label, here) => {
    if (here) gone.delete(label); else gone.add(label);
    for (const track of open.filter((t) => !here && t.label === label && t.readyState === "live")) {
      track.stop();
      track.dispatchEvent(new Event("ended"));
    }
    media.dispatchEvent(new Event("devicechange"));
  };
  window.__devices = (kind) => open.filter((t) => t.kind === kind && t.readyState === "live").map((t) => t.label);
  window.__background = (hidden) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (hidden ? "hidden" : "visible") });
    document.dispatchEvent(new Event("visibilitychange"));
  };
  window.__call = () => {
    for (const track of open.filter((t) => t.readyState === "live")) { track.stop(); track.dispatchEvent(new Event("ended")); }
  };
})();
"""
"""A microphone that can be pulled out: Chromium's fake devices cannot. Also a page that goes to the background, and a call
that takes camera and microphone away.
"""

MOBILE = """Object.defineProperty(navigator, "userAgent", { get: () => "Mozilla/5.0 (Linux; Android 14) Chrome/150.0 Mobile Safari/537.36" });"""


@contextlib.asynccontextmanager
async def three_people(folder: Path) -> AsyncIterator[Scene]:
    """In session. The plaintiff's microphone is silent; the others' beep."""
    camera, silence = folder / "camera.y4m", folder / "silence.wav"
    write_camera(camera)
    write_microphone(silence, [], 0, 10)
    async with (
        temporary_server(folder, captions=False) as server,
        Door(server.base_url) as clerk,
        async_playwright() as playwright,
    ):
        scene = await set_down(server, clerk)
        try:
            await seat_people(scene, playwright, camera, silence)
            yield scene
        finally:
            for person in scene.everyone():
                await person.browser.close()


async def seat_people(scene: Scene, playwright: Playwright, camera: Path, silence: Path) -> None:
    for key, microphone in (("presiding_judge", None), ("plaintiff", silence), ("defendant", None)):
        person = scene.people[key] = await launch(playwright, key, scene.ids[key], microphone, camera)
        await person.page.add_init_script(UNPLUGGABLE)
    judge, _, phone = scene.everyone()
    await phone.page.add_init_script(MOBILE)
    await phone.page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await come_in(scene, judge)
    await judge.locate("open-lobby").click()
    for person in scene.everyone()[1:]:
        await come_in(scene, person)
    await open_sitting(scene)
    for person in scene.everyone():
        await expect(person.locate("courtroom")).to_have_attribute("data-state", "in_session")


async def microphones(person: Person) -> list[str]:
    labels: list[str] = await person.page.evaluate("window.__devices('audio')")
    return labels


async def flags(viewer: Person, of: Person) -> str:
    text: str = await viewer.locate(f"tile-{of.participant_id}").inner_text()
    return text


# --- the camera ---------------------------------------------------------------------------------------


async def the_camera_goes_off_by_leave_only(judge: Person, plaintiff: Person) -> None:
    await plaintiff.locate("camera-toggle").click()
    await plaintiff.locate("camera-ask-health").click()
    await expect(plaintiff.locate("camera-toggle")).to_have_attribute("data-asked", "true")
    await goes_on_sending_pictures(plaintiff)  # asking alone changes nothing
    await judge.locate(f"camera-refuse-{plaintiff.participant_id}").click()
    await expect(judge.locate("camera-requests")).to_have_count(0)
    await expect(plaintiff.locate("camera-toggle")).to_have_attribute("data-asked", "false")

    await plaintiff.locate("camera-toggle").click()
    await plaintiff.locate("camera-ask-privacy").click()
    await judge.locate(f"camera-allow-{plaintiff.participant_id}").click()
    await expect(plaintiff.locate("notice-camera-leave")).to_be_visible()
    await expect(judge.locate(f"tile-{plaintiff.participant_id}").get_by_test_id("tile-video")).to_have_count(0)

    assert await plaintiff.page.evaluate("window.__devices('video')") == [], "the camera's light is out"

    await plaintiff.locate("camera-toggle").click()
    await goes_on_sending_pictures(plaintiff)
    await expect(judge.locate(f"tile-{plaintiff.participant_id}").get_by_test_id("tile-video")).to_have_count(1)


async def goes_on_sending_pictures(person: Person) -> None:
    """Whether others get them is for their networks to say; a busy test machine counts as a bad one."""
    before = await frames_sent(person)

    async def grown() -> bool:
        return await frames_sent(person) > before + 5

    await until(f"{person.key} sends pictures", grown)


async def frames_sent(person: Person) -> float:
    return float(sum(row.get("framesSent", 0) for row in await person.streams("video", sent=True)))


async def is_heard(viewer: Person, source: Person) -> None:
    before = (await viewer.received()).get(source.participant_id, {"energy": 0.0})["energy"]

    async def grown() -> bool:
        return (await viewer.received()).get(source.participant_id, {"energy": 0.0})["energy"] > before + 1e-5

    await until(f"{viewer.key} hears {source.key}", grown)


# --- microphones --------------------------------------------------------------------------------------


async def whoever_gets_the_floor_is_asked_to_unmute(judge: Person, plaintiff: Person) -> None:
    await plaintiff.locate("mic-toggle").click()
    await expect(plaintiff.locate("mic-toggle")).to_have_attribute("aria-pressed", "false")
    await judge.locate(f"give-{plaintiff.participant_id}").click(force=True)
    await plaintiff.locate("unmute-now").click()
    await expect(plaintiff.locate("ask-to-unmute")).to_be_hidden()
    await expect(plaintiff.locate("mic-toggle")).to_have_attribute("aria-pressed", "true")


async def silence_with_the_floor_is_told(plaintiff: Person) -> None:
    await expect(plaintiff.locate("notice-silence")).to_be_visible(timeout=SILENCE_WITHIN_MS)
    await plaintiff.locate("silence-devices").click()
    await expect(plaintiff.locate("devices-drawer").get_by_test_id("pick-microphone")).to_be_visible()
    await plaintiff.locate("drawer-close").click()


async def sound_with_the_floor_is_not(judge: Person, defendant: Person) -> None:
    await judge.locate(f"give-{defendant.participant_id}").click(force=True)
    await expect(defendant.locate("courtroom")).to_have_attribute("data-say", "yourTurn")
    await asyncio.gather(defendant.page.wait_for_timeout(13_000), a_microphone_is_pulled_out_and_put_back(judge))
    await expect(defendant.locate("notice-silence")).to_have_count(0)
    await judge.locate("floor-open").click()


async def a_microphone_is_pulled_out_and_put_back(judge: Person) -> None:
    await judge.locate("help-open").click()
    await judge.locate("pick-microphone").select_option(label="Fake Audio Input 2")
    await judge.locate("drawer-close").click()
    await until("the second microphone is used", lambda: uses(judge, "Fake Audio Input 2"))
    await judge.page.evaluate("window.__plug('Fake Audio Input 2', false)")
    await expect(judge.locate("notice-device-news")).to_have_attribute("data-what", "fell_back")
    assert await microphones(judge) == ["Fake Audio Input 1"]
    await judge.page.evaluate("window.__plug('Fake Audio Input 2', true)")
    await expect(judge.locate("notice-device-news")).to_have_attribute("data-what", "came_back")
    assert await microphones(judge) == ["Fake Audio Input 2"]


async def uses(person: Person, label: str) -> bool:
    return await microphones(person) == [label]


# --- the telephone ------------------------------------------------------------------------------------


async def a_phone_goes_to_the_background_and_comes_back(judge: Person, phone: Person) -> None:
    """The court is told; a call took camera and microphone; everything is there again when the page is."""
    await phone.page.evaluate("window.__background(true)")
    await until("the judge is told", lambda: says(judge, phone, "手机切到后台"))
    await phone.page.evaluate("window.__call()")
    await phone.page.evaluate("window.__background(false)")
    await until("the judge sees that it is over", lambda: says_not(judge, phone, "手机切到后台"))
    await goes_on_sending_pictures(phone)
    await is_heard(judge, phone)


async def says(viewer: Person, of: Person, words: str) -> bool:
    return words in await flags(viewer, of)


async def says_not(viewer: Person, of: Person, words: str) -> bool:
    return words not in await flags(viewer, of)


# --- the screen ---------------------------------------------------------------------------------------


async def pictures_of_the_screen(viewer: Person) -> dict[str, Any]:
    found: dict[str, Any] = await viewer.page.evaluate(
        """() => { const v = document.querySelector('[data-testid="screen-view"] video');
        return v ? { width: v.videoWidth, frames: v.getVideoPlaybackQuality().totalVideoFrames } : { width: 0, frames: 0 }; }"""
    )
    return found


async def a_screen_is_shared_and_seen_by_all(scene: Scene) -> None:
    judge, plaintiff, phone = scene.everyone()
    await expect(plaintiff.locate("screen-toggle")).to_have_count(0)  # no leave yet
    await judge.locate("people-open").click()
    await judge.locate(f"people-allowPresent-{plaintiff.participant_id}").click()
    await judge.locate("drawer-close").click()
    await plaintiff.locate("screen-toggle").click()
    await expect(plaintiff.locate("notice-sharing")).to_be_visible()
    await expect(judge.locate("screen-area")).to_have_attribute("data-owner", plaintiff.participant_id)
    await phone.locate("screen-strip").click()
    await until("the judge sees the screen", lambda: seen(judge), within_s=90)
    await until("the telephone sees the screen", lambda: seen(phone), within_s=90)
    await phone.locate("drawer-close").click()
    await judge.page.wait_for_timeout(4_000)  # something to find in the record


async def seen(viewer: Person) -> bool:
    picture = await pictures_of_the_screen(viewer)
    return bool(picture["width"] > 600 and picture["frames"] > 2)


async def a_reload_keeps_the_seat_and_ends_the_sharing(judge: Person, plaintiff: Person) -> None:
    await plaintiff.page.reload()
    await expect(plaintiff.locate("courtroom")).to_be_visible()
    await expect(judge.locate("screen-area")).to_have_count(0)
    await expect(judge.locate(f"tile-{plaintiff.participant_id}")).to_have_count(1)
    await goes_on_sending_pictures(plaintiff)


async def the_judge_ends_a_sharing(judge: Person, plaintiff: Person) -> None:
    await plaintiff.locate("screen-toggle").click()
    await judge.locate("screen-stop").click()
    await expect(plaintiff.locate("notice-screen")).to_be_visible()
    await expect(plaintiff.locate("notice-sharing")).to_have_count(0)


# --- the record ---------------------------------------------------------------------------------------


async def close(scene: Scene) -> RecordView:
    judge = scene.people["presiding_judge"]
    await judge.locate("close-sitting").click()
    await judge.locate("close-dialog").get_by_test_id("dialog-confirm").click()
    await expect(judge.locate("screen-closed")).to_be_visible()

    async def sealed() -> bool:
        return (await scene.clerk.record(scene.created.sitting_id)).proof.state != "sealing"

    await until("the record is sealed", sealed, within_s=120)
    return await scene.clerk.record(scene.created.sitting_id)


def the_record_tells_it_all(record: RecordView, scene: Scene) -> None:
    plaintiff = scene.ids["plaintiff"]
    acts = "\n".join(line.text for line in record.lines if line.kind == "act")
    for words in (
        "张伟申请关闭摄像头",
        "要求原告张伟保持出镜",
        "准许原告张伟关闭摄像头",
        "原告张伟共享屏幕",
        "原告张伟停止共享屏幕",
    ):
        assert words in acts, words
    assert [one.participant_id for one in record.screens] == [plaintiff, plaintiff]
    (screen,) = [track for track in record.tracks if track.kind == "screen"]
    assert screen.participant_id == plaintiff
    assert screen.recorded_ms > 2_000, screen
    assert {gap.cause for gap in screen.gaps} >= {"not_shared"}


async def test_devices_cameras_and_screens_in_a_hearing(tmp_path: Path) -> None:
    chromium()
    expect.set_options(timeout=45_000)
    async with three_people(tmp_path) as scene:
        judge, plaintiff, phone = scene.everyone()
        await a_screen_is_shared_and_seen_by_all(scene)
        await a_reload_keeps_the_seat_and_ends_the_sharing(judge, plaintiff)
        await the_judge_ends_a_sharing(judge, plaintiff)
        await the_camera_goes_off_by_leave_only(judge, plaintiff)
        await whoever_gets_the_floor_is_asked_to_unmute(judge, plaintiff)
        await silence_with_the_floor_is_told(plaintiff)
        await sound_with_the_floor_is_not(judge, phone)
        await a_phone_goes_to_the_background_and_comes_back(judge, phone)
        record = await close(scene)
        the_record_tells_it_all(record, scene)
        await scene.clerk.save_package(scene.created.hearing_id, tmp_path / "package.zip")
        assert verify(tmp_path / "package.zip").complete
        assert {person.key: person.problems for person in scene.everyone()} == {key: [] for key in scene.people}
