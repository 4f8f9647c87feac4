"""Captions: new lines to those who may read them, the draft so far to a person who joins. (note.add is the law's.)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hearing import store as law_store
from hearing.model import CourtId, Hearing, ParticipantId, Sitting, SittingId
from signaling.broadcast import Broadcast
from signaling.error_codes import Refused
from signaling.history import Line, speech_line
from signaling.parts import Parts
from signaling.protocol import CaptionView
from transcripts import store
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
            await self._broadcast.line(hearing, sitting, speech_line(hearing, opened_at, utterance))

    async def captions(
        self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, after_ms: int | None
    ) -> list[CaptionView]:
        """The lines this viewer may read, in order; only those that end after `after_ms`, where given."""
        speech = await self._speech(hearing, sitting)
        lines = await self._broadcast.lines(hearing, sitting, viewer, speech)
        return [line.view for line in lines if after_ms is None or line.view.t1_ms > after_ms]

    async def _speech(self, hearing: Hearing, sitting: Sitting) -> list[Line]:
        if sitting.opened_at is None:
            return []
        async with self._parts.database.read() as connection:
            corrected = await store.lines(connection, sitting.id)
        return [
            speech_line(hearing, sitting.opened_at, replace(line.utterance, text=line.text)) for line in corrected if line.text
        ]

    async def heads(self) -> dict[str, int]:
        """Per track of the live sittings, where its last stored line ends."""
        live = [sitting.id for _, sitting in await self._parts.hearings.live_sittings()]
        async with self._parts.database.read() as connection:
            return await store.heads(connection, [SittingId(id_) for id_ in live])
