"""What was just written to the disk, for the clerk's ear (C35): its level, and the last seconds as a file to play.

Made only from clusters that were read back from the spool; a cluster whose checksum does not agree counts as not written.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from hearing.access import AccessClass, may_have, strictest
from hearing.audience import Kind
from hearing.model import ParticipantId
from media.control import MediaError, WrittenSound, WrittenTrack
from media.opus import LOST_SILENCE, MUTED_SILENCE, duration_ms
from media.read_back import ReadCluster
from media.tracks import track_id_of
from media.webm import Codec, StoredBlock, WebmWriter, read_clusters

HEARD_MS = 8_000
LEVEL_MS = 1_000
WARM_UP_MS = 200  # a decoder that begins in the middle needs some packets (RFC 7845, 4.6: 80 ms)
RATE_HZ = 48_000
FLOOR_DBFS = -96.0  # of 16 bits; digital silence has no level of its own


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What reading back found of a track that is recorded now; `state` is written | not_written | not_sent."""

    source: ParticipantId
    kind: Kind
    state: str
    until_ms: int | None
    age_ms: int | None
    kept: tuple[ReadCluster, ...] = ()

    @property
    def track_id(self) -> str:
        return track_id_of(self.source, self.kind)


def written_tracks(found: Sequence[OnDisk]) -> tuple[WrittenTrack, ...]:
    """With levels, from decoded sound: some milliseconds of work for each track."""
    return tuple(_written(one) for one in found)


def written_sound(found: Sequence[OnDisk], track_id: str, holder: AccessClass) -> WrittenSound:
    """The newest HEARD_MS of a track that the holder may have; raises MediaError nothing_written."""
    kept = next((one.kept for one in found if one.track_id == track_id), ())
    blocks = _last(list(_blocks([one for one in kept if may_have(holder, one.file.access)])), HEARD_MS)
    if not blocks:
        raise MediaError("nothing_written", "这一路声音刚才没有写入磁盘")
    t0_ms, t1_ms = blocks[0].t_ms, _end_ms(blocks[-1])
    file = io.BytesIO()
    writer = WebmWriter(file, Codec("opus"))
    for block in blocks:
        writer.add(block.t_ms - t0_ms, block.data, block.keyframe)
    writer.close(t1_ms - t0_ms)
    return WrittenSound(t0_ms, t1_ms, file.getvalue())


def _written(one: OnDisk) -> WrittenTrack:
    track = WrittenTrack(one.track_id, one.source, one.kind, one.state, one.until_ms, one.age_ms)
    blocks = list(_blocks(one.kept))
    if one.kind is not Kind.AUDIO or not blocks:
        return track
    heard = _last(blocks, HEARD_MS)
    access = strictest(cluster.file.access for cluster in one.kept)
    track = replace(track, playable_ms=_end_ms(heard[-1]) - heard[0].t_ms, access=access)
    if one.state != "written":
        return track
    rms, peak = _level(_last(blocks, LEVEL_MS + WARM_UP_MS))
    return replace(track, state=_kind_of_sound(_last(blocks, LEVEL_MS)), rms_dbfs=_dbfs(rms), peak_dbfs=_dbfs(peak))


def _kind_of_sound(blocks: Sequence[StoredBlock]) -> str:
    """Whether it is sound, or nothing but silence that the recorder wrote in its place."""
    payloads = {block.data for block in blocks}
    return "muted" if payloads == {MUTED_SILENCE} else "lost" if payloads == {LOST_SILENCE} else "written"


def _blocks(clusters: Sequence[ReadCluster]) -> Iterator[StoredBlock]:
    """Every packet, on the record clock."""
    for cluster in clusters:
        for blocks in read_clusters(cluster.data):
            for block in blocks or ():
                yield replace(block, t_ms=cluster.file.t0_ms + block.t_ms)


def _last(blocks: Sequence[StoredBlock], length_ms: int) -> list[StoredBlock]:
    return [block for block in blocks if block.t_ms >= _end_ms(blocks[-1]) - length_ms] if blocks else []


def _end_ms(block: StoredBlock) -> int:
    return round(block.t_ms + duration_ms(block.data))


def _level(blocks: Sequence[StoredBlock]) -> tuple[float, float]:
    """Root mean square and peak of the last second, of full scale 1."""
    decoder, resampler = AudioCodecContext.create("libopus", "r"), AudioResampler("flt", "mono", RATE_HZ)
    decoder.sample_rate, decoder.layout = RATE_HZ, "mono"
    parts = []
    for block in blocks:
        try:
            frames = decoder.decode(av.Packet(block.data))
        except av.FFmpegError:
            continue  # what cannot be decoded has no level
        parts += [part.to_ndarray().reshape(-1) for frame in frames for part in resampler.resample(frame)]
    samples = np.concatenate(parts)[-RATE_HZ * LEVEL_MS // 1000 :] if parts else np.zeros(1, dtype=np.float32)
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))), float(np.max(np.abs(samples)))


def _dbfs(amplitude: float) -> float:
    return round(max(FLOOR_DBFS, 20 * math.log10(amplitude)), 1) if amplitude > 0 else FLOOR_DBFS
