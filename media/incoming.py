"""One incoming stream's bookkeeping: what is missing, what to ask for again, what to report (RFC 3550 A.3, A.8)."""

from __future__ import annotations

from dataclasses import dataclass

from media.rtcp import write_report_block
from media.rtp_time import Unwrapper

REORDER_MS = 10.0  # younger holes are usually reordering, not loss
NACK_INTERVAL_MS = 60.0
GIVE_UP_MS = 1_000.0  # older packets help neither listener nor recorder
MAX_HOLE = 300  # a larger jump is a new start, not a loss
MAX_MISSING = 600
START_REORDERED = 16  # packets older than the first one seen that are still welcome


@dataclass(slots=True)
class _Hole:
    found_ms: float
    next_ms: float


class IncomingStream:
    """Loss detection and reception statistics of one SSRC."""

    def __init__(self, ssrc: int, rate_hz: int) -> None:
        self.ssrc = ssrc
        self.received = 0
        self._rate_per_ms = rate_hz / 1000
        self._sequence = Unwrapper(16)
        self._highest: int | None = None
        self._base = 0
        self._missing: dict[int, _Hole] = {}
        self._before_base: set[int] = set()
        self._jitter_ticks = 0.0
        self._transit: float | None = None
        self._reported = (0, 0)
        self._last_report: tuple[int, float] | None = None
        self.fraction_lost = 0.0

    @property
    def jitter_ms(self) -> float:
        return self._jitter_ticks / self._rate_per_ms

    def on_packet(self, sequence: int, timestamp: int, arrival_ms: float) -> bool:
        """Account for one packet; a retransmission fills its hole. False when it is of no use: a duplicate, or given up."""
        number = self._sequence(sequence)
        if self._highest is None:
            self.received += 1
            self._highest = self._base = number
            return True
        ahead = number - self._highest
        if ahead <= 0:
            return self._fill(number)
        self.received += 1
        if ahead == 1:
            self._highest = number
        else:
            self._open_holes(number, ahead, arrival_ms)
        self._measure_jitter(timestamp, arrival_ms)
        return True

    def _fill(self, number: int) -> bool:
        """An old packet: one that is missing, or one of a stream that began out of order; each is welcome once only.

        Passed on twice it would be other bytes (a later send time) under one SRTP number, which no cipher may see.
        """
        if self._missing.pop(number, None) is not None:
            self.received += 1
            return True
        if not self._base - START_REORDERED <= number < self._base or number in self._before_base:
            return False
        self._before_base.add(number)
        return True

    def _open_holes(self, number: int, ahead: int, arrival_ms: float) -> None:
        if ahead <= MAX_HOLE and self._highest is not None:
            due_ms = arrival_ms + REORDER_MS
            for missing in range(self._highest + 1, number):
                self._missing[missing] = _Hole(arrival_ms, due_ms)
            while len(self._missing) > MAX_MISSING:
                del self._missing[next(iter(self._missing))]
        self._highest = number

    def _measure_jitter(self, timestamp: int, arrival_ms: float) -> None:
        transit = arrival_ms * self._rate_per_ms - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < 1 << 28:  # not across a wrap of the timestamp
                self._jitter_ticks += (difference - self._jitter_ticks) / 16
        self._transit = transit

    def due_nacks(self, now_ms: float) -> list[int]:
        """Sequence numbers to ask for now; each is asked for repeatedly until it comes or is too old."""
        if not self._missing:
            return []
        due = []
        for number in list(self._missing):
            hole = self._missing[number]
            if now_ms - hole.found_ms > GIVE_UP_MS:
                del self._missing[number]
            elif now_ms >= hole.next_ms:
                hole.next_ms = now_ms + NACK_INTERVAL_MS
                due.append(number & 0xFFFF)
        return due

    def on_sender_report(self, ntp: int, now_ms: float) -> None:
        self._last_report = ((ntp >> 16) & 0xFFFFFFFF, now_ms)

    def report_block(self, now_ms: float) -> bytes | None:
        """The block of the next receiver report; None before the first packet."""
        if self._highest is None:
            return None
        expected = self._highest - self._base + 1
        expected_before, received_before = self._reported
        self._reported = (expected, self.received)
        interval = expected - expected_before
        lost = interval - (self.received - received_before)
        self.fraction_lost = max(0.0, lost / interval) if interval > 0 else 0.0
        last, at_ms = self._last_report or (0, now_ms)
        delay_s = (now_ms - at_ms) / 1000 if self._last_report else 0.0
        return write_report_block(
            self.ssrc,
            fraction_lost=self.fraction_lost,
            lost=expected - self.received,
            highest=self._highest,
            jitter_ticks=int(self._jitter_ticks),
            last_report=last,
            delay_s=delay_s,
        )
