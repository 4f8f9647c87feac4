"""Two real endpoints joined: the server's (controlling, learns addresses from checks) and a client's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from media.aiortc_bridge import Endpoint
from media.rtp_rewrite import build, sequence_of
from media.settings import Network

LOOPBACK = Network(addresses=("127.0.0.1",))


@dataclass
class Pair:
    server: Endpoint
    client: Endpoint
    at_client: list[bytes] = field(default_factory=list)
    at_server: list[bytes] = field(default_factory=list)

    async def connect(self) -> None:
        await self.server.gather()
        await self.client.gather()
        await asyncio.gather(
            self.server.start(self.client.local, "server", use_candidates=False),
            self.client.start(self.server.local, "client"),
        )

    async def restart(self, *, moved: bool = False) -> None:
        """As over signaling: the server offers, the client answers (on new sockets when it has moved)."""
        self.server.restart_ice()
        offer = self.server.local
        await self.answer(offer, moved=moved)
        await self.server.finish_restart(self.client.local)

    async def answer(self, offer: object, *, moved: bool) -> None:
        self.client.restart_ice()
        if moved:
            await self.client.regather()
        await self.client.finish_restart(offer, use_candidates=True)

    @property
    def path(self) -> tuple[object, object]:
        """(where the server sends to, where the client sends to)"""
        return self.server._remote_address, self.client._remote_address

    def ports(self) -> set[int]:
        return {p.transport.get_extra_info("sockname")[1] for p in self.client._connection._protocols}


def joined(network: Network = LOOPBACK, client_network: Network | None = None) -> Pair:
    pair = Pair(Endpoint(controlling=True, network=network), Endpoint(controlling=False, network=client_network or network))
    pair.client.on_rtp = lambda packet, _: pair.at_client.append(packet)
    pair.server.on_rtp = lambda packet, _: pair.at_server.append(packet)
    return pair


@contextlib.asynccontextmanager
async def pairs(count: int, network: Network = LOOPBACK) -> AsyncIterator[list[Pair]]:
    made = [joined(network) for _ in range(count)]
    try:
        for pair in made:
            await pair.connect()
        yield made
    finally:
        for pair in made:
            await pair.client.close()
            await pair.server.close()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def packet(sequence: int, ssrc: int = 7, payload: bytes = b"words") -> bytes:
    return build(111, sequence & 0xFFFF, sequence * 960 & 0xFFFFFFFF, ssrc, payload)


def sequences(packets: list[bytes]) -> list[int]:
    return [sequence_of(one) for one in packets]
