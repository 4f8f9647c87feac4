"""The real clock: the only place that asks the machine for the time."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock (satisfies hearing.timeline.Clock)."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)  # noqa: TID251  this is the clock

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
