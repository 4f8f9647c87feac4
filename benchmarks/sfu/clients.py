"""Clients that do what a browser does on the wire: real ICE, DTLS and SRTP; SR, RR, REMB, NACK and answers to PLI and NACK.

Subscribers count and account for packets by their clear RTP headers without decrypting; only a witness decrypts what it
receives and reads the sending times. Their RTCP is encrypted and decrypted like everybody's.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.sfu import sdp
from benchmarks.sfu.streams import (
    FRAMES_PER_S,
    KEYFRAME_EVERY,
    OPUS_FRAME_MS,
    OutgoingStream,
    TransportCounter,
    opus_payload,
    sent_s,
    vp8_payloads,
)
from media import rtcp
from media.aiortc_bridge import Certificate, Endpoint, now_ms
from media.incoming import IncomingStream
from media.rtp_rewrite import payload_of
from media.rtp_time import ms_to_ntp
from media.sdp import TransportSide
from media.settings import Network
from storage.clock import SystemClock

REPORT_EVERY_S = 1.0
NACK_TICK_S = 0.02
REMB_BPS = 20_000_000  # the path is not the limit here
AUDIO_REPORT_EVERY = 5  # Chrome: 1 s for video, 5 s for audio
# A round trip as over a city, made in the receiver reports: at 0 ms, as over loopback, Janus 1.1.2 keeps no packets for NACKs.
STATED_RTT_MS = 20.0
LATE_S = 0.2  # after a standstill a source goes on from now, as a sound card would
_clock = SystemClock()


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients open their sockets, and the certificate they share."""

    network: Network
    certificate: Certificate


class Leg:
    """One connection of a client: its transport and the descriptions exchanged over it."""

    def __init__(self, place: Place, *, offers: bool = False, rtx: bool = True) -> None:
        self.endpoint = Endpoint(controlling=offers, network=place.network, certificate=place.certificate)
        self.on_agreed: Callable[[sdp.Session, sdp.Session], None] = lambda _server, _client: None
        self.ssrcs: Mapping[str, int] = {}
        self.stream = f"client{secrets.token_hex(3)}"
        self._session_id = secrets.randbits(31)
        self._version = 0
        self._started = False
        self._rtx = rtx
        self._server: sdp.Session | None = None

    async def offer(self) -> str:
        """Offer to send."""
        await self.endpoint.gather()
        self._offered = sdp.offered_lines(self.ssrcs, self.stream)
        self._version += 1
        return sdp.write(self._session_id, self._version, self.endpoint.local, self._offered)

    async def take_answer(self, text: str) -> None:
        """Take the server's answer to offer() and connect. Raises ConnectionError."""
        server = sdp.parse(text)
        # What the answer left in place is agreed, under the numbers of our offer.
        lines = tuple(
            sdp.Line(
                ours.mid, ours.kind, ours.direction, theirs.payload_type,
                tuple(name for name in ours.feedback if name in theirs.feedback),
                {uri: number for uri, number in ours.extensions.items() if uri in theirs.extensions}, ours.ssrc,
            )
            for ours, theirs in zip(self._offered, server.lines, strict=True)
        )  # fmt: skip
        self.on_agreed(server, sdp.Session(self.endpoint.local, lines))
        self._server, self._started = server, True
        await self.endpoint.start(server.side, "server" if server.side.setup == "active" else "client")

    async def answer(self, text: str) -> str:
        """Answer an offer of the server, the first or a later one; connect() follows once the answer was sent."""
        if self._server is None:
            await self.endpoint.gather()
        self._server = server = sdp.parse(text)
        lines = sdp.answered_lines(server, self.ssrcs, self.stream, rtx=self._rtx)
        side = self.endpoint.local
        answered = TransportSide(side.ufrag, side.pwd, side.fingerprint, side.candidates, "active")
        self.on_agreed(server, sdp.Session(answered, lines))
        self._version += 1
        return sdp.write(self._session_id, self._version, answered, lines)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The track ids of the pictures the server offers now."""
        lines = self._server.lines if self._server is not None else ()
        return tuple(line.track for line in lines if line.kind == "video" and line.direction in {"sendonly", "sendrecv"})

    async def connect(self) -> None:
        """Start the transport after the first answer; a later answer needs nothing. Raises ConnectionError."""
        if not self._started and self._server is not None:
            self._started = True
            await self.endpoint.start(self._server.side, "client")

    @property
    def srtp_profile(self) -> str:
        """The cipher that was agreed on."""
        profile: bytes = self.endpoint._dtls._ssl.get_selected_srtp_profile()  # type: ignore[union-attr]  # noqa: SLF001
        return profile.decode()

    async def close(self) -> None:
        await self.endpoint.close()


class Publisher:
    """Sends one camera and one microphone over a leg. `phase` (0..1) spreads the publishers over a frame's time."""

    def __init__(self, leg: Leg, phase: float) -> None:
        self.leg = leg
        self.resent = self.keyframes_asked = 0
        counter = TransportCounter()
        self.streams = {kind: OutgoingStream(kind, counter) for kind in ("audio", "video")}
        self.on_audio_sent: Callable[[float], None] = lambda _sent_s: None
        self._phase = phase
        self._keyframe_wanted = True
        leg.ssrcs = {kind: stream.ssrc for kind, stream in self.streams.items()}
        leg.on_agreed = self._agreed
        leg.endpoint.on_rtcp = self._on_rtcp

    @property
    def packets(self) -> int:
        return sum(stream.packets for stream in self.streams.values())

    @property
    def octets(self) -> int:
        return sum(stream.octets for stream in self.streams.values())

    def _agreed(self, _server: sdp.Session, client: sdp.Session) -> None:
        for line in client.lines:
            if line.ssrc is not None:
                self.streams[line.kind].use(line)

    async def run(self) -> None:
        """Send until cancelled."""
        self._began_s = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._every(OPUS_FRAME_MS / 1000, self._send_audio))
            tasks.create_task(self._every(1 / FRAMES_PER_S, self._send_frame))
            tasks.create_task(self._every(REPORT_EVERY_S, self._send_reports))

    async def _every(self, interval_s: float, act: Callable[[int, float], None]) -> None:
        """Call `act(count, seconds since the beginning)` at a steady pace."""
        loop = asyncio.get_running_loop()
        due, count = loop.time() + interval_s * self._phase, 0
        while True:
            await asyncio.sleep(due - loop.time())
            act(count, due - self._began_s)
            count += 1
            due = max(due + interval_s, loop.time() - LATE_S)

    def _send_audio(self, _count: int, at_s: float) -> None:
        sent = now_ms() / 1000
        self.leg.endpoint.send_rtp(self.streams["audio"].packet(opus_payload(sent), at_s, marker=False))
        self.on_audio_sent(sent)

    def _send_frame(self, count: int, at_s: float) -> None:
        keyframe = self._keyframe_wanted or count % KEYFRAME_EVERY == 0
        self._keyframe_wanted = False
        payloads = list(vp8_payloads(count, keyframe=keyframe))
        for n, payload in enumerate(payloads, 1):
            self.leg.endpoint.send_rtp(self.streams["video"].packet(payload, at_s, marker=n == len(payloads)))

    def _send_reports(self, _count: int, _at_s: float) -> None:
        ntp = ms_to_ntp(_clock.now().timestamp() * 1000)
        for stream in self.streams.values():
            if stream.packets:
                report = rtcp.write_sender_report(stream.ssrc, ntp, stream.timestamp, stream.packets, stream.octets)
                self.leg.endpoint.send_rtcp(report)

    def _on_rtcp(self, packet: bytes) -> None:
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.Nack):
                stream = next((s for s in self.streams.values() if s.ssrc == message.ssrc), None)
                for sequence in message.sequences if stream is not None else ():
                    cached = stream.cached(sequence) if stream is not None else None
                    if cached is not None:
                        self.resent += 1
                        self.leg.endpoint.send_rtp(cached)
            elif isinstance(message, rtcp.KeyframeRequest):
                self.keyframes_asked += 1
                self._keyframe_wanted = True


class Subscriber:
    """Receives over a leg. `loss` is the share of media packets thrown away before anything sees them (then NACKed)."""

    def __init__(self, leg: Leg, *, is_witness: bool = False, loss: float = 0.0) -> None:
        self.leg = leg
        self.packets = self.nacked = self.repaired = 0
        self.first_ms: float | None = None
        self.latencies_ms: list[float] = []
        self.streams: dict[int, IncomingStream] = {}
        self._is_witness = is_witness
        self._loss = loss
        self._random = random.Random(secrets.randbits(32)).random
        self._kinds: dict[int, str] = {}  # by payload type
        self._kind_of: dict[int, str] = {}  # by SSRC
        self._with_nack: frozenset[str] = frozenset()
        self._base_of: dict[int, int] = {}  # SSRC of the stream by SSRC of its RTX stream
        self._asked: set[tuple[int, int]] = set()  # (SSRC, sequence number) NACKed and not come yet
        self._reports = 0
        leg.on_agreed = self._agreed
        leg.endpoint.drop = self._datagram
        leg.endpoint.on_rtp = self._decrypted
        leg.endpoint.on_rtcp = self._on_rtcp

    def _agreed(self, server: sdp.Session, _client: sdp.Session) -> None:
        self._kinds.update({line.payload_type: line.kind for line in server.lines})
        self._with_nack = frozenset(line.kind for line in server.lines if "nack" in line.feedback)
        self._base_of.update({line.rtx_ssrc: line.ssrc for line in server.lines if line.rtx_ssrc and line.ssrc})

    def _datagram(self, data: bytes) -> bool:
        """Every encrypted datagram; True keeps it from being decrypted."""
        if 192 <= data[1] <= 223:  # RTCP, RFC 5761 4
            return False
        if self._loss and self._random() < self._loss:
            return True
        arrival_ms = now_ms()
        ssrc = int.from_bytes(data[8:12], "big")
        if ssrc in self._base_of:
            return False  # which packet it repeats stands in the encrypted part
        stream = self.streams.get(ssrc)
        if stream is None:
            kind = self._kinds.get(data[1] & 0x7F)
            if kind is None:
                return True
            stream = self.streams[ssrc] = IncomingStream(ssrc, sdp.CLOCK_RATES_HZ[kind])
            self._kind_of[ssrc] = kind
            self.first_ms = self.first_ms or arrival_ms
        self.packets += 1
        if self._asked:
            self._asked.discard((ssrc, data[2] << 8 | data[3]))
        stream.on_packet(data[2] << 8 | data[3], int.from_bytes(data[4:8], "big"), arrival_ms)
        return not self._is_witness

    def _decrypted(self, packet: bytes, arrival_ms: float) -> None:
        base = self._base_of.get(int.from_bytes(packet[8:12], "big"))
        if base is not None:
            self._repeated(base, packet, arrival_ms)
        elif self._kinds.get(packet[1] & 0x7F) == "audio":
            self.latencies_ms.append(arrival_ms - sent_s(packet) * 1000)

    def _repeated(self, ssrc: int, packet: bytes, arrival_ms: float) -> None:
        """A packet of the RTX stream (RFC 4588 4): counted when it was asked for; else it is a probe of the path."""
        sequence = int.from_bytes(payload_of(packet)[:2], "big")
        if (ssrc, sequence) in self._asked and ssrc in self.streams:
            self._asked.discard((ssrc, sequence))
            self.packets += 1
            self.repaired += 1
            self.streams[ssrc].on_packet(sequence, int.from_bytes(packet[4:8], "big"), arrival_ms)

    def _on_rtcp(self, packet: bytes) -> None:
        arrival_ms = now_ms() + STATED_RTT_MS  # so "delay since last SR" is stated shorter by this
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.SenderReport) and message.ssrc in self.streams:
                self.streams[message.ssrc].on_sender_report(message.ntp, arrival_ms)

    def report(self) -> None:
        """A receiver report for each stream in a packet of its own, as Chrome does; REMB goes with the first."""
        now, estimate = now_ms(), rtcp.write_remb(REMB_BPS, list(self.streams))
        self._reports += 1
        for ssrc, stream in self.streams.items():
            if self._kind_of[ssrc] == "audio" and self._reports % AUDIO_REPORT_EVERY:
                continue
            block = stream.report_block(now)
            if block is not None:
                self.leg.endpoint.send_rtcp(rtcp.write_report_blocks([block]) + estimate)
                estimate = b""

    def ask_again(self, now: float) -> None:
        """NACK what is missing of the kinds for which the server agreed to that."""
        for ssrc, stream in self.streams.items():
            missing = stream.due_nacks(now)
            if missing and self._kind_of[ssrc] in self._with_nack:
                self.nacked += len(missing)
                self._asked.update((ssrc, sequence) for sequence in missing)
                self.leg.endpoint.send_rtcp(rtcp.write_nack(stream.ssrc, missing))


async def give_feedback(subscribers: list[Subscriber]) -> None:
    """RR and REMB once a second for each, spread over the second, and NACKs as soon as they are due; until cancelled."""
    done = 0.0
    while True:
        await asyncio.sleep(NACK_TICK_S)
        now = now_ms()
        share = len(subscribers) * NACK_TICK_S / REPORT_EVERY_S
        for n in range(int(done), int(done + share)):
            subscribers[n % len(subscribers)].report()
        done += share
        for subscriber in subscribers:
            subscriber.ask_again(now)
