"""The real clock: the only place that asks the machine for the time."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

STEP_S = 1.0


class _Line:
    """The wall clock of this process without steps: a sitting's time must not jump because somebody sets the machine's clock.

    Corrections that come little by little are followed; a step is not, until the process is started again.
    """

    def __init__(self) -> None:
        self._wall, self._elapsed_s = _wall(), _elapsed_s()

    def now(self) -> datetime:
        wall, elapsed_s = _wall(), _elapsed_s()
        steady = self._wall + timedelta(seconds=elapsed_s - self._elapsed_s)
        if abs((wall - steady).total_seconds()) > STEP_S:
            return steady
        self._wall, self._elapsed_s = wall, elapsed_s
        return wall


def _wall() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  this is the clock


def _elapsed_s() -> float:
    """Goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


_LINE = _Line()


class SystemClock:
    """The machine's clock (satisfies hearing.timeline.Clock)."""

    def now(self) -> datetime:
        """Aware UTC; it does not follow steps of the machine's clock of more than a second."""
        return _LINE.now()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel knows of its own time (Linux `adjtimex`): whether something keeps it right, and how far off it may be."""

    synchronised: bool
    max_error_ms: float


class _Timex(ctypes.Structure):
    """struct timex of <linux/timex.h>; what follows is not asked for."""

    _fields_ = (
        ("modes", ctypes.c_uint), ("offset", ctypes.c_long), ("freq", ctypes.c_long), ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long), ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256),
    )  # fmt: skip


_UNSYNCHRONISED = 0x0040  # STA_UNSYNC


def kernel_clock() -> KernelClock | None:
    """None where the system does not say."""
    asked = _Timex(modes=0)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return KernelClock(not asked.status & _UNSYNCHRONISED, asked.maxerror / 1000)
