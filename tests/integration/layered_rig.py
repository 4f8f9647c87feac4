"""One camera in three real layers, sent to real receivers through the server's own links: no court and no allocator.

Publisher and viewers are clients with ICE, DTLS and SRTP; what is lost is lost before decryption.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import av

from court.rehearsal.picture import TestPicture
from court.rehearsal.sender import MediaSender
from hearing.audience import RECORDER, Grant, GrantTable, Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate, Endpoint, now_ms
from media.depacketizer import Depacketizer, Frame
from media.downlink import Downlink
from media.incoming import IncomingStream
from media.link import Link
from media.recorder import Recorder
from media.rtp_rewrite import restored, sequence_of, ssrc_of, timestamp_of
from media.sdp import Sending, answer_to, parse, write
from media.segment_writer import SegmentWriter
from media.sfu import Forwarder, Track
from media.spool import Spool
from media.uplink import Uplink
from tests.integration.media_rig import CLOCK, LOOPBACK, SITTING

SCALES = {"l": 1, "m": 2, "h": 4}
SIZES = {(160, 120): "l", (320, 240): "m", (640, 480): "h"}
PUBLISHER = ParticipantId("p")
TICK_S = 0.02


def picture(rid: str) -> TestPicture:
    return TestPicture(rid, ZoneInfo("Asia/Shanghai"), SCALES[rid])


async def join(link: Link, endpoint: Endpoint, sending: Sending) -> None:
    """Both ends of one connection, with the server's own offer and a client's answer."""
    await asyncio.gather(link.gather(), endpoint.gather())
    offer = link.make_offer()
    described = parse(offer.sdp)
    side = link.take_answer(offer.revision, write(1, 1, answer_to(described, endpoint.local, sending, PUBLISHER)))
    await asyncio.gather(link.connect(side), endpoint.start(described.side, "client"))
    link.on_changed()


@dataclass(eq=False)
class Viewer:
    """Receives one camera as a browser does: asks for what is missing, takes retransmissions, decodes at the end."""

    name: str
    link: Downlink
    endpoint: Endpoint
    rtx: bool
    packets: dict[int, bytes] = field(default_factory=dict)  # by sequence number
    order: list[int] = field(default_factory=list)
    datagrams: int = 0
    repaired: int = 0
    ssrc: int = 0
    stream: IncomingStream = field(default_factory=lambda: IncomingStream(0, 90_000))

    def take(self, packet: bytes, arrival_ms: float) -> None:
        if packet[1] & 0x7F == 97:
            original = restored(packet, 96, self.ssrc)
            if original is None:
                return
            self.repaired += 1
            packet = original
        assert ssrc_of(packet) == self.ssrc
        sequence = sequence_of(packet)
        self.order.append(sequence)
        self.packets.setdefault(sequence, packet)
        self.stream.on_packet(sequence, timestamp_of(packet), arrival_ms)

    def ask_for_missing(self) -> None:
        due = self.stream.due_nacks(now_ms())
        if due:
            self.endpoint.send_rtcp(rtcp.write_nack(self.ssrc, due))

    def in_order(self) -> list[bytes]:
        first = self.order[0]
        return [self.packets[n] for n in sorted(self.packets, key=lambda n: (n - first + 0x4000) & 0xFFFF)]

    def frames(self) -> list[Frame]:
        depacketizer = Depacketizer(Kind.VIDEO, 0.0)
        for n, packet in enumerate(self.in_order()):
            depacketizer.push(packet, float(n))
        frames = list(depacketizer.pop(1e9))
        assert depacketizer.lost == 0
        return frames


def decode(frames: list[bytes]) -> list[str]:
    """The layer of each decoded picture, by its size; raises on the first frame that does not decode."""
    decoder = av.CodecContext.create("vp8", "r")
    decoder.options = {"err_detect": "explode"}
    return [SIZES[shown.width, shown.height] for data in frames for shown in decoder.decode(av.Packet(data))]


class Rig:
    """One publisher, its viewers and perhaps a recorder. What `lose` is true for is lost on the wire."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None
        self._listeners: dict[ParticipantId, Recorder] = {}
        self.forwarder = Forwarder(self._listeners)
        self.viewers: dict[str, Viewer] = {}
        self.certificate = Certificate()
        self.uplink = Uplink(PUBLISHER, LOOPBACK, self.certificate, self.forwarder, 4_000_000)
        self.endpoint = Endpoint(controlling=False, network=LOOPBACK)
        self.sender: MediaSender | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def track(self) -> Track:
        return self.forwarder.track(PUBLISHER, Kind.VIDEO)

    def record(self, writer: SegmentWriter) -> Recorder:
        zero_ms, zero = now_ms(), CLOCK.now()
        self.recorder = self._listeners[RECORDER] = Recorder(
            SITTING, writer, lambda: [t for t in self.forwarder.tracks.values() if t.is_live],
            lambda at: zero_ms + (at - zero).total_seconds() * 1000, lambda _report: None,
        )  # fmt: skip
        return self.recorder

    def grant(self, *viewers: str, recorded: bool = False) -> None:
        to = frozenset(map(ParticipantId, viewers)) | ({RECORDER} if recorded else set())
        grants = (Grant(PUBLISHER, Kind.VIDEO, to), Grant(PUBLISHER, Kind.AUDIO, to))
        self.forwarder.set_grants(grants)
        if self.recorder is not None:
            now = CLOCK.now()
            members = frozenset(map(ParticipantId, (PUBLISHER, *viewers)))
            self.recorder.apply(GrantTable(SITTING, 1, now, now, members, grants if recorded else ()))
        self.forwarder.refresh()

    async def publish(self, rids: tuple[str, ...], lose: Callable[[bytes], bool] | None = None) -> MediaSender:
        """Begin to send; `rids` empty: one plain layer, without RTX."""
        pictures = {rid: picture(rid) for rid in rids} or {"": picture("h")}
        self.sender = sender = MediaSender("p", CLOCK, pictures)
        self.uplink.endpoint.drop = lose
        await join(self.uplink, self.endpoint, sender.sending)
        sender.use(self.endpoint, parse(self.uplink.make_offer().sdp))
        self._tasks += [asyncio.create_task(sender.run()), asyncio.create_task(self._tick())]
        return sender

    async def view(self, name: str, *, rtx: bool = True, lose: Callable[[bytes], bool] | None = None) -> Viewer:
        """Join as a receiver; whom the grants name gets packets."""
        link = Downlink(ParticipantId(name), LOOPBACK, self.certificate, self.forwarder)
        link.set_tracks([self.track])
        link.on_changed = lambda: self.forwarder.set_receiver(link.participant_id, link)
        viewer = Viewer(name, link, Endpoint(controlling=False, network=LOOPBACK), rtx, ssrc=self.track.ssrc)
        viewer.endpoint.on_rtp = viewer.take
        viewer.endpoint.drop = lambda data: _count(viewer, data) or (lose is not None and lose(data))
        self.viewers[name] = viewer
        await join(link, viewer.endpoint, Sending(rtx=rtx))
        return viewer

    def want(self, layer: str | None, *names: str) -> None:
        for name in names:
            self.track.want(ParticipantId(name), layer)

    async def until(self, condition: Callable[[], object], seconds: float = 40.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(TICK_S)

    async def until_shown(self, layer: str, *names: str) -> None:
        """Until these viewers get `layer`, and for a few pictures more."""
        await self.until(lambda: all(self.track.layer_of(ParticipantId(name)) == layer for name in names))
        await asyncio.sleep(0.7)

    async def _tick(self) -> None:
        reported_ms = 0.0
        while True:
            now = now_ms()
            self.uplink.ask_for_missing(now)
            for viewer in self.viewers.values():
                viewer.ask_for_missing()
            if self.recorder is not None:
                self.recorder.tick(now)
            if now - reported_ms > 1_000:
                reported_ms = now
                self.uplink.report(now)
            await asyncio.sleep(TICK_S)

    async def settle(self) -> None:
        """The sender stops; what is missing is asked for a last time."""
        self._tasks[0].cancel()
        await asyncio.sleep(0.5)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.uplink.close()
        await self.endpoint.close()
        for viewer in self.viewers.values():
            await viewer.link.close()
            await viewer.endpoint.close()


def random_loss(share: float, seed: int) -> Callable[[bytes], bool]:
    """Each datagram of media is lost with this probability, retransmissions as well as first sendings."""
    chance = random.Random(seed)
    return lambda data: not 192 <= data[1] <= 223 and chance.random() < share


def _count(viewer: Viewer, data: bytes) -> bool:
    viewer.datagrams += not 192 <= data[1] <= 223
    return False


@contextlib.asynccontextmanager
async def layered(spool: Path | None = None) -> AsyncIterator[Rig]:
    """With `spool` everything granted to the recorder is written there when the block ends."""
    one = Rig()
    async with contextlib.AsyncExitStack() as stack:
        if spool is not None:
            spool.mkdir()
            writer = SegmentWriter(Spool(spool), lambda _segment, _error: None)
            writer.start()
            stack.push_async_callback(writer.stop)
            one.record(writer)
        stack.push_async_callback(one.close)
        yield one
        if one.recorder is not None:
            one.recorder.stop_now("stop")
            await one.recorder.drain()
