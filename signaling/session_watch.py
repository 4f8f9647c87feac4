"""Ends the sockets of sessions that were ended elsewhere: by another signaling process, or because an account was closed.

A session that merely expires keeps the seat it has: nobody is put out of a sitting by the clock, and no new socket comes in.
"""

from __future__ import annotations

import asyncio

import structlog

from signaling import accounts
from signaling.handlers.hearing import Seating
from storage.database import Database

log = structlog.get_logger("signaling.sessions")

LOOK_EVERY_S = 5.0
AT_ONCE = 500  # sessions in one query


class SessionWatch:
    """Looks at the sessions behind the open sockets of this process."""

    def __init__(self, database: Database, seating: Seating) -> None:
        self._database = database
        self._seating = seating

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except Exception:
                log.exception("sessions not looked at")

    async def look(self) -> None:
        """Close what is open for an ended session."""
        sessions = self._seating.presence.sessions()
        for start in range(0, len(sessions), AT_ONCE):
            async with self._database.read() as connection:
                ended = await accounts.ended_sessions(connection, sessions[start : start + AT_ONCE])
            if ended:
                await self._seating.close_sessions(tuple(ended), for_good=True)
