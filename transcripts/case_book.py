"""The vocabularies of the sittings being heard: asked for once a minute, and never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from threading import Lock

import structlog

from hearing.timeline import Clock
from transcripts.vocabulary import NO_WORDS, CaseWords

log = structlog.get_logger(__name__)

FRESH_S = 60.0
FIRST_WAIT_S = 1.0  # how long the first line of a sitting waits for its words; later lines take what is there
MOST_SITTINGS = 500  # remembered

Ask = Callable[[str], Awaitable[CaseWords]]


@dataclass(slots=True)
class _Page:
    asked_s: float
    words: CaseWords = NO_WORDS
    answer: Future[None] = field(default_factory=Future)


class CaseBook:
    """`words_of` is called from recognising threads; `ask` runs on the loop. Without an answer recognition goes on without."""

    def __init__(self, ask: Ask, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._ask = ask
        self._loop = loop
        self._clock = clock
        self._lock = Lock()
        self._pages: dict[str, _Page] = {}

    def words_of(self, sitting_id: str) -> CaseWords:
        """The words of a sitting's case as last known. Blocks for at most `FIRST_WAIT_S`, and only the first time."""
        with self._lock:
            first = sitting_id not in self._pages
            page = self._page(sitting_id)
        if first:
            try:
                page.answer.result(FIRST_WAIT_S)
            except (TimeoutError, CancelledError):
                log.warning("transcripts.words_late", sitting_id=sitting_id)
        return page.words

    def _page(self, sitting_id: str) -> _Page:
        """The sitting's page, asked for again when it has grown old; an answer on its way is not asked for twice."""
        now_s = self._clock.monotonic()
        page = self._pages.get(sitting_id)
        if page is not None and (not page.answer.done() or now_s - page.asked_s < FRESH_S):
            return page
        if page is None:
            while len(self._pages) >= MOST_SITTINGS:
                self._pages.pop(next(iter(self._pages)))
            page = self._pages[sitting_id] = _Page(now_s)
        page.asked_s = now_s
        page.answer = asyncio.run_coroutine_threadsafe(self._fill(sitting_id, page), self._loop)
        return page

    async def _fill(self, sitting_id: str, page: _Page) -> None:
        try:
            page.words = await self._ask(sitting_id)
        except Exception as error:  # noqa: BLE001  whatever happens to the vocabulary, speech is written down
            log.warning("transcripts.words_unknown", sitting_id=sitting_id, problem=type(error).__name__)
