"""The ledger read back while a sitting runs: acts and notes as lines, and who stood in the courtroom when.

A line may be shown to a person only if that person was in the courtroom while it was said: a witness called at minute 20
never reads what was said at minute 19 (OLR-26, EV-72), not even when recognition delivers it late.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

from evidence.model import Exhibit
from hearing import store
from hearing.audience import Place, places
from hearing.events import PartBegan
from hearing.ledger import Recorded as Entry
from hearing.ledger import read_entry
from hearing.model import ExhibitId, Hearing, ParticipantId, Sitting, SittingId
from hearing.procedure import evolve
from hearing.timeline import at_of
from record.acts import exhibit_mark
from record.lines import Line as RecordLine
from record.lines import line_of_draft, line_of_entry
from signaling.protocol import CaptionView
from storage.database import Database
from transcripts.model import Line as DraftLine

JUST_BEFORE = timedelta(microseconds=1)
"""Who has to leave for a part of the sitting still hears that it begins, and why."""
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the draft and the span of time in which a reader must have been in the courtroom."""

    from_at: datetime
    to_at: datetime
    view: CaptionView


@dataclass(slots=True)
class History:
    """One sitting's ledger up to `sitting.ledger_number`, folded."""

    sitting: Sitting
    entries: list[Entry] = field(default_factory=list)
    inside: dict[ParticipantId, list[tuple[datetime, bool]]] = field(default_factory=dict)  # changes of "in the courtroom"

    def fold(self, hearing: Hearing, entry: Entry) -> None:
        self.sitting = evolve(self.sitting, entry.event, entry.number)
        self.note_places(hearing, entry.at)
        self.entries.append(entry)

    def note_places(self, hearing: Hearing, at: datetime) -> None:
        for participant_id, place in places(hearing, self.sitting).items():
            changes = self.inside.setdefault(participant_id, [])
            now_inside = place is Place.COURTROOM
            if not changes or changes[-1][1] is not now_inside:
                changes.append((at, now_inside))

    def may_read(self, participant_id: ParticipantId, line: Line) -> bool:
        """Whether this person stood in the courtroom during the whole span of the line."""
        changes = self.inside.get(participant_id, [])
        at_start = [inside for at, inside in changes if at <= line.from_at][-1:]
        meanwhile = [inside for at, inside in changes if line.from_at < at < line.to_at]
        return at_start == [True] and all(meanwhile)

    def acts(self, hearing: Hearing, marks: Mapping[ExhibitId, str], numbers: range | None = None) -> Iterator[Line]:
        """Acts and notes as lines, in the order of the ledger; of these ledger numbers only, where given."""
        for entry in self.entries:
            if numbers is None or entry.number in numbers:
                opened_at = self.sitting.opened_at or entry.at
                line = line_of_entry(entry, self.sitting.id, opened_at, hearing, marks)
                if line is not None:
                    told_at = entry.at - JUST_BEFORE if isinstance(entry.event, PartBegan) else entry.at
                    yield Line(told_at, told_at, caption_view(line))


class Histories:
    """Folded ledgers of the sittings this process was asked about, kept up to date by reading only what is new."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[SittingId, History] = {}

    async def of(self, hearing: Hearing, sitting: Sitting) -> History:
        """The history up to the newest entry."""
        history = self._known.get(sitting.id)
        if history is None:
            history = self._known[sitting.id] = History(Sitting(id=sitting.id, hearing_id=hearing.id, number=sitting.number))
            history.note_places(hearing, BEGINNING)
        async with self._database.read() as connection:
            sealed = await store.load_ledger(connection, sitting.id, after=history.sitting.ledger_number)
        for row in sealed:
            if row.number > history.sitting.ledger_number:  # another reader may have folded it meanwhile
                history.fold(hearing, read_entry(row.entry))
        return history

    def forget(self, sitting_id: SittingId) -> None:
        """Free the memory of a sitting that is over."""
        self._known.pop(sitting_id, None)


def marks_of(exhibits: Iterable[Exhibit]) -> dict[ExhibitId, str]:
    """How lines name the exhibits."""
    return {exhibit.id: exhibit_mark(exhibit.number, exhibit.title) for exhibit in exhibits}


def caption_view(line: RecordLine) -> CaptionView:
    return CaptionView.model_validate(asdict(line))


def speech_line(hearing: Hearing, opened_at: datetime, line: DraftLine) -> Line:
    """A recognised utterance, as the clerk has corrected it, as a line."""
    said = line.utterance
    return Line(at_of(opened_at, said.t0_ms), at_of(opened_at, said.t1_ms), caption_view(line_of_draft(line, hearing)))
