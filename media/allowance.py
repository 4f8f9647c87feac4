"""How much one side of a connection may ask of us: a bucket that fills steadily and holds no more than one burst.

Congestion control only asks a sender to be modest (REMB); whoever ignores it must not flood the others and the disk.
"""

from __future__ import annotations


class Allowance:
    """`per_second` units of anything (bytes, packets), at most `burst` at once. A full bucket to begin with."""

    __slots__ = ("_burst", "_filled_ms", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._left = self._burst = burst
        self._filled_ms: float | None = None

    def take(self, units: float, now_ms: float) -> bool:
        """Take `units` if they are there; False when not, and nothing is taken."""
        if self._filled_ms is not None:
            refill = (now_ms - self._filled_ms) * self._per_second / 1000.0
            self._left = min(self._burst, self._left + refill)
        self._filled_ms = now_ms
        if units > self._left:
            return False
        self._left -= units
        return True
