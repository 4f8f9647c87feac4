"""A robot participant: signs in, takes the seat, keeps its media connected, gives commands and notes what it hears."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import socketio
import structlog
from pydantic import ValidationError
from socketio.exceptions import SocketIOError

from court.rehearsal.door import Door
from court.rehearsal.peer import Received, RobotPeer
from court.rehearsal.script import Person
from court.rehearsal.sender import MediaSender, Spoken
from court.rehearsal.voice import Speech
from hearing.model import SittingState
from hearing.states import LIVE, OVER
from hearing.timeline import Clock
from media.control import MediaError
from media.settings import Network
from signaling.protocol import Ack, CaptionView, OfferView, SittingView, WireError

log = structlog.get_logger("court.rehearsal")

NAMESPACE = "/court"
ACK_TIMEOUT_S = 15
SENT_AGAIN_AFTER_S = 5  # as the page does: an act without an answer is sent again, under the same id
SENT_AGAIN_FOR_S = 45
READY_WITHIN_S = 30.0
RECONNECT_S = (0.3, 0.8, 1.5, 3, 5)
CONNECTED_WITHIN_S = 15


@dataclass(frozen=True, slots=True)
class HeardCaption:
    """A caption as it came in."""

    caption: CaptionView
    heard_at: datetime


@dataclass(slots=True)
class Tally:
    """Commands of one robot. Every sent command must be acknowledged, with yes or no."""

    sent: int = 0
    acknowledged: int = 0
    refusals: Counter[str] = field(default_factory=Counter)  # by command and code


class Robot:
    """One participant. `door` is signed in; `run` must be running for media to flow."""

    def __init__(self, person: Person, door: Door, sender: MediaSender, network: Network, clock: Clock) -> None:
        self.person = person
        self.door = door
        self.received = Received()
        self.tally = Tally()
        self.captions: dict[str, HeardCaption] = {}
        self.sitting: SittingView | None = None
        self.server_ahead: timedelta | None = None  # server clock minus ours, by the view that took the least time to come
        self.reconnects = 0
        self.unanswered: list[str] = []
        self._sender = sender
        self._network = network
        self._clock = clock
        self._sitting_id = ""
        self._peer: RobotPeer | None = None
        self._reports: asyncio.Task[None] | None = None
        self._seated = asyncio.Event()
        self._media_wanted = False
        self._media_lost = asyncio.Event()
        self._media_up = asyncio.Event()
        self._was_connected = False
        self._answered: dict[tuple[str, str], int] = {}  # by peer and connection: the newest revision answered
        self._negotiating = asyncio.Lock()  # offers of one peer are answered one after another
        self._socket = socketio.AsyncClient(http_session=door.session, logger=False, engineio_logger=False)
        self._listen()

    @property
    def participant_id(self) -> str:
        return self.sitting.me if self.sitting is not None else ""

    @property
    def stood_still_ms(self) -> int:
        return self._sender.stood_still_ms

    def _listen(self) -> None:
        handlers: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, None]]] = {
            "sitting.updated": self._updated,
            "caption.added": self._captioned,
            "media.offered": self._offered,
            "media.lost": self._told_media_lost,
            "session.replaced": self._replaced,
        }
        for name, handler in handlers.items():
            self._socket.on(name, handler, namespace=NAMESPACE)
        self._socket.on("connect", self._socket_connected, namespace=NAMESPACE)
        self._socket.on("disconnect", self._socket_lost, namespace=NAMESPACE)

    # --- joining and leaving -----------------------------------------------------------------------

    async def join(self, sitting_id: str) -> None:
        """Take the seat and connect media. Raises TimeoutError or CommandRefused when the seat is refused.

        Media is connected once the waiting area is open; lost or refused, it is asked for again until it runs.
        """
        self._sitting_id = sitting_id
        await self._open_socket()
        await self._take_seat()
        self._media_wanted = True
        if self._media_is_open:
            try:
                await self._connect_media()
            except (TimeoutError, CommandRefused):
                self._media_lost.set()
        else:
            self._media_lost.set()

    async def _open_socket(self) -> None:
        await self._socket.connect(
            self.door.base_url,
            namespaces=[NAMESPACE],
            auth={"sitting_id": self._sitting_id},
            transports=["websocket"],
            wait_timeout=ACK_TIMEOUT_S,
        )

    async def _take_seat(self) -> None:
        after = max((heard.caption.t1_ms for heard in self.captions.values()), default=None)
        ack = await self.give("sitting.join", {"captions_after_ms": after})
        if ack.joined is not None:
            self.sitting = ack.joined.sitting
            self._compare_clocks(ack.joined.sitting)
            for caption in ack.joined.captions:
                self._note(caption)
        self._seated.set()

    async def _socket_connected(self) -> None:
        if self.sitting is not None:  # the library reconnected: take the seat again, as the page does
            self._in_background(self._take_seat_again())

    async def _socket_lost(self, *_reason: object) -> None:
        self._seated.clear()

    async def _take_seat_again(self) -> None:
        self.reconnects += 1
        while self._sitting_id and not self._seated.is_set():
            try:
                await self._take_seat()
            except (TimeoutError, CommandRefused):
                await asyncio.sleep(1)
        await self._resume_media()

    async def _resume_media(self) -> None:
        """The media outlives the socket: the new one takes the running peer over, and answers what was missed."""
        async with self._negotiating:
            peer = self._peer
            if peer is None or not peer.peer_id or self._media_lost.is_set():
                self._media_lost.set()
                return
            try:
                ack = await self.give("media.resume", {"peer_id": peer.peer_id})
                for offer in ack.offers or []:
                    await self._answer(peer, offer)
            except (TimeoutError, CommandRefused, MediaError):
                self._media_lost.set()

    async def leave(self) -> None:
        self._media_wanted = False
        await self._close_media()
        if self._socket.connected:
            await self._socket.disconnect()
        self._sitting_id = ""

    # --- commands ----------------------------------------------------------------------------------

    async def give(self, command: str, fields: dict[str, Any] | None = None) -> Ack:
        """Send one command and return its acknowledgement; raises CommandRefused or TimeoutError.

        A court that has just been started may not be ready to record: the judge looks again, as a person would.
        """
        ends_s = self._clock.monotonic() + READY_WITHIN_S
        while True:
            try:
                return await self._give_once(command, fields)
            except CommandRefused as refused:
                if refused.error.code != "preflight_failed" or self._clock.monotonic() > ends_s:
                    raise
            await asyncio.sleep(1.0)

    async def _give_once(self, command: str, fields: dict[str, Any] | None) -> Ack:
        self.tally.sent += 1
        payload = {"command_id": secrets.token_hex(12), "sitting_id": self._sitting_id, **(fields or {})}
        kept = not command.startswith("media.") and command != "sitting.join"
        try:
            ack = await (self._until_answered(command, payload) if kept else self._send(command, payload, ACK_TIMEOUT_S))
        except (SocketIOError, ValidationError, TimeoutError) as error:
            self.unanswered.append(command)
            raise TimeoutError(f"{self.person.key}: {command} was not acknowledged") from error
        self.tally.acknowledged += 1
        if not ack.ok:
            reason = ack.error or WireError(code="no_reason", message="没有说明理由")
            log.warning("refused", command=command, code=reason.code, person=self.person.key)
            self.tally.refusals[f"{command}: {reason.code}"] += 1
            raise CommandRefused(command, reason)
        return ack

    async def _send(self, command: str, payload: dict[str, Any], within_s: float) -> Ack:
        return Ack.model_validate(await self._socket.call(command, payload, namespace=NAMESPACE, timeout=within_s))

    async def _until_answered(self, command: str, payload: dict[str, Any]) -> Ack:
        """An act survives a lost connection: it is sent again from the seat, and counts once because of its id."""
        async with asyncio.timeout(SENT_AGAIN_FOR_S):
            while True:
                await self._seated.wait()
                try:
                    return await self._send(command, payload, SENT_AGAIN_AFTER_S)
                except SocketIOError:
                    await asyncio.sleep(0.2)

    async def media_up(self) -> None:
        """Wait until media runs; raises TimeoutError."""
        async with asyncio.timeout(CONNECTED_WITHIN_S):
            await self._media_up.wait()

    async def sees(self, state: SittingState, within_s: float) -> bool:
        """Whether this person is told within `within_s` that the sitting is in `state`."""
        ends = self._clock.monotonic() + within_s
        while self.sitting is None or self.sitting.state is not state:
            if self._clock.monotonic() > ends:
                return False
            await asyncio.sleep(0.05)
        return True

    async def say(self, speech: Speech) -> Spoken:
        """Speak to the end."""
        return await self._sender.say(speech)

    # --- media -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Send media and restore it when it is lost, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sender.run())
            tasks.create_task(self._keep_connected())

    async def _connect_media(self) -> None:
        await self._close_media()
        self._media_lost.clear()
        self._peer = peer = RobotPeer(self._sender, self.received, self._network, self._media_lost.set, self.person.loss)
        async with self._negotiating:
            ack = await self.give("media.connect")
            peer.peer_id = ack.peer_id or ""
            self._reports = asyncio.create_task(peer.report_forever())
            for offer in ack.offers or []:
                await self._answer(peer, offer)
        await peer.connected(CONNECTED_WITHIN_S)
        self._media_up.set()
        self.reconnects += self._was_connected
        self._was_connected = True

    async def _answer(self, peer: RobotPeer, offer: OfferView) -> None:
        key = (peer.peer_id, offer.connection)
        if offer.revision <= self._answered.get(key, 0):
            return
        self._answered[key] = offer.revision
        sdp = await peer.answer(offer.connection, offer.sdp)
        fields = {"peer_id": peer.peer_id, "connection": offer.connection, "revision": offer.revision, "sdp": sdp}
        try:
            await self.give("media.answer", fields)
        except CommandRefused as refusal:
            if refusal.error.code != "answer_stale":  # a newer offer is on its way already: that one will be answered
                raise

    async def _close_media(self) -> None:
        self._media_up.clear()
        if self._reports is not None:
            self._reports.cancel()
            self._reports = None
        if self._peer is not None:
            peer, self._peer = self._peer, None
            await peer.close()

    @property
    def _media_is_open(self) -> bool:
        return self.sitting is not None and self.sitting.state in LIVE

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            await self._media_lost.wait()
            if not self._media_wanted:
                self._media_lost.clear()
                continue
            if not self._media_is_open:
                await asyncio.sleep(0.1)
                continue
            await asyncio.sleep(RECONNECT_S[min(attempt, len(RECONNECT_S) - 1)])
            attempt += 1
            try:
                await self._connect_media()
            except (TimeoutError, CommandRefused, OSError):
                self._media_lost.set()
                continue
            attempt = 0

    # --- events ------------------------------------------------------------------------------------

    async def _updated(self, data: dict[str, Any]) -> None:
        sitting = SittingView.model_validate(data["sitting"])
        self._compare_clocks(sitting)
        if self.sitting is None or sitting.number >= self.sitting.number:
            self.sitting = sitting
            dismissed = any(view.id == sitting.me and view.place == "dismissed" for view in sitting.participants)
            if dismissed or sitting.state in OVER:
                self._media_wanted = False  # the server closes the connection

    def _compare_clocks(self, sitting: SittingView) -> None:
        ahead = sitting.server_at - self._clock.now()
        self.server_ahead = ahead if self.server_ahead is None else max(self.server_ahead, ahead)

    async def _captioned(self, data: dict[str, Any]) -> None:
        self._note(CaptionView.model_validate(data["caption"]))

    def _note(self, caption: CaptionView) -> None:
        self.captions.setdefault(caption.id, HeardCaption(caption, self._clock.now()))

    async def _offered(self, data: dict[str, Any]) -> None:
        # Answering needs an acknowledgement, which cannot come while this handler blocks the socket's reader.
        self._in_background(self._answer_again(data["peer_id"], OfferView.model_validate(data["offer"])))

    async def _answer_again(self, peer_id: str, offer: OfferView) -> None:
        async with self._negotiating:
            peer = self._peer
            if peer is None or peer.peer_id != peer_id:
                return
            try:
                await self._answer(peer, offer)
            except (TimeoutError, CommandRefused, MediaError):
                self._media_lost.set()

    async def _told_media_lost(self, data: dict[str, Any]) -> None:
        if data["reason"] != "unreachable" or not self._media_up.is_set():  # signaling's trouble is not yet ours
            self._media_lost.set()

    async def _replaced(self, _data: dict[str, Any]) -> None:
        self._media_wanted = False

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        self._socket.start_background_task(_run, work)


async def _run(work: Coroutine[Any, Any, None]) -> None:
    await work


class CommandRefused(Exception):
    """The server said no."""

    def __init__(self, command: str, error: WireError) -> None:
        super().__init__(f"{command}: {error.code} {error.message}")
        self.command = command
        self.error = error
