"""Restarts of ICE and a translator that forgets, with a real Chromium page at the other end."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from media.control import Offer
from media.courtroom import Courtroom
from media.peer import Peer
from media.sdp import parse
from tests.browser.people import chromium
from tests.browser.test_media_smoke import FLAGS, everything_arrives, inbound, page_server, relay_offers
from tests.integration.media_rig import SITTING, Rig, all_to_all, rig, table
from tests.net.nat import Nat, server_address

pytestmark = pytest.mark.browser
PAGE, OTHER = "a", "b"


async def sounds(page: Any) -> int:
    """Packets of sound that came; of pictures a starved machine may get none for a while."""
    return inbound(await page.evaluate("stats()"), "audio").get("packetsReceived", 0)


async def port_in_use(page: Any, connection: str) -> int:
    """The page's own port of the selected pair."""
    entries = {entry["id"]: entry for entry in (await page.evaluate("stats()"))[connection]}
    transport = next(entry for entry in entries.values() if entry["type"] == "transport")
    return entries[entries[transport["selectedCandidatePairId"]]["localCandidateId"]]["port"]


class Court:
    """Two pages that hear each other; `peer` is the server's end of the first."""

    def __init__(self, one: Rig, room: Courtroom) -> None:
        self.one, self._room = one, room
        self.pages: dict[str, Any] = {}

    @property
    def peer(self) -> Peer:
        return next(peer for peer in self._room._peers.values() if peer.participant_id == PAGE)

    async def goes_on(self) -> None:
        """Both pages get a second's worth of sound."""
        for page in self.pages.values():
            before = await sounds(page)
            async with asyncio.timeout(10):
                while await sounds(page) < before + 50:
                    await asyncio.sleep(0.1)

    async def enter(self, url: str, browser: Any) -> None:
        for name in (PAGE, OTHER):
            self.pages[name] = await browser.new_page()
            await self.pages[name].goto(url)
            await self.pages[name].evaluate("name => join(name)", name)
        for page in self.pages.values():
            await everything_arrives(page)


async def test_restarts_and_a_forgetful_translator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from playwright.async_api import async_playwright

    program, rooms, nats = chromium(), [], []
    make = Courtroom.__init__
    monkeypatch.setattr(Courtroom, "__init__", lambda self, *given: (rooms.append(self), make(self, *given))[1])
    async with rig(tmp_path) as one, page_server(one) as url, async_playwright() as playwright:
        behind(one, monkeypatch, nats)
        await one.control.apply_grants(table(1, [PAGE, OTHER], all_to_all([PAGE, OTHER], recorded=False)))
        browser = await playwright.chromium.launch(executable_path=program, args=FLAGS)
        court = Court(one, rooms[0])
        relay = asyncio.create_task(relay_offers(one, court.pages))
        try:
            await court.enter(url, browser)
            await _forgets(court, nats)
            await _restarts(court)
        finally:
            relay.cancel()
            await browser.close()
            for nat in nats:
                nat.close()


def behind(one: Rig, monkeypatch: pytest.MonkeyPatch, nats: list[Nat]) -> None:
    """The first page reaches both its connections through translators."""
    connect = one.control.connect

    async def through(sitting_id: str, participant_id: str, peer_id: str) -> tuple[Offer, ...]:
        offers = await connect(sitting_id, participant_id, peer_id)
        return tuple([await _behind_nat(offer, nats) for offer in offers]) if participant_id == PAGE else offers

    monkeypatch.setattr(one.control, "connect", through)


async def _behind_nat(offer: Offer, nats: list[Nat]) -> Offer:
    nat = Nat(server_address(parse(offer.sdp).side))
    await nat.open()
    nats.append(nat)
    host, port = nat.inside
    line = f"a=candidate:1 1 udp 2130706431 {host} {port} typ host"
    return Offer(offer.connection, offer.revision, re.sub(r"(?m)^a=candidate:.*?(?=\r?$)", line, offer.sdp))


async def _forgets(court: Court, nats: list[Nat]) -> None:
    links = (court.peer.up, court.peer.down)
    before = [link.endpoint._remote_address for link in links]
    offered = len([offer for offer in court.one.of("offer.made") if offer["participant_id"] == PAGE])
    for nat in nats:
        await nat.rebind()
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(6):
        while any(link.endpoint._remote_address == old for link, old in zip(links, before, strict=True)):
            await asyncio.sleep(0.02)
    print(f"followed after {asyncio.get_running_loop().time() - began:.2f} s")
    await court.goes_on()
    assert [offer for offer in court.one.of("offer.made") if offer["participant_id"] == PAGE][offered:] == []


async def _restarts(court: Court) -> None:
    """Twice in a row, of which only the second is answered in time; the page gathers anew and takes other ports."""
    page = court.pages[PAGE]
    for connection in ("up", "down"):
        port = await port_in_use(page, connection)
        await court.one.control.restart_ice(SITTING, f"peer_{PAGE}", connection)
        offer = await court.one.control.restart_ice(SITTING, f"peer_{PAGE}", connection)
        fields = {"connection": offer.connection, "revision": offer.revision, "sdp": offer.sdp}
        await page.evaluate("offer => answer(offer)", fields)
        async with asyncio.timeout(10):
            while await port_in_use(page, connection) == port:
                await asyncio.sleep(0.05)
    await court.goes_on()
    assert court.peer.is_connected
