"""One outgoing stream of a track: a layer's numbers mapped so that nobody sees where one layer ends and another begins.

All subscribers with the same mapping share its bytes. Sequence numbers, timestamps, VP8 picture ids and TL0PICIDX (RFC 7741)
go on without a hole when the layer changes, and when a person comes back with a new stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from media.aiortc_bridge import Endpoint
from media.keyframes import read_descriptor, shift_ids
from media.layers import BEST, Layer
from media.packet_cache import CACHE_PACKETS, PacketCache
from media.rtp_rewrite import FORWARDED_HEADER_BYTES, build_forwarded, send_time_of
from media.rtp_time import SenderClock, signed_difference
from media.sdp import VP8_PT
from media.tracks import PacketReceiver

TAIL_MS = 1_000.0  # a packet lost before a change of layer may be repaired this long after it
TAIL_PACKETS = 512
NEWEST_IDS_WITHIN = 64
MAX_DISAGREEMENT_MS = 1_000.0  # between sender reports and arrivals; beyond it the arrivals are believed


class Sends(Protocol):
    """FanOut, as far as a rendition knows it."""

    def send(self, packet: bytes) -> None: ...


class Subscriber(PacketReceiver, Protocol):
    """A participant's receiving connection, as the fan-out sees it."""

    @property
    def endpoint(self) -> Endpoint: ...


Header = tuple[int, int, int, int]
"""Of an incoming packet: its first two octets, sequence number, timestamp."""

FanOutMaker = Callable[[Sequence[Endpoint]], Sends]


@dataclass(frozen=True, slots=True)
class Position:
    """Where an outgoing stream stands. `moment`: a moment of the sender's clock and its outgoing timestamp."""

    sequence: int
    timestamp: int
    arrival_ms: float
    picture_id: int
    tl0: int
    moment: tuple[SenderClock, float, int] | None


@dataclass(slots=True)
class Mapping:
    """What to add to one layer's numbers. `first`: the layer's packet it begins with; older ones are not its own (-1: any)."""

    layer: Layer
    sequences: int
    ticks: int
    pictures: int
    tl0: int
    first: int

    def has_begun(self, sequence: int) -> bool:
        """False for packets sent before the first one; the guard ends once the stream has run a while."""
        ahead = (sequence - self.first) & 0xFFFF
        if ahead >= 0x8000:
            return False
        if ahead > 0x2000:
            self.first = -1
        return True


@dataclass(frozen=True, slots=True)
class Tail:
    """A layer that the stream has left: what of it was sent until `last` may still be repaired, for a while."""

    mapping: Mapping
    last: int
    until_ms: float

    def holds(self, layer: Layer, sequence: int) -> bool:
        mapping = self.mapping
        before_the_change = (self.last - sequence) & 0xFFFF < TAIL_PACKETS
        return mapping.layer is layer and before_the_change and (mapping.first < 0 or mapping.has_begun(sequence))


class Rendition:
    """`endpoints` get every packet that write() makes; `receivers` get its sender reports."""

    __slots__ = (
        "_last_ms", "_last_sequence", "_last_timestamp", "_make_fan_out", "_moment", "_payload_type", "_rate_hz",
        "_resumed_ids", "_tails", "cache", "endpoints", "fan_out", "mapping", "receivers",
        "ssrc",
    )  # fmt: skip

    def __init__(self, payload_type: int, ssrc: int, rate_hz: int, make_fan_out: FanOutMaker) -> None:
        self.ssrc = ssrc
        self.cache = PacketCache()
        self.mapping: Mapping | None = None
        self.receivers: tuple[Subscriber, ...] = ()
        self.endpoints: tuple[Endpoint, ...] = ()
        self.fan_out: Sends = make_fan_out(())
        self._make_fan_out = make_fan_out
        self._payload_type = payload_type
        self._rate_hz = rate_hz
        self._last_sequence = -1  # before the first packet
        self._last_timestamp = 0
        self._last_ms = 0.0
        self._moment: tuple[SenderClock, float, int] | None = None
        self._resumed_ids = (-1, -1)
        self._tails: tuple[Tail, ...] = ()

    @property
    def layer(self) -> Layer | None:
        return self.mapping.layer if self.mapping is not None else None

    @property
    def has_begun(self) -> bool:
        return self._last_sequence >= 0

    @property
    def next_sequence(self) -> int:
        """The outgoing sequence number that follows the newest one."""
        return (self._last_sequence + 1) & 0xFFFF

    def set_receivers(self, receivers: tuple[Subscriber, ...]) -> None:
        if receivers != self.receivers:
            self.receivers = receivers
            self.endpoints = tuple(receiver.endpoint for receiver in receivers)
            self.fan_out = self._make_fan_out(self.endpoints)

    # --- packets ---------------------------------------------------------------------------

    def write(self, header: Header, payload: bytes, arrival_ms: float) -> bytes | None:
        """The outgoing packet of one of the present layer, kept for repairs; None when it was sent before the layer's first."""
        mapping = self.mapping
        if mapping is None or (mapping.first >= 0 and not mapping.has_begun(header[2])):
            return None
        packet = self._put(mapping, header, payload, send_time_of(arrival_ms))
        out = (header[2] + mapping.sequences) & 0xFFFF
        if (out - self._last_sequence) & 0xFFFF < 0x8000 or self._last_sequence < 0:
            self._last_sequence, self._last_ms = out, arrival_ms
            self._last_timestamp = (header[3] + mapping.ticks) & 0xFFFFFFFF
        return packet

    def write_late(self, layer: Layer, header: Header, payload: bytes, arrival_ms: float) -> bytes | None:
        """A packet of a layer before: only what was sent before the change is still this stream's."""
        for tail in self._tails:
            if tail.holds(layer, header[2]) and arrival_ms <= tail.until_ms:
                return self._put(tail.mapping, header, payload, send_time_of(arrival_ms))
        return None

    def _put(self, mapping: Mapping, header: Header, payload: bytes, send_time: int) -> bytes:
        first, second, sequence, timestamp = header
        if mapping.pictures or mapping.tl0:
            payload = shift_ids(payload, mapping.pictures, mapping.tl0)
        packet = build_forwarded(
            first, (second & 0x80) | self._payload_type, (sequence + mapping.sequences) & 0xFFFF,
            (timestamp + mapping.ticks) & 0xFFFFFFFF, self.ssrc, send_time, payload,
        )  # fmt: skip
        self.cache.put(packet)
        return packet

    def out_timestamp(self, timestamp: int) -> int:
        """The outgoing timestamp of one of the present layer."""
        return (timestamp + (self.mapping.ticks if self.mapping is not None else 0)) & 0xFFFFFFFF

    def tie(self, layer: Layer) -> None:
        """Note what the layer's newest sender report says in outgoing timestamps."""
        if layer.report is not None:
            ntp_ms, timestamp = layer.report
            self._moment = (layer.sender, ntp_ms, self.out_timestamp(timestamp))

    # --- change of layer -------------------------------------------------------------------

    def position(self) -> Position | None:
        """Where the stream stands; None before its first packet."""
        if self._last_sequence < 0:
            return None
        picture_id, tl0 = self._newest_ids()
        return Position(self._last_sequence, self._last_timestamp, self._last_ms, picture_id, tl0, self._moment)

    def _newest_ids(self) -> tuple[int, int]:
        """Picture id and TL0PICIDX of the newest packet that has them (padding has none); -1 where there are none."""
        for back in range(NEWEST_IDS_WITHIN if self._payload_type == VP8_PT else 0):
            packet = self.cache.get((self._last_sequence - back) & 0xFFFF)
            if packet is None:
                continue
            ids = _ids_of(packet[FORWARDED_HEADER_BYTES:])
            if ids[0] >= 0:
                return ids
        return self._resumed_ids

    def resume(self, position: Position) -> None:
        """Go on where another stream stood; switch() says with which layer."""
        self._last_sequence, self._last_timestamp, self._last_ms = position.sequence, position.timestamp, position.arrival_ms
        self._moment, self._resumed_ids = position.moment, (position.picture_id, position.tl0)

    def forget(self) -> None:
        """What was sent is not to be sent again; the stream stays where it is."""
        self._resumed_ids = self._newest_ids()
        self.cache.clear()

    def split(self) -> Rendition:
        """Another stream that stands where this one does, with the same history."""
        other = Rendition(self._payload_type, self.ssrc, self._rate_hz, self._make_fan_out)
        other.cache = self.cache.copy()
        other.mapping = self.mapping
        other._last_sequence, other._last_timestamp, other._last_ms = self._last_sequence, self._last_timestamp, self._last_ms
        other._moment, other._resumed_ids, other._tails = self._moment, self._resumed_ids, self._tails
        return other

    def begin(self, layer: Layer) -> None:
        """Carry this layer in its own numbers, from its next packet on."""
        self.mapping = Mapping(layer, 0, 0, 0, 0, -1)

    def switch(self, layer: Layer, sequence: int, timestamp: int, payload: bytes, arrival_ms: float) -> None:
        """From this packet of `layer` on (with pictures: the first of a keyframe) the stream carries that layer."""
        position = self.position()
        if position is None:
            self.begin(layer)
            return
        if self.mapping is not None and not self.mapping.layer.closed:
            last = (self._last_sequence - self.mapping.sequences) & 0xFFFF
            self._tails = (*self._recent_tails(arrival_ms), Tail(self.mapping, last, arrival_ms + TAIL_MS))
        picture_id, tl0 = _ids_of(payload) if self._payload_type == VP8_PT else (-1, -1)
        self.mapping = Mapping(
            layer,
            sequences=(position.sequence + 1 - sequence) & 0xFFFF,
            ticks=(self._timestamp_after(position, layer, timestamp, arrival_ms) - timestamp) & 0xFFFFFFFF,
            pictures=(position.picture_id + 1 - picture_id) & 0x7FFF if min(position.picture_id, picture_id) >= 0 else 0,
            tl0=(position.tl0 + 1 - tl0) & 0xFF if min(position.tl0, tl0) >= 0 else 0,
            first=sequence,
        )
        self.tie(layer)

    def _timestamp_after(self, position: Position, layer: Layer, timestamp: int, arrival_ms: float) -> int:
        """The outgoing timestamp of the new layer's first packet: by the sender's clock where reports tie both layers to it,
        else by the time between arrivals; in any case later than the last one.
        """
        per_ms = self._rate_hz / 1000
        ahead = elapsed = round((arrival_ms - position.arrival_ms) * per_ms)
        if position.moment is not None and layer.report is not None and position.moment[0] is layer.sender:
            _, moment_ms, moment = position.moment
            ntp_ms, reported = layer.report
            by_report = moment + round((ntp_ms - moment_ms) * per_ms) + signed_difference(timestamp, reported)
            between = signed_difference(by_report & 0xFFFFFFFF, position.timestamp)
            if abs(between - elapsed) < MAX_DISAGREEMENT_MS * per_ms:
                ahead = between
        return (position.timestamp + max(1, ahead)) & 0xFFFFFFFF

    def tail_layers(self, now_ms: float) -> set[Layer]:
        """The layers before, of which repairs may still come."""
        self._tails = self._recent_tails(now_ms)
        return {tail.mapping.layer for tail in self._tails}

    def _recent_tails(self, now_ms: float) -> tuple[Tail, ...]:
        return tuple(tail for tail in self._tails if now_ms <= tail.until_ms)


class Member:
    """One subscriber of a track, or (`receiver` None) the listeners inside this process, who share one place.

    `want`: the layer asked for, None for none at all. `rendition`: what it gets; `position`: where it stopped getting anything.
    """

    __slots__ = ("_since", "position", "receiver", "rendition", "want")

    def __init__(self, receiver: Subscriber | None, want: str | None = BEST, position: Position | None = None) -> None:
        self.receiver = receiver
        self.want = want
        self.position = position
        self.rendition: Rendition | None = None
        self._since: int | None = None

    def join(self, rendition: Rendition) -> None:
        """Get `rendition` from now on, and nothing of what it was before."""
        self.rendition, self.position = rendition, None
        self._since = rendition.next_sequence if rendition.has_begun else None

    def pause(self) -> None:
        """Get nothing; the stream will go on from where it stands now."""
        if self.rendition is not None:
            self.position, self.rendition = self.rendition.position(), None

    def sent(self, sequences: Iterable[int]) -> list[bytes]:
        """Those of the packets with these numbers that this subscriber was entitled to and that are still known."""
        rendition = self.rendition
        if rendition is None:
            return []
        if self._since is not None and (rendition.next_sequence - self._since) & 0xFFFF > CACHE_PACKETS:
            self._since = None  # nothing older is left to ask for
        since = self._since
        found = (
            rendition.cache.get(sequence) for sequence in sequences if since is None or (sequence - since) & 0xFFFF < 0x8000
        )
        return [packet for packet in found if packet is not None]

    def latest(self, count: int) -> list[bytes]:
        """The newest packets sent, oldest first."""
        if self.rendition is None:
            return []
        last = self.rendition.next_sequence
        return self.sent((last - back) & 0xFFFF for back in range(count, 0, -1))


def _ids_of(payload: bytes) -> tuple[int, int]:
    """Picture id and TL0PICIDX; -1 where there is none."""
    descriptor = read_descriptor(payload)
    if descriptor is None:
        return -1, -1
    picture_id, tl0 = descriptor.picture_id(payload), descriptor.tl0(payload)
    return (-1 if picture_id is None else picture_id), (-1 if tl0 is None else tl0)
