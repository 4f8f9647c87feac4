"""The one door for commands: parse, dispatch by type, always acknowledge with a stable code.

python-socketio would leave the caller of an unknown event, or of a handler that fails, waiting for ever; and with its
default async_handlers=True it reorders a client's commands. Hence one trigger_event() for everything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import socketio
import structlog
from aiohttp import web
from socketio.exceptions import ConnectionRefusedError as RefuseSocket

from hearing.timeline import Clock
from media.control import MediaError
from signaling import protocol
from signaling.error_codes import Refused, describe
from signaling.metrics import Metrics
from signaling.packets import NAMESPACE
from signaling.parsing import Envelope, parse_command
from signaling.presence import Presence, Seat
from signaling.protocol import Ack
from signaling.rate import CommandRate
from signaling.settings import SignalingSettings

log = structlog.get_logger("signaling.gateway")

WITHOUT_SEAT = frozenset({"sitting.join"})

Handler = Callable[[Seat, Envelope], Awaitable[Ack]]
Door = Callable[[str, web.Request, object], Awaitable[Seat]]
"""(sid, handshake request, auth data) → the seat this socket may take; raises Refused."""


class MissingHandler(RuntimeError):
    """A command of protocol.py has no handler: the server refuses to start."""


class Gateway(socketio.AsyncNamespace):
    """Socket.IO namespace /court."""

    def __init__(
        self,
        settings: SignalingSettings,
        clock: Clock,
        presence: Presence,
        door: Door,
        handlers: Mapping[str, Handler],
        metrics: Metrics,
    ) -> None:
        super().__init__(NAMESPACE)
        missing = sorted({*protocol.COURT_COMMANDS, *protocol.CONNECTION_COMMANDS} - handlers.keys())
        if missing:
            raise MissingHandler(f"no handler for {', '.join(missing)}")
        self._clock = clock
        self._rate = CommandRate(settings.commands_per_10_s, clock)
        self._presence = presence
        self._door = door
        self._handlers = handlers
        self._metrics = metrics

    async def trigger_event(self, event: object, sid: str, *args: Any) -> Any:
        """Every packet of the namespace ends here.

        A client may name its own event "connect" or "disconnect"; only the library calls with these names while the
        socket is not (or no longer) connected.
        """
        if self.server.manager.is_connected(sid, NAMESPACE):
            return await self._command(sid, event, args)
        if event == "connect":
            return await self._connect(sid, args[0], args[1] if len(args) > 1 else None)
        if event == "disconnect":
            reason = args[0] if args else ""
            self._presence.close(sid, "left" if reason == self.server.reason.CLIENT_DISCONNECT else "lost")
        return None

    async def _connect(self, sid: str, environ: Mapping[str, Any], auth: object) -> None:
        try:
            seat = await self._door(sid, environ["aiohttp.request"], auth)
        except Exception as error:
            status, wire = describe(error)
            if status >= 500:
                log.exception("door failed", sid=sid)
            raise RefuseSocket(wire.message, wire.model_dump(mode="json")) from None
        for surplus in self._presence.open(seat):
            await self.server.disconnect(surplus.sid, namespace=NAMESPACE)
        log.info("socket opened", sid=sid, sitting_id=seat.sitting_id, participant_id=seat.participant.id)

    async def _command(self, sid: str, event: object, args: tuple[Any, ...]) -> dict[str, object]:
        name = event if isinstance(event, str) else ""
        started = self._clock.monotonic()
        try:
            ack = await self._dispatch(sid, name, args[0] if args else None)
        except Exception as error:
            status, wire = describe(error)
            if isinstance(error, MediaError):  # the worker is away or said no: where in our code is of no interest
                log.warning("media refused", sid=sid, command=name, code=wire.code)
            elif status >= 500:
                log.exception("command failed", sid=sid, command=name)
            ack = Ack(ok=False, error=wire)
        known = name if name in self._handlers else "unknown"
        self._metrics.commands.labels(known, ack.error.code if ack.error else "ok").inc()
        self._metrics.command_seconds.observe(self._clock.monotonic() - started)
        return ack.model_dump(mode="json")

    async def _dispatch(self, sid: str, name: str, data: object) -> Ack:
        seat = self._presence.seat(sid)
        if seat is None:
            raise Refused("session_replaced")
        if not self._rate.allows(seat.session_sha256):
            raise Refused("too_many_commands")
        envelope = parse_command(name, data)
        if envelope.sitting_id != seat.sitting_id:
            raise Refused("bad_field", "sitting_id")
        if not seat.joined and name not in WITHOUT_SEAT:
            raise Refused("not_joined")
        ack = await self._handlers[name](seat, envelope)
        log.info("command", command=name, sitting_id=seat.sitting_id, participant_id=seat.participant.id, number=ack.number)
        return ack
