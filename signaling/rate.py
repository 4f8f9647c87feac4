"""How often a signed-in person may give commands, over however many sockets; and how many packages they may download."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from hearing.timeline import Clock
from signaling.error_codes import Refused

WINDOW_S = 10.0
DOWNLOADS_AT_ONCE = 4  # of one process: each reads and decrypts a whole record
DOWNLOADS_OF_ONE, DOWNLOADS_WINDOW_S = 6, 600.0


class CommandRate:
    """At most `per_window` commands of one session in any `window_s`; sessions that were silent for so long are forgotten."""

    def __init__(self, per_window: int, clock: Clock, window_s: float = WINDOW_S) -> None:
        self._per_window = per_window
        self._window_s = window_s
        self._clock = clock
        self._given: dict[str, deque[float]] = {}

    def allows(self, session_sha256: str) -> bool:
        """Count one command, if it is still within the limit."""
        now = self._clock.monotonic()
        if session_sha256 not in self._given:
            self._given = {session: times for session, times in self._given.items() if times[-1] > now - self._window_s}
        given = self._given.setdefault(session_sha256, deque())
        while given and given[0] <= now - self._window_s:
            given.popleft()
        if len(given) >= self._per_window:
            return False
        given.append(now)
        return True


class Downloads:
    """Packages: one at a time and six in ten minutes of one person, four at a time of everybody on this process."""

    def __init__(self, clock: Clock) -> None:
        self._rate = CommandRate(DOWNLOADS_OF_ONE, clock, DOWNLOADS_WINDOW_S)
        self._running: Counter[str] = Counter()

    @contextmanager
    def begin(self, subject: str) -> Iterator[None]:
        """One download, until it ends. Raises Refused (too_many_downloads)."""
        if self._running[subject] or self._running.total() >= DOWNLOADS_AT_ONCE or not self._rate.allows(subject):
            raise Refused("too_many_downloads")
        self._running[subject] += 1
        try:
            yield
        finally:
            del self._running[subject]
