"""A device that stood still: its timestamps go on where they stopped, although time has passed (BigBlueButton #25259).

From one packet to the next the stream is late, and stays as late. A network that held packets back looks the same at
first, but then delivers faster than real time until nothing is late any more; and a queue that builds up makes the stream
late little by little. Only the first is a break of the stream's time.
"""

from __future__ import annotations

from dataclasses import dataclass

STALL_MS = 120.0  # shorter ones are left to the reports
SUDDEN_MS = 100.0
LOOK_MS = 200.0  # two looks must agree before a stream counts as broken off
CATCHING_UP_MS = 30.0  # gained from one look to the next


@dataclass(frozen=True, slots=True)
class Stall:
    """From this packet on the timestamps count anew. `raw_ms`: the smallest (arrival - timestamp) since."""

    timestamp: int
    arrival_ms: float
    raw_ms: float


@dataclass(slots=True)
class _Look:
    """The packets of some 200 ms."""

    timestamp: int
    arrival_ms: float
    raw_ms: float


class LagWatch:
    """Fed with the packets of one stream in the order of their timestamps."""

    __slots__ = ("_before", "_look", "_raw_ms", "_usual_ms")

    def __init__(self) -> None:
        self._raw_ms: float | None = None
        self._usual_ms = 0.0  # (arrival - timestamp) of the packet before the lag
        self._look: _Look | None = None
        self._before: _Look | None = None

    @property
    def since(self) -> tuple[int, float] | None:
        """(timestamp, arrival) of the first packet of a lag that is not yet judged."""
        first = self._before or self._look
        return (first.timestamp, first.arrival_ms) if first is not None else None

    def restart(self, raw_ms: float) -> None:
        self._raw_ms, self._look, self._before = raw_ms, None, None

    def on_packet(self, timestamp: int, arrival_ms: float, raw_ms: float, lag_ms: float) -> Stall | None:
        """`lag_ms`: how much later than the fastest packet of the last half minute. A stall is told when it is certain."""
        last_ms, self._raw_ms = self._raw_ms, raw_ms
        if lag_ms < STALL_MS:
            self._look = self._before = None
        elif self._look is None:
            if last_ms is not None and raw_ms - last_ms > SUDDEN_MS:
                self._look, self._usual_ms = _Look(timestamp, arrival_ms, raw_ms), last_ms
        elif arrival_ms - self._look.arrival_ms < LOOK_MS:
            self._look.raw_ms = min(self._look.raw_ms, raw_ms)
        else:
            return self._judge(_Look(timestamp, arrival_ms, raw_ms))
        return None

    def _judge(self, following: _Look) -> Stall | None:
        """Two looks are whole, or one: late all along and not catching up is a stall; one late packet is nothing."""
        before, look = self._before, self._look
        assert look is not None
        self._before, self._look = look, following
        if min(look.raw_ms, before.raw_ms if before is not None else look.raw_ms) - self._usual_ms < SUDDEN_MS:
            self._look = self._before = None
        elif before is None or look.raw_ms - before.raw_ms > SUDDEN_MS:
            return None  # not two that agree: what was late first may be a packet that was repaired, and the stall behind it
        elif before.raw_ms - look.raw_ms < CATCHING_UP_MS:
            self._look = self._before = None
            return Stall(before.timestamp, before.arrival_ms, min(before.raw_ms, look.raw_ms))
        return None
