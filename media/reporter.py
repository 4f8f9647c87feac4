"""Reports to signaling's internal API: in order, until they are accepted. Shared by the worker and the shipper."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import aiohttp
import structlog
from pydantic_core import to_jsonable_python

from media.control import LayersChosen, OfferMade, Quality, RecorderHealth, Report, Speaking, StoreHealth, WorkerAlive

BATCH = 100
MAX_WAITING = 20_000
RETRY_S = 0.5
TIMEOUT = aiohttp.ClientTimeout(total=10)
Answer = Mapping[str, Any]
# A newer one says it better: dropped while signaling is away.
PASSING = (WorkerAlive, Quality, LayersChosen, RecorderHealth, Speaking, StoreHealth)
_log = structlog.get_logger()


def report_json(report: Report) -> dict[str, object]:
    """The wire form: {"type", ...fields}."""
    body: dict[str, object] = to_jsonable_python(asdict(report))
    return {"type": report.type, **body}


class Reporter:
    """`send` never blocks; `run` posts. `when_accepted` is called once signaling has taken the report.

    `on_answer` hears what signaling says to a batch it has taken.
    """

    def __init__(self, session: aiohttp.ClientSession, signaling_url: str, token: str, worker_id: str) -> None:
        self._session = session
        self._signaling_url = signaling_url
        self._token = token
        self._worker_id = worker_id
        self._waiting: deque[tuple[Report, Callable[[], None] | None]] = deque()
        self._arrived = asyncio.Event()
        self._away = False
        self.on_answer: Callable[[Answer], None] = lambda _: None

    def send(self, report: Report, when_accepted: Callable[[], None] | None = None) -> None:
        if self._away and isinstance(report, PASSING):
            return
        if len(self._waiting) >= MAX_WAITING:
            self._drop_one_passing()
        self._waiting.append((report, when_accepted))
        self._arrived.set()

    def _drop_one_passing(self) -> None:
        """Lasting reports are kept whatever it takes; an old offer is worthless too."""
        for at, (report, _) in enumerate(self._waiting):
            if isinstance(report, (*PASSING, OfferMade)):
                del self._waiting[at]
                return

    async def run(self) -> None:
        """Post batches until cancelled."""
        while True:
            await self._arrived.wait()
            batch = [self._waiting[n] for n in range(min(BATCH, len(self._waiting)))]
            if not batch:
                self._arrived.clear()
            elif await self._post([report for report, _ in batch]):
                for _ in batch:
                    self._waiting.popleft()
                for _, when_accepted in batch:
                    if when_accepted is not None:
                        when_accepted()
            else:
                await asyncio.sleep(RETRY_S)

    async def _post(self, reports: list[Report]) -> bool:
        problem = await post(
            self._session, self._signaling_url, self._token, self._worker_id, reports, on_answer=self.on_answer
        )
        if bool(problem) != self._away:
            _log.warning(
                "reports_refused" if problem else "reports_accepted_again", problem=problem, waiting=len(self._waiting)
            )
        self._away = bool(problem)
        return not problem


async def post(
    session: aiohttp.ClientSession,
    signaling_url: str,
    token: str,
    worker_id: str,
    reports: list[Report],
    *,
    on_answer: Callable[[Answer], None] = lambda _: None,
) -> str:
    """Send one batch; returns "" when signaling accepted it, else what went wrong."""
    body = {"worker_id": worker_id, "reports": [report_json(report) for report in reports]}
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{signaling_url.rstrip('/')}/internal/media/reports"
    try:
        async with session.post(url, json=body, headers=headers, timeout=TIMEOUT) as response:
            if response.status != 200:
                return f"HTTP {response.status}"
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return type(error).__name__
    on_answer(answer)
    return ""
