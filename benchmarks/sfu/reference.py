"""The load's own share of the latency: the same sending times over a plain UDP socket to itself, with no server between.

What this shows (loopback, waiting in the load process' event loop) is also part of what the witness measures.
"""

from __future__ import annotations

import asyncio
import struct
from typing import cast

from media.aiortc_bridge import now_ms

_TIME = struct.Struct("!d")


class Reference(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.latencies_ms: list[float] = []
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls) -> Reference:
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=("127.0.0.1", 0))
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def send(self, sent_s: float) -> None:
        assert self._transport is not None
        self._transport.sendto(_TIME.pack(sent_s), self._transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        self.latencies_ms.append(now_ms() - _TIME.unpack(data)[0] * 1000)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
