"""The connection on which a client receives from us: one m-line per forwarded track, re-used when sources change.

What the client says of the path (REMB, receiver reports) makes the estimate; selector.py deals it out.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable
from dataclasses import replace

from hearing.audience import Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate, now_ms
from media.allowance import Allowance
from media.estimate import PROVEN_MS, DownEstimate, LossMeter, Recent
from media.link import Link
from media.packet_cache import CACHE_PACKETS
from media.rtx import PADDING_PACKET_BYTES, RtxStream
from media.sdp import Direction, MediaLine, TransportSide
from media.settings import Network
from media.sfu import Forwarder, Track

RESENDS_PER_S = 1_000  # one small NACK can ask for thousands of packets: each costs an encryption
LOSS_MEMORY = 0.5  # weight of the newest window in the running loss
PATH_SETTLES_MS = 1_500.0  # reports of that time still tell of what the old path lost
SENT_MS = 1_500.0  # reports tell of what was sent some time ago
REPAIR_SHARE, REPAIR_BPS = 0.5, 2_000_000.0  # of the estimate; without one
REPAIR_BYTES = 150_000.0  # at once: two large keyframes
MAX_PADDING_BYTES = 6_000  # in one go: padding must not be a burst


class Downlink(Link):
    """Satisfies PacketReceiver. With nothing to send it holds one inactive audio m-line, so that it can connect."""

    name = "down"

    def __init__(self, participant_id: ParticipantId, network: Network, certificate: Certificate, forwarder: Forwarder) -> None:
        super().__init__(participant_id, network, certificate)
        self.loss = 0.0
        self.rtt_ms: float | None = None
        self.estimate = DownEstimate()
        self.audio_bps = self.pictures_bps = 0.0  # sent, as the selector last saw it
        self._sent = Recent(SENT_MS)
        self._proven = Recent(PROVEN_MS)
        self._padding_bytes = 0.0  # due
        self._repair_bytes = REPAIR_BYTES  # left for pictures
        self._meter = LossMeter()
        self._rtx: dict[str, RtxStream] = {}
        self._forwarder = forwarder
        self._accepted: frozenset[str] = frozenset()
        self._resends = Allowance(RESENDS_PER_S, burst=RESENDS_PER_S)
        self._lines = [MediaLine("0", Kind.AUDIO, Direction.INACTIVE)]
        self.send_rtp = self.endpoint.send_rtp  # the fan-out calls the transport itself
        self.send_rtcp = self.endpoint.send_rtcp
        self._settled_ms = 0.0
        self.endpoint.on_rtcp = self._on_rtcp
        self.endpoint.on_path = self._on_path

    def accepts(self, track_id: str) -> bool:
        return track_id in self._accepted and self.is_connected

    def set_tracks(self, tracks: Iterable[Track]) -> bool:
        """Give each track an m-line; True when the description changed and must be offered."""
        wanted = {track.track_id: track for track in tracks}
        lines = [
            line if line.direction is Direction.INACTIVE or line.track_id in wanted else _inactive(line) for line in self._lines
        ]
        present = {line.track_id for line in lines if line.direction is Direction.SENDONLY}
        for track in wanted.values():
            if track.track_id not in present:
                _place(lines, track)
        changed = lines != self._lines
        self._lines = lines
        return changed or lines != list(self._offered)

    def take_answer(self, revision: int, sdp: str) -> TransportSide:
        """Accept the client's answer; the agreed tracks flow as soon as the transport runs."""
        answer = self.read_answer(revision, sdp)
        agreed = [
            (offered, answered.rtx)
            for offered, answered in zip(self._offered, answer.lines, strict=True)
            if offered.direction.sends and answered.direction.receives
        ]
        self._accepted = frozenset(line.track_id for line, _ in agreed)
        before = {stream.ssrc: stream for stream in self._rtx.values()}
        self._rtx = {
            line.track_id: before.get(line.rtx_ssrc) or RtxStream(line.rtx_ssrc)
            for line, rtx in agreed
            if rtx and line.rtx_ssrc is not None
        }
        self.on_changed()
        return answer.side

    # --- feedback in -----------------------------------------------------------------------

    def _on_rtcp(self, packet: bytes) -> None:
        now = now_ms()
        for message in rtcp.read(packet):
            match message:
                case rtcp.Nack():
                    self._send_again(message, now)
                case rtcp.KeyframeRequest():
                    track = self._forwarder.track_by_ssrc(message.ssrc)
                    if track is not None:
                        track.traffic.keyframes_asked += 1
                        track.request_keyframe(self.participant_id)
                case rtcp.ReportBlock():
                    self._on_report(message, now)
                case rtcp.BitrateEstimate():
                    self.estimate.on_remb(message.bps)
                case rtcp.SenderReport():
                    continue

    def _on_path(self) -> None:
        """Another path (RFC 8445 nomination): it is not the old one's loss that says what it carries."""
        self.estimate = DownEstimate()
        self._settled_ms = now_ms() + PATH_SETTLES_MS

    def _send_again(self, nack: rtcp.Nack, now: float) -> None:
        """Answer a NACK: as a retransmission (RFC 4588) where the client takes it, else as the very same bytes.

        Never as other bytes under the same number: with AES-GCM two packets of one nonce give the authentication key away.
        """
        track = self._forwarder.track_by_ssrc(nack.ssrc)
        wanted = nack.sequences[:RESENDS_PER_S]
        if track is None or not self._resends.take(len(wanted), now):
            return
        rtx = self._rtx.get(track.track_id)
        packets = track.sent(self.participant_id, wanted)
        if track.kind is not Kind.AUDIO:  # sound is always repaired: lost audio is lost testimony
            packets = self._within_means(packets)
        track.traffic.nacks_in += len(wanted)
        track.traffic.resent += len(packets)
        for packet in packets:
            self.endpoint.send_rtp(packet if rtx is None else rtx.wrap(packet, now))

    def _within_means(self, packets: list[bytes]) -> list[bytes]:
        """As many repairs as the path carries beside the pictures: more would deepen a jam."""
        affordable = []
        for packet in packets:
            if self._repair_bytes < len(packet):
                break
            self._repair_bytes -= len(packet)
            affordable.append(packet)
        return affordable

    def _on_report(self, block: rtcp.ReportBlock, now: float) -> None:
        """Loss and round trip as the receiver sees them (RFC 3550 6.4.1)."""
        track = self._forwarder.track_by_ssrc(block.ssrc)
        if track is None:
            return
        if now < self._settled_ms:
            self._meter = LossMeter()
        if self._meter.add(block.ssrc, block.lost, block.highest, now, lambda numbers: self._never_sent(track, numbers)):
            self.loss += LOSS_MEMORY * (self._meter.share - self.loss)
            self.estimate.on_loss(self._meter.share, self._sent.largest, now, self.audio_bps)
        sent_ms = track.sent_reports.get(block.last_report)
        if sent_ms is not None:
            self.rtt_ms = max(0.0, now - sent_ms - block.delay_s * 1000)

    def _never_sent(self, track: Track, numbers: range) -> int:
        """How many of these there was no packet for; as far back as packets are remembered."""
        if len(numbers) >= CACHE_PACKETS:
            return 0
        return len(numbers) - len(track.sent(self.participant_id, (number & 0xFFFF for number in numbers)))

    # --- probing ---------------------------------------------------------------------------

    @property
    def may_pad(self) -> bool:
        """Whether the client takes padding: it travels in a retransmission stream."""
        return bool(self._rtx)

    @property
    def proven_bps(self) -> float:
        """What was sent all the time lately, padding included; without bound where nothing can be proven."""
        return self._proven.smallest if self._rtx else math.inf

    def pad(self, bps: float, elapsed_ms: float, now: float) -> None:
        """Send padding at this rate for the time that has passed; called every few tens of milliseconds."""
        self._sent.add(self.pictures_bps + bps, now)
        self._proven.add(self.pictures_bps + bps, now)
        known = self.estimate.bps
        repair_bps = REPAIR_BPS if known is None else known * REPAIR_SHARE
        self._repair_bytes = min(REPAIR_BYTES, self._repair_bytes + elapsed_ms * repair_bps / 8_000)
        if not bps or not self._rtx:
            self._padding_bytes = 0.0
            return
        stream = next(iter(self._rtx.values()))
        self._padding_bytes = min(MAX_PADDING_BYTES, self._padding_bytes + bps * elapsed_ms / 8_000)
        while self._padding_bytes >= PADDING_PACKET_BYTES:
            self._padding_bytes -= PADDING_PACKET_BYTES
            self.endpoint.send_rtp(stream.padding(now))


def _inactive(line: MediaLine) -> MediaLine:
    return replace(line, direction=Direction.INACTIVE, ssrc=None, stream_id="", track_id="", rtx=False, rtx_ssrc=None)


def _place(lines: list[MediaLine], track: Track) -> None:
    """Put a track on a free m-line of its kind, or on a new one."""
    line = MediaLine("", track.kind, Direction.SENDONLY, track.ssrc, track.source, track.track_id)
    if track.kind is not Kind.AUDIO:
        line = replace(line, rtx=True, rtx_ssrc=secrets.randbelow(0xFFFFFFFE) + 1)
    for at, old in enumerate(lines):
        if old.direction is Direction.INACTIVE and old.kind is track.kind:
            lines[at] = replace(line, mid=old.mid)
            return
    lines.append(replace(line, mid=str(len(lines))))
