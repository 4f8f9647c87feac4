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
from media.link import Link
from media.rtp_rewrite import extension, payload_offset, sequence_of, ssrc_of, timestamp_of
from media.rtp_time import SenderClock
from media.sdp import CLOCK_RATES_HZ, LEVEL_EXTENSION, PAYLOAD_TYPES, Direction, MediaLine, TransportSide
from media.settings import Network
from media.sfu import Forwarder, Track
from media.sockets import SOCKET_BUFFER_BYTES
from media.speaking import SpeechGate, level_dbov

KEYFRAME_INTERVAL_MS = 500.0
MAX_STREAMS = 24  # over the life of a connection: each new SSRC is a new start of its track
MIN_VIDEO_BPS = 100_000
ROOM_ABOVE_LIMIT = 4  # keyframes, repairs and audio beside the video asked for; more is dropped unread
HEADERS_BYTES = 40  # what a packet costs beside its payload: many small ones are a flood too
SILENT_AFTER_MS = 1_000.0
_KIND_OF = {payload_type: kind for kind, payload_type in PAYLOAD_TYPES.items()}


@dataclass(slots=True)
class Publication:
    """One incoming stream (SSRC) that feeds a track."""

    incoming: IncomingStream
    track: Track
    last_keyframe_request_ms: float = -KEYFRAME_INTERVAL_MS
    last_packet_ms: float = field(default=0.0)


class Uplink(Link):
    """m-line 0 audio, m-line 1 video, both recvonly."""

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
        self._lines = [MediaLine(str(n), kind, Direction.RECVONLY) for n, kind in enumerate((Kind.AUDIO, Kind.VIDEO))]
        self._sending: frozenset[Kind] = frozenset()
        self._publications: dict[int, Publication] = {}
        self._current: dict[Kind, Publication] = {}
        self._sender = SenderClock()
        self._gate = SpeechGate()
        self._adopted = 0
        # In bytes. What the socket held while this process stood still comes at once and is no flood.
        self._allowance = Allowance(ROOM_ABOVE_LIMIT * max_video_bps / 8, burst=SOCKET_BUFFER_BYTES)
        self.endpoint.on_rtp = self._on_rtp
        self.endpoint.on_rtcp = self._on_rtcp

    def take_answer(self, revision: int, sdp: str) -> TransportSide:
        """Accept the client's answer; its streams are published even before their first packet."""
        answer = self.read_answer(revision, sdp)
        self._sending = frozenset(line.kind for line in answer.lines if line.direction.sends)
        for line in answer.lines:
            if line.direction.sends and line.ssrc is not None and line.ssrc not in self._publications:
                self._publish(line.ssrc, line.kind)
        self.on_changed()
        return answer.side

    def _publish(self, ssrc: int, kind: Kind) -> Publication:
        """A new stream of `kind`: it takes the track over from the stream before it."""
        track = self._forwarder.track(self.participant_id, kind)
        publication = Publication(IncomingStream(ssrc, CLOCK_RATES_HZ[kind]), track)
        old = self._current.get(kind)
        if old is not None:
            self._publications.pop(old.incoming.ssrc, None)
        self._publications[ssrc] = self._current[kind] = publication
        track.open(lambda: self._ask_keyframe(publication), self._sender, now_ms())
        return publication

    # --- packets in ------------------------------------------------------------------------

    def _on_rtp(self, packet: bytes, arrival_ms: float) -> None:
        if not self._allowance.take(len(packet) + HEADERS_BYTES, arrival_ms):
            return
        publication = self._publications.get(ssrc_of(packet)) or self._adopt(packet)
        if publication is None:
            return
        publication.last_packet_ms = arrival_ms
        publication.incoming.on_packet(sequence_of(packet), timestamp_of(packet), arrival_ms)
        track = publication.track
        track.forward(packet, arrival_ms)
        if track.kind is Kind.AUDIO and track.granted:
            level = level_dbov(extension(packet, LEVEL_EXTENSION), len(packet) - payload_offset(packet))
            if self._gate.on_level(level, arrival_ms):
                self.on_speaking(self._gate.speaking)

    def _adopt(self, packet: bytes) -> Publication | None:
        """A stream the answer did not name: there is one stream per kind, so its payload type tells whose it is."""
        kind = _KIND_OF.get(packet[1] & 0x7F)
        if kind is None or kind not in self._sending or self._adopted >= MAX_STREAMS:
            return None
        self._adopted += 1
        publication = self._publish(ssrc_of(packet), kind)
        self.on_changed()
        return publication

    def _on_rtcp(self, packet: bytes) -> None:
        arrival_ms = now_ms()
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.SenderReport):
                publication = self._publications.get(message.ssrc)
                if publication is not None:
                    publication.incoming.on_sender_report(message.ntp, arrival_ms)
                    publication.track.forward_report(message, arrival_ms)

    # --- feedback out ----------------------------------------------------------------------

    def _ask_keyframe(self, publication: Publication) -> None:
        now = now_ms()
        if now - publication.last_keyframe_request_ms >= KEYFRAME_INTERVAL_MS:
            publication.last_keyframe_request_ms = now
            self.endpoint.send_rtcp(rtcp.write_pli(publication.incoming.ssrc))

    def ask_for_missing(self, now: float) -> None:
        """Repeated NACKs for every stream; called every few tens of milliseconds."""
        for publication in self._publications.values():
            due = publication.incoming.due_nacks(now)
            if due:
                self.endpoint.send_rtcp(rtcp.write_nack(publication.incoming.ssrc, due))

    def report(self, now: float) -> None:
        """Receiver report and bitrate limit; called about once a second."""
        streams = [publication.incoming for publication in self._publications.values()]
        blocks = [block for stream in streams if (block := stream.report_block(now)) is not None]
        packet = rtcp.write_report_blocks(blocks)
        video = self._current.get(Kind.VIDEO)
        if video is not None:
            self._adapt(video.incoming.fraction_lost)
            packet += rtcp.write_remb(self._video_bps, [video.incoming.ssrc])
        self.endpoint.send_rtcp(packet)
        audio = self._current.get(Kind.AUDIO)
        if audio is None or not audio.track.granted or now - audio.last_packet_ms > SILENT_AFTER_MS:
            self.hush()

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
    def jitter_ms(self) -> float:
        audio = self._current.get(Kind.AUDIO)
        return audio.incoming.jitter_ms if audio is not None else 0.0
