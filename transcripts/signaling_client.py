"""What the transcripts role tells signaling and asks of it, over the internal API; retried until it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog

from transcripts.health import CaptionHealth
from transcripts.model import Utterance
from transcripts.progress import Progress
from transcripts.tap_message import Span
from transcripts.vocabulary import CaseWords, read_words

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
TIMEOUT_S = 15.0
TELL_TIMEOUT_S = 2.0
UNREADABLE = frozenset({400, 413, 422})  # saying the same again will not help


class Refused(Exception):
    """Signaling understood the request and cannot take it (HTTP 400, 413 or 422)."""


class SignalingClient:
    """Client of `/internal/*`. Every call waits until signaling answers, however long it is away."""

    def __init__(self, base_url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = session

    async def heads(self) -> dict[str, int]:
        """Per track of the live sittings, where its last stored line ends (t1_ms)."""
        answer = await self._ask("GET", "/internal/utterances/heads", None)
        return {str(track_id): int(t1_ms) for track_id, t1_ms in answer["heads"].items()}

    async def post_lines(self, lines: Sequence[Utterance]) -> None:
        """Hand over lines. One that signaling cannot read must not hold up the others: it is logged and left out."""
        try:
            await self._ask("POST", "/internal/utterances", {"utterances": [asdict(line) for line in lines]})
        except Refused:
            if len(lines) == 1:
                log.exception("transcripts.line_refused", utterance_id=lines[0].id, sitting_id=lines[0].sitting_id)
                return
            for line in lines:
                await self.post_lines([line])

    async def request_refill(self, span: Span) -> None:
        """Ask for a span to be read again from the recording."""
        try:
            await self._ask("POST", "/internal/jobs", {"kind": "refill", "payload": asdict(span)})
        except Refused:
            log.exception("transcripts.refill_refused", sitting_id=span.sitting_id, track_id=span.track_id, t0_ms=span.t0_ms)

    async def tell_progress(self, sittings: Sequence[Progress]) -> None:
        """Say what is being written; said once and not repeated, since the next word says it anew."""
        await self._tell("/internal/captions/progress", {"sittings": [asdict(progress) for progress in sittings]})

    async def tell_health(self, health: CaptionHealth) -> None:
        """Say whether captions can be made; likewise."""
        await self._tell("/internal/captions/health", asdict(health))

    async def _tell(self, path: str, body: object) -> None:
        timeout = aiohttp.ClientTimeout(total=TELL_TIMEOUT_S)
        try:
            async with self._session.post(self._base_url + path, json=body, headers=self._headers, timeout=timeout) as answer:
                if not answer.ok:
                    log.debug("transcripts.not_taken", path=path, status=answer.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.debug("transcripts.not_taken", path=path, problem=type(error).__name__)

    async def case_words(self, sitting_id: str) -> CaseWords:
        """The vocabulary of a sitting's case, asked for once: without it speech is written down all the same.

        Raises aiohttp.ClientError, TimeoutError or ValueError.
        """
        url = f"{self._base_url}/internal/sittings/{quote(sitting_id, safe='')}/words"
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._session.get(url, headers=self._headers, timeout=timeout, raise_for_status=True) as answer:
            return read_words(await answer.json(content_type=None))

    async def _ask(self, method: str, path: str, body: object) -> Any:
        pause_s = FIRST_PAUSE_S
        while True:
            problem = "unreachable"
            try:
                async with self._session.request(
                    method, self._base_url + path, json=body, headers=self._headers,
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                ) as answer:  # fmt: skip
                    if answer.status in UNREADABLE:
                        raise Refused(path)
                    if answer.ok:
                        return await answer.json(content_type=None)
                    problem = str(answer.status)
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                problem = type(error).__name__
            log.warning("transcripts.signaling_away", path=path, problem=problem, retry_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
