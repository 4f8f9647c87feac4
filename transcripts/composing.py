"""What people read of a version: the lines that somebody corrected stay, elsewhere the machine lines of that version (C10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transcripts.editing import apply
from transcripts.model import Line, Revision, Utterance

Span = tuple[int, int]
"""A stretch of the record clock, [t0_ms, t1_ms)."""


def touched(said: Iterable[Utterance], revisions: Iterable[Revision]) -> tuple[Utterance, ...]:
    """The machine lines that a correction names: they belong to a person now, and no machine writes over them."""
    ids = set[str]()
    for revision in revisions:
        ids.add(revision.utterance_id)
        ids.add(getattr(revision.operation, "other_id", revision.utterance_id))  # of a Merge
    return tuple(utterance for utterance in said if utterance.id in ids)


def touched_spans(said: Iterable[Utterance], revisions: Iterable[Revision]) -> dict[str, tuple[Span, ...]]:
    """Per track the time of the corrected lines, joined and in order: what a final pass leaves out."""
    spans: dict[str, list[Span]] = {}
    for one in sorted(touched(said, revisions), key=lambda utterance: utterance.t0_ms):
        known = spans.setdefault(one.track_id, [])
        if known and one.t0_ms <= known[-1][1]:
            known[-1] = (known[-1][0], max(known[-1][1], one.t1_ms))
        else:
            known.append((one.t0_ms, one.t1_ms))
    return {track_id: tuple(known) for track_id, known in spans.items()}


def compose(earlier: Iterable[Utterance], revisions: Sequence[Revision], version: Iterable[Utterance]) -> tuple[Line, ...]:
    """The lines of `version` as they read now, with the corrected lines of `earlier` versions in their places."""
    return apply((*touched(earlier, revisions), *version), revisions)
