"""The path under a running connection changes: restarts of ICE, translators that forget, addresses that die."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from media.aiortc_bridge import Endpoint, now_ms
from media.settings import Network
from tests.integration.endpoint_pairs import LOOPBACK, Pair, joined, packet, pairs, sequences, until
from tests.net.nat import Nat, server_address


class Stream:
    """Numbered packets every 20 ms in one direction, and when they came."""

    def __init__(self, sender: Endpoint, receiver: Endpoint) -> None:
        self.came: list[tuple[int, float]] = []
        self._sender, self._number = sender, 0
        receiver.on_rtp = lambda one, at: self.came.append((sequences([one])[0], at))

    async def run(self) -> None:
        while True:
            self._sender.send_rtp(packet(self._number))
            self._number += 1
            await asyncio.sleep(0.02)

    def lost(self) -> int:
        numbers = {number for number, _ in self.came}
        return max(numbers) - min(numbers) + 1 - len(numbers)

    async def flows_again(self, since_ms: float) -> float:
        """Milliseconds until the first packet after `since_ms`, waiting for it."""
        await until(lambda: self.came and self.came[-1][1] > since_ms)
        return next(at for _, at in self.came if at > since_ms) - since_ms


@contextlib.asynccontextmanager
async def both_ways(pair: Pair) -> AsyncIterator[tuple[Stream, Stream]]:
    """(up, down), flowing."""
    streams = Stream(pair.client, pair.server), Stream(pair.server, pair.client)
    tasks = [asyncio.create_task(stream.run()) for stream in streams]
    await until(lambda: all(stream.came for stream in streams))
    try:
        yield streams
    finally:
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def behind_nat() -> AsyncIterator[tuple[Pair, Nat]]:
    """A client that reaches the server through a translator only."""
    pair = joined()
    await pair.server.gather()
    await pair.client.gather()
    nat = Nat(server_address(pair.server.local))
    await nat.open()
    try:
        await asyncio.gather(
            pair.server.start(pair.client.local, "server", use_candidates=False),
            pair.client.start(nat.before(pair.server.local), "client"),
        )
        yield pair, nat
    finally:
        await pair.client.close()
        await pair.server.close()
        nat.close()


def deaf(endpoint: Endpoint) -> None:
    """From now on nothing reaches the sockets this endpoint has, as after the Wi-Fi is gone."""
    for protocol in endpoint._connection._protocols:
        protocol.datagram_received = lambda *_: None


# --- restarts -------------------------------------------------------------------------------------


async def test_a_restart_on_the_same_sockets_loses_nothing() -> None:
    async with pairs(1) as (pair,), both_ways(pair) as (up, down):
        for _ in range(3):
            ufrag = pair.server.local.ufrag
            await pair.restart()
            assert pair.server.local.ufrag != ufrag
            await asyncio.sleep(0.15)
        assert (up.lost(), down.lost()) == (0, 0)
        assert await pair.server.probe()
        assert await pair.client.probe()


async def test_a_client_on_new_sockets_goes_on_and_frees_the_old_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.aiortc_ice.RETIRE_AFTER_S", 0.3)
    async with pairs(1) as (pair,), both_ways(pair) as (up, down):
        old_path, old_ports = pair.path, pair.ports()
        old_socket = pair.client._connection._protocols[0].transport
        await pair.restart(moved=True)
        await until(lambda: pair.path[0] != old_path[0])
        assert not pair.ports() & old_ports
        assert pair.path[0][1] in pair.ports()
        await until(old_socket.is_closing)
        await asyncio.sleep(0.1)
        assert (up.lost(), down.lost()) == (0, 0), "media goes on over the old pair until the new one is nominated"


async def test_the_old_address_is_dead_before_the_restart() -> None:
    async with pairs(1) as (pair,), both_ways(pair) as (up, down):
        deaf(pair.client)
        pair.client._sendto = lambda *_: None
        await asyncio.sleep(0.3)
        began = now_ms()
        await pair.restart(moved=True)
        recovered = await asyncio.gather(up.flows_again(began), down.flows_again(began))
        assert max(recovered) < 1_500, recovered


async def test_media_stays_on_the_old_pair_while_the_new_one_cannot_be_nominated() -> None:
    async with pairs(1) as (pair,), both_ways(pair) as (up, down):
        old_path = pair.path
        pair.server.restart_ice()
        offer = pair.server.local
        pair.client.restart_ice()
        await pair.client.regather()
        deaf(pair.client)  # the new sockets
        await pair.client.finish_restart(offer, use_candidates=True)
        await pair.server.finish_restart(pair.client.local)
        await asyncio.sleep(0.5)
        assert pair.path == old_path
        assert (up.lost(), down.lost()) == (0, 0)


async def test_checks_that_overtake_the_answer_are_kept_for_it() -> None:
    """The client's first checks with new credentials come before its answer: refused, they would be repeated half a second later."""
    async with pairs(1) as (pair,):
        old_path = pair.path
        pair.server.restart_ice()
        await pair.answer(pair.server.local, moved=True)
        await asyncio.sleep(0.1)
        assert pair.path == old_path, "a restart is in force with its answer"
        began = now_ms()
        await pair.server.finish_restart(pair.client.local)
        await until(lambda: pair.path[0] != old_path[0])
        assert now_ms() - began < 300


async def test_two_restarts_in_a_row_of_which_the_first_is_never_answered() -> None:
    async with pairs(1) as (pair,), both_ways(pair) as (up, down):
        old_path = pair.path
        pair.server.restart_ice()
        await pair.answer(pair.server.local, moved=True)  # this answer comes too late: it is stale
        pair.server.restart_ice()
        assert await pair.server.probe(), "credentials that were in force a moment ago are still answered"
        await pair.answer(pair.server.local, moved=True)
        await pair.server.finish_restart(pair.client.local)
        await until(lambda: pair.path[0] != old_path[0] and pair.path[0][1] in pair.ports())
        await asyncio.sleep(0.1)
        assert (up.lost(), down.lost()) == (0, 0)


async def test_a_restart_before_the_first_answer() -> None:
    pair = joined()
    await pair.server.gather()
    await pair.client.gather()
    pair.server.restart_ice()
    await asyncio.gather(
        pair.server.start(pair.client.local, "server", use_candidates=False),
        pair.client.start(pair.server.local, "client"),
    )
    assert pair.server.send_rtp(packet(1))
    await until(lambda: pair.at_client)
    await pair.client.close()
    await pair.server.close()


async def test_a_restart_while_the_first_connection_is_still_being_made() -> None:
    """The client answered, lost its network before its first check arrived, and answers the restart from elsewhere."""
    pair = joined()
    await pair.server.gather()
    await pair.client.gather()
    making = asyncio.create_task(pair.server.start(pair.client.local, "server", use_candidates=False))
    await asyncio.sleep(0.1)
    pair.server.restart_ice()
    pair.client.restart_ice()
    await pair.client.regather()
    joining = asyncio.create_task(pair.client.start(pair.server.local, "client"))
    await asyncio.sleep(0.05)
    await pair.server.finish_restart(pair.client.local)
    async with asyncio.timeout(5):
        await asyncio.gather(making, joining)
    assert pair.server.send_rtp(packet(1))
    await until(lambda: pair.at_client)
    await pair.client.close()
    await pair.server.close()


# --- without a restart ----------------------------------------------------------------------------


async def test_a_translator_that_forgets_is_followed_without_a_restart() -> None:
    async with behind_nat() as (pair, nat), both_ways(pair) as (_, down):
        first = pair.path[0]
        await nat.rebind()
        began = now_ms()
        recovered = await down.flows_again(began + 20)
        assert pair.path[0] != first
        assert recovered < 2_000, recovered


async def test_nobody_moves_a_live_path_by_repeating_what_was_heard() -> None:
    """Whoever sees the datagrams may send them again from elsewhere: replays are no reason to go there."""
    async with behind_nat() as (pair, nat), both_ways(pair) as (up, _):
        path = pair.path
        thief, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
        )
        refused = pair.server.undecryptable
        for data in nat.seen_up[:]:
            thief.sendto(data, nat.server)
        await asyncio.sleep(0.3)
        assert pair.server.undecryptable > refused
        assert pair.path == path
        assert len({number for number, _ in up.came}) == len(up.came)
        thief.close()


async def test_media_from_a_second_address_moves_the_path_only_when_the_first_is_dead() -> None:
    pair = joined(client_network=Network(addresses=("127.0.0.1", "127.0.0.2")))
    await pair.connect()
    first = pair.path[0]
    spare = next(p for p in pair.client._connection._protocols if p.local_candidate.host != first[0])

    def send_from_spare(number: int) -> None:
        spare.transport.sendto(pair.client._encrypt(packet(number)), pair.client._remote_address)

    send_from_spare(1)
    await until(lambda: pair.at_server)
    await asyncio.sleep(1.2)
    assert pair.path[0] == first, "the client still answers there"
    next(p for p in pair.client._connection._protocols if p is not spare).datagram_received = lambda *_: None
    send_from_spare(2)
    await until(lambda: pair.path[0][0] == spare.local_candidate.host, seconds=2.5)
    await pair.client.close()
    await pair.server.close()


async def test_a_dead_path_is_noticed_by_asking() -> None:
    async with behind_nat() as (pair, nat):
        assert await pair.server.probe()
        nat.cut = True
        began = now_ms()
        assert not await pair.server.probe()
        assert now_ms() - began < 2_000


async def test_sockets_are_freed_when_the_end_comes_during_gathering() -> None:
    endpoint = Endpoint(controlling=True, network=LOOPBACK)
    gathering = asyncio.create_task(endpoint.gather())
    await asyncio.sleep(0)
    await endpoint.close()
    with contextlib.suppress(OSError):
        await gathering
    assert endpoint._connection._protocols == [] or all(p.transport.is_closing() for p in endpoint._connection._protocols)
