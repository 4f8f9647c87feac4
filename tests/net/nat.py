"""An address translator on one machine: one client inside, one server outside, and an outer port that may change."""

import asyncio
from dataclasses import replace

from media.sdp import TransportSide

Address = tuple[str, int]


class _Side(asyncio.DatagramProtocol):
    def __init__(self, nat: "Nat", *, inside: bool) -> None:
        self._nat, self._inside = nat, inside

    def datagram_received(self, data: bytes, address: Address) -> None:
        nat = self._nat
        if nat.cut:
            return
        if self._inside:
            nat.client = address
            nat.seen_up.append(data)
            nat.outer.sendto(data, nat.server)
        elif nat.client is not None:
            nat.inner.sendto(data, nat.client)


class Nat:
    """`inside` is where the client sends; the server sees `outer`. With `cut` nothing passes either way."""

    def __init__(self, server: Address) -> None:
        self.server = server
        self.client: Address | None = None
        self.cut = False
        self.seen_up: list[bytes] = []
        self.inner: asyncio.DatagramTransport
        self.outer: asyncio.DatagramTransport

    async def open(self) -> None:
        self.inner = await self._socket(inside=True)
        self.outer = await self._socket(inside=False)

    async def _socket(self, *, inside: bool) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Side(self, inside=inside), local_addr=("127.0.0.1", 0))
        return transport

    async def rebind(self) -> None:
        """The translator forgets its entry: the same client comes from another port, and the old port is dead."""
        old, self.outer = self.outer, await self._socket(inside=False)
        old.close()

    @property
    def inside(self) -> Address:
        return self.inner.get_extra_info("sockname")

    def before(self, side: TransportSide) -> TransportSide:
        """What a client reads that can reach the server only through here."""
        host, port = self.inside
        return replace(side, candidates=(f"1 1 udp 2130706431 {host} {port} typ host",))

    def close(self) -> None:
        self.inner.close()
        self.outer.close()


def server_address(side: TransportSide) -> Address:
    """The first candidate of a description."""
    parts = side.candidates[0].split()
    return parts[4], int(parts[5])
