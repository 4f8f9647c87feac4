"""Wake-ups for waiting job workers, carried by Huey: a file beside the database, or Redis. Rows stay the truth.

Huey deletes a message when it is taken, so alone it would lose a job with its worker; here it carries only the name of a
kind, and a lost one costs a worker's poll interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog
from huey import RedisHuey, SqliteHuey
from huey.storage import BaseStorage

_POLL_S = 0.25
_log = structlog.get_logger(__name__)


class HueyWake:
    """Wake-ups through Huey's storage (satisfies storage.queue.Wake). `url`: a file path, or redis://…"""

    def __init__(self, url: str) -> None:
        self._url = url
        self._bells: dict[str, BaseStorage] = {}

    async def notify(self, kind: str) -> None:
        """Ring for a kind. Never fails: the job is committed already, and workers look by themselves."""
        try:
            await asyncio.to_thread(self._ring, kind)
        except Exception as error:  # noqa: BLE001  whatever carries the bell may be away
            _log.warning("wake-up lost", kind=kind, error=type(error).__name__)

    async def wait(self, kinds: Collection[str], timeout_s: float) -> None:
        """Return when one of these kinds was rung, or after `timeout_s`."""
        now = asyncio.get_running_loop().time
        ends = now() + timeout_s
        while (left_s := ends - now()) > 0:
            try:
                if await asyncio.to_thread(self._rung, kinds):
                    return
            except Exception as error:  # noqa: BLE001  whatever carries the bell may be away
                _log.warning("wake-ups unavailable", error=type(error).__name__)
                await asyncio.sleep(left_s)
                return
            await asyncio.sleep(min(_POLL_S, left_s))

    def close(self) -> None:
        """Close the connections of the bells."""
        for bell in self._bells.values():
            bell.close()
        self._bells.clear()

    def _ring(self, kind: str) -> None:
        bell = self._bell(kind)
        if not bell.queue_size():  # one is enough: a kind without workers gathers nothing
            bell.enqueue(b"1")

    def _rung(self, kinds: Collection[str]) -> bool:
        return any(self._bell(kind).dequeue() is not None for kind in kinds)

    def _bell(self, kind: str) -> BaseStorage:
        if kind not in self._bells:
            name = f"wake-{kind}"
            if self._url.startswith(("redis://", "rediss://", "unix://")):
                self._bells[kind] = RedisHuey(name, url=self._url, blocking=False).storage
            else:
                self._bells[kind] = SqliteHuey(name, filename=self._url).storage
        return self._bells[kind]
