"""What a source of packets and a listener know of each other. Recorder and tap are listeners like any viewer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hearing.audience import Kind
from hearing.model import ParticipantId
from media.rtp_time import TrackClock


class UpTrack(Protocol):
    """One kind of media of one participant, as it is forwarded: it outlives reconnections of that person."""

    @property
    def source(self) -> ParticipantId: ...

    @property
    def kind(self) -> Kind: ...

    @property
    def track_id(self) -> str:
        """<participant_id>-<kind>, the same in the record."""

    @property
    def clock(self) -> TrackClock:
        """The server's time of this track's RTP timestamps."""

    @property
    def live_since_ms(self) -> float | None:
        """Arrival of the first packet of the present incoming stream; None while there is none."""

    def request_keyframe(self) -> None:
        """Ask the source for a keyframe; throttled, and without effect on audio."""

    def recent(self) -> Iterable[tuple[float, bytes]]:
        """(arrival, packet) of the last seconds, so that a listener can begin a little in the past."""


class PacketSink(Protocol):
    """A listener inside this process. Called on the event loop for every granted packet: must be quick."""

    def on_packet(self, track: UpTrack, packet: bytes, arrival_ms: float) -> None: ...


class PacketReceiver(Protocol):
    """A participant's receiving connection, as the forwarder sees it."""

    @property
    def participant_id(self) -> ParticipantId: ...

    def accepts(self, track_id: str) -> bool:
        """Whether the client has agreed to receive this track (its SDP answer is here)."""

    def send_rtp(self, packet: bytes) -> bool: ...

    def send_rtcp(self, packet: bytes) -> bool: ...


def track_id_of(source: ParticipantId, kind: Kind) -> str:
    return f"{source}-{kind}"
