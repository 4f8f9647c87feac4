"""The signaling role: the web application and API for people, and the internal API for the other roles."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
from aiohttp import web

from court.roles.places import internal_url, media_urls
from court.roles.shared import Shared, shared
from court.settings import Settings
from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from hearing.service import HearingService, HearingSettings
from media.control_client import HttpMediaControl
from record.keys import court_key
from record.package import Archive, package_zip
from record.views import RecordViews
from signaling.app import build_app
from signaling.parts import Parts, Records
from signaling.settings import IceServer, SignalingSettings

WEB_ROOT = Path(__file__).resolve().parents[2] / "web" / "dist"
SHUTDOWN_S = 3.0


async def main(settings: Settings) -> None:
    internal_url(settings)
    async with shared(settings) as parts, aiohttp.ClientSession() as session:
        runner = web.AppRunner(build_app(_parts(parts, session)), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.host, settings.port, ssl_context=_tls(settings)).start()
            if settings.internal_port != settings.port:
                await web.TCPSite(runner, "127.0.0.1", settings.internal_port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def _parts(parts: Shared, session: aiohttp.ClientSession) -> Parts:
    settings, database = parts.settings, parts.database
    store = parts.stores.objects(copies=1)  # a person waits; the verify job makes a copy that is missing
    key = court_key(settings.keys_dir, settings.signature)
    evidence = EvidenceSettings(settings.data / "uploads", settings.upload_limit_mb * 1024 * 1024)
    return Parts(
        settings=signaling_settings(settings, parts.token),
        clock=parts.clock,
        database=database,
        hearings=HearingService(database, parts.clock, HearingSettings(settings.room_limit), parts.wake),
        exhibits=ExhibitRegistry(database, store, parts.clock, evidence),
        store=store,
        records=Records(
            view=RecordViews(database, store, parts.clock).view,
            package=lambda hearing_id, holder: package_zip(Archive(database, store, key), hearing_id, holder=holder),
        ),
        media=lambda url: HttpMediaControl(url, parts.token, session),
    )


def signaling_settings(settings: Settings, token: str) -> SignalingSettings:
    """Signaling's own settings out of the installation's."""
    return SignalingSettings(
        base_url=settings.public_url,
        internal_token=token,
        internal_port=settings.internal_port,
        media_urls=media_urls(settings),
        web_root=WEB_ROOT,
        court_tz=settings.tz,
        allowed_origins=(settings.local_url, *settings.allowed_origins),
        trusted_proxies=settings.trusted_proxies,
        session_hours=settings.session_hours,
        link_days=settings.link_days,
        upload_limit_bytes=settings.upload_limit_mb * 1024 * 1024,
        ice_servers=tuple(IceServer(tuple(s.urls), s.username, s.credential) for s in settings.ice_servers),
        turn_urls=settings.turn_urls,
        turn_secret=settings.turn_secret,
        turn_ttl_hours=settings.turn_ttl_hours,
        relay_only=settings.relay_only,
        redis_url=settings.redis_url or None,
        captions=settings.captions,
        spool_warn_bytes=settings.spool_warn_gb * 1024**3,
        spool_stop_bytes=settings.spool_stop_gb * 1024**3,
    )
