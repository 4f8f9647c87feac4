"""Client of a media worker's tap: one WebSocket, resumed after the last packet, reconnected for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import structlog

from transcripts.tap_message import Hello, Overflow, TapFormatError, TapPacket, unpack, unpack_text

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
HEARTBEAT_S = 10.0

TapMessage = TapPacket | Overflow | Hello


class TapClient:
    """Reads one tap. Each packet is given once, in order, however often the connection breaks."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._url = f"{url.rstrip('/')}/tap"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = session
        self._worker_id: str | None = None
        self._last_seq = 0

    async def messages(self) -> AsyncIterator[TapMessage]:
        """Everything the tap sends, until cancelled. Reading slowly makes the worker's ring hold the rest."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async for message in self._one_connection():
                    pause_s = FIRST_PAUSE_S
                    yield message
            except (aiohttp.ClientError, TimeoutError, OSError) as problem:
                log.warning("transcripts.tap_unreachable", problem=type(problem).__name__, retry_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _one_connection(self) -> AsyncIterator[TapMessage]:
        connecting = self._session.ws_connect(
            self._url, params={"after": str(self._last_seq)}, headers=self._headers, heartbeat=HEARTBEAT_S
        )
        async with connecting as socket:
            async for raw in socket:
                message = _read(raw)
                if isinstance(message, Hello) and self._is_other_worker(message):
                    resumed = self._last_seq > 0
                    self._worker_id, self._last_seq = message.worker_id, 0
                    if resumed:  # its numbers are not ours: ask again for all it holds
                        return
                if isinstance(message, TapPacket):
                    if message.seq <= self._last_seq:
                        continue
                    self._last_seq = message.seq
                if message is not None:
                    yield message

    def _is_other_worker(self, hello: Hello) -> bool:
        return hello.worker_id != self._worker_id or hello.next_seq <= self._last_seq


def _read(raw: aiohttp.WSMessage) -> TapMessage | None:
    try:
        if raw.type is aiohttp.WSMsgType.BINARY:
            return unpack(raw.data)
        if raw.type is aiohttp.WSMsgType.TEXT:
            return unpack_text(raw.data)
    except TapFormatError as problem:
        log.exception("transcripts.tap_malformed", problem=str(problem))
    return None
