"""One packet to many real endpoints, by the compiled loop and by the one in Python: the same tests for both."""

import asyncio
import os
import socket
from collections.abc import Iterator

import aioice
import pytest
from aioice.ice import CandidatePair

from media import fanout
from media.aiortc_bridge import MAX_PACKET_BYTES, Endpoint
from media.fanout import FanOut
from media.settings import Network
from tests.integration.endpoint_pairs import LOOPBACK, packet, pairs, sequences, until


@pytest.fixture(params=["compiled", "python"], autouse=True)
def loop_under_test(request: pytest.FixtureRequest) -> Iterator[None]:
    wanted = request.param == "compiled"
    if fanout.use_compiled(wanted) != wanted:
        assert os.environ.get("CI") != "true", "make install builds media/fanout.c where there is a C compiler"
        pytest.skip("media/fanout.c is not built: python -m media.fanout_build")
    yield
    fanout.use_compiled(True)


async def test_everyone_connected_gets_the_same_packet() -> None:
    waiting = Endpoint(controlling=True, network=LOOPBACK)
    await waiting.gather()
    async with pairs(3) as three:
        out = FanOut([*(pair.server for pair in three), waiting])
        for n in range(5):
            out.send(packet(n))
        for pair in three:
            await until(lambda pair=pair: len(pair.at_client) == 5)
            assert pair.at_client == [packet(n) for n in range(5)]
    await waiting.close()


async def test_the_loops_take_turns_on_the_same_sessions() -> None:
    """Single sends (repairs) and fan-outs share one SRTP session."""
    async with pairs(1) as (pair,):
        out = FanOut([pair.server])
        out.send(packet(1))
        assert pair.server.send_rtp(packet(2))
        out.send(packet(3))
        assert pair.server.send_rtp(packet(2)), "a repair repeats a packet"
        await until(lambda: len(pair.at_client) == 3)
        assert sequences(pair.at_client) == [1, 2, 3]


async def test_a_closed_endpoint_gets_nothing_and_its_descriptor_is_not_used() -> None:
    async with pairs(2) as (gone, here):
        out = FanOut([gone.server, here.server])
        out.send(packet(1))
        await until(lambda: gone.at_client)
        descriptor, whereto = gone.server.outlet.fd, gone.server._remote_address
        await gone.server.close()
        assert not gone.server.outlet.is_open
        assert gone.server.outlet.session is None
        bystander = _take_descriptor(descriptor)
        bystander.sendto(b"a bystander's own", whereto)
        seen: list[bytes] = []
        gone.client._connection.on_media = lambda data: bool(seen.append(data))
        for n in range(2, 5):
            out.send(packet(n))
        await until(lambda: len(here.at_client) == 4)
        await asyncio.sleep(0.05)
        assert seen == []
        bystander.close()


async def test_a_connection_that_ends_by_itself_leaves_the_loop_before_its_socket_closes() -> None:
    """Consent that ran out, or a socket that broke: nobody calls close()."""
    async with pairs(3) as (expired, broken, here):
        out = FanOut([pair.server for pair in (expired, broken, here)])
        await expired.server._connection.close()
        assert not expired.server.outlet.is_open
        udp = broken.server._connection._protocols[0].transport
        udp.abort()
        await until(lambda: udp._sock is None)
        assert not broken.server.outlet.is_open
        out.send(packet(1))
        await until(lambda: here.at_client)


async def test_packets_follow_the_nominated_pair() -> None:
    async with pairs(1) as (pair,):
        out = FanOut([pair.server])
        out.send(packet(1))
        await until(lambda: len(pair.at_client) == 1)
        before = pair.path
        await pair.restart(moved=True)
        await until(lambda: pair.path[0] != before[0])
        assert bytes(pair.server.outlet.address)[2:4] == pair.path[0][1].to_bytes(2, "big")
        out.send(packet(2))
        await until(lambda: len(pair.at_client) == 2)


async def test_what_a_socket_does_not_take_is_counted_and_costs_the_others_nothing() -> None:
    async with pairs(2) as (shut, here):
        connection = shut.server._connection
        nowhere = aioice.Candidate("1", 1, "udp", 1, "255.255.255.255", 9, "host")  # broadcast: EACCES
        connection._nominated[1] = CandidatePair(connection.path.protocol, nowhere)
        connection.on_path()
        out = FanOut([shut.server, here.server])
        for n in range(3):
            out.send(packet(n))
        await until(lambda: len(here.at_client) == 3)
        assert (shut.server.outlet.dropped, shut.server.outlet.refused) == (3, 0)
        assert (here.server.outlet.dropped, here.server.outlet.refused) == (0, 0)


async def test_what_srtp_refuses_is_skipped_for_that_one() -> None:
    async with pairs(2) as (old, new):
        FanOut([old.server]).send(packet(5_000))
        out = FanOut([old.server, new.server])
        out.send(packet(100))  # far behind what this session has sent, but the first of the other's
        out.send(b"\x80")  # no RTP packet
        await until(lambda: new.at_client)
        assert sequences(new.at_client) == [100]
        await until(lambda: old.at_client)
        assert sequences(old.at_client) == [5_000]
        assert (old.server.outlet.refused, new.server.outlet.refused) == (2, 1)


async def test_a_packet_that_would_not_fit_the_path_is_refused() -> None:
    async with pairs(1) as (pair,):
        out = FanOut([pair.server])
        longest = packet(1, payload=bytes(MAX_PACKET_BYTES - 12))
        out.send(longest + b"x")
        out.send(longest)
        await until(lambda: pair.at_client)
        assert pair.at_client == [longest]
        assert pair.server.outlet.refused == 1


async def test_over_ipv6() -> None:
    async with pairs(1, Network(addresses=("::1",), loopback=False)) as (pair,):
        FanOut([pair.server]).send(packet(1))
        await until(lambda: pair.at_client == [packet(1)])
        assert pair.path[0][0] == "::1"


async def test_to_nobody() -> None:
    FanOut([]).send(packet(1))


def _take_descriptor(number: int) -> socket.socket:
    """A new socket on the number that has just become free."""
    others = []
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if udp.fileno() == number:
            break
        assert udp.fileno() < number, "the old socket is still open"
        others.append(udp)
    for other in others:
        other.close()
    return udp
