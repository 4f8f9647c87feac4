"""The connection on which a client receives from us: one m-line per forwarded track, re-used when sources change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hearing.audience import Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate, now_ms
from media.allowance import Allowance
from media.link import Link
from media.sdp import Direction, MediaLine, TransportSide
from media.settings import Network
from media.sfu import Forwarder, Track

RESENDS_PER_S = 1_000  # one small NACK can ask for thousands of packets: each costs an encryption
LOSS_MEMORY = 0.5  # weight of the newest report in the running loss


class Downlink(Link):
    """Satisfies PacketReceiver. With nothing to send it holds one inactive audio m-line, so that it can connect."""

    name = "down"

    def __init__(self, participant_id: ParticipantId, network: Network, certificate: Certificate, forwarder: Forwarder) -> None:
        super().__init__(participant_id, network, certificate)
        self.loss = 0.0
        self.rtt_ms: float | None = None
        self._forwarder = forwarder
        self._accepted: frozenset[str] = frozenset()
        self._resends = Allowance(RESENDS_PER_S, burst=RESENDS_PER_S)
        self._lines = [MediaLine("0", Kind.AUDIO, Direction.INACTIVE)]
        self.send_rtp = self.endpoint.send_rtp  # the fan-out calls the transport itself
        self.send_rtcp = self.endpoint.send_rtcp
        self.endpoint.on_rtcp = self._on_rtcp

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
        self._accepted = frozenset(
            offered.track_id
            for offered, answered in zip(self._offered, answer.lines, strict=True)
            if offered.direction.sends and answered.direction.receives
        )
        self.on_changed()
        return answer.side

    def _on_rtcp(self, packet: bytes) -> None:
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.Nack):
                track = self._forwarder.track_by_ssrc(message.ssrc)
                wanted = message.sequences[:RESENDS_PER_S]
                if track is not None and self._resends.take(len(wanted), now_ms()):
                    track.resend(self.participant_id, wanted)
            elif isinstance(message, rtcp.KeyframeRequest):
                track = self._forwarder.track_by_ssrc(message.ssrc)
                if track is not None and self.participant_id in track.receivers:
                    track.request_keyframe()
            elif isinstance(message, rtcp.ReportBlock):
                self._on_report(message)

    def _on_report(self, block: rtcp.ReportBlock) -> None:
        """Loss and round trip as the receiver sees them (RFC 3550 6.4.1)."""
        track = self._forwarder.track_by_ssrc(block.ssrc)
        if track is None:
            return
        self.loss += LOSS_MEMORY * (block.fraction_lost - self.loss)
        sent_ms = track.sent_reports.get(block.last_report)
        if sent_ms is not None:
            self.rtt_ms = max(0.0, now_ms() - sent_ms - block.delay_s * 1000)


def _inactive(line: MediaLine) -> MediaLine:
    return replace(line, direction=Direction.INACTIVE, ssrc=None, stream_id="", track_id="")


def _place(lines: list[MediaLine], track: Track) -> None:
    """Put a track on a free m-line of its kind, or on a new one."""
    line = MediaLine("", track.kind, Direction.SENDONLY, track.ssrc, track.source, track.track_id)
    for at, old in enumerate(lines):
        if old.direction is Direction.INACTIVE and old.kind is track.kind:
            lines[at] = replace(line, mid=old.mid)
            return
    lines.append(replace(line, mid=str(len(lines))))
