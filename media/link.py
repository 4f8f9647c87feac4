"""One of a client's two connections: its transport, its m-lines, its offers and answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from hearing.model import ParticipantId
from media.aiortc_bridge import Certificate, Endpoint, now_ms
from media.control import MediaError, Offer
from media.sdp import Description, MediaLine, TransportSide, parse_answer, write
from media.settings import Network

ANSWER_OVERDUE_MS = 3_000.0
SILENT_MS = 2_000.0  # of a link that answered for consent until now: its path is broken, a new one is offered
RESTART_EVERY_MS = 2_500.0  # a restart needs time for its answer and its checks


class Link:
    """Common to Uplink and Downlink. The server offers; `begin` and `take_answer` are all the client sees of it."""

    name = ""

    def __init__(self, participant_id: ParticipantId, network: Network, certificate: Certificate) -> None:
        self.participant_id = participant_id
        self.endpoint = Endpoint(controlling=True, network=network, certificate=certificate)
        self.revision = 0
        self.on_changed: Callable[[], None] = lambda: None  # the set of tracks this link carries may have changed
        self._session_id = secrets.randbits(48)
        self._lines: list[MediaLine] = []
        self._offered: tuple[MediaLine, ...] = ()
        self._offered_at_ms = 0.0
        self._awaiting_answer = False
        self._started = False
        self._restarted_at_ms = -RESTART_EVERY_MS

    async def gather(self) -> None:
        await self.endpoint.gather()

    @property
    def may_offer(self) -> bool:
        """False while an answer is on its way (it is waited for, but not for ever)."""
        return not self._awaiting_answer or now_ms() - self._offered_at_ms > ANSWER_OVERDUE_MS

    @property
    def awaits_answer(self) -> bool:
        return self._awaiting_answer

    def make_offer(self) -> Offer:
        """The next offer of this connection."""
        self.revision += 1
        self._offered = tuple(self._lines)
        self._offered_at_ms, self._awaiting_answer = now_ms(), True
        sdp = write(self._session_id, self.revision, Description(self.endpoint.local, self._offered))
        return Offer(self.name, self.revision, sdp)

    def read_answer(self, revision: int, sdp: str) -> Description:
        """Check an answer to the newest offer; raises MediaError answer_stale, sdp_malformed, sdp_codec_refused."""
        if revision != self.revision or not self._awaiting_answer:
            raise MediaError("answer_stale", "应答对应的提议已经过期")
        answer = parse_answer(sdp, self._offered)
        self._awaiting_answer = False
        return answer

    async def connect(self, side: TransportSide) -> None:
        """Start the transport, or finish an ICE restart on the running one. Raises ConnectionError."""
        if not self._started:
            self._started = True
            # RFC 8842: an active client opens the handshake. Its candidates are not used, its checks show the address.
            role = "server" if side.setup == "active" else "client"
            await self.endpoint.start(side, role, use_candidates=False)
        elif self.endpoint.restarting:
            await self.endpoint.finish_restart(side)

    def restart_ice(self) -> Offer:
        """An offer with new ICE credentials, at any time: an offer that is still unanswered is superseded by it.

        Media goes on over the old path until a new one is nominated. Two restarts in a row are two offers, and only the
        newest can be answered (RFC 9429 section 4.1.18: an offer describes the whole state, so nothing is lost).
        """
        self._restarted_at_ms = now_ms()
        self.endpoint.restart_ice()
        return self.make_offer()

    def restart_due(self, now: float) -> bool:
        """Whether the running link is silent although it was asked for a sign of life, and no restart is under way."""
        return self.is_connected and self.silent_ms(now) > SILENT_MS and now - self._restarted_at_ms > RESTART_EVERY_MS

    @property
    def is_connected(self) -> bool:
        return self.endpoint.state == "connected"

    def silent_ms(self, now: float) -> float:
        """How long nothing authenticated has come over this connection."""
        return now - self.endpoint.heard_ms

    async def close(self) -> None:
        await self.endpoint.close()
