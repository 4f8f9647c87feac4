"""What holds for every HTTP request: request id, errors as WireError JSON, session, CSRF, origin, security headers, logs."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from hearing.timeline import Clock
from media.control import MediaError
from signaling.accounts import Session
from signaling.auth import Authentication, Origin, csrf_of
from signaling.error_codes import Refused, describe, told
from signaling.metrics import Metrics
from signaling.settings import SignalingSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger("signaling.http")

COOKIE = "court_session"
SESSION = web.RequestKey("session", Session)
REQUEST_ID = web.RequestKey("request_id", str)
FORM_BYTES = 256 * 1024
"""Longest JSON body of an API request: a hearing with a hundred people is about 30 KB."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NO_CSRF_NEEDED = frozenset({"/api/sign-in", "/api/link"})
"""No session stands behind these yet; the origin check and SameSite=Lax protect them."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self' {socket}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(self), screen-wake-lock=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""`style-src 'unsafe-inline'`: the component library positions pop-ups by inline styles. `no-referrer`: links are secrets.
`{socket}`: older Safari does not count ws: of the same host as 'self' (CSP 3, 6.7.2.8)."""


def scheme_of(request: web.Request, settings: SignalingSettings) -> str:
    """http or https as the browser sees it; a forwarded scheme is believed from trusted proxies only."""
    if request.remote in settings.trusted_proxies:
        return _last_of(request, "X-Forwarded-Proto") or request.scheme
    return request.scheme


def origin_of(request: web.Request, settings: SignalingSettings) -> Origin:
    """Address and browser of the sender; the last hop named by a trusted proxy."""
    ip = request.remote or ""
    if ip in settings.trusted_proxies:
        ip = _last_of(request, "X-Forwarded-For") or ip
    agent = request.headers.get("User-Agent", "").encode(errors="replace").decode()  # a header may hold any bytes
    return Origin(ip=ip[:60], user_agent=agent[:300])


def _last_of(request: web.Request, header: str) -> str:
    """What the nearest proxy said. A proxy may add a line of its own behind the one a client made up (RFC 9110, 5.3)."""
    return ",".join(request.headers.getall(header, [])).rpartition(",")[2].strip().encode(errors="replace").decode()


def origin_allowed(origin: str | None, host: str, settings: SignalingSettings) -> bool:
    """Whether a page of this origin may act: our own host, or one named by the settings. No Origin: not a browser page."""
    if origin is None or origin.rstrip("/") in (settings.base_url, *settings.allowed_origins):
        return True
    return origin.partition("://")[2] == host != ""


def same_secret(given: str, expected: str) -> bool:
    """Compare in constant time; a header may hold any bytes."""
    return hmac.compare_digest(given.encode(errors="surrogateescape"), expected.encode())


async def body_of(request: web.Request) -> bytes:
    """The JSON body of an API request; raises too_large long before it fills the memory."""
    body = bytearray()
    async for chunk in request.content.iter_chunked(FORM_BYTES):
        body += chunk
        if len(body) > FORM_BYTES:
            raise Refused("too_large")
    return bytes(body)


def session_of(request: web.Request) -> Session:
    """The session behind a request; raises not_signed_in."""
    session: Session | None = request.get(SESSION)
    if session is None:
        raise Refused("not_signed_in")
    return session


def error_response(error: Exception) -> web.Response:
    status, wire = describe(error)
    return web.json_response(text=wire.model_dump_json(), status=status)


def errors_middleware(clock: Clock, metrics: Metrics) -> Middleware:
    """Outermost: every outcome is logged with ids only, every exception becomes a WireError."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[REQUEST_ID] = secrets.token_hex(8)
        started = clock.monotonic()
        response = await _answer(request, handler)
        metrics.requests.labels(request.method, route_of(request), response.status).inc()
        log.info(
            "request", request_id=request[REQUEST_ID], method=request.method, route=route_of(request), status=response.status,
            took_ms=round((clock.monotonic() - started) * 1000),
        )  # fmt: skip
        return response

    return middleware


def route_of(request: web.Request) -> str:
    """The route's pattern, so that no token or name in a path reaches the log."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _translated(error)
    except ConnectionError:
        raise  # the reader went away while we were writing
    except Exception as error:
        response = error_response(error)
        if isinstance(error, MediaError):
            log.warning("media refused", request_id=request[REQUEST_ID], route=route_of(request), code=error.code)
        elif response.status >= 500:
            log.exception("request failed", request_id=request[REQUEST_ID], route=route_of(request))
        return response


def _translated(error: web.HTTPException) -> web.StreamResponse:
    """aiohttp's own refusals as WireError."""
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 416: "bad_range"}
    if error.status < 400:
        raise error
    code = codes.get(error.status, "bad_body" if error.status < 500 else "internal_error")
    return web.json_response(text=told(code)[1].model_dump_json(), status=error.status)


def door_middleware(settings: SignalingSettings, authentication: Authentication) -> Middleware:
    """For /api/*: find the session; refuse unsafe methods from foreign origins or without the CSRF token (S24)."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith("/api/"):
            return await handler(request)
        token = request.cookies.get(COOKIE, "")
        session = await authentication.session(token)
        if session is not None:
            request[SESSION] = session
        if request.method not in SAFE_METHODS:
            if not origin_allowed(request.headers.get("Origin"), request.host, settings):
                raise Refused("origin_refused")
            if request.path not in NO_CSRF_NEEDED:
                _check_csrf(request, session, token)
        return await handler(request)

    return middleware


def _check_csrf(request: web.Request, session: Session | None, token: str) -> None:
    if session is None:
        raise Refused("not_signed_in")
    if not same_secret(request.headers.get("X-CSRF-Token", ""), csrf_of(token)):
        raise Refused("csrf_failed")


def set_security_headers(settings: SignalingSettings) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """A signal for on_response_prepare: also streamed answers and Socket.IO carry the headers."""

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        secure = scheme_of(request, settings) == "https"
        socket = f"{'wss' if secure else 'ws'}://{request.host}"
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value.replace("{socket}", socket))
        if secure:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if request.path.startswith("/api/"):
            response.headers.setdefault("Cache-Control", "no-store")

    return prepare
