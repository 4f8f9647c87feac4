"""Our media worker as a server under test: the real process behind its real control port.

Only signaling is replaced, by `SignalingStandIn`: it takes the worker's reports as signaling's internal API would and hands
renegotiation offers on to the clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from benchmarks.sfu.clients import Leg, Place, Publisher, Subscriber
from benchmarks.sfu.servers import ServerProcess, free_port
from hearing.audience import RECORDER, TAP, Grant, GrantTable, Kind
from hearing.model import ParticipantId, SittingId
from media.aiortc_bridge import now_ms
from media.control import MediaError
from media.control_client import HttpMediaControl
from storage.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
TILE_HEIGHT_PX = 360
SITTING = SittingId("benchmark")


class Participant:
    """One person of a sitting: connection "up" and connection "down", either of which may stay silent."""

    def __init__(self, name: str, up: Leg, down: Leg, control: HttpMediaControl) -> None:
        self.name = name
        self.peer_id = f"peer_{secrets.token_hex(4)}"
        self.legs = {"up": up, "down": down}
        self.asked_ms = 0.0  # when the connect command was given
        self._control = control
        self._turns = {"up": asyncio.Lock(), "down": asyncio.Lock()}

    async def join(self) -> None:
        """Connect both ways. Raises MediaError, ConnectionError."""
        self.asked_ms = now_ms()
        offers = await self._control.connect(SITTING, ParticipantId(self.name), self.peer_id)
        await asyncio.gather(*(self.answer(offer.connection, offer.revision, offer.sdp) for offer in offers))

    async def answer(self, connection: str, revision: int, offer: str) -> None:
        leg = self.legs[connection]
        async with self._turns[connection]:
            answer = await leg.answer(offer)
            with contextlib.suppress(MediaError):  # answer_stale: a newer offer is on its way
                await self._control.answer(SITTING, self.peer_id, connection, revision, answer)
                if connection == "down":  # as the page does: every picture is on show
                    await self._control.set_view(SITTING, self.peer_id, dict.fromkeys(leg.pictures, TILE_HEIGHT_PX))
        await leg.connect()

    async def leave(self) -> None:
        await self._control.disconnect(SITTING, self.peer_id)
        for leg in self.legs.values():
            await leg.close()


class SignalingStandIn:
    """Stands in for signaling's internal API: takes reports, passes renegotiation offers on to the clients."""

    def __init__(self, token: str) -> None:
        self.participants: dict[str, Participant] = {}  # by peer id
        self.counts: dict[str, int] = {}
        self._token = token
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int) -> None:
        app = web.Application(client_max_size=1 << 24)
        app.add_routes([web.post("/internal/media/reports", self._take)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    async def _take(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return web.Response(status=401)
        for report in (await request.json())["reports"]:
            self.counts[report["type"]] = self.counts.get(report["type"], 0) + 1
            if report["type"] == "offer.made":
                self._pass_on(report)
        return web.json_response({})

    def _pass_on(self, report: Mapping[str, Any]) -> None:
        participant = self.participants.get(report["peer_id"])
        if participant is not None:
            task = asyncio.create_task(participant.answer(report["connection"], report["revision"], report["sdp"]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()


class CourtWorker:
    """Satisfies Server. `recorded`: the recorder and the tap listen as in session. `fanout`: default, python or compiled."""

    def __init__(
        self, place: Place, core: int | None, folder: Path, *, recorded: bool = False, fanout: str = "default"
    ) -> None:
        self.version = "this working tree"
        self._place = place
        self._recorded = recorded
        token, port, signaling_port = secrets.token_hex(16), free_port(), free_port()
        values = {
            "port": port, "signaling_port": signaling_port, "spool": str(folder / "spool"), "token": token,
            "address": place.network.addresses[0], "fanout": fanout,
        }  # fmt: skip
        program = [sys.executable, "-m", "benchmarks.sfu.worker_process", json.dumps(values)]
        self._process = ServerProcess(program, core, folder)
        self._port, self._signaling_port, self._token = port, signaling_port, token
        self.signaling = SignalingStandIn(token)
        self._table_number = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    async def open(self) -> None:
        """Start the worker and what it reports to."""
        self._session = aiohttp.ClientSession()
        self.control = HttpMediaControl(f"http://127.0.0.1:{self._port}", self._token, self._session)
        await self.signaling.start(self._signaling_port)
        await self._process.start(self._port)

    async def close(self) -> None:
        await self._process.close()
        await self.signaling.close()
        await self._session.close()

    async def start(self, publishers: int, subscribers: int) -> None:
        await self.open()
        sources, audience = [f"p{n}" for n in range(publishers)], [f"s{n}" for n in range(subscribers)]
        await self.grant([*sources, *audience], dict.fromkeys(sources, audience))

    async def grant(self, members: Iterable[str], receivers: Mapping[str, Iterable[str]]) -> None:
        """The next grant table: who gets sound and camera of each source. Sources are prominent, so none is left out."""
        self._table_number += 1
        now = SystemClock().now()
        listeners = {Kind.AUDIO: [RECORDER, TAP], Kind.VIDEO: [RECORDER]} if self._recorded else {}
        grants = [
            Grant(ParticipantId(source), kind, frozenset([*map(ParticipantId, to), *listeners.get(kind, [])]))
            for source, to in receivers.items()
            for kind in (Kind.AUDIO, Kind.VIDEO)
        ]
        table = GrantTable(
            sitting_id=SITTING, number=self._table_number, effective_at=now, opened_at=now if self._recorded else None,
            members=frozenset(map(ParticipantId, members)), grants=tuple(grants),
            prominent=tuple(map(ParticipantId, receivers)),
        )  # fmt: skip
        await self.control.apply_grants(table)

    async def publish(self, number: int, publisher: Publisher) -> None:
        await self.join(f"p{number}", publisher.leg, Leg(self._place))

    async def subscribe(self, number: int, subscriber: Subscriber) -> None:
        await self.join(f"s{number}", Leg(self._place), subscriber.leg)

    async def join(self, name: str, up: Leg, down: Leg) -> Participant:
        """Bring one person in."""
        participant = Participant(name, up, down, self.control)
        self.signaling.participants[participant.peer_id] = participant
        await participant.join()
        return participant
