"""Who sits where: socket ↔ participant ↔ sitting. One live socket per person and sitting; a lost one keeps the seat a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from hearing.model import HearingId, Participant, ParticipantId, SittingId

log = structlog.get_logger("signaling.presence")

SOCKETS_PER_SESSION = 8
"""Open pages of one person, with those whose connection was lost and not yet missed."""

SeatKey = tuple[SittingId, ParticipantId]


@dataclass(slots=True)
class Seat:
    """One socket that passed the door. It counts as present from sitting.join on."""

    sid: str
    sitting_id: SittingId
    hearing_id: HearingId
    participant: Participant
    session_sha256: str
    ip: str
    joined: bool = False
    peer_id: str | None = None  # the media peer made on this socket

    @property
    def key(self) -> SeatKey:
        return self.sitting_id, self.participant.id

    @property
    def room(self) -> str:
        """Socket.IO room of this person in this sitting: reached from every signaling process."""
        return room_of(*self.key)


def room_of(sitting_id: SittingId, participant_id: ParticipantId) -> str:
    return f"{sitting_id}:{participant_id}"


Departure = Callable[[Seat, str], Awaitable[None]]


class Presence:
    """The seats of this process. Departures are told after `grace_s`, unless the person is back by then."""

    def __init__(self, grace_s: float, on_departure: Departure) -> None:
        self._grace_s = grace_s
        self._on_departure = on_departure
        self._seats: dict[str, Seat] = {}
        self._live: dict[SeatKey, str] = {}
        self._leaving: dict[SeatKey, asyncio.Task[None]] = {}

    def open(self, seat: Seat) -> list[Seat]:
        """A socket passed the door; it has no seat yet. Answers the person's sockets that are too many: idle and old ones."""
        self._seats[seat.sid] = seat
        own = sorted(self.seats_of_session(seat.session_sha256), key=lambda other: other.joined or other is seat)
        return own[: max(0, len(own) - SOCKETS_PER_SESSION)]

    def seat(self, sid: str) -> Seat | None:
        return self._seats.get(sid)

    def join(self, seat: Seat) -> Seat | None:
        """Give the seat to this socket; the older socket of the same person, which the caller must close."""
        older = self._seats.get(self._live.get(seat.key, ""))
        if older is not None and older.sid != seat.sid:
            older.joined = False
        else:
            older = None
        self._live[seat.key] = seat.sid
        seat.joined = True
        waiting = self._leaving.pop(seat.key, None)
        if waiting is not None:
            waiting.cancel()
        return older

    def refuse(self, seat: Seat) -> None:
        """Take back a join that the law refused."""
        seat.joined = False
        if self._live.get(seat.key) == seat.sid:
            del self._live[seat.key]

    def close(self, sid: str, cause: str) -> Seat | None:
        """A socket is gone. `cause` is left | lost; a seat it held is given up after the grace period."""
        seat = self._seats.pop(sid, None)
        if seat is not None and seat.joined and self._live.get(seat.key) == sid:
            del self._live[seat.key]
            self.expect(seat, cause)
        return seat

    def expect(self, seat: Seat, cause: str, grace_s: float | None = None) -> None:
        """Wait for this person to come back; tell the departure if not."""
        older = self._leaving.pop(seat.key, None)
        if older is not None:
            older.cancel()
        delay_s = self._grace_s if grace_s is None else grace_s
        self._leaving[seat.key] = asyncio.create_task(self._depart(seat, cause, delay_s), name=f"depart {seat.room}")

    async def _depart(self, seat: Seat, cause: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if self._leaving.get(seat.key) is asyncio.current_task():
            del self._leaving[seat.key]  # from here on it is told whole; who comes back meanwhile enters anew
        try:
            await self._on_departure(seat, cause)
        except Exception:
            log.exception("departure not told", sitting_id=seat.sitting_id, participant_id=seat.participant.id)

    def holds(self, sitting_id: SittingId, participant_id: ParticipantId) -> bool:
        """Whether this person has a live socket here."""
        return (sitting_id, participant_id) in self._live

    def live_seats(self, sitting_id: SittingId | None = None) -> list[Seat]:
        """Seats in use now, of one sitting or of all."""
        seats = [self._seats[sid] for sid in self._live.values()]
        return [seat for seat in seats if sitting_id is None or seat.sitting_id == sitting_id]

    def seats_of_session(self, session_sha256: str) -> list[Seat]:
        """Every socket that came in with this session, joined or not, oldest first."""
        return [seat for seat in self._seats.values() if seat.session_sha256 == session_sha256]

    def sessions(self) -> list[str]:
        """The sessions behind the open sockets."""
        return list({seat.session_sha256 for seat in self._seats.values()})

    async def stop(self) -> None:
        """Forget all; departures not yet told are left to the next start, which knows who was present."""
        waiting = list(self._leaving.values())
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        self._leaving.clear()
