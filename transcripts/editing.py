"""The clerk's corrections as operations over machine lines: applied in order, never written into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transcripts.model import Line, Revision, Utterance


def apply(said: Iterable[Utterance], revisions: Sequence[Revision]) -> tuple[Line, ...]:
    """Lines as they read now, by time. Of several corrections of a line the last counts; what the clerk struck is left out.

    A machine line that came later over an edited one (re-reading a gap) does not appear: the person has spoken (C10).
    """
    last = {revision.utterance_id: revision for revision in sorted(revisions, key=lambda r: (r.at, r.id))}
    said = sorted(said, key=lambda utterance: (utterance.t0_ms, utterance.id))
    edited = [utterance for utterance in said if utterance.id in last]
    lines = []
    for utterance in said:
        revision = last.get(utterance.id)
        if revision is None:
            if not any(_covers(kept, utterance) for kept in edited):
                lines.append(Line(utterance, utterance.text))
        elif revision.operation.text:
            lines.append(Line(utterance, revision.operation.text, revision.author_id, revision.at))
    return tuple(lines)


def _covers(edited: Utterance, other: Utterance) -> bool:
    """Whether both tell the same sound: the same track, more than half of `other` inside."""
    if edited.track_id != other.track_id:
        return False
    shared_ms = min(edited.t1_ms, other.t1_ms) - max(edited.t0_ms, other.t0_ms)
    return shared_ms * 2 > other.t1_ms - other.t0_ms
