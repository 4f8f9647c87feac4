"""Which addresses and ports media uses and tells: both families, 1:1 NAT, a range that runs out, and sockets that are freed."""

import asyncio
import contextlib
import socket
from pathlib import Path

import psutil
import pytest

from hearing.model import ParticipantId
from media.aiortc_bridge import Endpoint
from media.control import MediaError
from media.sdp import TransportSide, parse
from media.settings import Network
from media.sockets import bind, candidate_address, usable_addresses
from tests.integration.endpoint_pairs import joined, packet, pairs, until
from tests.integration.media_rig import SITTING, rig, table


def hosts(side: TransportSide) -> list[str]:
    return [candidate.split()[4] for candidate in side.candidates]


def free_range(count: int) -> tuple[int, int]:
    """`count` neighbouring UDP ports that are free now."""
    for low in range(42_000, 60_000, count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(low, low + count):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
            except OSError:
                continue
            return low, low + count - 1
    raise AssertionError("no free ports")


def udp_ports() -> set[int]:
    return {connection.laddr.port for connection in psutil.Process().net_connections("udp")}


def test_link_local_addresses_are_left_out() -> None:
    """They mean nothing without a zone, and a candidate cannot carry one (RFC 8839 section 5.1)."""
    network = Network(addresses=("192.0.2.1", "fe80::1%eth0", "fe80::2", "169.254.3.4", "2001:db8::1"), loopback=False)
    assert usable_addresses(network, []) == ["192.0.2.1", "2001:db8::1"]
    assert usable_addresses(Network(loopback=True), ["fe80::1%2", "192.0.2.7"]) == ["192.0.2.7", "127.0.0.1"]


def test_the_public_address_of_the_same_family_is_told() -> None:
    behind = Network(public_address="203.0.113.5", public_address_v6="2001:db8:ffff::5")
    assert candidate_address(behind, "10.0.0.5") == "203.0.113.5"
    assert candidate_address(behind, "fd00::5") == "2001:db8:ffff::5"
    assert candidate_address(behind, "127.0.0.1") == "127.0.0.1"
    only_v4 = Network(public_address="203.0.113.5")
    assert candidate_address(only_v4, "2001:db8::5") == "2001:db8::5", "IPv6 needs no translator"


def test_an_address_that_is_not_ours_costs_nothing() -> None:
    assert bind("192.0.2.1", None, 0) is None
    assert bind("192.0.2.1", (40_000, 60_000), 0) is None


async def test_two_families_at_once() -> None:
    both = Network(addresses=("127.0.0.1", "::1"), loopback=False)
    async with pairs(1, both) as (pair,):
        assert hosts(pair.server.local) == ["127.0.0.1", "::1"]
        assert pair.server.send_rtp(packet(1))
        assert pair.client.send_rtp(packet(2))
        await until(lambda: pair.at_client and pair.at_server)


async def test_only_ipv6() -> None:
    pair = joined(Network(addresses=("::1",), loopback=False))
    await pair.connect()
    assert pair.path[0][0] == pair.path[1][0] == "::1"
    await pair.restart(moved=False)
    assert await pair.server.probe()
    assert pair.server.send_rtp(packet(1))
    await until(lambda: pair.at_client)
    await pair.client.close()
    await pair.server.close()


async def test_ports_come_from_the_range_and_are_freed(tmp_path: Path) -> None:
    low, high = free_range(4)
    async with rig(tmp_path, network=Network(addresses=("127.0.0.1",), ports=(low, high))) as one:
        people = [ParticipantId(name) for name in "abc"]
        await one.control.apply_grants(table(1, people, {}))
        for name in "ab":
            offers = await one.control.connect(SITTING, ParticipantId(name), f"peer_{name}")
            ports = {int(c.split()[5]) for offer in offers for c in parse(offer.sdp).side.candidates}
            assert ports <= set(range(low, high + 1))
        for attempt in range(3):
            with pytest.raises(MediaError) as refused:
                await one.control.connect(SITTING, ParticipantId("c"), f"peer_c{attempt}")
            assert refused.value.code == "network"
        assert set(range(low, high + 1)) <= udp_ports()
        await one.control.disconnect(SITTING, "peer_a")
        await one.control.connect(SITTING, ParticipantId("c"), "peer_c")
        with pytest.raises(MediaError) as refused:
            await one.control.connect(SITTING, ParticipantId("a"), "peer_a2")
        assert refused.value.code == "network"
        await one.control.close_sitting(SITTING)
        await until(lambda: not udp_ports() & set(range(low, high + 1)))


async def test_a_refused_connection_leaves_half_of_nothing_behind(tmp_path: Path) -> None:
    """One port is left and two are needed: the one that was taken is free again."""
    low, high = free_range(1)
    async with rig(tmp_path, network=Network(addresses=("127.0.0.1",), ports=(low, high))) as one:
        await one.control.apply_grants(table(1, ["a"], {}))
        with pytest.raises(MediaError) as refused:
            await one.control.connect(SITTING, ParticipantId("a"), "peer_a")
        assert refused.value.code == "network"
        assert str(refused.value) == "服务器没有可用的媒体地址或端口"
        await until(lambda: low not in udp_ports())


async def test_an_old_path_frees_its_port_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.aiortc_ice.RETIRE_AFTER_S", 0.2)
    async with pairs(1) as (pair,):
        old = pair.ports()
        for _ in range(4):
            await pair.restart(moved=True)
            await asyncio.sleep(0.05)
        await until(lambda: not old & udp_ports())
        await until(lambda: pair.ports() <= udp_ports() and pair.client._connection._retired == [])


async def test_closing_while_sockets_are_being_opened_leaves_none_open() -> None:
    before = udp_ports()
    endpoints = [Endpoint(controlling=True, network=Network(addresses=("127.0.0.1",))) for _ in range(5)]
    gathering = [asyncio.create_task(endpoint.gather()) for endpoint in endpoints]
    await asyncio.sleep(0)
    for endpoint in endpoints:
        await endpoint.close()
    await asyncio.gather(*gathering, return_exceptions=True)
    await until(lambda: udp_ports() <= before)
