"""A robot's two WebRTC connections: it answers the server's offers, sends on "up" and counts what comes on "down"."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from court.rehearsal.loss import lose
from court.rehearsal.rtp import Reception, receiver_report
from court.rehearsal.sender import MediaSender
from hearing.audience import Kind
from media.aiortc_bridge import Endpoint
from media.sdp import Description, Sending, answer_to, parse, write
from media.settings import Network

REPORT_EVERY_S = 1.0


@dataclass(slots=True)
class Received:
    """What arrived at a robot, over all its connections."""

    by_source: Counter[tuple[str, Kind]] = field(default_factory=Counter)  # decrypted RTP packets by participant and kind
    datagrams: int = 0  # media datagrams at the sockets, before decryption: nothing can hide from this counter


@dataclass(slots=True)
class _Connection:
    endpoint: Endpoint
    session_id: int
    remote_ufrag: str
    version: int = 0
    started: asyncio.Task[None] | None = None


class RobotPeer:
    """One media peer. A lost one is closed and replaced by a new RobotPeer that shares sender and counters.

    `on_lost` is called once when a connection that was meant to last has failed.
    """

    def __init__(
        self, sender: MediaSender, received: Received, network: Network, on_lost: Callable[[], None], loss: float = 0.0
    ) -> None:
        self.peer_id = ""
        self._sender = sender
        self._received = received
        self._network = network
        self._on_lost = on_lost
        self._loss = loss
        self._connections: dict[str, _Connection] = {}
        self._receptions: dict[int, Reception] = {}
        self._sources: dict[int, tuple[str, Kind]] = {}
        self._ssrc = secrets.randbits(32) or 1
        self._closing = False

    async def answer(self, connection: str, sdp: str) -> str:
        """Answer an offer for "up" or "down"; connecting goes on in the background once the answer is on its way."""
        offer = parse(sdp)
        known = self._connections.get(connection)
        if known is None:
            known = self._connections[connection] = await self._open(connection, offer)
        elif offer.side.ufrag != known.remote_ufrag:
            known.endpoint.restart_ice()
            await known.endpoint.finish_restart(offer.side, use_candidates=True)
            known.remote_ufrag = offer.side.ufrag
        known.version += 1
        if connection == "up":
            self._sender.use(known.endpoint, offer)
        else:
            self._learn_sources(offer)
        sending = self._sender.sending if connection == "up" else Sending()
        return write(known.session_id, known.version, answer_to(offer, known.endpoint.local, sending))

    async def _open(self, connection: str, offer: Description) -> _Connection:
        endpoint = Endpoint(controlling=False, network=self._network)
        endpoint.drop = self._count_datagram
        if self._loss:
            lose(endpoint, self._loss, connection)
        endpoint.on_state = self._state_changed
        if connection == "down":
            endpoint.on_rtp = self._take
        await endpoint.gather()
        opened = _Connection(endpoint, secrets.randbits(31), offer.side.ufrag)
        opened.started = asyncio.create_task(self._start(endpoint, offer))
        return opened

    async def _start(self, endpoint: Endpoint, offer: Description) -> None:
        try:
            await endpoint.start(offer.side, "client")
        except (ConnectionError, OSError):
            self._lost()

    def _learn_sources(self, offer: Description) -> None:
        for line in offer.lines:
            if line.ssrc is not None and line.direction.sends:
                self._sources[line.ssrc] = (line.stream_id, line.kind)

    def _count_datagram(self, data: bytes) -> bool:
        if not 192 <= data[1] <= 223:  # not RTCP (RFC 5761 4)
            self._received.datagrams += 1
        return False

    def _take(self, packet: bytes, _arrival_ms: float) -> None:
        sequence, ssrc = struct.unpack_from("!H", packet, 2)[0], struct.unpack_from("!I", packet, 8)[0]
        reception = self._receptions.setdefault(ssrc, Reception(ssrc))
        reception.take(sequence)
        if ssrc in self._sources:
            self._received.by_source[self._sources[ssrc]] += 1

    def _state_changed(self, state: str) -> None:
        if state in {"failed", "closed"}:
            self._lost()

    def _lost(self) -> None:
        if not self._closing:
            self._closing = True
            self._on_lost()

    async def connected(self, within_s: float) -> None:
        """Wait until every connection runs; raises TimeoutError."""
        async with asyncio.timeout(within_s):
            for connection in list(self._connections.values()):
                if connection.started is not None:
                    await asyncio.shield(connection.started)
        if self._closing:
            raise TimeoutError("the media connection failed")

    async def report_forever(self) -> None:
        """Send receiver reports on "down" until cancelled."""
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            down = self._connections.get("down")
            if down is not None:
                blocks = [reception.report_block() for reception in self._receptions.values()]
                down.endpoint.send_rtcp(receiver_report(self._ssrc, "robot", blocks))

    async def close(self) -> None:
        self._closing = True
        self._sender.stop_using()
        for connection in self._connections.values():
            if connection.started is not None:
                connection.started.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await connection.started
            await connection.endpoint.close()
