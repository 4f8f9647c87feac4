"""/healthz for load balancers and the supervisor, /metrics for Prometheus."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web
from sqlalchemy import select

from media.control import MediaError
from signaling.caption_watch import CaptionWatch
from signaling.error_codes import Refused
from signaling.fleet import Fleet
from signaling.metrics import Metrics
from signaling.middleware import same_secret
from signaling.parts import Parts
from signaling.presence import Presence
from signaling.store_watch import StoreWatch
from storage.faults import count_open_faults
from storage.objects import ObjectMissing

log = structlog.get_logger("signaling.health")

WORKER_ANSWERS_WITHIN_S = 2.0


class HealthApi:
    """Says what works. A silent media worker does not make signaling unhealthy: people must still reach the court."""

    def __init__(
        self, parts: Parts, fleet: Fleet, metrics: Metrics, presence: Presence, stores: StoreWatch,
        captions: CaptionWatch,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._fleet = fleet
        self._metrics = metrics
        self._presence = presence
        self._stores = stores
        self._captions = captions

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self.health), web.get("/metrics", self.metrics)]

    async def health(self, _: web.Request) -> web.Response:
        """`media` is true when every worker is heard; `media_workers` says so for each. `recording` names what keeps the
        record from both stores: [] when nothing does. `captions`: whether they can be made, and what is in the way.
        `faulty_copies`: stored copies that wait to be healed, or cannot be.
        """
        database, store = await self._database(), await self._store()
        captions = self._captions.state()
        workers = {name: self._fleet.is_there(url) for name, url in self._fleet.names.items()}
        body = {
            "ok": database and store, "database": database, "store": store,
            "media": all(workers.values()), "media_workers": workers,
            "recording": [trouble.code for trouble in self._stores.state().troubles],
            "captions": {"state": captions.state, "troubles": captions.codes},
            "faulty_copies": await self._faulty_copies() if database else None,
        }  # fmt: skip
        return web.json_response(body, status=200 if body["ok"] else 503, headers={"Cache-Control": "no-store"})

    async def _database(self) -> bool:
        try:
            async with self._parts.database.read() as connection:
                return bool((await connection.execute(select(1))).scalar_one() == 1)
        except Exception:
            log.exception("database is away")
            return False

    async def _faulty_copies(self) -> int:
        async with self._parts.database.read() as connection:
            return await count_open_faults(connection)

    async def _store(self) -> bool:
        try:
            await self._parts.store.stat("healthz")
        except ObjectMissing:
            return True
        except Exception:
            log.exception("object store is away")
            return False
        return True

    async def metrics(self, request: web.Request) -> web.Response:
        """Everything in one scrape, behind the internal bearer token (Prometheus: `authorization.credentials_file`)."""
        if not same_secret(request.headers.get("Authorization", ""), f"Bearer {self._parts.settings.internal_token}"):
            raise Refused("bad_internal_token")
        self._metrics.sockets.set(len(self._presence.live_seats()))
        standings = await self._parts.hearings.standings()
        for name, url in self._fleet.names.items():
            self._metrics.live_sittings.labels(name).set(sum(s.media_worker_url == url for s in standings))
            self._metrics.media_silence_s.labels(name).set(self._fleet.silence_s(url))
        self._metrics.set_stores(self._stores.state(), self._stores.silence_s())
        self._metrics.faulty_copies.set(await self._faulty_copies())
        texts = await asyncio.gather(*(self._of_worker(url) for url in self._fleet.urls))
        return web.Response(body=self._metrics.text(texts), content_type="text/plain", charset="utf-8")

    async def _of_worker(self, url: str) -> str:
        """Empty while the worker is away: its silence is a number of its own."""
        try:
            async with asyncio.timeout(WORKER_ANSWERS_WITHIN_S):
                return await self._parts.media(url).metrics()
        except (MediaError, TimeoutError):
            return ""
