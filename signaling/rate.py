"""How often a signed-in person may give commands, over however many sockets."""

from __future__ import annotations

from collections import deque

from hearing.timeline import Clock

WINDOW_S = 10.0


class CommandRate:
    """At most `per_window` commands of one session in any ten seconds; sessions that were silent for so long are forgotten."""

    def __init__(self, per_window: int, clock: Clock) -> None:
        self._per_window = per_window
        self._clock = clock
        self._given: dict[str, deque[float]] = {}

    def allows(self, session_sha256: str) -> bool:
        """Count one command, if it is still within the limit."""
        now = self._clock.monotonic()
        if session_sha256 not in self._given:
            self._given = {session: times for session, times in self._given.items() if times[-1] > now - WINDOW_S}
        given = self._given.setdefault(session_sha256, deque())
        while given and given[0] <= now - WINDOW_S:
            given.popleft()
        if len(given) >= self._per_window:
            return False
        given.append(now)
        return True
