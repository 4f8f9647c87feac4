"""sitting.join and all commands of the law."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import socketio
import structlog

from hearing.commands import Command
from hearing.errors import NotNow
from hearing.model import ParticipantId, Role
from signaling.acts import Acts, actor_of, scoped
from signaling.broadcast import Broadcast
from signaling.error_codes import REFUSALS
from signaling.handlers.transcripts import Draft
from signaling.packets import NAMESPACE
from signaling.parsing import Envelope
from signaling.parts import Parts
from signaling.preflight import Check, Preflight, failed
from signaling.presence import Presence, Seat
from signaling.protocol import Ack, Join, Joined, SessionReplaced
from signaling.store_watch import StoreWatch
from signaling.turn import ice_servers
from signaling.views import sitting_view

log = structlog.get_logger("signaling.hearing")


def court_command(acts: Acts) -> Callable[[Seat, Envelope], Awaitable[Ack]]:
    """The handler of every command of the law: the dataclass goes to the law as it is."""

    async def handle(seat: Seat, envelope: Envelope) -> Ack:
        outcome = await acts.give(
            seat.sitting_id, cast("Command", envelope.body), actor_of(seat), scoped(seat, envelope.command_id)
        )
        return Ack(ok=True, number=outcome.number)

    return handle


def opening_command(
    parts: Parts, acts: Acts, stores: StoreWatch, preflight: Preflight
) -> Callable[[Seat, Envelope], Awaitable[Ack]]:
    """宣布开庭: what the law cannot know, whether the sitting could be recorded, is looked at first (J3).

    Without disk no sitting is opened. Anything else that is red refuses the command, unless it carries a reason.
    """

    async def handle(seat: Seat, envelope: Envelope) -> Ack:
        checks: tuple[Check, ...] = ()
        if seat.participant.role is Role.PRESIDING_JUDGE:
            stores.refuse_when_full()
            checks = await preflight.run(seat.sitting_id) if parts.settings.preflight else ()
        command, command_id = cast("Command", envelope.body), scoped(seat, envelope.command_id)
        try:
            outcome = await acts.give(seat.sitting_id, command, actor_of(seat), command_id, failed_checks=failed(checks))
        except NotNow as error:
            if error.code != "preflight_failed":
                raise
            found = "；".join(check.words.partition("；")[0] for check in checks if check.state == "fail")
            raise NotNow(f"开庭前检查未通过：{found}。请处理后重试；确需开庭的，请填写理由。", code=error.code) from None
        return Ack(ok=True, number=outcome.number)

    return handle


class Seating:
    """sitting.join, and what happens when a person goes."""

    def __init__(self, server: socketio.AsyncServer, parts: Parts, acts: Acts, broadcast: Broadcast, draft: Draft) -> None:
        self._server = server
        self._parts = parts
        self._acts = acts
        self._broadcast = broadcast
        self._draft = draft
        self.presence = Presence(parts.settings.seat_grace_s, self.departed)

    async def join(self, seat: Seat, envelope: Envelope) -> Ack:
        """Take the seat; an older socket of the same person is told and closed. Raises the law's room_full, not_now."""
        older = self.presence.join(seat)
        try:
            outcome = await self._acts.enter(seat)
        except Exception:
            self.presence.refuse(seat)
            raise
        if older is not None:
            await self.replace(older.sid)
        await self._server.enter_room(seat.sid, seat.room, namespace=NAMESPACE)
        after_ms = cast("Join", envelope.body).captions_after_ms
        return Ack(ok=True, number=outcome.number, joined=await self._joined(seat, after_ms))

    async def _joined(self, seat: Seat, after_ms: int | None) -> Joined:
        """Read after entering the room, so that what happens in between comes as an event and nothing is missed."""
        hearing, sitting = await self._parts.hearings.load(seat.sitting_id)
        scene = await self._broadcast.scene(hearing, sitting)
        viewer = hearing.participant(seat.participant.id) or seat.participant
        settings = self._parts.settings
        read = await self._draft.captions(hearing, sitting, viewer.id, after_ms)
        return Joined(
            sitting=sitting_view(scene, viewer),
            captions=read.captions,
            captions_gone=read.gone,
            ice_servers=ice_servers(settings, viewer.id, self._parts.clock.now()),
            relay_only=settings.relay_only,
        )

    async def replace(self, sid: str) -> None:
        """Tell a socket that the person is elsewhere now, then close it."""
        message = SessionReplaced(message=REFUSALS["session_replaced"].message)
        await self._server.emit("session.replaced", message.model_dump(mode="json"), to=sid, namespace=NAMESPACE)
        await self._server.disconnect(sid, namespace=NAMESPACE)

    async def close_sessions(self, session_hashes: tuple[str, ...], *, for_good: bool = False) -> None:
        """Close every socket of sessions that have ended (second sign-in, sign-out, revoked access).

        `for_good`: the person may not come back, so that the seat, and with it sound and picture, is given up at once.
        """
        for session_sha256 in session_hashes:
            for seat in self.presence.seats_of_session(session_sha256):
                await self.replace(seat.sid)
                if for_good and seat.joined:
                    self.presence.expect(seat, "left", 0.0)

    async def departed(self, seat: Seat, cause: str) -> None:
        """A person did not come back within the grace period. Who returned in the very moment enters anew."""
        if self.presence.holds(*seat.key):
            return
        await self._acts.leave(seat, cause)
        if self.presence.holds(*seat.key):
            await self._acts.enter(seat)

    async def expect_everybody(self) -> None:
        """After a start of this process: who was present has the grace period (and a reconnection's time) to come back."""
        grace_s = self._parts.settings.seat_grace_s + 10.0
        for hearing, sitting in await self._parts.hearings.live_sittings():
            for participant_id in sitting.present:
                person = hearing.participant(ParticipantId(participant_id))
                if person is not None and not self.presence.holds(sitting.id, person.id):
                    self.presence.expect(Seat("", sitting.id, hearing.id, person, "", ""), "lost", grace_s)
