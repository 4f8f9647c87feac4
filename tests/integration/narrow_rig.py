"""People with cameras in three layers, and a viewer behind a narrow path who answers as a browser does: REMB, RR, NACK, RTX."""

import asyncio
import struct

from hearing.audience import Kind
from media import rtcp
from media.aiortc_bridge import now_ms
from media.incoming import IncomingStream
from media.rtp_rewrite import extension, sequence_of, ssrc_of, timestamp_of
from media.sdp import Sending, answer_to, parse, write
from tests.integration.media_rig import SITTING, Client, Rig
from tests.net.bottleneck import BottleneckProxy, address_in, rewrite
from tests.unit.simulated_path import Browser

LAYERS_BPS = {"l": 100_000, "m": 300_000, "h": 600_000}
FRAMES_PER_S = 10
PACKET_BYTES = 1_000
AUDIO_BYTES = 70
SEND_TIME_WRAP_MS = 64_000


class Camera(Client):
    """Sends sound and a camera in layers. The pictures are VP8 by their headers only: no one here decodes them."""

    def __init__(self, rig: Rig, name: str) -> None:
        super().__init__(rig, name)
        self.layer_ssrcs = {rid: self.ssrcs[Kind.VIDEO] + n for n, rid in enumerate(LAYERS_BPS)}
        self.audio_bytes = AUDIO_BYTES  # small ones pass for silence
        self._numbers = dict.fromkeys(LAYERS_BPS, 100)
        self._wants_keyframe = set(LAYERS_BPS)
        self._history: dict[tuple[int, int], bytes] = {}

    async def answer(self, connection: str, revision: int, sdp: str) -> None:
        sending = Sending({Kind.AUDIO: self.ssrcs[Kind.AUDIO]}, rids=tuple(LAYERS_BPS)) if connection == "up" else Sending()
        await _answer(self, connection, revision, sdp, sending)

    def perform(self) -> None:
        self._spawn(self._film())
        self._spawn(self._speak())

    async def _speak(self) -> None:
        began = now_ms()
        for n in range(1_000_000):
            await _until(began + 20 * n)
            self.send(Kind.AUDIO, bytes(self.audio_bytes), 960)

    async def _film(self) -> None:
        began = now_ms()
        for n in range(1_000_000):
            await _until(began + 1_000 * n / FRAMES_PER_S)
            for rid, bps in LAYERS_BPS.items():
                keyframe = rid in self._wants_keyframe
                self._wants_keyframe.discard(rid)
                self._frame(rid, round(bps / 8 / FRAMES_PER_S) * (3 if keyframe else 1), 9_000 * n, keyframe)

    def _frame(self, rid: str, size: int, timestamp: int, keyframe: bool) -> None:
        ssrc = self.layer_ssrcs[rid]
        names = struct.pack("!BB", 0x10, ord("1")) + struct.pack("!BB", 0x50, ord(rid))
        for at in range(0, size, PACKET_BYTES):
            last = at + PACKET_BYTES >= size
            self._numbers[rid] = sequence = (self._numbers[rid] + 1) & 0xFFFF
            descriptor = bytes((0x10 if at == 0 else 0x00, 0x00 if keyframe else 0x01))
            head = struct.pack("!BBHLL", 0x90, 96 | last << 7, sequence, timestamp & 0xFFFFFFFF, ssrc)
            packet = head + struct.pack("!HH", 0xBEDE, 1) + names + descriptor + bytes(min(PACKET_BYTES, size - at))
            self._history[ssrc, sequence & 0x3FF] = packet
            self.up.send_rtp(packet)

    def _on_feedback(self, packet: bytes) -> None:
        rids = {ssrc: rid for rid, ssrc in self.layer_ssrcs.items()}
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.KeyframeRequest) and message.ssrc in rids:
                self._wants_keyframe.add(rids[message.ssrc])
            elif isinstance(message, rtcp.Nack):
                for sequence in message.sequences:
                    kept = self._history.get((message.ssrc, sequence & 0x3FF))
                    if kept is not None and sequence_of(kept) == sequence:
                        self.up.send_rtp(kept)


class NarrowViewer(Client):
    """Receives only, through `proxy`; `layers` is what it was last told, `changes` when that changed."""

    def __init__(self, rig: Rig, name: str) -> None:
        super().__init__(rig, name)
        self.proxy: BottleneckProxy | None = None
        self.browser = Browser(patience_ms=70.0)  # a busy machine delays packets too
        self.bytes = 0
        self.rtx_packets = self.padding_packets = 0
        self.rtx_ssrcs: set[int] = set()
        self.audio: dict[int, set[int]] = {}
        self._streams: dict[int, IncomingStream] = {}
        self._came = 0
        self._delays_ms: list[float] = []
        self._base_ms: float | None = None
        self.down.on_rtp = self._on_packet
        self.down.drop = None

    async def answer(self, connection: str, revision: int, sdp: str) -> None:
        if connection == "down":
            if self.proxy is None:
                self.proxy = BottleneckProxy(address_in(sdp))
                await self.proxy.open()
            sdp = rewrite(sdp, self.proxy)
            self.sources.update({line.ssrc: line.track_id for line in parse(sdp).lines if line.ssrc is not None})
            self.rtx_ssrcs |= {line.rtx_ssrc for line in parse(sdp).lines if line.rtx_ssrc is not None}
        await _answer(self, connection, revision, sdp, Sending(rtx=True))

    @property
    def told(self) -> dict[str, str]:
        """The layer of every picture, as last reported."""
        reports = [r for r in self.rig.of("layers.chosen") if r["peer_id"] == self.peer_id]
        return {choice["track_id"]: choice["layer"] for choice in reports[-1]["choices"]} if reports else {}

    def watch(self) -> None:
        self._spawn(self._feed_back())

    def _on_packet(self, packet: bytes, arrival_ms: float) -> None:
        ssrc = ssrc_of(packet)
        self.bytes += len(packet)
        self._came += len(packet) * (packet[1] & 0x7F != 111)  # as browsers do: sound does not count
        self._measure_delay(packet, arrival_ms)
        if ssrc in self.rtx_ssrcs:
            self.rtx_packets += 1
            self.padding_packets += bool(packet[0] & 0x20)
            return
        if packet[1] & 0x7F == 111:
            self.audio.setdefault(ssrc, set()).add(sequence_of(packet))
        rate_hz = 48_000 if packet[1] & 0x7F == 111 else 90_000
        stream = self._streams.setdefault(ssrc, IncomingStream(ssrc, rate_hz))
        stream.on_packet(sequence_of(packet), timestamp_of(packet), arrival_ms)

    def _measure_delay(self, packet: bytes, arrival_ms: float) -> None:
        """Queueing delay from abs-send-time: what one packet took longer than the quickest."""
        sent = extension(packet, 3)
        assert sent is not None, "every packet carries its send time"
        transit = (arrival_ms - int.from_bytes(sent, "big") / 262.144) % SEND_TIME_WRAP_MS
        if self._base_ms is None:
            self._base_ms = transit
        ahead = (transit - self._base_ms + SEND_TIME_WRAP_MS / 2) % SEND_TIME_WRAP_MS - SEND_TIME_WRAP_MS / 2
        if ahead < 0:
            self._base_ms = transit
        self._delays_ms.append(max(0.0, ahead))

    async def _feed_back(self) -> None:
        began, told_ms, told_bps = now_ms(), 0.0, 0.0
        for n in range(1_000_000):
            await _until(began + 50 * n)
            now = now_ms()
            came, self._came = self._came, 0
            delays_ms, self._delays_ms = self._delays_ms or [0.0], []
            remb = self.browser.take(came, min(delays_ms), now - began)
            packet = b""
            if n % 10 == 0:
                blocks = [block for stream in self._streams.values() if (block := stream.report_block(now)) is not None]
                packet += rtcp.write_report_blocks(blocks)
            if remb is not None and (now - told_ms > 200 or remb < 0.97 * told_bps):
                told_ms, told_bps = now, remb
                packet += rtcp.write_remb(round(remb), list(self._streams)[:4])
            for stream in self._streams.values():
                due = stream.due_nacks(now)
                packet += rtcp.write_nack(stream.ssrc, due) if due else b""
            if packet:
                self.down.send_rtcp(packet)

    async def vanish(self) -> None:
        await super().vanish()
        if self.proxy is not None:
            await self.proxy.close()


async def _answer(client: Client, connection: str, revision: int, sdp: str, sending: Sending) -> None:
    endpoint = client.up if connection == "up" else client.down
    offer = parse(sdp)
    first = connection not in client._remote_ufrag
    client._remote_ufrag[connection] = offer.side.ufrag
    answer = write(client._sessions[connection], revision, answer_to(offer, endpoint.local, sending, client.name))
    await client.rig.control.answer(SITTING, client.peer_id, connection, revision, answer)
    if first:
        await endpoint.start(offer.side, "client")


async def _until(at_ms: float) -> None:
    await asyncio.sleep(max(0.0, (at_ms - now_ms()) / 1000))
