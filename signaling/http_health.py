"""/healthz for load balancers and the supervisor, /metrics for Prometheus."""

from __future__ import annotations

import structlog
from aiohttp import web
from prometheus_client import generate_latest
from sqlalchemy import select

from signaling.error_codes import Refused
from signaling.media_watch import MediaWatch
from signaling.metrics import Metrics
from signaling.middleware import same_secret
from signaling.parts import Parts
from signaling.presence import Presence
from storage.objects import ObjectMissing

log = structlog.get_logger("signaling.health")


class HealthApi:
    """Says what works. A silent media worker does not make signaling unhealthy: people must still reach the court."""

    def __init__(self, parts: Parts, watch: MediaWatch, metrics: Metrics, presence: Presence) -> None:
        self._parts = parts
        self._watch = watch
        self._metrics = metrics
        self._presence = presence

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/healthz", self.health), web.get("/metrics", self.metrics)]

    async def health(self, _: web.Request) -> web.Response:
        database, store = await self._database(), await self._store()
        body = {"ok": database and store, "database": database, "store": store, "media": self._watch.is_there}
        return web.json_response(body, status=200 if body["ok"] else 503, headers={"Cache-Control": "no-store"})

    async def _database(self) -> bool:
        try:
            async with self._parts.database.read() as connection:
                return bool((await connection.execute(select(1))).scalar_one() == 1)
        except Exception:
            log.exception("database is away")
            return False

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
        """Behind the internal bearer token (Prometheus: `authorization.credentials_file`)."""
        if not same_secret(request.headers.get("Authorization", ""), f"Bearer {self._parts.settings.internal_token}"):
            raise Refused("bad_internal_token")
        self._metrics.sockets.set(len(self._presence.live_seats()))
        self._metrics.live_sittings.set(len(await self._parts.hearings.live_sittings()))
        self._metrics.media_silence_s.set(self._watch.silence_s)
        return web.Response(body=generate_latest(self._metrics.registry), content_type="text/plain", charset="utf-8")
