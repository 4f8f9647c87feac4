"""How everybody's connection has done in the last 15 minutes, for the clerk and for duty staff. Nothing of it is a record."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from hearing.audience import Kind
from hearing.model import ParticipantId, SittingId
from media.control import ClientStats, Quality, QualitySample
from media.peer import Peer
from media.sfu import Forwarder

KEPT_MS = 15 * 60_000.0
MAX_SAMPLES = 200  # of one person, at one every 5 s
STATS_MS = 15_000.0  # older numbers of a page say nothing of now
CONCEALED_POOR, CONCEALED_FAIR = 0.10, 0.03  # of the sound heard was made up
_EPOCH = datetime.fromtimestamp(0, UTC)
_LEVELS = ("good", "fair", "poor", "lost")


class QualityBook:
    """The samples of one sitting, and the newest numbers of each page."""

    def __init__(self, sitting_id: SittingId, forwarder: Forwarder, monotonic_of: Callable[[datetime], float]) -> None:
        self._sitting_id = sitting_id
        self._forwarder = forwarder
        self._epoch_ms = monotonic_of(_EPOCH)
        self._samples: dict[ParticipantId, deque[QualitySample]] = {}
        self._stats: dict[str, tuple[float, ClientStats]] = {}

    def note_stats(self, peer_id: str, stats: ClientStats, now_ms: float) -> None:
        """What the page of a peer measured."""
        self._stats[peer_id] = (now_ms, stats)

    def forget(self, peer: Peer) -> None:
        self._stats.pop(peer.peer_id, None)

    def measure(self, peer: Peer, now_ms: float) -> Quality:
        """The state of a connection now, from both its sides; kept for history()."""
        quality = self._quality(peer, now_ms)
        at = datetime.fromtimestamp((now_ms - self._epoch_ms) / 1000, UTC)
        samples = self._samples.setdefault(peer.participant_id, deque(maxlen=MAX_SAMPLES))
        samples.append(QualitySample(at, quality))
        while (at - samples[0].at).total_seconds() * 1000 > KEPT_MS:
            samples.popleft()
        return quality

    def history(self, now_ms: float) -> tuple[QualitySample, ...]:
        """All samples of the last 15 minutes, oldest first."""
        since = datetime.fromtimestamp((now_ms - KEPT_MS - self._epoch_ms) / 1000, UTC)
        samples = [sample for kept in self._samples.values() for sample in kept if sample.at >= since]
        return tuple(sorted(samples, key=lambda sample: sample.at))

    def _quality(self, peer: Peer, now_ms: float) -> Quality:
        up, down = peer.up, peer.down
        noted_ms, stats = self._stats.get(peer.peer_id, (-STATS_MS, None))
        if now_ms - noted_ms > STATS_MS:
            stats = None
        own = [track for (source, _), track in self._forwarder.tracks.items() if source == peer.participant_id]
        return Quality(
            sitting_id=self._sitting_id,
            participant_id=peer.participant_id,
            level=_worse(peer.quality, stats),
            up_loss=up.loss,
            down_loss=max(down.loss, stats.down_loss if stats else 0.0),
            rtt_ms=down.rtt_ms if down.rtt_ms is not None else stats.rtt_ms if stats else None,
            jitter_ms=max(up.jitter_ms, stats.jitter_ms if stats else 0.0),
            up_bps=sum(sum(track.layer_bps.values()) for track in own),
            down_bps=round(down.audio_bps + down.pictures_bps),
            estimate_bps=None if down.estimate.bps is None else down.estimate.bps + round(down.audio_bps),
            layers=",".join(name for track in own if track.kind is Kind.VIDEO for name in track.live_layers),
            freezes=stats.freezes if stats else 0,
        )


def _worse(level: str, stats: ClientStats | None) -> str:
    """What the page hears and sees counts too: sound made up, pictures that stand still."""
    if stats is None:
        return level
    seen = "poor" if stats.concealed > CONCEALED_POOR else "good"
    if seen == "good" and (stats.concealed > CONCEALED_FAIR or stats.freezes):
        seen = "fair"
    return max(level, seen, key=_LEVELS.index)
