"""What can be kept of a segment whose writer died: whole blocks in an unbroken line, and what they add up to."""

from __future__ import annotations

from media.opus import LOST_SILENCE, MUTED_SILENCE, SILENCE_MS, UNSENT_SILENCE, duration_ms
from media.webm import Codec, StoredBlock, read_clusters, read_codec

LAST_FRAME_MS = 33  # length given to the last picture of a repaired segment


def kept_of(data: bytes) -> tuple[list[StoredBlock], Codec | None]:
    """The blocks of the repaired segment: where some are unreadable, sound is filled up and pictures wait for a keyframe."""
    codec = read_codec(data)
    if codec is None:
        return [], None
    clusters = list(read_clusters(data))
    if codec.name == "vp8":
        return _decodable(clusters), codec
    return _filled([block for cluster in clusters for block in cluster or []]), codec


def _filled(blocks: list[StoredBlock]) -> list[StoredBlock]:
    filled: list[StoredBlock] = []
    position_ms = 0.0
    for block in blocks:
        while block.t_ms - position_ms >= SILENCE_MS:
            filled.append(StoredBlock(round(position_ms), True, LOST_SILENCE))
            position_ms += SILENCE_MS
        filled.append(block)
        position_ms = block.t_ms + duration_ms(block.data)
    return filled


def _decodable(clusters: list[list[StoredBlock] | None]) -> list[StoredBlock]:
    kept: list[StoredBlock] = []
    whole = False
    for cluster in clusters:
        whole = whole and cluster is not None
        for block in cluster or []:
            whole = whole or block.keyframe
            if whole:
                kept.append(block)
    return kept


def length_ms(blocks: list[StoredBlock], codec: Codec) -> int:
    last = blocks[-1]
    return last.t_ms + (round(duration_ms(last.data)) if codec.name == "opus" else LAST_FRAME_MS)


def counts_of(blocks: list[StoredBlock]) -> tuple[int, int, int]:
    """(packets, filled ms, muted ms): silence written for lost and for muted spans is told apart by its bytes."""
    filled = sum(block.data == LOST_SILENCE for block in blocks)
    muted = sum(block.data == MUTED_SILENCE for block in blocks)
    unsent = sum(block.data == UNSENT_SILENCE for block in blocks)
    return len(blocks) - filled - muted - unsent, round(filled * SILENCE_MS), round(muted * SILENCE_MS)
