"""From the director's notes and the sealed record to the numbers of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from court.rehearsal.director import Director, Said
from court.rehearsal.participant import HeardCaption
from court.rehearsal.report import CaptionRow, CommandsRow, ExhibitRow, Gap, Measured, ParticipantRow, TrackRow, VerifyRow
from court.rehearsal.script import isolated
from hearing.audience import Kind
from hearing.timeline import t_ms
from signaling.protocol import CaptionView, RecordView
from transcripts.cer import Errors, compare
from transcripts.script import Simplifier

EDGE_MS = 1_000  # a caption may begin or end this far outside the line it belongs to


@dataclass(frozen=True, slots=True)
class _Span:
    t0_ms: int
    t1_ms: int

    def overlap(self, other: _Span) -> int:
        return max(0, min(self.t1_ms, other.t1_ms) - max(self.t0_ms, other.t0_ms))


def measure(director: Director, record: RecordView | None, verify: VerifyRow) -> Measured:
    """Everything the report says about one rehearsal; without a record only what the robots saw themselves."""
    captions, errors, stray = _captions(director, record)
    return Measured(
        participants=[_participant(director, key) for key in director.robots],
        tracks=list(_tracks(director, record)) if record is not None else [],
        captions=captions,
        stray_captions=stray,
        cer=round(errors.rate, 4) if captions else None,
        exhibits=list(_exhibits(director, record)),
        commands=_commands(director),
        verify=verify,
        silent_pairs=list(_silent_pairs(director)),
    )


def _participant(director: Director, key: str) -> ParticipantRow:
    robot = director.robots[key]
    heard = {
        other: robot.received.by_source[source.participant_id, Kind.AUDIO]
        for other, source in director.robots.items()
        if other != key and source.participant_id
    }
    leaked = director.notes.isolated_packets.get(key, 0)
    return ParticipantRow(
        participant=key,
        role=robot.person.role,
        reconnects=robot.reconnects,
        heard=heard,
        isolated_packets=leaked,
        stood_still_ms=robot.stood_still_ms,
    )


def _silent_pairs(director: Director) -> Iterator[str]:
    """Who shared the courtroom in session and yet heard nothing."""
    apart = {person.key for person in isolated(director.script)}
    present = {key for key, _, _ in director.notes.in_room}
    for listener, source in ((a, b) for a in sorted(present) for b in sorted(present) if a != b and not {a, b} <= apart):
        if not director.robots[listener].received.by_source[director.robots[source].participant_id, Kind.AUDIO]:
            yield f"{listener}←{source}"


def _commands(director: Director) -> CommandsRow:
    tallies = [robot.tally for robot in director.robots.values()]
    return CommandsRow(
        sent=sum(tally.sent for tally in tallies),
        acknowledged=sum(tally.acknowledged for tally in tallies),
        refused=sum(tally.refusals.total() for tally in tallies),
        refusals=dict(sum((tally.refusals for tally in tallies), Counter())),
        unanswered=[f"{key}: {name}" for key, robot in director.robots.items() for name in robot.unanswered],
    )


def _exhibits(director: Director, record: RecordView | None) -> Iterator[ExhibitRow]:
    showings = record.showings if record is not None else []
    for view in director.notes.exhibits.values():
        yield ExhibitRow(number=view.number, shown=sum(showing.exhibit_id == view.id for showing in showings))


# --- tracks ---------------------------------------------------------------------------------------


def _tracks(director: Director, record: RecordView) -> Iterator[TrackRow]:
    keys = {robot.participant_id: key for key, robot in director.robots.items()}
    sessions = [_Span(i.t0_ms, i.t1_ms) for i in record.intervals if i.recorded != "none"]
    for track in record.tracks:
        key = keys.get(track.participant_id, track.participant_id)
        wall_ms = sum(session.overlap(stay) for session in sessions for stay in _stays(director, key, record))
        yield TrackRow(
            participant=key,
            kind=track.kind,
            recorded_ms=track.recorded_ms,
            wall_ms=wall_ms,
            gaps=[Gap(t0_ms=gap.t0_ms, t1_ms=gap.t1_ms, cause=gap.cause) for gap in track.gaps],
        )


def _stays(director: Director, key: str, record: RecordView) -> Iterator[_Span]:
    for who, since, until in director.notes.in_room:
        if who == key:
            yield _Span(t_ms(record.opened_at, since), record.duration_ms if until is None else t_ms(record.opened_at, until))


# --- captions -------------------------------------------------------------------------------------


def _captions(director: Director, record: RecordView | None) -> tuple[list[CaptionRow], Errors, int]:
    """One row for each line said in session, the errors over all of them, and how many captions belong to no line."""
    opened_at = record.opened_at if record is not None else _opened_at(director)
    said = [line for line in director.notes.said if _was_recorded(line, record)]
    if opened_at is None or not said:
        return [], Errors(0, 0), 0
    heard = _first_heard(director)
    captions = _speech(heard, record)
    lines = {index: _Span(t_ms(opened_at, line.began_at), t_ms(opened_at, line.ended_at)) for index, line in enumerate(said)}
    belonging: dict[int, list[CaptionView]] = {index: [] for index in lines}
    for caption in captions:
        index = _line_of(caption, said, lines, director)
        if index is not None:
            belonging[index].append(caption)
    simplify = Simplifier()
    rows, total = [], Errors(0, 0)
    for index, line in enumerate(said):
        errors = compare(line.text, "".join(c.text for c in belonging[index]), simplify)
        total += errors
        words_t_ms = t_ms(opened_at, line.words_at)
        rows.append(_row(line, lines[index], words_t_ms, belonging[index], heard, errors, director.offset))
    return rows, total, len(captions) - sum(map(len, belonging.values()))


def _was_recorded(line: Said, record: RecordView | None) -> bool:
    """Whether a line was said in session: by the record where there is one, else by what the speaker was told then."""
    if record is None:
        return line.in_session
    middle_ms = t_ms(record.opened_at, line.began_at + (line.ended_at - line.began_at) / 2)
    return any(span.t0_ms <= middle_ms < span.t1_ms for span in record.intervals if span.recorded == "full")


def _opened_at(director: Director) -> datetime | None:
    return director.clerk.sitting.opened_at if director.clerk.sitting is not None else None


def _first_heard(director: Director) -> dict[str, HeardCaption]:
    """Each caption as the first participant got it."""
    first: dict[str, HeardCaption] = {}
    for robot in director.robots.values():
        for caption_id, caption in robot.captions.items():
            if caption_id not in first or caption.heard_at < first[caption_id].heard_at:
                first[caption_id] = caption
    return first


def _speech(heard: dict[str, HeardCaption], record: RecordView | None) -> list[CaptionView]:
    """What stands in the record where there is one, so that lines re-read after the sitting count too."""
    lines = record.lines if record is not None and record.lines else [item.caption for item in heard.values()]
    return sorted((line for line in lines if line.kind == "speech"), key=lambda line: line.t0_ms)


def _line_of(caption: CaptionView, said: Sequence[Said], lines: dict[int, _Span], director: Director) -> int | None:
    """The line of the same speaker that a caption overlaps most."""
    span = _Span(caption.t0_ms - EDGE_MS, caption.t1_ms + EDGE_MS)
    mine = [i for i, line in enumerate(said) if director.robots[line.key].participant_id == caption.participant_id]
    best = max(mine, key=lambda i: lines[i].overlap(span), default=None)
    return best if best is not None and lines[best].overlap(span) > 0 else None


def _row(
    line: Said, span: _Span, words_t_ms: int, captions: list[CaptionView], heard: dict[str, HeardCaption], errors: Errors,
    offset: timedelta,
) -> CaptionRow:  # fmt: skip
    arrivals = [heard[caption.id].heard_at for caption in captions if caption.id in heard]
    delay = max(arrivals) + offset - line.ended_at if arrivals else None
    return CaptionRow(
        role=line.role,
        t_ms=captions[0].t0_ms if captions else None,
        said_t_ms=span.t0_ms,
        words_t_ms=words_t_ms,
        onset_ms=captions[0].t0_ms - words_t_ms if captions else None,
        moved_ms=line.moved_ms,
        delay_ms=None if delay is None else round(delay.total_seconds() * 1000),
        text="".join(caption.text for caption in captions),
        reference=line.text,
        cer=round(errors.rate, 4),
    )
