"""Every act of a sitting goes through here: the law decides and commits, then media and people are told."""

from __future__ import annotations

import hashlib

import structlog

from hearing.commands import Command, Enter, Leave
from hearing.model import Actor, SittingId
from hearing.service import Alongside, Outcome
from hearing.states import OVER
from signaling.broadcast import Broadcast
from signaling.errands import Errands
from signaling.history import Histories
from signaling.parts import Parts
from signaling.presence import Seat
from signaling.steering import Steering
from storage.ids import new_id

log = structlog.get_logger("signaling.acts")


class Acts:
    """The service behind handlers, presence and reports."""

    def __init__(self, parts: Parts, steering: Steering, broadcast: Broadcast, histories: Histories, errands: Errands) -> None:
        self._parts = parts
        self._steering = steering
        self._broadcast = broadcast
        self._histories = histories
        self._errands = errands

    async def give(
        self,
        sitting_id: SittingId,
        command: Command,
        actor: Actor,
        command_id: str,
        *,
        failed_checks: tuple[str, ...] = (),
        also: Alongside | None = None,
    ) -> Outcome:
        """Execute a command; when it returns, the act is committed. Raises the law's errors: then nothing happened."""
        outcome = await self._parts.hearings.execute(
            sitting_id, command, actor, command_id, failed_checks=failed_checks, also=also
        )
        if outcome.events and not outcome.duplicate:
            self._steering.follow(outcome)
            self._errands.start(self._publish(outcome), f"publish {sitting_id} {outcome.number}")
        return outcome

    async def _publish(self, outcome: Outcome) -> None:
        await self._broadcast.refresh(outcome.sitting.id)
        await self._broadcast.tell(outcome)
        if outcome.sitting.state in OVER:
            self._histories.forget(outcome.sitting.id)

    async def enter(self, seat: Seat) -> Outcome:
        """The person takes the seat; without an event when present already."""
        return await self.give(seat.sitting_id, Enter(), actor_of(seat), new_id("enter"))

    async def leave(self, seat: Seat, cause: str) -> Outcome:
        """The person is gone. `cause` is left | lost."""
        return await self.give(seat.sitting_id, Leave(cause), actor_of(seat), new_id("leave"))


def scoped(seat: Seat, command_id: str) -> str:
    """A client's command id made its own: the same id from another person is another act, never a repetition."""
    return hashlib.sha256(f"{seat.participant.id}:{command_id}".encode()).hexdigest()[:40]


def actor_of(seat: Seat) -> Actor:
    return Actor(participant_id=seat.participant.id, role=seat.participant.role, ip=seat.ip)
