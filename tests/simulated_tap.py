"""A tap as the media worker serves it, fed from Opus files: real WebSocket, real packets, a ring, breakable at will."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path

import av
from aiohttp import WSMsgType, web

from transcripts.tap_message import PACKET_MS, TapPacket, pack

LOAN = Path(__file__).parents[1] / "rehearsals" / "speech" / "loan"
PIECE_MS = 2_000
SILENT_OPUS = bytes.fromhex("f8fffe")  # RFC 6716: 20 ms CELT frame of silence


@dataclass(frozen=True)
class SpokenLine:
    """One line of the synthetic hearing."""

    file: Path
    role: str
    text: str
    seconds: float


def loan_lines() -> list[SpokenLine]:
    rows = json.loads((LOAN / "lines.json").read_text(encoding="utf-8"))
    return [SpokenLine(LOAN / row["file"], row["role"], row["text"], row["seconds"]) for row in rows]


def opus_packets(path: Path) -> list[bytes]:
    """The 20 ms Opus packets of an Ogg file, as a browser would send them."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def encode(samples: object, rate_hz: int = 48_000) -> list[bytes]:
    """Opus packets of a float32 mono array."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = rate_hz, "mono", "flt"
    encoder.options = {"frame_duration": "20"}
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate_hz
    fifo = av.AudioFifo()
    fifo.write(frame)
    packets = []
    while (chunk := fifo.read(960)) is not None:
        packets += [bytes(packet) for packet in encoder.encode(chunk)]
    return packets


def by_turns(
    lines: list[SpokenLine], pause_ms: int, sitting_id: str = "sit_1"
) -> tuple[list[TapPacket], list[tuple[SpokenLine, str, int, int]]]:
    """Packets of a sitting in which people speak in turn, everybody else's microphone sending silence.

    Gives also, for each line, its track and when it begins and ends on the record clock.
    """
    tracks = sorted({line.role for line in lines})
    spoken, packets, t_ms = [], [], 0
    for line in lines:
        own = opus_packets(line.file) + [SILENT_OPUS] * (pause_ms // PACKET_MS)
        spoken.append((line, f"{line.role}-audio", t_ms, t_ms + int(line.seconds * 1000)))
        for number, payload in enumerate(own):
            for role in tracks:
                opus = payload if role == line.role else SILENT_OPUS
                packets.append(TapPacket(0, t_ms + number * PACKET_MS, sitting_id, f"{role}-audio", opus))
        t_ms += len(own) * PACKET_MS
    return [replace(packet, seq=number) for number, packet in enumerate(packets, 1)], spoken


def all_at_once(
    lines: list[SpokenLine], people: int, seconds: float, pause_ms: int, sitting_id: str = "sit_1"
) -> tuple[list[TapPacket], list[tuple[SpokenLine, str, int, int]]]:
    """Packets of a sitting in which everybody talks all the time, each with lines of their own and short pauses between.

    No court is like that: it is the load at its worst. Gives also each line's track, beginning and end, as `by_turns` does.
    """
    tracks, spoken = [], []
    for person in range(people):
        track, packets = f"person{person}-audio", list[TapPacket]()
        for number in count(person * len(lines) // people):
            line = lines[number % len(lines)]
            t_ms = len(packets) * PACKET_MS
            if t_ms + line.seconds * 1000 > seconds * 1000:
                break
            spoken.append((line, track, t_ms, t_ms + int(line.seconds * 1000)))
            packets += _said(line, pause_ms, t_ms, sitting_id, track)
        tracks.append(packets)
    packets = sorted((packet for track in tracks for packet in track), key=lambda packet: packet.t_ms)
    return [replace(packet, seq=number) for number, packet in enumerate(packets, 1)], spoken


def _said(line: SpokenLine, pause_ms: int, t_ms: int, sitting_id: str, track_id: str) -> Iterator[TapPacket]:
    for number, opus in enumerate(opus_packets(line.file) + [SILENT_OPUS] * (pause_ms // PACKET_MS)):
        yield TapPacket(0, t_ms + number * PACKET_MS, sitting_id, track_id, opus)


@dataclass
class SimulatedTap:
    """Serves `/tap` from a ring. `play` appends packets; `break_connections` cuts all sockets; a small ring overflows."""

    token: str = "secret"
    worker_id: str = "media_1"
    ring_packets: int = 1_000_000
    ring: deque[TapPacket] = field(default_factory=deque)
    forgotten: list[TapPacket] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)  # the `after` of each connection made
    _sockets: list[web.WebSocketResponse] = field(default_factory=list)
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/tap", self._serve)
        return app

    async def play(self, packets: list[TapPacket], speed: float | None = None) -> None:
        """Put packets into the ring: at `speed` times real time, or at once."""
        loop = asyncio.get_running_loop()
        begun_s, first_ms = loop.time(), packets[0].t_ms
        for packet in packets:
            if speed is not None:
                late_s = begun_s + (packet.t_ms - first_ms) / 1000 / speed - loop.time()
                if late_s > 0:
                    await self._announce()
                    await asyncio.sleep(late_s)
            self.ring.append(packet)
            while len(self.ring) > self.ring_packets:
                self.forgotten.append(self.ring.popleft())
        await self._announce()

    async def break_connections(self) -> None:
        """As if the network had failed: no closing handshake."""
        for socket in self._sockets:
            transport = socket._req.transport if socket._req is not None else None
            if transport is not None:
                transport.abort()
        self._sockets.clear()

    async def _announce(self) -> None:
        async with self._grown:
            self._grown.notify_all()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized
        after = int(request.query["after"])
        self.connections.append(after)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        last = self.ring[-1].seq if self.ring else 0
        await socket.send_json({"type": "hello", "worker_id": self.worker_id, "next_seq": last + 1})
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._send(socket, after), self._read(socket))
        return socket

    async def _read(self, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        raise ConnectionResetError

    async def _send(self, socket: web.WebSocketResponse, after: int) -> None:
        while True:
            if self.ring and self.ring[0].seq > after + 1:
                await socket.send_json(self._overflow(after))
                after = self.ring[0].seq - 1
            first = self.ring[0].seq if self.ring else 0
            for packet in tuple(islice(self.ring, max(0, after + 1 - first), None)):
                await socket.send_bytes(pack(packet))
                after = packet.seq
            async with self._grown:
                if not self.ring or self.ring[-1].seq <= after:
                    await self._grown.wait()

    def _overflow(self, after: int) -> dict[str, object]:
        """What left the ring after that number, told in pieces as the media worker does."""
        spans: list[dict[str, object]] = []
        for packet in self.forgotten:
            if packet.seq > after:
                piece = {
                    "sitting_id": packet.sitting_id,
                    "track_id": packet.track_id,
                    "t0_ms": packet.t_ms // PIECE_MS * PIECE_MS,
                }
                if piece not in [{name: span[name] for name in piece} for span in spans]:
                    spans.append({**piece, "t1_ms": packet.t_ms})
                next(span for span in spans if piece.items() <= span.items())["t1_ms"] = packet.t_ms + PACKET_MS
        return {"type": "overflow", "from_seq": after + 1, "to_seq": self.ring[0].seq - 1, "spans": spans}
