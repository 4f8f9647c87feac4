"""Changes of network through a real worker: who restarts, what is offered meanwhile, and that nobody is lost by it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hearing.audience import Kind
from media.aiortc_bridge import now_ms
from media.control import MediaError
from media.sdp import parse
from tests.integration.endpoint_pairs import until
from tests.integration.media_rig import SITTING, Client, Rig, all_to_all, opus_tone, rig, table
from tests.net.nat import Nat, server_address

TONE = opus_tone(12.0)


class Phone(Client):
    """Reaches the server through a translator on each connection; after `leave_wifi` on new sockets and directly.

    With `answers = False` it reads offers but does not answer them.
    """

    def __init__(self, rig: Rig, name: str) -> None:
        super().__init__(rig, name)
        self.wifi: dict[str, Nat] = {}
        self.on_wifi = True
        self.answers = True
        self.unanswered: list[tuple[str, int, str]] = []

    async def answer(self, connection: str, revision: int, sdp: str) -> None:
        if not self.answers:
            self.unanswered.append((connection, revision, sdp))
            return
        if self.on_wifi and connection not in self.wifi:
            self.wifi[connection] = Nat(server_address(parse(sdp).side))
            await self.wifi[connection].open()
        if self.on_wifi:
            host, port = self.wifi[connection].inside
            sdp = "".join(
                f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n" if line.startswith("a=candidate:") else line
                for line in sdp.splitlines(keepends=True)
            )
        endpoint = self.up if connection == "up" else self.down
        restarted = self._remote_ufrag.get(connection) not in {None, parse(sdp).side.ufrag}
        if restarted and not self.on_wifi:
            await endpoint.regather()
        await super().answer(connection, revision, sdp)

    def leave_wifi(self) -> None:
        self.on_wifi = False
        for nat in self.wifi.values():
            nat.cut = True

    async def ask_for_restart(self) -> None:
        for connection in ("up", "down"):
            offer = await self.rig.control.restart_ice(SITTING, self.peer_id, connection)
            await self.answer(offer.connection, offer.revision, offer.sdp)

    async def vanish(self) -> None:
        await super().vanish()
        for nat in self.wifi.values():
            nat.close()


@contextlib.asynccontextmanager
async def talking(tmp_path: Path) -> AsyncIterator[tuple[Rig, Phone, Client]]:
    """Alice on her phone and Bob, both talking and hearing each other."""
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice = Phone(one, "a")
        one.clients[alice.peer_id] = alice
        await alice.join()
        bob = await one.join("b")
        alice.talk(TONE)
        bob.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > 10 and alice.count("b-audio") > 10)
        yield one, alice, bob


async def recovery_ms(alice: Phone, bob: Client, since_ms: float) -> tuple[float, float]:
    """How long after `since_ms` the first packet came up (to Bob) and down (to Alice)."""
    at: dict[str, float] = {}
    for name, client in (("up", bob), ("down", alice)):
        take = client.down.on_rtp

        def taken(packet: bytes, arrival_ms: float, name: str = name, take: object = take) -> None:
            at.setdefault(name, arrival_ms)
            take(packet, arrival_ms)

        client.down.on_rtp = taken
    await until(lambda: len(at) == 2, seconds=8.0)
    return at["up"] - since_ms, at["down"] - since_ms


def lost(one: Rig) -> list[dict]:
    return [report for report in one.of("peer.state") if report["state"] in {"lost", "closed"}]


async def test_a_path_that_falls_silent_is_replaced_by_the_servers_own_restart(tmp_path: Path) -> None:
    async with talking(tmp_path) as (one, alice, bob):
        offered = len(one.of("offer.made"))
        alice.leave_wifi()
        await asyncio.sleep(0.05)
        up_ms, down_ms = await recovery_ms(alice, bob, now_ms())
        print(f"recovery by the server's restart: up {up_ms:.0f} ms, down {down_ms:.0f} ms")
        assert max(up_ms, down_ms) < 4_000
        restarts = one.of("offer.made")[offered:]
        assert {report["connection"] for report in restarts} == {"up", "down"}
        assert len({parse(report["sdp"]).side.ufrag for report in restarts}) == len(restarts)
        assert not lost(one)


async def test_a_client_that_knows_asks_for_a_restart_and_is_back_at_once(tmp_path: Path) -> None:
    async with talking(tmp_path) as (one, alice, bob):
        alice.leave_wifi()
        await asyncio.sleep(0.05)
        began = now_ms()
        asked = asyncio.create_task(alice.ask_for_restart())
        up_ms, down_ms = await recovery_ms(alice, bob, began)
        await asked
        print(f"recovery by the client's restart: up {up_ms:.0f} ms, down {down_ms:.0f} ms")
        assert max(up_ms, down_ms) < 2_000
        assert not lost(one)


async def test_both_sides_restart_at_once(tmp_path: Path) -> None:
    """The answer to the older of two offers is refused as stale, and the newest wins: no connection is lost by it."""
    async with talking(tmp_path) as (one, alice, bob):
        alice.answers = False
        alice.leave_wifi()
        await one.until(lambda: alice.unanswered)  # the server's own restart
        alice.answers = True
        asked = asyncio.create_task(alice.ask_for_restart())
        for connection, revision, sdp in alice.unanswered:
            with contextlib.suppress(MediaError):
                await alice.answer(connection, revision, sdp)
        up_ms, down_ms = await recovery_ms(alice, bob, now_ms())
        await asyncio.gather(asked, return_exceptions=True)
        assert max(up_ms, down_ms) < 4_000
        assert not lost(one)


async def test_a_restart_while_a_renegotiation_waits_for_its_answer(tmp_path: Path) -> None:
    async with talking(tmp_path) as (one, alice, _):
        await one.control.apply_grants(table(2, ["a", "b", "c"], all_to_all(["a", "b", "c"], recorded=False)))
        alice.answers = False
        carol = await one.join("c")
        await one.until(lambda: alice.unanswered)
        alice.answers = True
        connection, revision, sdp = alice.unanswered[-1]
        restart = await one.control.restart_ice(SITTING, alice.peer_id, connection)
        assert restart.revision > revision
        with pytest.raises(MediaError) as refused:
            await alice.answer(connection, revision, sdp)
        assert refused.value.code == "answer_stale"
        await alice.answer(restart.connection, restart.revision, restart.sdp)
        carol.talk(TONE)
        await one.until(lambda: alice.count("c-audio") > 10)
        before = alice.count("b-audio")
        await one.until(lambda: alice.count("b-audio") > before + 10)
        assert not lost(one)


async def test_two_restarts_in_a_row(tmp_path: Path) -> None:
    async with talking(tmp_path) as (one, alice, bob):
        first = await one.control.restart_ice(SITTING, alice.peer_id, "up")
        second = await one.control.restart_ice(SITTING, alice.peer_id, "up")
        with pytest.raises(MediaError) as refused:
            await alice.answer(first.connection, first.revision, first.sdp)
        assert refused.value.code == "answer_stale"
        await alice.answer(second.connection, second.revision, second.sdp)
        before = bob.count("a-audio")
        await one.until(lambda: bob.count("a-audio") > before + 20)
        assert await alice.up.probe()
        assert not lost(one)


async def test_a_quiet_listener_on_a_lossy_path_is_not_restarted_all_the_time(tmp_path: Path) -> None:
    """One lost question is no dead path."""
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a"], all_to_all(["a"], recorded=False)))
        alice = await one.join("a")
        for endpoint in (alice.up, alice.down):
            _lose_every_third_datagram(endpoint)
        await asyncio.sleep(8.0)
        assert len(one.of("offer.made")) <= 1
        assert not lost(one)


def _lose_every_third_datagram(endpoint: object) -> None:
    for protocol in endpoint._connection._protocols:
        receive, seen = protocol.datagram_received, 0

        def lossy(data: bytes, address: tuple, receive: object = receive) -> None:
            nonlocal seen
            seen += 1
            if seen % 3:
                receive(data, address)

        protocol.datagram_received = lossy


async def test_video_is_not_needed_for_a_path_to_be_alive(tmp_path: Path) -> None:
    """A peer with camera and microphone off answers for consent and stays."""
    async with rig(tmp_path, silence_s=2.5) as one:
        await one.control.apply_grants(table(1, ["a"], {("a", Kind.AUDIO): []}))
        alice = await one.join("a")
        await asyncio.sleep(4.0)
        assert alice.up.state == alice.down.state == "connected"
        assert not lost(one)
        assert not one.of("offer.made")
