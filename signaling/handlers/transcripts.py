"""Captions: new lines to those who may read them, the draft so far to a person who joins. (note.add is the law's.)"""

from __future__ import annotations

from collections.abc import Sequence

from hearing import store as law_store
from hearing.model import CourtId, Hearing, ParticipantId, Sitting, SittingId
from record.draft import draft_of
from signaling.broadcast import Broadcast
from signaling.error_codes import Refused
from signaling.history import speech_line
from signaling.parts import Parts
from signaling.protocol import CaptionsEdited
from transcripts import store
from transcripts.editing import as_written
from transcripts.model import Utterance


class Draft:
    """The machine draft (机器识别，非笔录) of running and closed sittings."""

    def __init__(self, parts: Parts, broadcast: Broadcast) -> None:
        self._parts = parts
        self._broadcast = broadcast

    async def add(self, utterances: Sequence[Utterance]) -> None:
        """Store what is new, then show it. All are of one sitting.

        Raises UnknownId, or bad_field for a person who is not of the hearing, a sitting never opened or sealed already.
        """
        sitting_id = utterances[0].sitting_id
        hearing, sitting = await self._parts.hearings.load(sitting_id)
        opened_at = sitting.opened_at
        if opened_at is None or any(hearing.participant(utterance.participant_id) is None for utterance in utterances):
            raise Refused("bad_field", "utterances")
        async with self._parts.database.transaction() as connection:
            row = await law_store.load_sitting(connection, sitting_id, lock=True)
            if row is None or row.sealed_at is not None:
                raise Refused("bad_field", "sitting_id")
            now = self._parts.clock.now()
            saved = await store.save_utterances(connection, CourtId(hearing.court_id), utterances, now)
        for utterance in saved:
            await self._broadcast.line(hearing, sitting, speech_line(hearing, opened_at, as_written(utterance)))

    async def captions(self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, after_ms: int | None) -> CaptionsEdited:
        """The lines this viewer may read, in order; with `after_ms` only those that end later or were corrected."""
        async with self._parts.database.read() as connection:
            reading = (await draft_of(connection, sitting.id)).reading
        opened_at = sitting.opened_at
        speech = [speech_line(hearing, opened_at, line) for line in reading.lines if line.text] if opened_at else []
        views = [line.view for line in await self._broadcast.lines(hearing, sitting, viewer, speech)]
        news = [view for view in views if after_ms is None or view.t1_ms > after_ms or view.revision]
        past = [speech_line(hearing, opened_at, line) for line in reading.gone] if opened_at else []
        gone = [line.view.id for line in await self._broadcast.readable(hearing, sitting, viewer, past)]
        return CaptionsEdited(captions=news, gone=gone)

    async def heads(self) -> dict[str, int]:
        """Per track of the live sittings, where its last stored line ends."""
        live = [sitting.id for _, sitting in await self._parts.hearings.live_sittings()]
        async with self._parts.database.read() as connection:
            return await store.heads(connection, [SittingId(id_) for id_ in live])
