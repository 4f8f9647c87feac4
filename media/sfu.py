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
from media.fanout import FanOut
from media.layers import BEST, Layer
from media.metrics import traffic
from media.rendition import FanOutMaker, Rendition, Subscriber
from media.rendition import Mapping as RenditionMapping
from media.rtp_rewrite import FIRST_WORDS, payload_offset, sequence_of, timestamp_of
from media.rtp_time import SenderClock, TrackClock, ntp_to_ms
from media.sdp import CLOCK_RATES_HZ
from media.selection import Selection
from media.tracks import PacketSink, track_id_of

RING_MS = 2_000.0  # kept in memory only: recording starts at the deciding event, although the table comes a little later
REMEMBERED_REPORTS = 24  # of up to three layers


class Track:
    """One kind of one participant, to everyone who is granted it, in the layer each one wants.

    All its renditions have the same SSRC: a receiver sees exactly one of them at a time. `on_layers_changed` is called when
    the set of live layers changes.
    """

    def __init__(
        self, source: ParticipantId, kind: Kind, make_fan_out: FanOutMaker = FanOut, undecided: str | None = BEST
    ) -> None:
        self.source = source
        self.kind = kind
        self.track_id = track_id_of(source, kind)
        self.ssrc = secrets.randbelow(0xFFFFFFFE) + 1
        self.traffic = traffic(kind)
        self.clock = TrackClock(CLOCK_RATES_HZ[kind], SenderClock())
        self.receivers: dict[ParticipantId, Subscriber] = {}
        self.listeners: dict[ParticipantId, PacketSink] = {}
        self.granted: frozenset[ParticipantId] = frozenset()
        self.sent_reports: dict[int, float] = {}
        self.live_since_ms: float | None = None
        self.on_layers_changed: Callable[[Track], None] = lambda _: None
        self._selection = Selection(kind, self.ssrc, make_fan_out, undecided)
        self._selection.on_changed = lambda: self.on_layers_changed(self)
        self._record = self._selection.record
        self._clocked: RenditionMapping | None = None
        self._clock_sender: SenderClock | None = None
        self._ring: deque[tuple[float, bytes]] = deque()
        self._sinks: tuple[PacketSink, ...] = ()

    # --- source ----------------------------------------------------------------------------

    @property
    def is_live(self) -> bool:
        """Whether its source is connected and has offered this kind."""
        return bool(self._selection.layers)

    def open(self, layer: str, ask_keyframe: Callable[[], None], sender: SenderClock) -> Layer:
        """A (new) incoming stream feeds this layer from now on: a RID, or SINGLE."""
        return self._selection.open(layer, ask_keyframe, sender)

    def shut(self) -> None:
        """The source is gone; what it sent last is forgotten."""
        self._selection.shut()
        self.live_since_ms = None
        self._ring.clear()

    # --- packets ---------------------------------------------------------------------------

    def forward(self, layer: Layer, incoming: bytes, arrival_ms: float) -> None:
        """The hot path: one rewrite per rendition of the layer, then one fan-out."""
        offset = payload_offset(incoming)
        if offset < 0:
            return
        header = FIRST_WORDS.unpack_from(incoming)
        layer.bytes += len(incoming)
        counts = self.traffic
        counts.packets_in += 1
        counts.bytes_in += len(incoming)
        self._selection.note(layer, header[2], header[3], arrival_ms)
        payload = incoming[offset:]
        early = self._selection.meet(layer, header, payload, incoming, arrival_ms) if layer.waiting else ()
        for rendition in layer.renditions:
            packet = rendition.write(header, payload, arrival_ms)
            if packet is not None:
                copies = len(rendition.endpoints)
                if copies:
                    rendition.fan_out.send(packet)
                    counts.packets_out += copies
                    counts.bytes_out += copies * len(packet)
                if rendition is self._record.rendition:
                    self._to_listeners(rendition, packet, arrival_ms)
        for rendition in layer.tails:
            packet = rendition.write_late(layer, header, payload, arrival_ms)
            if packet is not None:
                self._send(rendition, packet, arrival_ms)
        for late in early:
            self._catch_up(layer, header[2], late, arrival_ms)

    def _catch_up(self, layer: Layer, first: int, incoming: bytes, arrival_ms: float) -> None:
        """A packet of a keyframe whose first packet came late, for those alone who waited for that."""
        header, payload = FIRST_WORDS.unpack_from(incoming), incoming[payload_offset(incoming) :]
        for rendition in layer.renditions:
            if rendition.mapping is not None and rendition.mapping.first == first:
                packet = rendition.write(header, payload, arrival_ms)
                if packet is not None:
                    self._send(rendition, packet, arrival_ms)

    def _send(self, rendition: Rendition, packet: bytes, arrival_ms: float) -> None:
        rendition.fan_out.send(packet)
        self.traffic.packets_out += len(rendition.endpoints)
        self.traffic.bytes_out += len(rendition.endpoints) * len(packet)
        if rendition is self._record.rendition:
            self._to_listeners(rendition, packet, arrival_ms)

    def _to_listeners(self, rendition: Rendition, packet: bytes, arrival_ms: float) -> None:
        if self.live_since_ms is None:
            self.live_since_ms = arrival_ms
        if rendition.mapping is not self._clocked:
            self._set_clock(rendition, timestamp_of(packet), arrival_ms)
        newest = (sequence_of(packet) + 1) & 0xFFFF == rendition.next_sequence
        self.clock.on_packet(timestamp_of(packet), arrival_ms, newest=newest)
        ring = self._ring
        ring.append((arrival_ms, packet))
        while arrival_ms - ring[0][0] > RING_MS:
            ring.popleft()
        for sink in self._sinks:
            sink.on_packet(self, packet, arrival_ms)

    def _set_clock(self, rendition: Rendition, timestamp: int, arrival_ms: float) -> None:
        """The record's rendition has changed its layer: another sender's clock, or the same in other numbers."""
        self._clocked, layer = rendition.mapping, rendition.layer
        if layer is None:
            return
        if layer.sender is not self._clock_sender:
            self._clock_sender = layer.sender
            self.clock = TrackClock(CLOCK_RATES_HZ[self.kind], layer.sender, self.clock.apart_ms)
        self.clock.begin(timestamp, arrival_ms)
        if layer.report is not None:
            self.clock.tie(layer.report[0], rendition.out_timestamp(layer.report[1]), arrival_ms)

    def forward_report(self, layer: Layer, report: rtcp.SenderReport, arrival_ms: float) -> None:
        """Sender reports with our SSRC and timestamps: they keep picture and sound together at the receivers."""
        ntp_ms = ntp_to_ms(report.ntp)
        layer.report = (ntp_ms, report.timestamp)
        layer.sender.on_report(ntp_ms, arrival_ms)
        self.sent_reports[(report.ntp >> 16) & 0xFFFFFFFF] = arrival_ms
        while len(self.sent_reports) > REMEMBERED_REPORTS:
            del self.sent_reports[next(iter(self.sent_reports))]
        for rendition in layer.renditions:
            rendition.tie(layer)
            timestamp = rendition.out_timestamp(report.timestamp)
            if rendition is self._record.rendition:
                self.clock.tie(ntp_ms, timestamp, arrival_ms)
            packet = rtcp.write_sender_report(self.ssrc, report.ntp, timestamp, report.packets, report.octets)
            for receiver in rendition.receivers:
                receiver.send_rtcp(packet)

    # --- receivers -------------------------------------------------------------------------

    @property
    def live_layers(self) -> tuple[str, ...]:
        """The layers of which packets come, small to large."""
        return tuple(layer.name for layer in self._selection.live_layers())

    @property
    def layer_bps(self) -> dict[str, int]:
        """What each live layer took in the last second, headers included."""
        return {layer.name: layer.bps for layer in self._selection.live_layers()}

    def want(self, receiver_id: ParticipantId, layer: str | None) -> None:
        """Send this receiver that layer from its next keyframe on (until then what it has), or with None nothing at once.

        What is not live is replaced by the nearest lower, then higher one.
        """
        self._selection.want(receiver_id, layer)

    def undecide(self, receiver_id: ParticipantId) -> None:
        """Nobody has decided for this receiver any more: it gets what such a one gets."""
        self._selection.undecide(receiver_id)

    def layer_of(self, receiver_id: ParticipantId) -> str | None:
        """The layer this receiver gets now; None: no packets."""
        member = self._selection.members.get(receiver_id)
        layer = member.rendition.layer if member is not None and member.rendition is not None else None
        return layer.name if layer is not None else None

    def sent(self, receiver_id: ParticipantId, sequences: Iterable[int]) -> list[bytes]:
        """For a retransmission: what this receiver was sent with these numbers under its present grant, if still known."""
        member = self._selection.members.get(receiver_id)
        return member.sent(sequences) if member is not None else []

    def latest(self, receiver_id: ParticipantId, count: int) -> list[bytes]:
        """The newest packets this receiver was sent, oldest first: to send again as probes."""
        member = self._selection.members.get(receiver_id)
        return member.latest(count) if member is not None else []

    def request_keyframe(self, receiver_id: ParticipantId | None = None) -> None:
        """Of the layer this receiver gets, or of what the listeners get; throttled by the source's connection."""
        member = self._record if receiver_id is None else self._selection.members.get(receiver_id)
        if member is not None and self.kind is not Kind.AUDIO:
            self._selection.ask_keyframe(member)

    def recent(self) -> Iterable[tuple[float, bytes]]:
        return tuple(self._ring)

    def set_audience(self, receivers: Mapping[ParticipantId, Subscriber], sinks: Mapping[ParticipantId, PacketSink]) -> None:
        """Replace everyone who gets packets; newcomers among the listeners get the last two seconds first."""
        newcomers = [sink for name, sink in sinks.items() if name not in self.listeners]
        self.listeners, self._sinks = dict(sinks), tuple(sinks.values())
        if receivers != self.receivers:
            self.receivers = dict(receivers)
            self._selection.set_receivers(receivers)
        for sink in newcomers:
            for arrival_ms, packet in self._ring:
                sink.on_packet(self, packet, arrival_ms)
        if newcomers:
            self.request_keyframe()


class Forwarder:
    """All tracks of one sitting, its receivers and listeners, and the grants in force.

    `undecided` is what a receiver gets of a picture for which want() was never called: with a selector nothing, so that
    newcomers begin in the rendition of the others and not each at a keyframe of its own.
    """

    def __init__(self, listeners: Mapping[ParticipantId, PacketSink], undecided: str | None = BEST) -> None:
        self.tracks: dict[tuple[ParticipantId, Kind], Track] = {}
        self.on_layers_changed: Callable[[Track], None] = lambda _: None
        self._listeners = listeners
        self._undecided = undecided
        self._receivers: dict[ParticipantId, Subscriber] = {}
        self._by_ssrc: dict[int, Track] = {}
        self._grants: dict[tuple[ParticipantId, Kind], frozenset[ParticipantId]] = {}

    def set_grants(self, grants: Iterable[Grant]) -> None:
        """Take the grants of a table; refresh() puts them in force."""
        self._grants = {(grant.source, grant.kind): grant.receivers for grant in grants}

    def track(self, source: ParticipantId, kind: Kind) -> Track:
        """The track of a participant's kind; made on first use and kept over reconnections."""
        track = self.tracks.get((source, kind))
        if track is None:
            track = self.tracks[source, kind] = Track(source, kind, undecided=BEST if kind is Kind.AUDIO else self._undecided)
            track.on_layers_changed = self._layers_changed
            self._by_ssrc[track.ssrc] = track
            self._refresh(track)
        return track

    def _layers_changed(self, track: Track) -> None:
        self.on_layers_changed(track)

    def track_by_ssrc(self, ssrc: int) -> Track | None:
        return self._by_ssrc.get(ssrc)

    def shut(self, source: ParticipantId) -> None:
        """The participant's connection is gone."""
        for (owner, _), track in self.tracks.items():
            if owner == source:
                track.shut()

    def set_receiver(self, participant_id: ParticipantId, receiver: Subscriber | None) -> None:
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
        """The live tracks that belong into this receiver's description, oldest first; a screen only while it is shared."""
        return [track for track in self.tracks.values() if track.is_live and self._belongs(track, receiver)]

    def _belongs(self, track: Track, receiver: ParticipantId) -> bool:
        if track.kind is Kind.SCREEN:
            return track.source != receiver and receiver in track.granted
        return self._related(track.source, receiver)

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
