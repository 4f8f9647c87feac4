"""Sending stored bytes: ranges (RFC 9110, 14) and streams whose failure is told before the first byte."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from signaling.error_codes import Refused


def byte_range(request: web.Request, total_bytes: int) -> tuple[int, int]:
    """Bytes [start, end) asked for; raises bad_range."""
    try:
        asked = request.http_range
    except ValueError:
        raise Refused("bad_range") from None
    start, stop = asked.start or 0, total_bytes if asked.stop is None else min(asked.stop, total_bytes)
    if start < 0:
        start = max(0, total_bytes + start)
    if not start < stop:
        raise Refused("bad_range")
    return start, stop


async def opened(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Wait for the first chunk, so that a failure becomes an error status and not a broken download."""
    first = await anext(chunks, b"")

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return whole()


async def send(request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response
