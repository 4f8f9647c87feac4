"""How signaling is put together: reads like a table of contents. `build_app(parts)` is all the program needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import socketio
from aiohttp import web

from hearing.commands import OpenSitting
from signaling.access import Access
from signaling.acts import Acts
from signaling.auth import Authentication
from signaling.broadcast import Broadcast
from signaling.caption_progress import CaptionProgress
from signaling.caption_watch import CaptionWatch
from signaling.clock_watch import ClockWatch
from signaling.door import DoorKeeper
from signaling.errands import Errands
from signaling.fault_keeper import FaultKeeper
from signaling.fleet import Fleet
from signaling.gateway import Gateway, Handler
from signaling.handlers.drafting import DraftDesk
from signaling.handlers.evidence import ExhibitNews
from signaling.handlers.hearing import Seating, court_command, opening_command
from signaling.handlers.media import MediaHandlers
from signaling.handlers.transcripts import Draft
from signaling.history import Histories
from signaling.http_draft import DraftApi
from signaling.http_exhibits import ExhibitApi
from signaling.http_film import FilmApi
from signaling.http_health import HealthApi
from signaling.http_hear_back import HearBackApi
from signaling.http_hearings import HearingApi
from signaling.http_network import NetworkTestApi
from signaling.http_orders import OrderApi
from signaling.http_playback import PlaybackApi
from signaling.http_preflight import PreflightApi
from signaling.http_quality import QualityApi
from signaling.http_record import RecordApi
from signaling.http_sessions import SessionApi
from signaling.http_statements import StatementApi
from signaling.http_static import StaticFiles
from signaling.http_transcripts import TranscriptApi
from signaling.http_words import WordsApi
from signaling.internal_api import InternalApi
from signaling.media_watch import MediaWatch
from signaling.metrics import Metrics
from signaling.middleware import door_middleware, errors_middleware, origin_allowed, set_security_headers
from signaling.packets import TextPacket
from signaling.parsing import COMMAND_BYTES
from signaling.parts import Parts
from signaling.preflight import Preflight
from signaling.protocol import COURT_COMMANDS, DRAFT_COMMANDS
from signaling.recording_watch import RecordingWatch
from signaling.reports import Reports
from signaling.session_watch import SessionWatch
from signaling.settings import SignalingSettings
from signaling.steering import Steering
from signaling.store_watch import StoreWatch
from signaling.viewing import Viewing

BODY_BYTES = 8 * 1024 * 1024
"""Largest body read into memory (a batch of reports); uploads are streamed and have their own limit."""


PACKET_BYTES = 16 * COMMAND_BYTES
"""A packet beyond this closes the socket unread; a command between COMMAND_BYTES and this is answered with too_large."""


def build_app(parts: Parts) -> web.Application:
    """The whole of signaling as one aiohttp application; it opens nothing before it is started."""
    settings, errands, metrics = parts.settings, Errands(), Metrics()
    server = _socket_server(settings)
    histories, fleet = Histories(parts.database), Fleet(settings.media_urls, parts.clock, settings.media_silence_s)
    authentication, access = Authentication(settings, parts.database, parts.clock), Access(parts)
    viewing = Viewing(parts, access)
    stores = StoreWatch(parts.clock, settings.spool_warn_bytes, settings.spool_stop_bytes)
    captions = CaptionWatch(parts.clock, wanted=settings.captions)
    recording = RecordingWatch(parts.clock, settings.recorder_silence_s, stores, captions)
    broadcast = Broadcast(server, parts, histories, recording)
    steering = Steering(parts, errands, fleet, metrics.grants_applied_seconds.observe)
    acts = Acts(parts, steering, broadcast, histories, errands)
    draft, news, desk = Draft(parts, broadcast), ExhibitNews(parts, broadcast), DraftDesk(parts, acts, broadcast)
    seating = Seating(server, parts, acts, broadcast, draft)
    clocks, faults = ClockWatch(parts.clock, parts.database), FaultKeeper(parts.clock, acts, recording)
    watch = MediaWatch(parts, acts, steering, broadcast, recording)
    door = DoorKeeper(parts, authentication)
    handlers: dict[str, Handler] = {name: court_command(acts) for name in COURT_COMMANDS}
    preflight = Preflight(parts, fleet, stores, clocks)
    handlers[OpenSitting.type] = opening_command(parts, acts, stores, preflight)
    handlers |= MediaHandlers(steering).table() | {"sitting.join": seating.join, **dict.fromkeys(DRAFT_COMMANDS, desk.handle)}
    server.register_namespace(Gateway(settings, parts.clock, seating.presence, door.seat, handlers, metrics))

    app = _application(parts, authentication, metrics)
    app.add_routes([*SessionApi(parts, authentication, seating).routes(), *NetworkTestApi(parts, fleet).routes()])
    app.add_routes(HearingApi(parts, authentication, access, seating).routes())
    app.add_routes([*ExhibitApi(parts, access, news).routes(), *WordsApi(parts, access).routes()])
    app.add_routes([*PreflightApi(access, preflight).routes(), *QualityApi(parts, access, steering).routes()])
    app.add_routes([*RecordApi(parts, access, viewing, draft).routes(), *HearBackApi(parts, access, steering).routes()])
    app.add_routes([*DraftApi(parts, access, desk).routes(), *PlaybackApi(parts, access, viewing).routes()])
    app.add_routes([*OrderApi(parts, access).routes(), *FilmApi(parts, access).routes()])
    app.add_routes([*StatementApi(parts, access, acts).routes(), *TranscriptApi(parts, access).routes()])
    reports, progress = Reports(parts, acts, broadcast, watch, recording, stores), CaptionProgress(parts, broadcast, captions)
    app.add_routes(InternalApi(parts, reports, draft, progress).routes())
    app.add_routes(HealthApi(parts, fleet, metrics, seating.presence, stores, captions).routes())
    server.attach(app, socketio_path="socket.io")
    app.add_routes(StaticFiles(settings.web_root).routes())  # last: it takes every path
    app.cleanup_ctx.append(_running(watch, SessionWatch(parts.database, seating), steering, seating, errands, faults, clocks))
    return app


def _application(parts: Parts, authentication: Authentication, metrics: Metrics) -> web.Application:
    """What every request passes through."""
    app = web.Application(
        middlewares=[errors_middleware(parts.clock, metrics), door_middleware(parts.settings, authentication)],
        client_max_size=BODY_BYTES,
    )
    app.on_response_prepare.append(set_security_headers(parts.settings))
    return app


def _socket_server(settings: SignalingSettings) -> socketio.AsyncServer:
    manager = socketio.AsyncRedisManager(settings.redis_url) if settings.redis_url else None

    def allowed(origin: str | None, environ: dict[str, str]) -> bool:
        return origin_allowed(origin, environ.get("HTTP_HOST", ""), settings)

    return socketio.AsyncServer(
        async_mode="aiohttp", client_manager=manager, async_handlers=False, cors_allowed_origins=allowed,
        serializer=TextPacket, max_http_buffer_size=PACKET_BYTES,
        ping_interval=settings.ping_interval_s, ping_timeout=settings.ping_timeout_s,
    )  # fmt: skip


def _running(
    watch: MediaWatch,
    sessions: SessionWatch,
    steering: Steering,
    seating: Seating,
    errands: Errands,
    faults: FaultKeeper,
    clocks: ClockWatch,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """What runs beside the requests. Closing order: watch, departures, errands; the caller closes database and store."""

    async def context(_: web.Application) -> AsyncIterator[None]:
        await seating.expect_everybody()
        await steering.resend()
        looking = [
            asyncio.create_task(watch.run(), name="media watch"),
            asyncio.create_task(sessions.run(), name="session watch"),
            asyncio.create_task(faults.run(), name="fault keeper"),
            asyncio.create_task(clocks.run(), name="clock watch"),
        ]
        yield
        for task in looking:
            task.cancel()
        await asyncio.gather(*looking, return_exceptions=True)
        await seating.presence.stop()
        await errands.stop()

    return context
