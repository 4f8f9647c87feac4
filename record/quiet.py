"""Stretches of a sitting in which nobody speaks, for a replay that skips them.

What is known: what the recogniser heard, where a microphone was closed (`muted_ms`), and how dense a segment's sound is.
Nobody listened again: a stretch counts as quiet only where all of this agrees, and the page says where it comes from.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from record.course import Span
from record.model import Segment
from record.verify import subtract
from transcripts.model import Utterance

LEAD_MS = 600  # kept before the first word and after the last one
TAIL_MS = 900
SHORTEST_MS = 3000  # a pause shorter than this belongs to the conversation
MUTED_SHARE = 0.95  # a segment of which this much was written as silence holds no voice
DENSE_BYTES_PER_PACKET = 70  # 60 bytes of Opus in 20 ms are speech (media.speaking), the rest is WebM


def quiet_spans(recorded: Sequence[Span], segments: Iterable[Segment], utterances: Sequence[Utterance]) -> list[Span]:
    """Quiet stretches inside the recorded intervals, in order.

    Without any recognised line nothing is known of what was said: then only closed microphones count.
    """
    sound = [segment for segment in segments if segment.kind == "audio"]
    loud = _unexplained(sound, utterances) if utterances else [_span(segment) for segment in sound if not _muted(segment)]
    spoken = [(line.t0_ms - LEAD_MS, line.t1_ms + TAIL_MS) for line in utterances]
    covers = [*loud, *spoken]
    holes = [hole for interval in recorded for hole in subtract(interval, covers)]
    return [(t0, t1) for t0, t1 in holes if t1 - t0 >= SHORTEST_MS]


def _unexplained(sound: Iterable[Segment], utterances: Sequence[Utterance]) -> list[Span]:
    """Segments as dense as speech of which the recogniser has no line: something is heard there, whatever it is."""
    starts: dict[str, list[Span]] = {}
    for line in utterances:
        starts.setdefault(line.track_id, []).append((line.t0_ms, line.t1_ms))
    for spans in starts.values():
        spans.sort()
    return [
        _span(segment)
        for segment in sound
        if not _muted(segment) and _dense(segment) and not _touched(starts.get(segment.track_id, []), segment)
    ]


def _touched(spans: list[Span], segment: Segment) -> bool:
    before = bisect_left(spans, (segment.t1_ms, 0))  # lines of one person do not overlap
    return before > 0 and spans[before - 1][1] > segment.t0_ms


def _muted(segment: Segment) -> bool:
    return segment.muted_ms >= MUTED_SHARE * (segment.t1_ms - segment.t0_ms)


def _dense(segment: Segment) -> bool:
    return segment.bytes >= DENSE_BYTES_PER_PACKET * max(1, segment.packets)


def _span(segment: Segment) -> Span:
    return segment.t0_ms, segment.t1_ms
