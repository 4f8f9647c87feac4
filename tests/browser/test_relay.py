"""Real Chromium behind networks that forbid the straight path: coturn by UDP, TCP and TLS, and what people are told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Route, async_playwright, expect

from court.rehearsal.door import Door
from court.rehearsal.server import temporary_server
from signaling.turn import credential
from storage.clock import SystemClock
from tests.browser.people import Person, chromium, launch, write_camera, write_microphone
from tests.browser.scene import Scene, come_in, open_sitting, sees_and_hears, set_down, until
from tests.rehearsing import ROOT
from tests.servers import Relay

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

VOICES = sorted((ROOT / "rehearsals" / "speech" / "loan").glob("loan_1*_plaintiff.opus"))[:3]
NO_UDP = ("--force-webrtc-ip-handling-policy=disable_non_proxied_udp", "--webrtc-ip-handling-policy=disable_non_proxied_udp")
ANY_CERTIFICATE = "--ignore-certificate-errors"  # the relay's is made for the test; Chromium asks its network service

ONLY_THIS_RELAY = """
(() => {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(configuration) {
      const some = configuration.iceServers.map((s) => ({ ...s, urls: s.urls.filter((url) => url === %s) }));
      super({ ...configuration, iceServers: some.filter((s) => s.urls.length > 0) });
    }
  };
})();
"""
"""A browser whose network lets it reach the relay in one way only."""

WAYS = """
async () => {
  const ways = [];
  for (const connection of window.__connections) {
    if (connection.connectionState !== "connected") continue;
    const reports = [...(await connection.getStats()).values()];
    const transport = reports.find((r) => r.type === "transport");
    const pair = reports.find((r) => r.id === transport?.selectedCandidatePairId);
    const local = reports.find((r) => r.id === pair?.localCandidateId);
    ways.push([connection.getConfiguration().iceTransportPolicy, local?.candidateType, local?.relayProtocol]);
  }
  return ways;
}
"""


def browser_program(folder: Path, *flags: str) -> str:
    """Chromium with further flags."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec {chromium()} {" ".join(flags)} "$@"\n')
    program.chmod(0o755)
    return str(program)


@contextlib.asynccontextmanager
async def scene_by_relay(
    folder: Path, relay: Relay, keys: tuple[str, ...], *flags: str, **settings: str
) -> AsyncIterator[Scene]:
    """A hearing on a server that knows the relay, and a browser for each of `keys`."""
    microphone, camera = folder / "voice.wav", folder / "camera.y4m"
    write_microphone(microphone, VOICES, 0, 30)
    write_camera(camera)
    known = {"COURT_TURN_URLS": f"{relay.udp},{relay.tcp},{relay.tls}", "COURT_TURN_SECRET": relay.secret, **settings}
    async with (
        temporary_server(folder, captions=False, settings=known) as server,
        Door(server.base_url) as clerk,
        async_playwright() as playwright,
    ):
        scene = await set_down(server, clerk)
        program = browser_program(folder, *flags)
        try:
            for key in keys:
                scene.people[key] = await launch(playwright, key, scene.ids[key], microphone, camera, program)
            yield scene
        finally:
            for person in scene.everyone():
                await person.browser.close()


async def test_three_people_meet_by_udp_tcp_and_tls(tmp_path: Path, relay_server: Relay) -> None:
    chromium()
    expect.set_options(timeout=45_000)
    ways = {
        "presiding_judge": (relay_server.udp, "udp"),
        "plaintiff": (relay_server.tcp, "tcp"),
        "defendant": (relay_server.tls, "tls"),
    }
    async with scene_by_relay(tmp_path, relay_server, tuple(ways), ANY_CERTIFICATE, COURT_RELAY_ONLY="true") as scene:
        for key, (url, _) in ways.items():
            await scene.people[key].page.context.add_init_script(ONLY_THIS_RELAY % json.dumps(url))
        judge = scene.people["presiding_judge"]
        await come_in(scene, judge)
        await judge.locate("open-lobby").click()
        await asyncio.gather(*(come_in(scene, person) for person in scene.everyone() if person is not judge))
        await open_sitting(scene)
        pairs = [(viewer, source) for viewer in scene.everyone() for source in scene.everyone() if viewer is not source]
        await asyncio.gather(*(sees_and_hears(viewer, source) for viewer, source in pairs))
        for key, (_, protocol) in ways.items():
            assert await scene.people[key].page.evaluate(WAYS) == [["relay", "relay", protocol]] * 2, key
            assert f":{scene.ids[key]}>" in relay_server.log, "credentials carry the person's id"
        assert relay_server.secret not in (tmp_path / "server.log").read_text()
        assert not any(relay_server.secret in line for line in command_lines())
        assert {person.key: person.problems for person in scene.everyone()} == {key: [] for key in ways}


def command_lines() -> list[str]:
    """What a listing of processes shows."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(entry.read_bytes().decode(errors="replace"))
    return found


# --- the page that tests a site's paths ---------------------------------------------------------------


async def enter_by_link(scene: Scene) -> Person:
    person = scene.people["plaintiff"]
    link = next(link for link in scene.created.links if link.participant_id == person.participant_id)
    await person.page.goto(link.url.replace("127.0.0.1", "localhost"))
    await person.locate("join-enter").click()
    await expect(person.locate("lobby")).to_be_visible()
    return person


async def try_paths(scene: Scene, person: Person) -> dict[str, tuple[str | None, str | None]]:
    """State and problem of each path on a finished sheet."""
    await person.page.goto(f"{scene.address}/network-test")
    await person.locate("paths-start").click()
    await expect(person.locate("paths-print")).to_be_visible(timeout=90_000)
    found = {}
    for path in ("direct", "relay_udp", "relay_tcp", "relay_tls"):
        row = person.locate(f"path-{path}")
        found[path] = (await row.get_attribute("data-state"), await row.get_attribute("data-problem"))
    return found


async def test_the_page_tries_every_path_by_itself(tmp_path: Path, relay_server: Relay) -> None:
    expect.set_options(timeout=45_000)
    async with scene_by_relay(tmp_path, relay_server, ("plaintiff",), ANY_CERTIFICATE) as scene:
        person = await enter_by_link(scene)
        found = await try_paths(scene, person)
        assert {state for state, _ in found.values()} <= {"ok", "weak"}, found  # weak: a busy machine
        sheet = await person.locate("path-sheet").inner_text()
        assert relay_server.tls in sheet
        assert relay_server.secret not in sheet
        assert "张伟" in sheet
        assert person.problems == []


def with_credentials(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], Any]:
    """Hand the page other relay credentials than the server made."""

    async def handle(route: Route) -> None:
        if route.request.method != "POST":
            return await route.continue_()
        response = await route.fetch()
        body = await response.json()
        for server in body["ice_servers"]:
            change(server)
        return await route.fulfill(response=response, json=body)

    return handle


async def test_wrong_and_expired_credentials_are_refused_by_the_relay(tmp_path: Path, relay_server: Relay) -> None:
    expect.set_options(timeout=45_000)
    hours_ago = SystemClock().now() - timedelta(hours=3)
    stale = credential(relay_server.secret, "p_1", hours_ago, timedelta(hours=2))
    wrong = credential("another secret", "p_1", SystemClock().now(), timedelta(hours=2))
    async with scene_by_relay(tmp_path, relay_server, ("plaintiff",), ANY_CERTIFICATE) as scene:
        person = await enter_by_link(scene)
        for made in (stale, wrong):
            refused = {"username": made.username, "credential": made.password}
            await person.page.route("**/api/network-tests", with_credentials(lambda server, to=refused: server.update(to)))
            found = await try_paths(scene, person)
            assert found.pop("direct")[0] in {"ok", "weak"}
            assert set(found.values()) == {("failed", "relay_refused")}, found
            await person.page.unroute("**/api/network-tests")


async def test_without_a_relay_the_page_says_so(tmp_path: Path, relay_server: Relay) -> None:
    expect.set_options(timeout=45_000)
    none = {"COURT_TURN_URLS": "", "COURT_TURN_SECRET": ""}
    async with scene_by_relay(tmp_path, relay_server, ("plaintiff",), *NO_UDP, **none) as scene:
        person = await enter_by_link(scene)
        found = await try_paths(scene, person)
        assert found.pop("direct") == ("failed", "blocked")
        assert set(found.values()) == {("absent", "no_relay")}
        await expect(person.locate("path-sheet")).to_have_attribute("data-overall", "none")
        await person.page.goto(f"{scene.address}/sittings/{scene.created.sitting_id}/lobby")
        await person.locate("devices-start").click()
        await person.locate("network-start").click()
        await expect(person.locate("network-problem")).to_have_attribute("data-problem", "blocked")
        await expect(person.locate("network-retry")).to_be_enabled()
        await person.locate("discipline-tick").check()
        await expect(person.locate("enter")).to_be_enabled()  # nobody is kept out by a test


# --- the lobby's step ---------------------------------------------------------------------------------


async def check_network(person: Person) -> None:
    """Run the check up to the question, which comes only when the own voice has come back."""
    await person.locate("devices-start").click()
    await expect(person.locate("preview")).to_be_visible()
    await person.locate("network-start").click()
    await expect(person.page.locator('[data-testid="network-running"][data-phase="speak"]')).to_be_visible()
    await expect(person.page.locator('[data-testid="network-running"][data-phase="listen"]')).to_be_visible()
    await person.locate("voice-heard").click()
    await expect(person.locate("network-grade")).to_be_visible()


async def test_a_person_hears_themselves_and_the_clerk_sees_the_grade(tmp_path: Path, relay_server: Relay) -> None:
    """On a network that forbids UDP: the check finds the relay's TCP by itself, as the hearing would."""
    expect.set_options(timeout=45_000)
    async with scene_by_relay(tmp_path, relay_server, ("plaintiff",), *NO_UDP, COURT_TURN_URLS=relay_server.tcp) as scene:
        person = await enter_by_link(scene)
        await check_network(person)
        told: list[Any] = []

        async def reported() -> bool:
            listed = await scene.clerk.hearing(scene.created.hearing_id)
            told[:] = [one for one in listed.participants if one.id == person.participant_id]
            return told[0].network is not None

        await until("the clerk sees the grade", reported, within_s=20)
        assert told[0].status in {"tested", "waiting"}
        assert told[0].network == await person.locate("network-grade").get_attribute("data-grade")
        assert told[0].network != "failed"
        await expect(person.locate("step-network")).to_contain_text("TCP")
        assert person.problems == []
        assert not any((tmp_path / "data" / "spool").rglob("*.webm*"))
