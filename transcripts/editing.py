"""The clerk's corrections as operations over machine lines: applied in order, never written into them.

What an operation means is fixed for every row that could ever stand in the database: one that names a line which is not
there (any more: another has taken it in) changes nothing, and the same row twice is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher

from transcripts.model import Line, Mark, Merge, ReplaceText, Revision, SetSpeaker, Split, Utterance, Word, line_id

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """Lines as they read now, by time, and the last state of those that were lines once and are none any more."""

    lines: tuple[Line, ...]
    gone: tuple[Line, ...]


def apply(said: Iterable[Utterance], revisions: Iterable[Revision]) -> tuple[Line, ...]:
    """Lines as they read now, by time. What the clerk struck is left out.

    A machine line that came later over an edited one (re-reading a gap) does not appear: the person has spoken (C10).
    """
    return read(said, revisions).lines


def read(said: Iterable[Utterance], revisions: Iterable[Revision]) -> Reading:
    """apply(), and what is gone."""
    desk = _Desk({utterance.id: as_written(utterance) for utterance in said})
    for revision in sorted({one.id: one for one in revisions}.values(), key=lambda one: (one.at, one.id)):
        desk.take(revision)
    shown = [line for line in desk.lines.values() if line.text.strip() or line.edited_by is None]
    shown = [line for line in shown if line.edited_by is not None or not desk.is_covered(line.utterance)]
    shown.sort(key=lambda line: (line.utterance.t0_ms, line.utterance.id))
    ids = {line.utterance.id for line in shown}
    return Reading(tuple(shown), tuple(desk.known[id_] for id_ in sorted(desk.known.keys() - ids)))


def as_written(utterance: Utterance) -> Line:
    """The line of an utterance that nobody has touched."""
    return Line(utterance, utterance.text, marks=utterance.marks, sources=(utterance.id,))


def next_of_speaker(lines: Sequence[Line], line: Line) -> Line | None:
    """The line that may be merged into this one: the next of the same track, if the same person speaks."""
    said = line.utterance
    later = [one for one in lines if one.utterance.track_id == said.track_id and _place(one) > _place(line)]
    following = min(later, key=_place, default=None)
    return following if following is not None and following.utterance.participant_id == said.participant_id else None


def moment_at(line: Line, at: int) -> int:
    """When character `at` of the present text was said: by the words' times, by proportion where there are none near."""
    said = line.utterance
    heard = "".join(word.text for word in said.words)
    place = _mapped(line.text, heard, at)
    moment_ms = said.t0_ms + (said.t1_ms - said.t0_ms) * at // max(1, len(line.text))
    if heard and place is not None:
        moment_ms = _moment_of_words(said.words, place)
    return _between(said, moment_ms)


def carried(marks: Iterable[Mark], old: str, new: str) -> tuple[Mark, ...]:
    """Marks of the old text in the new one: moved with their characters, gone where one of them was rewritten."""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    kept = []
    for mark in marks:
        block = next((b for b in blocks if b.a <= mark.start and mark.end <= b.a + b.size), None)
        if block is not None and mark.start < mark.end:
            kept.append(_moved(mark, block.b - block.a))
    return tuple(kept)


@dataclass(slots=True)
class _Desk:
    """The lines while corrections are applied one after another."""

    lines: dict[str, Line]
    touched: dict[str, list[Span]] = field(default_factory=dict)  # track → time of corrected machine lines
    known: dict[str, Line] = field(init=False)  # every line there ever was, as it was last
    _own: set[str] = field(default_factory=set)
    _spans: dict[str, tuple[str, Span]] = field(init=False)

    def __post_init__(self) -> None:
        self.known = dict(self.lines)
        self._spans = {
            id_: (line.utterance.track_id, (line.utterance.t0_ms, line.utterance.t1_ms)) for id_, line in self.lines.items()
        }

    def take(self, revision: Revision) -> None:
        line = self.lines.get(revision.line_id)
        if line is None:
            return
        match revision.operation:
            case ReplaceText(text=text):
                changed = replace(line, text=text, marks=carried(line.marks, line.text, text), rewritten=True)
            case SetSpeaker(participant_id=participant_id):
                changed = replace(line, utterance=replace(line.utterance, participant_id=participant_id))
            case Split(at=at, at_ms=at_ms):
                if not 0 < at < len(line.text):
                    return
                changed, second = _halves(line, at, at_ms, line_id(revision.utterance_id, revision.id))
                self._keep(second, revision)
            case Merge(other_id=other_id):
                other = self.lines.get(other_id)
                if other is None or not _may_merge(line, other):
                    return
                del self.lines[other_id]
                changed = _merged(line, other)
        self._keep(changed, revision)

    def is_covered(self, utterance: Utterance) -> bool:
        """Whether corrected lines of its track tell more than half of its sound."""
        spans = _union(self.touched.get(utterance.track_id, ()))
        shared_ms = sum(max(0, min(t1, utterance.t1_ms) - max(t0, utterance.t0_ms)) for t0, t1 in spans)
        return shared_ms * 2 > utterance.t1_ms - utterance.t0_ms

    def _keep(self, line: Line, revision: Revision) -> None:
        made = replace(line, edited_by=revision.author_id, edited_at=revision.at, revisions=(*line.revisions, revision))
        self.lines[line.utterance.id] = self.known[line.utterance.id] = made
        for source in line.sources:
            if source not in self._own:
                self._own.add(source)
                track_id, span = self._spans[source]
                self.touched.setdefault(track_id, []).append(span)


def _may_merge(line: Line, other: Line) -> bool:
    same = line.utterance.track_id == other.utterance.track_id
    return same and _place(other) > _place(line) and bool(other.text.strip()) and bool(line.text.strip())


def _halves(line: Line, at: int, at_ms: int, second_id: str) -> tuple[Line, Line]:
    """Before and from character `at`; the machine's text is cut at the character that lies there."""
    said, moment_ms = line.utterance, _between(line.utterance, at_ms)
    cut = _mapped(line.text, said.text, at)
    cut = len(said.text) * at // len(line.text) if cut is None else cut
    first = replace(
        said, t1_ms=moment_ms, text=said.text[:cut], marks=_clipped(said.marks, 0, cut),
        words=tuple(word for word in said.words if _middle(word) < moment_ms),
    )  # fmt: skip
    second = replace(
        said, id=second_id, t0_ms=moment_ms, text=said.text[cut:], marks=_clipped(said.marks, cut, len(said.text)),
        words=tuple(word for word in said.words if _middle(word) >= moment_ms),
    )  # fmt: skip
    end = len(line.text)
    return (
        replace(line, utterance=first, text=line.text[:at], marks=_clipped(line.marks, 0, at)),
        replace(line, utterance=second, text=line.text[at:], marks=_clipped(line.marks, at, end)),
    )


def _merged(line: Line, other: Line) -> Line:
    one, two = line.utterance, other.utterance
    said = replace(
        one, t1_ms=max(one.t1_ms, two.t1_ms), text=_joined(one.text, two.text), raw_text=_joined(one.raw_text, two.raw_text),
        confidence=min(one.confidence, two.confidence), words=(*one.words, *two.words),
        marks=_behind(one.marks, two.marks, one.text, two.text),
    )  # fmt: skip
    revisions = {revision.id: revision for revision in (*line.revisions, *other.revisions)}
    return replace(
        line, utterance=said, text=_joined(line.text, other.text), rewritten=line.rewritten or other.rewritten,
        marks=_behind(line.marks, other.marks, line.text, other.text),
        sources=tuple(dict.fromkeys((*line.sources, *other.sources))),
        revisions=tuple(sorted(revisions.values(), key=lambda one: (one.at, one.id))),
    )  # fmt: skip


def _joined(one: str, two: str) -> str:
    """One after the other; Latin words and figures keep a space between them."""
    return one + _gap(one, two) + two


def _gap(one: str, two: str) -> str:
    latin = one[-1:].isascii() and one[-1:].isalnum() and two[:1].isascii() and two[:1].isalnum()
    return " " if latin else ""


def _behind(first: Sequence[Mark], second: Sequence[Mark], one: str, two: str) -> tuple[Mark, ...]:
    by = len(one) + len(_gap(one, two))
    return (*first, *(_moved(mark, by) for mark in second))


def _moved(mark: Mark, by: int) -> Mark:
    return replace(mark, start=mark.start + by, end=mark.end + by)


def _clipped(marks: Iterable[Mark], start: int, end: int) -> tuple[Mark, ...]:
    """What of the marks lies in [start, end), counted from `start`."""
    inside = (replace(mark, start=max(mark.start, start), end=min(mark.end, end)) for mark in marks)
    return tuple(_moved(mark, -start) for mark in inside if mark.start < mark.end)


def _mapped(text: str, other: str, at: int) -> int | None:
    """The place in `other` of the character `at` of `text`; None where the characters round it are in neither."""
    for a, b, size in SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks():
        if size and a <= at <= a + size:
            return b + at - a
    return None


def _moment_of_words(words: Sequence[Word], place: int) -> int:
    """Where character `place` of the words begins; inside a word by proportion."""
    for word in words:
        if place <= 0:
            return word.t0_ms
        if place < len(word.text):
            return word.t0_ms + (word.t1_ms - word.t0_ms) * place // len(word.text)
        place -= len(word.text)
    return words[-1].t1_ms


def _between(said: Utterance, moment_ms: int) -> int:
    """Inside the line, so that neither half is without time; a line of one millisecond cannot be helped."""
    return max(min(moment_ms, said.t1_ms - 1), min(said.t0_ms + 1, said.t1_ms))


def _middle(word: Word) -> int:
    return (word.t0_ms + word.t1_ms) // 2


def _union(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for t0, t1 in sorted(spans):
        if joined and t0 <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], t1))
        else:
            joined.append((t0, t1))
    return joined


def _place(line: Line) -> tuple[int, str]:
    return line.utterance.t0_ms, line.utterance.id
