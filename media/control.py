"""The port by which others steer the media plane, and the reports it sends back. No media code, no aiortc here.

`signaling` calls MediaControl (control_client.py is the client of worker.py's server). `media` and `shipper` send Report
batches to signaling's internal API as JSON: {"worker_id", "reports": [{"type", ...fields}]}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from hearing.access import AccessClass
from hearing.audience import GrantTable, Kind
from hearing.model import ParticipantId, SittingId


@dataclass(frozen=True, slots=True)
class ClientStats:
    """A page's own measurements of the last interval (W3C webrtc-stats), both connections."""

    rtt_ms: float | None
    jitter_ms: float
    up_loss: float
    down_loss: float
    freezes: int
    frames_per_s: float
    concealed: float  # share of played sound that was made up by the browser


@dataclass(frozen=True, slots=True)
class SelfTestMeasured:
    """What the worker's end of a self-test has seen of what the browser sends. Rates are of RTP packets as received."""

    connected: bool
    up_bps: int  # over the last second
    up_best_bps: int  # over the best second
    up_packets: int  # that came, since the beginning
    up_lost: int  # that were lost on the way to us, since the beginning
    up_jitter_ms: float  # of the voice, of the picture without one; RFC 3550 6.4.1
    left_ms: int  # until the test is ended


@dataclass(frozen=True, slots=True)
class SpoolProbe:
    """Whether a worker could record now: a file was written into its spool, forced to the disk and read back."""

    code: str  # ok | disk_full | io_error | differs (other bytes came back)
    took_ms: int
    free_bytes: int
    at: datetime  # the worker's own clock


@dataclass(frozen=True, slots=True)
class WrittenTrack:
    """How one track stands on the disk, judged by what was read back from its file (C35). `_ms` on the record clock.

    `state` is written | muted (silence: this person may not be heard) | lost (silence: nothing came from the source) |
    not_written (the file does not grow) | not_sent (a picture that its source does not send). Levels are of the last second
    in the file; None for pictures and where nothing new was written. `playable_ms` is the length of the sound that can be
    heard back, `access` the strictest class in it.
    """

    track_id: str
    participant_id: ParticipantId
    kind: Kind
    state: str
    until_ms: int | None  # read back so far
    age_ms: int | None  # since then
    rms_dbfs: float | None = None
    peak_dbfs: float | None = None
    playable_ms: int = 0
    access: AccessClass = AccessClass.PUBLIC


@dataclass(frozen=True, slots=True)
class WrittenSound:
    """The newest sound of a track as it stands on the disk: the same Opus packets, in a WebM file of their own."""

    t0_ms: int
    t1_ms: int
    webm: bytes


@dataclass(frozen=True, slots=True)
class Offer:
    """An SDP offer of the server for one of a peer's two connections."""

    connection: str  # "up": the client sends media to us · "down": the client receives from us
    revision: int  # grows with each offer of this connection; the answer repeats it
    sdp: str


class MediaControl(Protocol):
    """What signaling may ask of the media worker that holds a sitting."""

    async def apply_grants(self, table: GrantTable) -> int:
        """Replace the sitting's grant table; returns the number now in force (a lower one is ignored)."""

    async def connect(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        """Create the peer (closing this participant's older one) and return the offers of both connections."""

    async def answer(self, sitting_id: SittingId, peer_id: str, connection: str, revision: int, sdp: str) -> None:
        """Take the client's SDP answer; raises MediaError when it is malformed or stale."""

    async def restart_ice(self, sitting_id: SittingId, peer_id: str, connection: str) -> Offer:
        """A fresh offer with new ICE credentials for one connection."""

    async def resume(self, sitting_id: SittingId, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        """Whose socket is new and whose media still runs: the offers that were not answered. Raises MediaError peer_unknown."""

    async def disconnect(self, sitting_id: SittingId, peer_id: str) -> None: ...

    async def set_view(self, sitting_id: SittingId, peer_id: str, tiles: Mapping[str, int]) -> None:
        """How high (in device pixels) each picture stands on this peer's page, by track id; 0 or absent: not shown."""

    async def note_stats(self, sitting_id: SittingId, peer_id: str, stats: ClientStats) -> None:
        """What the peer's own page measured in the last seconds; joined with ours in the next Quality."""

    async def quality(self, sitting_id: SittingId) -> tuple[QualitySample, ...]:
        """The samples of the last 15 minutes, oldest first; empty after a restart of the worker."""

    async def close_sitting(self, sitting_id: SittingId) -> None:
        """Close all peers and finish the recording; RecordingFinished is reported when the spool is complete."""

    async def release(self, sitting_id: SittingId) -> None:
        """Another worker has the sitting now: close it here as at a restart, without calling it finished."""

    async def metrics(self) -> str:
        """The worker's counters in Prometheus' text format; also a sign of life: raises MediaError media_unreachable."""

    async def probe_spool(self) -> SpoolProbe:
        """Try to record, before a sitting is opened (J3)."""

    async def recorder_health(self, sitting_id: SittingId) -> RecorderHealth | None:
        """The newest report of the sitting's recorder, as it went to one of several signaling processes; None: none lately."""

    async def written_tracks(self, sitting_id: SittingId) -> tuple[WrittenTrack, ...]:
        """What was just written of each track that is recorded now; empty where nothing is."""

    async def written_sound(self, sitting_id: SittingId, track_id: str, holder: AccessClass) -> WrittenSound:
        """The last seconds of a track, without what who is cleared for `holder` may not have.
        Raises MediaError nothing_written.
        """

    async def begin_self_test(self, owner_id: str, test_id: str) -> str:
        """Open a test connection that belongs to no sitting, ending an older one of this person; returns the SDP offer.
        Raises MediaError self_test_busy.
        """

    async def answer_self_test(self, owner_id: str, test_id: str, sdp: str) -> None:
        """Raises MediaError self_test_unknown (over, or another person's), answer_stale, sdp_malformed."""

    async def self_test(self, owner_id: str, test_id: str) -> SelfTestMeasured:
        """Raises MediaError self_test_unknown."""

    async def end_self_test(self, owner_id: str, test_id: str) -> None: ...


# --- reports: media → signaling -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerStarted:
    """A worker is up and holds nothing: signaling answers by sending every live grant table again."""

    control_url: str
    type: ClassVar[str] = "worker.started"


@dataclass(frozen=True, slots=True)
class WorkerAlive:
    """Once a second: the sittings it holds, each with the number of the grant table in force. Signaling's answer says which
    number is the newest of each (`newest`) and which are another worker's now (`elsewhere`).
    """

    sittings: tuple[SittingId, ...]
    spool_free_bytes: int  # disk left
    control_url: str = ""  # "": the installation's only worker
    in_force: Mapping[SittingId, int] = field(default_factory=dict)
    people: int = 0  # with a media connection
    type: ClassVar[str] = "worker.alive"


@dataclass(frozen=True, slots=True)
class PeerState:
    """State of a peer: "connected" once both transports run, "lost" after ~5 s of silence, "closed"."""

    sitting_id: SittingId
    participant_id: ParticipantId
    peer_id: str
    state: str
    type: ClassVar[str] = "peer.state"


@dataclass(frozen=True, slots=True)
class OfferMade:
    """Renegotiation: the client must answer this offer."""

    sitting_id: SittingId
    participant_id: ParticipantId
    peer_id: str
    connection: str
    revision: int
    sdp: str
    type: ClassVar[str] = "offer.made"


@dataclass(frozen=True, slots=True)
class Speaking:
    """Audio level crossed the speaking threshold, either way (RFC 6464 level of forwarded audio)."""

    sitting_id: SittingId
    participant_id: ParticipantId
    speaking: bool
    type: ClassVar[str] = "speaking"


@dataclass(frozen=True, slots=True)
class Quality:
    """Every 5 s per peer. `level` is good | fair | poor | lost. Rates are of the last interval."""

    sitting_id: SittingId
    participant_id: ParticipantId
    level: str
    up_loss: float  # fraction of packets lost on the way to us
    down_loss: float
    rtt_ms: float | None
    jitter_ms: float
    up_bps: int = 0
    down_bps: int = 0
    estimate_bps: int | None = None  # what the path down is believed to carry; None: not known yet
    layers: str = ""  # camera layers that come in now, lowest first: "l,m,h"; "" without camera
    freezes: int = 0  # of pictures at the client in the interval
    type: ClassVar[str] = "quality"


@dataclass(frozen=True, slots=True)
class QualitySample:
    """One Quality at a moment of the server's clock."""

    at: datetime
    quality: Quality


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """What one peer gets of one picture. `layer` is l | m | h | single | paused; `reason` bandwidth | hidden | crowd | ""."""

    track_id: str
    layer: str
    reason: str


@dataclass(frozen=True, slots=True)
class LayersChosen:
    """The pictures a peer gets have changed: its page marks those that are paused. Always the whole list."""

    sitting_id: SittingId
    participant_id: ParticipantId
    peer_id: str
    choices: tuple[LayerChoice, ...]
    type: ClassVar[str] = "layers.chosen"


@dataclass(frozen=True, slots=True)
class TrackFault:
    """A track that is not being recorded. `until_ms`: record time up to which it was read back; None: nothing of it yet.

    `code` is disk_full | io_error | writer_stuck | overflow | file_changed | track_silent | stalled (no track is written).
    """

    track_id: str
    code: str
    evidence: str  # what was seen, for the technician
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RecorderHealth:
    """Every 2 s per recorded sitting, judged by bytes read back from the spool files (S5)."""

    sitting_id: SittingId
    ok: bool
    tracks: int
    written_bytes: int  # read back so far
    detail: str  # code of the gravest fault, "" when all is well
    faults: tuple[TrackFault, ...] = ()
    type: ClassVar[str] = "recorder.health"


@dataclass(frozen=True, slots=True)
class GapFound:
    """A span of a track that is not recorded, with its cause (media_restart, leave, disk_full, overflow)."""

    sitting_id: SittingId
    participant_id: ParticipantId
    kind: Kind
    t0_ms: int
    t1_ms: int
    cause: str
    type: ClassVar[str] = "gap.found"


@dataclass(frozen=True, slots=True)
class TrackEnd:
    """How many segments a track has in all and the hash of the last: the tail cannot be cut unseen."""

    track_id: str
    segments: int
    last_sha256: str


@dataclass(frozen=True, slots=True)
class RecordingFinished:
    """Everything of the sitting stands closed in the spool."""

    sitting_id: SittingId
    tracks: tuple[TrackEnd, ...]
    type: ClassVar[str] = "recording.finished"


@dataclass(frozen=True, slots=True)
class SegmentStored:
    """From the shipper: one segment is in the store and was read back. All `_ms` are on the record clock.

    `sha256` is of the segment's bytes; `prev_sha256` is the previous segment's sha256 of the same track ("" for the
    first). `filled_ms` is silence written for lost packets, `muted_ms` silence written while the person was muted.
    """

    sitting_id: SittingId
    participant_id: ParticipantId
    track_id: str  # "<participant_id>-audio" | "<participant_id>-video"
    kind: Kind
    codec: str  # opus | vp8
    index: int  # from 0, without a hole
    t0_ms: int
    t1_ms: int
    started_at: datetime
    bytes: int
    sha256: str
    sm3: str
    prev_sha256: str
    object_key: str
    packets: int
    lost_packets: int
    filled_ms: int
    muted_ms: int
    closed_by: str  # rotate | stop | leave | repair | class (another access class goes on)
    access: AccessClass = AccessClass.PARTIES
    type: ClassVar[str] = "segment.stored"


@dataclass(frozen=True, slots=True)
class PlaceState:
    """How one of the two stores is: "ok", or a code of docs/operations.md "Stores" (unreachable, timeout, slow, …)."""

    code: str
    since: datetime


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Every 3 s from the shipper of one media host, also when nothing is recorded: each store is then probed every 10 s.

    `backlog` is what stands closed in the spool. `held` counts segments that cannot be shipped for a reason of their own,
    by its code (sha256_differs, chain_broken …): these need a person, all else catches up by itself.
    """

    host: str
    a: PlaceState
    b: PlaceState
    shipping: PlaceState  # what lies between spool and stores: ok | database | signaling_away | spool_unreadable
    backlog_segments: int
    backlog_bytes: int
    oldest_age_s: float  # of the oldest closed segment; 0 with an empty spool
    spool_free_bytes: int
    held: Mapping[str, int] = field(default_factory=dict)
    type: ClassVar[str] = "store.health"


Report = (
    WorkerStarted | WorkerAlive | PeerState | OfferMade | Speaking | Quality | LayersChosen | RecorderHealth | GapFound
    | RecordingFinished | SegmentStored | StoreHealth
)  # fmt: skip


class MediaError(Exception):
    """The media worker refused (`code` is stable) or cannot be reached (code "media_unreachable")."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
