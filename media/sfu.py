"""Forwarding by grants: a track's packets go to exactly the receivers the table names. No grant, no packet (S1).

Nothing here knows of ICE, SDP or files: sources and receivers are ports, recorder and tap are listeners by name.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Mapping

from hearing.audience import Grant, GrantTable, Kind
from hearing.model import ParticipantId
from media import rtcp
from media.packet_cache import CACHE_PACKETS, PacketCache
from media.rtp_rewrite import StreamRewriter, timestamp_of
from media.rtp_time import SenderClock, TrackClock, ntp_to_ms
from media.sdp import CLOCK_RATES_HZ, PAYLOAD_TYPES
from media.tracks import PacketReceiver, PacketSink, track_id_of

RING_MS = 2_000.0  # kept in memory only: recording starts at the deciding event, although the table comes a little later
REMEMBERED_REPORTS = 8


class Track:
    """One outgoing stream: rewritten once, the same bytes to everyone who is granted it."""

    def __init__(self, source: ParticipantId, kind: Kind) -> None:
        self.source = source
        self.kind = kind
        self.track_id = track_id_of(source, kind)
        self.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.rewriter = StreamRewriter(PAYLOAD_TYPES[kind], self.ssrc)
        self.clock = TrackClock(CLOCK_RATES_HZ[kind], SenderClock())
        self.cache = PacketCache()
        self.receivers: dict[ParticipantId, PacketReceiver] = {}
        self.listeners: dict[ParticipantId, PacketSink] = {}
        self.granted: frozenset[ParticipantId] = frozenset()
        self.sent_reports: dict[int, float] = {}
        self._ring: deque[tuple[float, bytes]] = deque()
        self._since: dict[ParticipantId, int] = {}
        self._sends: tuple[Callable[[bytes], bool], ...] = ()
        self._sinks: tuple[PacketSink, ...] = ()
        self._ask_keyframe: Callable[[], None] | None = None
        self._last_ms = 0.0
        self.live_since_ms: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether its source is connected and has offered this kind."""
        return self._ask_keyframe is not None

    def open(self, ask_keyframe: Callable[[], None], sender: SenderClock, now_ms: float) -> None:
        """A (new) incoming stream feeds this track from now on."""
        rate_hz = CLOCK_RATES_HZ[self.kind]
        self.rewriter.restart(round((now_ms - self._last_ms) * rate_hz / 1000))
        self.clock = TrackClock(rate_hz, sender)
        self._ask_keyframe = ask_keyframe
        self.live_since_ms = None

    def shut(self) -> None:
        """The source is gone; what it sent last is forgotten."""
        self._ask_keyframe = self.live_since_ms = None
        self._ring.clear()
        self.cache.clear()

    def forward(self, incoming: bytes, arrival_ms: float) -> None:
        """The hot path: one rewrite, then one call per subscriber."""
        packet = self.rewriter.rewrite(incoming)
        if packet is None:
            return
        self._last_ms = arrival_ms
        if self.live_since_ms is None:
            self.live_since_ms = arrival_ms
        self.clock.on_packet(timestamp_of(packet), arrival_ms)
        self.cache.put(packet)
        ring = self._ring
        ring.append((arrival_ms, packet))
        while arrival_ms - ring[0][0] > RING_MS:
            ring.popleft()
        for send in self._sends:
            send(packet)
        for sink in self._sinks:
            sink.on_packet(self, packet, arrival_ms)

    def forward_report(self, report: rtcp.SenderReport, arrival_ms: float) -> None:
        """A sender report with our SSRC and timestamps: it keeps picture and sound together at the receivers."""
        timestamp = self.rewriter.out_timestamp(report.timestamp)
        self.clock.on_report(ntp_to_ms(report.ntp), timestamp, arrival_ms)
        self.sent_reports[(report.ntp >> 16) & 0xFFFFFFFF] = arrival_ms
        while len(self.sent_reports) > REMEMBERED_REPORTS:
            del self.sent_reports[next(iter(self.sent_reports))]
        packet = rtcp.write_sender_report(self.ssrc, report.ntp, timestamp, report.packets, report.octets)
        for receiver in self.receivers.values():
            receiver.send_rtcp(packet)

    def resend(self, receiver: ParticipantId, sequences: Iterable[int]) -> None:
        """Answer a NACK: only to someone who is granted the track now, and nothing from before that grant."""
        sink, since = self.receivers.get(receiver), self._since.get(receiver)
        if sink is None:
            return
        if since is not None and (self.rewriter.next_sequence - since) & 0xFFFF > CACHE_PACKETS:
            del self._since[receiver]  # nothing older is left to ask for
            since = None
        for sequence in sequences:
            packet = self.cache.get(sequence)
            if packet is not None and (since is None or (sequence - since) & 0xFFFF < 0x8000):
                sink.send_rtp(packet)

    def request_keyframe(self) -> None:
        if self._ask_keyframe is not None and self.kind is Kind.VIDEO:
            self._ask_keyframe()

    def recent(self) -> Iterable[tuple[float, bytes]]:
        return tuple(self._ring)

    def set_audience(
        self, receivers: Mapping[ParticipantId, PacketReceiver], sinks: Mapping[ParticipantId, PacketSink]
    ) -> None:
        """Replace everyone who gets packets; newcomers among the listeners get the last two seconds first."""
        new_receivers = receivers.keys() - self.receivers.keys()
        self._since = {name: self._since[name] for name in self._since.keys() & receivers.keys()}
        self._since.update(dict.fromkeys(new_receivers, self.rewriter.next_sequence))
        newcomers = [sink for name, sink in sinks.items() if name not in self.listeners]
        self.receivers, self.listeners = dict(receivers), dict(sinks)
        self._sends = tuple(receiver.send_rtp for receiver in receivers.values())
        self._sinks = tuple(sinks.values())
        for sink in newcomers:
            for arrival_ms, packet in self._ring:
                sink.on_packet(self, packet, arrival_ms)
        if new_receivers or newcomers:
            self.request_keyframe()


class Forwarder:
    """All tracks of one sitting, its receivers and listeners, and the grants in force."""

    def __init__(self, listeners: Mapping[ParticipantId, PacketSink]) -> None:
        self.tracks: dict[tuple[ParticipantId, Kind], Track] = {}
        self._listeners = listeners
        self._receivers: dict[ParticipantId, PacketReceiver] = {}
        self._by_ssrc: dict[int, Track] = {}
        self._grants: dict[tuple[ParticipantId, Kind], frozenset[ParticipantId]] = {}

    def set_grants(self, grants: Iterable[Grant]) -> None:
        """Take the grants of a table; refresh() puts them in force."""
        self._grants = {(grant.source, grant.kind): grant.receivers for grant in grants}

    def track(self, source: ParticipantId, kind: Kind) -> Track:
        """The track of a participant's kind; made on first use and kept over reconnections."""
        track = self.tracks.get((source, kind))
        if track is None:
            track = self.tracks[source, kind] = Track(source, kind)
            self._by_ssrc[track.ssrc] = track
            self._refresh(track)
        return track

    def track_by_ssrc(self, ssrc: int) -> Track | None:
        return self._by_ssrc.get(ssrc)

    def shut(self, source: ParticipantId) -> None:
        """The participant's connection is gone."""
        for (owner, _), track in self.tracks.items():
            if owner == source:
                track.shut()

    def set_receiver(self, participant_id: ParticipantId, receiver: PacketReceiver | None) -> None:
        """Name the participant's receiving connection, or remove it."""
        if receiver is None:
            self._receivers.pop(participant_id, None)
        else:
            self._receivers[participant_id] = receiver
        self.refresh()

    def refresh(self) -> None:
        """Look again who may get what: a receiver has come, gone, or agreed to more tracks."""
        for track in self.tracks.values():
            self._refresh(track)

    def wanted_by(self, receiver: ParticipantId) -> list[Track]:
        """The live tracks that belong into this receiver's description, oldest first."""
        return [track for track in self.tracks.values() if track.is_live and self._related(track.source, receiver)]

    def in_court(self, participant_id: ParticipantId) -> bool:
        """Whether the table lets this person send or receive anything at all."""
        return any(participant_id == source or participant_id in to for (source, _), to in self._grants.items() if to)

    def _related(self, source: ParticipantId, receiver: ParticipantId) -> bool:
        """Whether `receiver` should know of `source`: one hears the other, or both hear the same third person.

        Wider than the grants of the moment, so that muting and unmuting needs no renegotiation; packets go by grants only.
        """
        if source == receiver:
            return False
        for (speaker, _), to in self._grants.items():
            if receiver in to and (speaker == source or source in to):
                return True
            if speaker == receiver and source in to:
                return True
        return False

    def _refresh(self, track: Track) -> None:
        granted = self._grants.get((track.source, track.kind), frozenset())
        track.granted = granted
        receivers = {
            name: receiver
            for name, receiver in self._receivers.items()
            if name in granted and name != track.source and receiver.accepts(track.track_id)
        }
        track.set_audience(receivers, {name: sink for name, sink in self._listeners.items() if name in granted})


def grants_to(table: GrantTable, receiver: ParticipantId) -> frozenset[tuple[ParticipantId, Kind]]:
    """What `receiver` may get under a table."""
    return frozenset((grant.source, grant.kind) for grant in table.grants if receiver in grant.receivers)
