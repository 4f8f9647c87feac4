"""Everything a sitting's record is made of, as plain values read from the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from evidence.model import Exhibit
from hearing.access import AccessClass
from hearing.ledger import Recorded, SealedEntry
from hearing.model import CourtId, ExhibitId, Hearing, ParticipantId, SittingId, SittingState
from record.acts import exhibit_mark
from record.gaps import TrackCover
from transcripts.model import Utterance


@dataclass(frozen=True, slots=True)
class Segment:
    """One recorded segment; the meaning of the fields is that of media.control.SegmentStored."""

    track_id: str
    participant_id: ParticipantId
    kind: str
    codec: str
    index: int
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
    closed_by: str
    access: AccessClass = AccessClass.PARTIES  # class at recording; later orders and the interval may be stricter


@dataclass(frozen=True, slots=True)
class AccessOrder:
    """A stricter class after the fact, by ruling. `track_id` "": every track, and what was noted and shown meanwhile."""

    track_id: str
    t0_ms: int
    t1_ms: int
    access: AccessClass
    ruling: str
    ordered_by: ParticipantId
    at: datetime

    def touches(self, track_id: str, t0_ms: int, t1_ms: int) -> bool:
        """Whether it touches a stretch of a track ("": of the whole courtroom); a moment is a stretch of one millisecond."""
        return self.track_id in ("", track_id) and t0_ms < self.t1_ms and max(t1_ms, t0_ms + 1) > self.t0_ms


@dataclass(frozen=True, slots=True)
class SittingInfo:
    """The sitting's own row. `sealed_manifest_sha256` is None until the record is sealed."""

    id: SittingId
    court_id: CourtId
    court_name: str
    ordinal: int
    state: SittingState
    opened_at: datetime | None
    closed_at: datetime | None
    sealed_manifest_sha256: str | None
    sealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Material:
    """All of a sitting at one moment of the database."""

    sitting: SittingInfo
    hearing: Hearing
    ledger: tuple[SealedEntry, ...]
    entries: tuple[Recorded, ...]  # the ledger, read
    segments: tuple[Segment, ...]  # by track and index
    track_ends: Mapping[str, tuple[int, str]]  # track → segments in all, sha256 of the last
    exhibits: tuple[Exhibit, ...]
    utterances: tuple[Utterance, ...]
    orders: tuple[AccessOrder, ...] = ()  # after the fact, in order of time

    def exhibit_marks(self) -> dict[ExhibitId, str]:
        return {exhibit.id: exhibit_mark(exhibit.number, exhibit.title) for exhibit in self.exhibits}

    def tracks(self) -> dict[str, list[Segment]]:
        """Segments by track, in order; a track with an end but no segment is there too, empty."""
        tracks: dict[str, list[Segment]] = {track_id: [] for track_id in sorted(self.track_ends)}
        for segment in self.segments:
            tracks.setdefault(segment.track_id, []).append(segment)
        return {track_id: tracks[track_id] for track_id in sorted(tracks)}

    def cover(self, track_id: str, segments: list[Segment]) -> TrackCover:
        """What gaps_of() needs to know of a track. Its id is "<participant_id>-<kind>"."""
        participant_id, _, kind = track_id.rpartition("-")
        covers = tuple((segment.t0_ms, segment.t1_ms) for segment in segments)
        cut_at = tuple(segment.t1_ms for segment in segments if segment.closed_by == "repair")
        finished = track_id in self.track_ends or (bool(self.track_ends) and not segments)  # all other ends were stated
        return TrackCover(track_id, ParticipantId(participant_id), kind, covers, finished, cut_at)
