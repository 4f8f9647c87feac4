"""The media worker: control server for signaling, the tap for transcribers, and the beat that drives its courtrooms."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime

import aiohttp
import structlog
from aiohttp import WSMsgType, web
from pydantic import TypeAdapter, ValidationError

from hearing.audience import GrantTable
from hearing.model import ParticipantId, SittingId
from hearing.timeline import Clock
from media import fanout
from media.aiortc_bridge import Certificate, now_ms
from media.control import MediaError, Offer, Quality, RecordingFinished, Report, SpoolProbe, WorkerAlive, WorkerStarted
from media.courtroom import Courtroom, Surroundings
from media.hear_back_routes import hear_back_routes
from media.holdings import Holdings
from media.metrics import WorkerMetrics
from media.probe import probe_spool
from media.reporter import Answer, Reporter
from media.segment_writer import OpenSegment, SegmentWriter
from media.self_test import SelfTests
from media.self_test_routes import self_test_routes
from media.settings import MediaSettings
from media.spool import SAFE_ID, Spool
from media.tap import TapRing
from media.view_routes import view_routes

TICK_S = 0.03
ALIVE_EVERY_S = 1.0
MAX_BODY_BYTES = 1 << 20
TAP_HEARTBEAT_S = 5.0
_TABLE = TypeAdapter(GrantTable)
_OFFER = TypeAdapter(Offer)
_PROBE = TypeAdapter(SpoolProbe)
_log = structlog.get_logger()

STATUS = {
    "peer_unknown": 404, "sitting_unknown": 404, "connection_unknown": 404, "not_a_member": 403, "answer_stale": 409,
    "peer_exists": 409, "too_many_connects": 429, "network": 503, "sitting_held": 503, "self_test_unknown": 404,
    "self_test_busy": 429, "nothing_written": 404,
}  # fmt: skip
"""HTTP status of a MediaError code; others are 400."""


class Worker:
    """Everything the process holds. run() returns when cancelled, with all courtrooms closed for a restart."""

    def __init__(self, settings: MediaSettings, clock: Clock, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.spool = Spool(settings.spool)
        self.writer = SegmentWriter(self.spool, self._segment_failed)
        self.reporter = Reporter(session, settings.signaling_url, settings.internal_token, settings.worker_id)
        # One map for the life of the process: a step of the wall clock does not move the record.
        self.clock = clock
        self._monotonic_at_start_ms, self._utc_at_start = now_ms(), clock.now()
        self.ring = TapRing(round(self._utc_at_start.timestamp() * 1000))
        around = Surroundings(settings, Certificate(), self.writer, self.ring, self.monotonic_of, self._report)
        self.holdings = Holdings(self.spool, around)
        self.metrics = WorkerMetrics(settings.worker_id, self.holdings.people, self.holdings.outlets)
        self.reporter.on_answer = self._signaling_answered
        self.self_tests = SelfTests(settings.network, around.certificate)
        _log.info("fan_out", compiled=fanout.compiled)
        _log.info("clock_map", utc=self._utc_at_start.isoformat(), monotonic_ms=round(self._monotonic_at_start_ms, 3))

    def monotonic_of(self, at: datetime) -> float:
        """The arrival clock at a UTC moment."""
        return self._monotonic_at_start_ms + (at - self._utc_at_start).total_seconds() * 1000

    async def run(self, ready: Callable[[], None]) -> None:
        """Repair the spool, serve, report. `ready` is called when control requests are answered."""
        async with contextlib.AsyncExitStack() as stack:
            self.spool.root.mkdir(parents=True, exist_ok=True)
            unreported = await asyncio.to_thread(self.holdings.mend)
            self.writer.start()
            stack.push_async_callback(self.writer.stop)
            runner = web.AppRunner(build_app(self), access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, self.settings.host, self.settings.port).start()
            stack.push_async_callback(self._leave)
            self.reporter.send(WorkerStarted(self.settings.control_url))
            for sitting_id, finished in unreported:
                self._report_finished(RecordingFinished(sitting_id, finished.tracks))
            ready()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.reporter.run())
                tasks.create_task(self._tick_forever())
                tasks.create_task(self._say_alive_forever())

    def _report_finished(self, report: RecordingFinished) -> None:
        self.reporter.send(report, lambda: self.spool.mark_reported(report.sitting_id))

    async def _leave(self) -> None:
        await self.self_tests.close()
        await self.holdings.leave()

    async def _tick_forever(self) -> None:
        while True:
            now = now_ms()
            self.holdings.look(now)
            for courtroom in tuple(self.holdings.held.values()):
                try:
                    courtroom.tick(now)
                except Exception:  # noqa: BLE001  one sitting's fault must not stop the beat of the others
                    _log.exception("courtroom_tick_failed", sitting_id=courtroom.sitting_id)
            self.self_tests.tick(now)
            await asyncio.sleep(TICK_S)
            self.metrics.woke(now_ms() - now - TICK_S * 1000)

    async def _say_alive_forever(self) -> None:
        while True:
            free_bytes = await asyncio.to_thread(self.spool.free_bytes)
            self.metrics.spool_free_bytes = free_bytes
            in_force = {sitting_id: courtroom.number for sitting_id, courtroom in self.holdings.held.items()}
            people = sum(self.holdings.people())
            self.reporter.send(WorkerAlive(tuple(in_force), free_bytes, self.settings.control_url, in_force, people))
            await asyncio.sleep(ALIVE_EVERY_S)

    def _report(self, report: Report) -> None:
        if isinstance(report, Quality):
            self.metrics.lost(report.up_loss, report.down_loss)
        self.reporter.send(report)

    def _signaling_answered(self, answer: Answer) -> None:
        self.holdings.heard(answer.get("newest", {}), answer.get("elsewhere", ()))

    def _segment_failed(self, segment: OpenSegment, error: OSError) -> None:
        courtroom = self.holdings.recording(segment.name.sitting_id)
        if courtroom is not None:
            courtroom.recorder.segment_failed(segment, error)

    # --- control ---------------------------------------------------------------------------

    def courtroom(self, sitting_id: str) -> Courtroom:
        return self.holdings.courtroom(sitting_id)

    async def close_sitting(self, sitting_id: SittingId) -> None:
        """Finish a sitting. May be called again."""
        finished = await self.holdings.finish(sitting_id)
        self._report_finished(RecordingFinished(sitting_id, finished.tracks))


async def serve(settings: MediaSettings, clock: Clock, ready: Callable[[], None] = lambda: None) -> None:
    """Run one media worker until cancelled."""
    async with aiohttp.ClientSession() as session:
        await Worker(settings, clock, session).run(ready)


# --- HTTP ---------------------------------------------------------------------------------------

WORKER = web.AppKey("worker", Worker)


def build_app(worker: Worker) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_guard])
    app[WORKER] = worker
    app.add_routes(
        [
            web.get("/healthz", _health),
            web.get("/metrics", _metrics),
            web.get("/control/worker/metrics", _metrics_for_signaling),
            web.post("/control/worker/probe", _probe),
            web.get("/tap", _tap),
            web.put("/control/sittings/{sitting}/grants", _apply),
            web.post("/control/sittings/{sitting}/peers", _connect),
            web.post("/control/sittings/{sitting}/peers/{peer}/answer", _answer),
            web.post("/control/sittings/{sitting}/peers/{peer}/restart_ice", _restart_ice),
            web.post("/control/sittings/{sitting}/peers/{peer}/resume", _resume),
            web.delete("/control/sittings/{sitting}/peers/{peer}", _disconnect),
            web.post("/control/sittings/{sitting}/close", _close),
            web.post("/control/sittings/{sitting}/release", _release),
        ]
    )
    app.add_routes(self_test_routes(worker.self_tests))
    app.add_routes(view_routes(worker.holdings.courtroom))
    app.add_routes(hear_back_routes(worker.holdings.courtroom))
    return app


@web.middleware
async def _guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Only holders of the internal token; errors become {"code", "message"}."""
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if request.path != "/healthz" and not hmac.compare_digest(
        token.encode(), request.app[WORKER].settings.internal_token.encode()
    ):
        return _refused(401, "unauthenticated", "缺少内部令牌")
    if not all(SAFE_ID.fullmatch(value) for value in request.match_info.values()):
        return _refused(400, "bad_request", "编号不合规")
    try:
        return await handler(request)
    except MediaError as error:
        return _refused(STATUS.get(error.code, 400), error.code, str(error))
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        _log.warning("control_request_malformed", path=request.path, problem=type(error).__name__)
        return _refused(400, "bad_request", "请求内容不合规")


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)


async def _health(_: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def _metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[WORKER].metrics.text(), content_type="text/plain", charset="utf-8")


async def _metrics_for_signaling(request: web.Request) -> web.Response:
    return web.json_response({"text": request.app[WORKER].metrics.text().decode()})


async def _probe(request: web.Request) -> web.Response:
    worker = request.app[WORKER]
    found = await asyncio.to_thread(probe_spool, worker.spool.root, worker.clock)
    return web.json_response(_PROBE.dump_python(found, mode="json"))


async def _apply(request: web.Request) -> web.Response:
    table = _TABLE.validate_json(await request.read())
    if table.sitting_id != request.match_info["sitting"]:
        raise MediaError("bad_request", "授权表与地址中的庭次不一致")
    return web.json_response({"number": await request.app[WORKER].holdings.apply(table)})


def _courtroom(request: web.Request) -> Courtroom:
    return request.app[WORKER].courtroom(request.match_info["sitting"])


async def _connect(request: web.Request) -> web.Response:
    body = await request.json()
    participant_id, peer_id = str(body["participant_id"]), str(body["peer_id"])
    if not SAFE_ID.fullmatch(participant_id) or not SAFE_ID.fullmatch(peer_id):
        raise MediaError("bad_request", "编号不合规")
    offers = await _courtroom(request).connect(ParticipantId(participant_id), peer_id)
    return web.json_response({"offers": [_OFFER.dump_python(offer, mode="json") for offer in offers]})


async def _answer(request: web.Request) -> web.Response:
    body = await request.json()
    _courtroom(request).answer(request.match_info["peer"], str(body["connection"]), int(body["revision"]), str(body["sdp"]))
    return web.json_response({})


async def _restart_ice(request: web.Request) -> web.Response:
    body = await request.json()
    offer = _courtroom(request).restart_ice(request.match_info["peer"], str(body["connection"]))
    return web.json_response(_OFFER.dump_python(offer, mode="json"))


async def _resume(request: web.Request) -> web.Response:
    participant_id = ParticipantId(str((await request.json())["participant_id"]))
    offers = _courtroom(request).resume(participant_id, request.match_info["peer"])
    return web.json_response({"offers": [_OFFER.dump_python(offer, mode="json") for offer in offers]})


async def _disconnect(request: web.Request) -> web.Response:
    await _courtroom(request).disconnect(request.match_info["peer"])
    return web.json_response({})


async def _close(request: web.Request) -> web.Response:
    await request.app[WORKER].close_sitting(SittingId(request.match_info["sitting"]))
    return web.json_response({})


async def _release(request: web.Request) -> web.Response:
    await request.app[WORKER].holdings.release(SittingId(request.match_info["sitting"]))
    return web.json_response({})


async def _tap(request: web.Request) -> web.WebSocketResponse:
    """The transcriber's stream; `after` is the last number it has, absent for "from now on"."""
    ring, worker_id = request.app[WORKER].ring, request.app[WORKER].settings.worker_id
    after = int(request.query["after"]) if "after" in request.query else ring.next_seq - 1
    socket = web.WebSocketResponse(heartbeat=TAP_HEARTBEAT_S, compress=False)
    await socket.prepare(request)
    await socket.send_json({"type": "hello", "worker_id": worker_id, "next_seq": ring.next_seq})
    pump = asyncio.create_task(_pump(socket, ring, after))
    try:
        async for message in socket:  # nothing is expected; this ends when the reader leaves
            if message.type in {WSMsgType.CLOSE, WSMsgType.ERROR}:
                break
    finally:
        pump.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await pump
    return socket


async def _pump(socket: web.WebSocketResponse, ring: TapRing, after: int) -> None:
    """Send what the ring has; tell what it no longer has."""
    while True:
        if after + 1 < ring.first_seq:
            await socket.send_str(_overflow(ring, after + 1))
            after = ring.first_seq - 1
        batch = ring.after(after)
        for seq, message in batch:
            await socket.send_bytes(message)
            after = seq
        if not batch:
            await ring.wait()


def _overflow(ring: TapRing, from_seq: int) -> str:
    spans = [
        {"sitting_id": span.sitting_id, "track_id": span.track_id, "t0_ms": span.t0_ms, "t1_ms": span.t1_ms}
        for span in ring.lost_since(from_seq)
    ]
    return json.dumps({"type": "overflow", "from_seq": from_seq, "to_seq": ring.first_seq - 1, "spans": spans})
