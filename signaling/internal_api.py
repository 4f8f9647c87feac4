"""Where the other roles report: /internal/*, behind a bearer token. Batches are retried until 200, so all is idempotent."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import groupby
from typing import Any

import structlog
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from hearing.errors import UserError
from hearing.model import SittingId
from signaling.caption_progress import CaptionProgress
from signaling.error_codes import Refused
from signaling.handlers.transcripts import Draft
from signaling.middleware import same_secret
from signaling.parts import Parts
from signaling.reports import Reports, read_report
from storage.queue import enqueue
from transcripts.case_data import words_of_sitting
from transcripts.health import CaptionHealth
from transcripts.model import Utterance
from transcripts.progress import Progress

log = structlog.get_logger("signaling.internal")

JOB_KINDS = frozenset({"refill"})
"""What other roles may ask for; `seal` is written by the law only."""

UTTERANCES = TypeAdapter(list[Utterance])
HEALTH = TypeAdapter(CaptionHealth)
PROGRESS = TypeAdapter(list[Progress])


class InternalApi:
    """Handlers of /internal/*."""

    def __init__(self, parts: Parts, reports: Reports, draft: Draft, progress: CaptionProgress) -> None:
        self._parts = parts
        self._reports = reports
        self._draft = draft
        self._progress = progress

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/internal/media/reports", self._guard(self.media_reports)),
            web.post("/internal/utterances", self._guard(self.utterances)),
            web.get("/internal/utterances/heads", self._guard(self.heads)),
            web.post("/internal/captions/progress", self._guard(self.captions_progress)),
            web.post("/internal/captions/health", self._guard(self.captions_health)),
            web.get("/internal/sittings/{sitting_id}/words", self._guard(self.words)),
            web.post("/internal/jobs", self._guard(self.jobs)),
        ]

    def _guard(
        self, handler: Callable[[web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        expected = f"Bearer {self._parts.settings.internal_token}"
        port = self._parts.settings.internal_port

        async def guarded(request: web.Request) -> web.Response:
            if port is not None and request.get_extra_info("sockname")[1] != port:  # the people's door has no such rooms
                raise Refused("not_found")
            if not same_secret(request.headers.get("Authorization", ""), expected):
                raise Refused("bad_internal_token")
            return await handler(request)

        return guarded

    async def media_reports(self, request: web.Request) -> web.Response:
        """A batch in order. A report nobody can use is logged and passed over: repeating it would block those behind it."""
        body = await _json(request)
        reports = body.get("reports")
        if not isinstance(reports, list):
            raise Refused("bad_field", "reports")
        refused = 0
        word: dict[str, object] = {}
        for data in reports:
            try:
                word |= await self._reports.take(read_report(data))
            except (UserError, ValidationError, KeyError, TypeError) as error:
                refused += 1
                kind = data.get("type") if isinstance(data, dict) else None
                log.warning("report not taken", worker_id=body.get("worker_id"), type=kind, problem=type(error).__name__)
        return web.json_response({"taken": len(reports) - refused, "refused": refused, **word})

    async def utterances(self, request: web.Request) -> web.Response:
        """New lines; 400 when one of them can never be taken (the sender then posts them one by one)."""
        body = await _json(request)
        new = UTTERANCES.validate_python(body.get("utterances"))
        for _, group in groupby(sorted(new, key=lambda u: (u.sitting_id, u.t0_ms)), key=lambda u: u.sitting_id):
            try:
                await self._draft.add(list(group))
            except UserError as error:
                raise Refused("bad_field", "utterances") from error
        return web.json_response({"taken": len(new)})

    async def heads(self, _: web.Request) -> web.Response:
        return web.json_response({"heads": await self._draft.heads()})

    async def captions_progress(self, request: web.Request) -> web.Response:
        """Who is being written now: passed on at once, not kept."""
        for progress in PROGRESS.validate_python((await _json(request)).get("sittings")):
            await self._progress.tell(progress)
        return web.json_response({})

    async def captions_health(self, request: web.Request) -> web.Response:
        """Whether captions can be made; kept in memory, and told to those in the courtroom when it changes."""
        self._progress.health(HEALTH.validate_python(await _json(request)))
        return web.json_response({})

    async def words(self, request: web.Request) -> web.Response:
        """The vocabulary of the sitting's case (案件词表), from what the court knows of it; empty for an unknown sitting."""
        async with self._parts.database.read() as connection:
            found = await words_of_sitting(connection, SittingId(request.match_info["sitting_id"]))
        return web.json_response(asdict(found))

    async def jobs(self, request: web.Request) -> web.Response:
        """A job asked for by another role."""
        body = await _json(request)
        kind, payload = body.get("kind"), body.get("payload")
        if kind not in JOB_KINDS or not isinstance(payload, dict):
            raise Refused("bad_field", "kind")
        try:
            hearing, _ = await self._parts.hearings.load(SittingId(str(payload.get("sitting_id"))))
        except UserError as error:
            raise Refused("bad_field", "sitting_id") from error
        async with self._parts.database.transaction() as connection:
            job_id = await enqueue(connection, kind, payload, hearing.court_id, self._parts.clock.now())
        await self._parts.wake.notify(kind)
        return web.json_response({"job_id": job_id})


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise Refused("bad_body") from None
    if not isinstance(body, dict):
        raise Refused("bad_body")
    return body
