"""The connection on which a client sends to us: its streams, what is missing of them, what we ask and report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hearing.audience import Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate, now_ms
from media.allowance import Allowance
from media.incoming import IncomingStream
from media.layers import SINGLE, Layer
from media.link import Link
from media.rtp_rewrite import (
    HEADER_BYTES,
    extension,
    payload_offset,
    restored,
    sequence_of,
    ssrc_of,
    timestamp_of,
    transport_sequence,
)
from media.rtp_time import SenderClock
from media.sdp import (
    CLOCK_RATES_HZ,
    LEVEL_EXTENSION,
    MID_EXTENSION,
    PAYLOAD_TYPES,
    REPAIRED_RID_EXTENSION,
    RID_EXTENSION,
    RTX_PT,
    MediaLine,
    TransportSide,
    up_lines,
)
from media.settings import Network
from media.sfu import Forwarder, Track
from media.sockets import SOCKET_BUFFER_BYTES
from media.speaking import SpeechGate, level_dbov
from media.twcc import TwccRecorder

KEYFRAME_INTERVAL_MS = 500.0
FEEDBACK_INTERVAL_MS = 50.0  # TWCC: at most 20 small packets a second
MAX_STREAMS = 48  # over the life of a connection: each new SSRC is a new start of its layer
MIN_VIDEO_BPS = 100_000
ROOM_ABOVE_LIMIT = 4  # keyframes, repairs, audio and a screen beside the camera asked for; more is dropped unread
HEADERS_BYTES = 40  # what a packet costs beside its payload: many small ones are a flood too
SILENT_AFTER_MS = 1_000.0


@dataclass(slots=True, eq=False)
class Slot:
    """One layer that the client has agreed to send; `publication`: the stream that feeds it now."""

    kind: Kind
    name: str
    track: Track
    layer: Layer
    publication: Publication | None = None
    last_keyframe_request_ms: float = -KEYFRAME_INTERVAL_MS


@dataclass(slots=True, eq=False)
class Publication:
    """One incoming stream (SSRC) that feeds a layer of a track."""

    incoming: IncomingStream
    slot: Slot
    track: Track
    layer: Layer
    last_packet_ms: float = field(default=0.0)


class Uplink(Link):
    """m-line 0 audio, m-line 1 camera (perhaps in layers), m-line 2 screen, all recvonly."""

    name = "up"

    def __init__(
        self,
        participant_id: ParticipantId,
        network: Network,
        certificate: Certificate,
        forwarder: Forwarder,
        max_video_bps: int,
    ) -> None:
        super().__init__(participant_id, network, certificate)
        self.on_speaking: Callable[[bool], None] = lambda _: None
        self._forwarder = forwarder
        self._max_video_bps = self._video_bps = max_video_bps
        self._lines = up_lines(max_video_bps)
        self._sending: dict[bytes, MediaLine] = {}
        self._slots: dict[tuple[Kind, str], Slot] = {}
        self._publications: dict[int, Publication] = {}
        self._repairs: dict[int, Publication] = {}
        self._sender = SenderClock()
        self._gate = SpeechGate()
        self._twcc: TwccRecorder | None = None
        self._fed_back_ms = 0.0
        self._adopted = 0
        # In bytes. What the socket held while this process stood still comes at once and is no flood.
        self._allowance = Allowance(ROOM_ABOVE_LIMIT * max_video_bps / 8, burst=SOCKET_BUFFER_BYTES)
        self.endpoint.on_rtp = self._on_rtp
        self.endpoint.on_rtcp = self._on_rtcp

    def take_answer(self, revision: int, sdp: str) -> TransportSide:
        """Accept the client's answer; its streams are published even before their first packet."""
        answer = self.read_answer(revision, sdp)
        self._sending = {line.mid.encode(): line for line in answer.lines if line.direction.sends}
        if self._twcc is None and any(line.transport_cc for line in self._sending.values()):
            self._twcc = TwccRecorder()
        for line in self._sending.values():
            for name in line.rids or (SINGLE,):
                if (line.kind, name) not in self._slots:
                    self._open(line.kind, name)
            if not line.rids and line.ssrc is not None:
                self._expect(line, line.ssrc)
        self.on_changed()
        return answer.side

    def _expect(self, line: MediaLine, ssrc: int) -> None:
        """A stream that the answer names."""
        publication = self._publications.get(ssrc) or self._publish(self._slots[line.kind, SINGLE], ssrc)
        if line.rtx_ssrc is not None:
            self._repairs[line.rtx_ssrc] = publication

    def _open(self, kind: Kind, name: str) -> Slot:
        """Have a layer that streams can feed; one of another sort (layers, single) ends."""
        for other in [s for s in self._slots.values() if s.kind is kind and (s.name == name or SINGLE in {s.name, name})]:
            self._drop(other)
        track = self._forwarder.track(self.participant_id, kind)
        slot = Slot(kind, name, track, track.open(name, lambda: self._ask_keyframe(kind, name), self._sender))
        self._slots[kind, name] = slot
        return slot

    def _drop(self, slot: Slot) -> None:
        self._slots.pop((slot.kind, slot.name), None)
        self._publications = {ssrc: one for ssrc, one in self._publications.items() if one.slot is not slot}
        self._repairs = {ssrc: one for ssrc, one in self._repairs.items() if one.slot is not slot}

    def _publish(self, slot: Slot, ssrc: int) -> Publication:
        """A new stream of a layer: it takes the layer over from the stream before it."""
        if slot.publication is not None:
            slot = self._open(slot.kind, slot.name)
        publication = Publication(IncomingStream(ssrc, CLOCK_RATES_HZ[slot.kind]), slot, slot.track, slot.layer)
        self._publications[ssrc] = slot.publication = publication
        if self._twcc is not None:
            self._twcc.media_ssrc = ssrc
        return publication

    # --- packets in ------------------------------------------------------------------------

    def _on_rtp(self, packet: bytes, arrival_ms: float) -> None:
        if not self._allowance.take(len(packet) + HEADERS_BYTES, arrival_ms) or len(packet) < HEADER_BYTES:
            return
        if self._twcc is not None:
            number = transport_sequence(packet)
            if number is not None:
                self._twcc.on_packet(number, arrival_ms)
        publication = self._publications.get(ssrc_of(packet))
        if publication is None:
            if packet[1] & 0x7F == RTX_PT:
                self._on_repair(packet, arrival_ms)
                return
            publication = self._adopt(packet)
            if publication is None:
                return
        self._pass_on(publication, packet, arrival_ms)

    def _pass_on(self, publication: Publication, packet: bytes, arrival_ms: float) -> None:
        publication.last_packet_ms = arrival_ms
        if not publication.incoming.on_packet(sequence_of(packet), timestamp_of(packet), arrival_ms):
            return
        track = publication.track
        track.forward(publication.layer, packet, arrival_ms)
        if track.kind is Kind.AUDIO and track.granted:
            level = level_dbov(extension(packet, LEVEL_EXTENSION), len(packet) - payload_offset(packet))
            if self._gate.on_level(level, arrival_ms):
                self.on_speaking(self._gate.speaking)

    def _on_repair(self, packet: bytes, arrival_ms: float) -> None:
        """A retransmission on its own SSRC (RFC 4588): named in the answer, or by the RID of what it repairs (RFC 8852)."""
        ssrc = ssrc_of(packet)
        publication = self._repairs.get(ssrc)
        if publication is None:
            slot = self._slot_of(packet, REPAIRED_RID_EXTENSION)
            publication = slot.publication if slot is not None else None
            if publication is None or self._adopted >= MAX_STREAMS:
                return
            self._adopted += 1
            self._repairs[ssrc] = publication
        original = restored(packet, PAYLOAD_TYPES[publication.slot.kind], publication.incoming.ssrc)
        if original is not None:
            self._pass_on(publication, original, arrival_ms)

    def _adopt(self, packet: bytes) -> Publication | None:
        """A stream the answer did not name: MID and RID tell what it is, or its payload type where there is only one such."""
        slot = self._slot_of(packet, RID_EXTENSION)
        if slot is None or packet[1] & 0x7F != PAYLOAD_TYPES[slot.kind] or self._adopted >= MAX_STREAMS:
            return None
        self._adopted += 1
        publication = self._publish(slot, ssrc_of(packet))
        self.on_changed()
        return publication

    def _slot_of(self, packet: bytes, rid_extension: int) -> Slot | None:
        mid, rid = extension(packet, MID_EXTENSION), extension(packet, rid_extension)
        line = self._sending.get(mid) if mid is not None else self._line_of(packet[1] & 0x7F)
        if line is None:
            return None
        return self._slots.get((line.kind, rid.decode("ascii", "replace") if rid is not None else SINGLE))

    def _line_of(self, payload_type: int) -> MediaLine | None:
        payload_types = {PAYLOAD_TYPES[Kind.VIDEO], RTX_PT} if payload_type == RTX_PT else {payload_type}
        fitting = [line for line in self._sending.values() if PAYLOAD_TYPES[line.kind] in payload_types]
        return fitting[0] if fitting else None

    def _on_rtcp(self, packet: bytes) -> None:
        arrival_ms = now_ms()
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.SenderReport):
                publication = self._publications.get(message.ssrc)
                if publication is not None:
                    publication.incoming.on_sender_report(message.ntp, arrival_ms)
                    publication.track.forward_report(publication.layer, message, arrival_ms)

    # --- feedback out ----------------------------------------------------------------------

    def _ask_keyframe(self, kind: Kind, name: str) -> None:
        slot, now = self._slots.get((kind, name)), now_ms()
        if kind is Kind.AUDIO or slot is None or slot.publication is None:
            return
        if now - slot.last_keyframe_request_ms >= KEYFRAME_INTERVAL_MS:
            slot.last_keyframe_request_ms = now
            slot.publication.track.traffic.keyframes_wanted += 1
            self.endpoint.send_rtcp(rtcp.write_pli(slot.publication.incoming.ssrc))

    def ask_for_missing(self, now: float) -> None:
        """Repeated NACKs for every stream, and the arrivals for TWCC; called every few tens of milliseconds."""
        for publication in self._publications.values():
            due = publication.incoming.due_nacks(now)
            if due:
                publication.track.traffic.nacks_out += len(due)
                self.endpoint.send_rtcp(rtcp.write_nack(publication.incoming.ssrc, due))
        if self._twcc is not None and now - self._fed_back_ms >= FEEDBACK_INTERVAL_MS:
            self._fed_back_ms = now
            for feedback in self._twcc.feedback(now):
                self.endpoint.send_rtcp(feedback)

    def report(self, now: float) -> None:
        """Receiver report and bitrate limit; called about once a second."""
        streams = [publication.incoming for publication in self._publications.values()]
        blocks = [block for stream in streams if (block := stream.report_block(now)) is not None]
        packet = rtcp.write_report_blocks(blocks)
        if self._twcc is None:
            packet += self._limit()
        self.endpoint.send_rtcp(packet)
        audio = self._publication(Kind.AUDIO, SINGLE)
        if audio is None or not audio.track.granted or now - audio.last_packet_ms > SILENT_AFTER_MS:
            self.hush()

    def _limit(self) -> bytes:
        """A bitrate limit for a client that does not estimate the path itself (no TWCC): REMB."""
        pictures = [one.incoming for one in self._publications.values() if one.slot.kind is not Kind.AUDIO]
        if not pictures:
            return b""
        self._adapt(max(stream.fraction_lost for stream in pictures))
        return rtcp.write_remb(self._video_bps, [stream.ssrc for stream in pictures])

    def _publication(self, kind: Kind, name: str) -> Publication | None:
        slot = self._slots.get((kind, name))
        return slot.publication if slot is not None else None

    def _adapt(self, fraction_lost: float) -> None:
        """Audio first (S13): when the path loses packets, video is what gives way."""
        if fraction_lost > 0.10:
            self._video_bps = max(MIN_VIDEO_BPS, int(self._video_bps * 0.75))
        elif fraction_lost < 0.02:
            self._video_bps = min(self._max_video_bps, int(self._video_bps * 1.08))

    def hush(self) -> None:
        """Nothing of this person is forwarded: whoever was speaking no longer is."""
        if self._gate.silence():
            self.on_speaking(False)

    @property
    def loss(self) -> float:
        """Share of packets lost on the way to us in the last interval, the worst stream's."""
        return max((p.incoming.fraction_lost for p in self._publications.values()), default=0.0)

    @property
    def is_speaking(self) -> bool:
        return self._gate.speaking

    @property
    def loudness_dbov(self) -> float:
        """Of what is forwarded; it fades slowly."""
        return self._gate.loudness_dbov

    @property
    def jitter_ms(self) -> float:
        audio = self._publication(Kind.AUDIO, SINGLE)
        return audio.incoming.jitter_ms if audio is not None else 0.0
