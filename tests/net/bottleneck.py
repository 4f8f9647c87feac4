"""A narrow path on one machine: a UDP proxy with a rate, a bounded queue, a delay and loss, each way by itself.

Put the proxy's address into the other side's candidates (`rewrite`), and everything of that connection goes through it.
"""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass
class Path:
    """One direction. Change the fields while it runs; what is queued already leaves as it was going to."""

    rate_bps: float = 100e6
    queue_ms: float = 250.0  # what would wait longer is dropped, as a router with a bounded queue does
    delay_ms: float = 10.0
    loss: float = 0.0
    sent_bytes: int = 0
    dropped: int = 0
    delivered: int = 0
    _free_at: float = 0.0
    _random: random.Random = field(default_factory=lambda: random.Random(1))

    def take(self, data: bytes, send: Callable[[bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        begins = max(now, self._free_at)
        if begins - now > self.queue_ms / 1000 or self._random.random() < self.loss:
            self.dropped += 1
            return
        self._free_at = begins + (len(data) + 28) * 8 / self.rate_bps  # with IP and UDP headers
        self.delivered += 1
        self.sent_bytes += len(data)
        loop.call_at(self._free_at + self.delay_ms / 1000, send, data)


class _Side(asyncio.DatagramProtocol):
    def __init__(self, on_datagram: Callable[[bytes, Address], None]) -> None:
        self._on_datagram = on_datagram

    def datagram_received(self, data: bytes, address: Address) -> None:
        self._on_datagram(data, address)

    def error_received(self, _: OSError) -> None:
        """The other side has closed its socket: nothing more comes."""


class BottleneckProxy:
    """Stands before one address of a server. `down`: from the server to the client; `up`: from the client to the server."""

    def __init__(self, target: Address) -> None:
        self.target = target
        self.down, self.up = Path(), Path()
        self.address: Address = ("", 0)
        self._front: asyncio.DatagramTransport
        self._backs: dict[Address, asyncio.DatagramTransport] = {}
        self._opening: set[Address] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(lambda: _Side(self._from_client), local_addr=("0.0.0.0", 0))
        self.address = "127.0.0.1", self._front.get_extra_info("sockname")[1]

    def _from_client(self, data: bytes, client: Address) -> None:
        back = self._backs.get(client)
        if back is not None:
            self.up.take(data, lambda data: back.sendto(data) if not back.is_closing() else None)
        elif client not in self._opening:  # its first packet is lost: ICE repeats it
            self._opening.add(client)
            task = asyncio.create_task(self._open_back(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_back(self, client: Address) -> None:
        def to_client(data: bytes, _: Address) -> None:
            self.down.take(data, lambda data: self._front.sendto(data, client) if not self._front.is_closing() else None)

        loop = asyncio.get_running_loop()
        self._backs[client], _ = await loop.create_datagram_endpoint(lambda: _Side(to_client), remote_addr=self.target)

    async def close(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._front.close()
        for back in self._backs.values():
            back.close()


def address_in(sdp: str) -> Address:
    """The first 127.0.0.1 UDP candidate of a description."""
    found = re.search(r"a=candidate:\S+ 1 udp \d+ (127\.0\.0\.1) (\d+) typ host", sdp, re.IGNORECASE)
    assert found, "no loopback candidate in the offer"
    return found[1], int(found[2])


def rewrite(sdp: str, proxy: BottleneckProxy) -> str:
    """The description with the proxy as its only candidate."""
    host, port = proxy.address
    without = re.sub(r"a=candidate:(?!.* 127\.0\.0\.1 \d+ typ host).*\r?\n", "", sdp)
    return re.sub(r"(a=candidate:\S+ 1 \w+ \d+) 127\.0\.0\.1 \d+ typ host", rf"\1 {host} {port} typ host", without)


@contextlib.asynccontextmanager
async def bottleneck(sdp: str) -> AsyncIterator[BottleneckProxy]:
    """A proxy before the server that wrote this offer."""
    proxy = BottleneckProxy(address_in(sdp))
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()
