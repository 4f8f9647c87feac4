"""A real media worker, a stand-in for signaling's internal API, and clients with real ICE, DTLS and SRTP."""

import asyncio
import contextlib
import json
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import av
import numpy as np
from aiohttp import web

from hearing.audience import RECORDER, TAP, Grant, GrantTable, Kind
from hearing.model import ParticipantId, SittingId
from media import rtcp
from media.aiortc_bridge import Endpoint, now_ms
from media.control_client import HttpMediaControl
from media.rtp_rewrite import build, payload_of, sequence_of, ssrc_of
from media.rtp_time import ms_to_ntp
from media.sdp import answer_to, parse, write
from media.settings import MediaSettings, Network
from media.worker import serve
from storage.clock import SystemClock

CLOCK = SystemClock()
TOKEN = "internal-token"
SITTING = SittingId("sit_1")
LOOPBACK = Network(addresses=("127.0.0.1",))


def opus_tone(seconds: float, hz: float = 440.0) -> list[bytes]:
    """20 ms Opus packets of a sine."""
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48_000, "mono", "s16"
    packets: list[bytes] = []
    for n in range(round(seconds * 50) + 1):
        t = np.arange(960) + n * 960
        samples = (np.sin(t * 2 * np.pi * hz / 48_000) * 8_000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, n * 960
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


def vp8_picture(frames: int, keyframe_every: int = 15, size: tuple[int, int] = (160, 120)) -> list[tuple[bytes, bool]]:
    """(frame, is keyframe) of a changing VP8 test picture."""
    from fractions import Fraction

    codec = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = *size, "yuv420p", Fraction(1, 15)
    codec.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    codec.gop_size = keyframe_every
    out = []
    rng = np.random.default_rng(1)
    for n in range(frames):
        picture = rng.integers(0, 255, (size[1] * 3 // 2, size[0]), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = n
        out += [(bytes(packet), packet.is_keyframe) for packet in codec.encode(frame)]
    return out


def table(number: int, members: Iterable[str], grants: dict[tuple[str, Kind], Iterable[str]], **times: datetime) -> GrantTable:
    now = CLOCK.now()
    return GrantTable(
        sitting_id=SITTING,
        number=number,
        effective_at=times.get("effective_at", now),
        opened_at=times.get("opened_at"),
        members=frozenset(map(ParticipantId, members)),
        grants=tuple(
            Grant(ParticipantId(source), kind, frozenset(map(ParticipantId, to))) for (source, kind), to in grants.items()
        ),
    )


def all_to_all(members: Iterable[str], recorded: bool) -> dict[tuple[str, Kind], Iterable[str]]:
    people = list(members)
    grants: dict[tuple[str, Kind], Iterable[str]] = {}
    for source in people:
        others = [name for name in people if name != source]
        grants[source, Kind.AUDIO] = [*others, *([RECORDER, TAP] if recorded else [])]
        grants[source, Kind.VIDEO] = [*others, *([RECORDER] if recorded else [])]
    return grants


@dataclass
class Rig:
    control: HttpMediaControl
    spool: Path
    reports: list[dict]
    settings: MediaSettings
    clients: dict[str, "Client"] = field(default_factory=dict)
    accept_reports: bool = True
    word: dict = field(default_factory=dict)  # what the stand-in for signaling answers to reports

    def of(self, report_type: str) -> list[dict]:
        return [report for report in self.reports if report["type"] == report_type]

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)

    async def join(self, name: str, **options: object) -> "Client":
        client = Client(self, name, **options)
        await client.join()
        self.clients[client.peer_id] = client
        return client


@contextlib.asynccontextmanager
async def worker_in_process(settings: MediaSettings) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(serve(settings, CLOCK, ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert ready.is_set(), task.exception() if task.done() else "not ready"
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class WorkerProcess:
    """A worker in its own process, which can be killed."""

    def __init__(self, settings: MediaSettings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        settings = self._settings
        values = json.dumps([settings.port, settings.signaling_url, str(settings.spool), settings.segment_s])
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, values, cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        while (line := await self._process.stdout.readline()) != b"ready\n":
            assert line, "the worker process ended"

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        assert self._process is not None
        self._process.kill()
        await self._process.communicate()


PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from media.settings import MediaSettings, Network
from media.worker import serve
from storage.clock import SystemClock
port, signaling, spool, segment_s = json.loads(sys.argv[1])
settings = MediaSettings("media-1", "127.0.0.1", port, f"http://127.0.0.1:{port}", signaling, Path(spool), "internal-token",
                         Network(addresses=("127.0.0.1",)), segment_s=segment_s)
asyncio.run(serve(settings, SystemClock(), lambda: print("ready", flush=True)))
"""


@contextlib.asynccontextmanager
async def rig(tmp_path: Path, *, own_worker: bool = True, **changes: object) -> AsyncIterator[Rig]:
    """A worker in this process (or none, when the test starts its own); `changes` replace fields of its settings."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        reports: list[dict] = []
        holder: list[Rig] = []
        runner = web.AppRunner(_signaling(reports, holder), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = _free_port()
        defaults = {
            "worker_id": "media-1", "host": "127.0.0.1", "port": port, "control_url": f"http://127.0.0.1:{port}",
            "signaling_url": f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}", "spool": tmp_path / "spool",
            "internal_token": TOKEN, "network": LOOPBACK,
        }  # fmt: skip
        settings = MediaSettings(**{**defaults, **changes})
        control = HttpMediaControl(settings.control_url, TOKEN, session)
        one = Rig(control, settings.spool, reports, settings)
        holder.append(one)
        if own_worker:
            await stack.enter_async_context(worker_in_process(settings))
        try:
            yield one
        finally:
            for client in one.clients.values():
                await client.vanish()


def _signaling(reports: list[dict], holder: list[Rig]) -> web.Application:
    async def take(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        if holder and not holder[0].accept_reports:
            return web.Response(status=503)
        body = await request.json()
        reports.extend(body["reports"])
        for report in body["reports"]:
            if report["type"] == "offer.made" and holder:
                client = holder[0].clients.get(report["peer_id"])
                if client is not None:
                    client.offered(report["connection"], report["revision"], report["sdp"])
        return web.json_response(holder[0].word if holder else {})

    app = web.Application()
    app.add_routes([web.post("/internal/media/reports", take)])
    return app


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Client:
    """A participant: answers offers, sends given packets in real time, counts what it gets."""

    def __init__(self, rig: Rig, name: str, *, drop: Callable[[bytes], bool] | None = None) -> None:
        self.rig, self.name, self.peer_id = rig, name, f"peer_{secrets.token_hex(4)}"
        self.drop = drop
        self.up = Endpoint(controlling=False, network=LOOPBACK)
        self.down = Endpoint(controlling=False, network=LOOPBACK)
        self.ssrcs = {Kind.AUDIO: secrets.randbits(31), Kind.VIDEO: secrets.randbits(31)}
        self.got: dict[str, list[bytes]] = {}
        self.datagrams = 0
        self.sources: dict[int, str] = {}
        self.keyframe_requests = 0
        self.sent: Counter[Kind] = Counter()
        self.resent = 0
        self._cache: dict[tuple[int, int], bytes] = {}
        self._sequence = {kind: secrets.randbits(16) for kind in Kind}
        self._timestamp = {kind: secrets.randbits(32) for kind in Kind}
        self._tasks: set[asyncio.Task] = set()
        self._sessions = {"up": secrets.randbits(31), "down": secrets.randbits(31)}
        self._remote_ufrag: dict[str, str] = {}
        self.down.drop = self._count
        self.down.on_rtp = self._on_rtp
        self.up.on_rtcp = self._on_feedback

    async def join(self) -> None:
        await self.up.gather()
        await self.down.gather()
        offers = await self.rig.control.connect(SITTING, ParticipantId(self.name), self.peer_id)
        await asyncio.gather(*(self.answer(offer.connection, offer.revision, offer.sdp) for offer in offers))
        await self.rig.until(lambda: self.up.state == "connected" and self.down.state == "connected")

    def offered(self, connection: str, revision: int, sdp: str) -> None:
        self._spawn(self.answer(connection, revision, sdp))

    async def answer(self, connection: str, revision: int, sdp: str) -> None:
        endpoint = self.up if connection == "up" else self.down
        offer = parse(sdp)
        if connection == "down":
            self.sources.update({line.ssrc: line.track_id for line in offer.lines if line.ssrc is not None})
        first = connection not in self._remote_ufrag
        if not first and self._remote_ufrag[connection] != offer.side.ufrag:
            endpoint.restart_ice()
            await endpoint.finish_restart(offer.side, use_candidates=True)
        self._remote_ufrag[connection] = offer.side.ufrag
        sending = self.ssrcs if connection == "up" else {}
        answer = write(self._sessions[connection], revision, answer_to(offer, endpoint.local, sending, self.name))
        await self.rig.control.answer(SITTING, self.peer_id, connection, revision, answer)
        if first:
            await endpoint.start(offer.side, "client")

    # --- sending ---------------------------------------------------------------------------

    def talk(self, packets: list[bytes]) -> asyncio.Task:
        return self._spawn(self._talk(packets))

    async def _talk(self, packets: list[bytes]) -> None:
        began = now_ms()
        for n, payload in enumerate(packets):
            await _sleep_until(began + 20 * n)
            self.send(Kind.AUDIO, payload, 960)
            if n % 25 == 10:
                self.send_report(Kind.AUDIO)

    def show(self, frames: list[tuple[bytes, bool]], per_second: int = 15) -> asyncio.Task:
        return self._spawn(self._show(frames, per_second))

    async def _show(self, frames: list[tuple[bytes, bool]], per_second: int) -> None:
        began = now_ms()
        for n, (frame, _) in enumerate(frames):
            await _sleep_until(began + 1000 * n / per_second)
            parts = [frame[at : at + 1_000] for at in range(0, len(frame), 1_000)]
            for at, part in enumerate(parts):
                last = at == len(parts) - 1
                descriptor = b"\x10" if at == 0 else b"\x00"
                self.send(Kind.VIDEO, descriptor + part, 90_000 // per_second if last else 0, marker=last)
            if n % 15 == 5:
                self.send_report(Kind.VIDEO)

    def send(self, kind: Kind, payload: bytes, ticks: int, *, marker: bool = False) -> None:
        sequence, payload_type = self._sequence[kind], 111 if kind is Kind.AUDIO else 96
        packet = build(payload_type, sequence, self._timestamp[kind], self.ssrcs[kind], payload, marker=marker)
        self._cache[self.ssrcs[kind], sequence] = packet
        self._sequence[kind] = (sequence + 1) & 0xFFFF
        self._timestamp[kind] = (self._timestamp[kind] + ticks) & 0xFFFFFFFF
        self.sent[kind] += 1
        self.up.send_rtp(packet)

    def send_report(self, kind: Kind) -> None:
        ntp = ms_to_ntp(CLOCK.now().timestamp() * 1000)
        self.up.send_rtcp(rtcp.write_sender_report(self.ssrcs[kind], ntp, self._timestamp[kind], self.sent[kind], 0))

    def _on_feedback(self, packet: bytes) -> None:
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.Nack):
                for sequence in message.sequences:
                    cached = self._cache.get((message.ssrc, sequence))
                    if cached is not None:
                        self.resent += 1
                        self.up.send_rtp(cached)
            elif isinstance(message, rtcp.KeyframeRequest):
                self.keyframe_requests += 1

    # --- receiving -------------------------------------------------------------------------

    def _count(self, data: bytes) -> bool:
        if not 192 <= data[1] <= 223:
            self.datagrams += 1
        return self.drop is not None and self.drop(data)

    def _on_rtp(self, packet: bytes, _arrival_ms: float) -> None:
        self.got.setdefault(self.sources.get(ssrc_of(packet), "unknown"), []).append(packet)

    def count(self, track_id: str) -> int:
        return len({sequence_of(packet) for packet in self.got.get(track_id, [])})

    def payloads(self, track_id: str) -> list[bytes]:
        return [payload_of(packet) for packet in self.got.get(track_id, [])]

    # --- leaving ---------------------------------------------------------------------------

    def _spawn(self, work: object) -> asyncio.Task:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def vanish(self) -> None:
        """Gone without a word to the control server."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.up.close()
        await self.down.close()


async def _sleep_until(at_ms: float) -> None:
    await asyncio.sleep(max(0.0, (at_ms - now_ms()) / 1000))


def wire_loss(every: int) -> Callable[[bytes], bool]:
    """A loss pattern before decryption: one media datagram in `every` is lost, retransmissions as well as first sendings."""
    seen = 0

    def drop(data: bytes) -> bool:
        nonlocal seen
        if 192 <= data[1] <= 223:
            return False
        seen += 1
        return seen % every == 0

    return drop


def seconds(value: float) -> timedelta:
    return timedelta(seconds=value)
