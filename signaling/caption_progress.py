"""Who is being written, and how late captions are: from the transcripts role to those in the courtroom. Stored nowhere."""

from __future__ import annotations

from datetime import datetime

from hearing.audience import may_see
from hearing.errors import UserError
from hearing.model import Hearing, Sitting, SittingId
from hearing.timeline import t_ms
from signaling.broadcast import Broadcast, insiders
from signaling.caption_watch import CaptionWatch
from signaling.parts import Parts
from signaling.protocol import CaptionsProgress
from transcripts.health import CaptionHealth
from transcripts.model import participant_of
from transcripts.progress import Progress

LATE_MS = 5_000  # captions that come sooner after the words are in time
LENGTHENED_MS = 2_000  # with longer cuts, already this is worth saying


class CaptionProgress:
    """Passes on what the transcripts role says; nothing of it is stored."""

    def __init__(self, parts: Parts, broadcast: Broadcast, captions: CaptionWatch) -> None:
        self._parts = parts
        self._broadcast = broadcast
        self._captions = captions

    def health(self, health: CaptionHealth) -> None:
        """Views are made anew where it changes what they show (MediaWatch looks every moment)."""
        self._captions.heard(health)

    async def tell(self, progress: Progress) -> None:
        """To everybody in the courtroom; a sitting that is not here is passed over."""
        try:
            hearing, sitting = await self._parts.hearings.load(SittingId(progress.sitting_id))
        except UserError:
            return
        message = progress_message(hearing, sitting, progress, self._parts.clock.now())
        await self._broadcast.send_to(sitting.id, [person.id for person in insiders(hearing, sitting)], message)


def progress_message(hearing: Hearing, sitting: Sitting, progress: Progress, now: datetime) -> CaptionsProgress:
    """What the pages are told: nobody learns who speaks outside the courtroom, as with speaking.changed."""
    people = {participant_of(track_id) for track_id in progress.writing}
    writing = [person.id for person in hearing.participants if person.id in people and may_see(hearing, sitting, person.id)]
    return CaptionsProgress(writing=writing, delay_s=_delay_s(sitting, progress, now))


def _delay_s(sitting: Sitting, progress: Progress, now: datetime) -> int:
    if progress.behind_from_ms is None or sitting.opened_at is None:
        return 0
    late_ms = t_ms(sitting.opened_at, now) - progress.behind_from_ms
    return round(late_ms / 1000) if late_ms >= (LENGTHENED_MS if progress.lengthened else LATE_MS) else 0
