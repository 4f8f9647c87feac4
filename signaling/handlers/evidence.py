"""What changes in a running sitting when an exhibit was submitted. (exhibit.* commands are the law's, see hearing.py.)"""

from __future__ import annotations

from hearing.model import HearingId
from signaling.broadcast import Broadcast
from signaling.parts import Parts


class ExhibitNews:
    """Tells the live sittings of a hearing that its list of exhibits has grown."""

    def __init__(self, parts: Parts, broadcast: Broadcast) -> None:
        self._parts = parts
        self._broadcast = broadcast

    async def tell(self, hearing_id: HearingId) -> None:
        for hearing, sitting in await self._parts.hearings.live_sittings():
            if hearing.id == hearing_id:
                await self._broadcast.refresh(sitting.id)
