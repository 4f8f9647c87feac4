"""What is known of the two places while they are used: whether one was out of reach lately, and copies found faulty."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import structlog

from storage.clock import SystemClock

log = structlog.get_logger("storage.watch")

FIRST_REST_S, LONGEST_REST_S = 5.0, 60.0
_CLOCK = SystemClock()


class Fault(StrEnum):
    """What is wrong with one copy of an object."""

    MISSING = "missing"
    DAMAGED = "damaged"  # other bytes than were stored
    UNREADABLE = "unreadable"  # the place answers, this object it cannot give


class Reach:
    """Whether one place was out of reach lately (a circuit breaker): it is then asked last, not first.

    After a rest one asker tries it again while the others still pass it by; each failure doubles the rest.
    """

    def __init__(self, monotonic: Callable[[], float] = _CLOCK.monotonic) -> None:
        self._monotonic = monotonic
        self._rest_s = 0.0  # 0: in reach, as far as is known
        self._again_at_s = 0.0

    def is_resting(self) -> bool:
        """False lets the asker through; the one who is let through after a rest must say how it went."""
        if self._rest_s == 0.0:
            return False
        if self._monotonic() < self._again_at_s:
            return True
        self._again_at_s = self._monotonic() + self._rest_s  # the others wait for how this one fares
        return False

    def failed(self) -> None:
        self._rest_s = min(LONGEST_REST_S, max(FIRST_REST_S, 2 * self._rest_s))
        self._again_at_s = self._monotonic() + self._rest_s

    def worked(self) -> None:
        self._rest_s = 0.0


class Watch:
    """Shared by everything in a process that uses the same two places; this one only logs."""

    def __init__(self) -> None:
        self.reach = {"A": Reach(), "B": Reach()}

    async def noticed(self, store: str, stored_key: str, fault: Fault) -> None:
        """A copy is not what was stored. Never raises: whoever reads goes on with the other copy."""
        log.error("copy_faulty", store=store, key=stored_key, fault=fault.value)
