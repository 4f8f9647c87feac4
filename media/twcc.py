"""Transport-wide congestion control feedback: when each packet of a connection came, told to its sender.

draft-holmer-rmcat-transport-wide-cc-extensions-01. The sender numbers all its packets across streams (header extension 4)
and estimates the path by itself from the arrival times; we only report. One recorder per connection.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from media.rtcp import OUR_SSRC, TRANSPORT_FEEDBACK
from media.rtp_time import Unwrapper

FEEDBACK_FORMAT = 15
DELTA_MS = 0.25  # unit of a receive delta
REFERENCE_MS = 64.0  # unit of the reference time
KEPT_MS = 500.0  # a packet that comes late by less is reported again with its neighbours
MAX_JUMP = 2_000  # a larger step of the numbers is a new start, not a loss
MAX_KEPT = 4_000  # arrivals waiting for a feedback that is not asked for
MAX_STATUSES = 1_000  # of one feedback packet
MAX_DELTAS = 400  # two bytes each: a feedback packet stays below a path's MTU
MAX_RUN = (1 << 13) - 1
MISSING, SMALL, LARGE = 0, 1, 2  # packet status symbols


class TwccRecorder:
    """Arrivals by transport-wide number. `media_ssrc` must be set to a stream of the sender's: it looks for its own."""

    def __init__(self, media_ssrc: int = 0) -> None:
        self.media_ssrc = media_ssrc
        self._unwrap = Unwrapper(16)
        self._arrivals: dict[int, float] = {}
        self._base: int | None = None  # first number not yet reported
        self._highest = 0
        self._count = 0

    def on_packet(self, sequence: int, arrival_ms: float) -> None:
        """Note one packet; a duplicate keeps its first arrival."""
        previous = self._unwrap.last
        number = self._unwrap(sequence)
        if (previous is not None and number > previous + MAX_JUMP) or len(self._arrivals) >= MAX_KEPT:
            self._arrivals.clear()
            self._base = None
        if self._base is None:
            self._base = number
        elif number < self._base:
            if number < self._base - MAX_JUMP:
                return
            self._base = number
        self._arrivals.setdefault(number, arrival_ms)
        self._highest = max(self._highest, number)

    def feedback(self, now_ms: float) -> list[bytes]:
        """The RTCP packets that report everything not reported yet; none when nothing came."""
        packets = []
        while self._base is not None and self._base <= self._highest and self._arrivals:
            packet = self._write(self._base)
            if packet is None:
                break
            packets.append(packet)
        for number in [n for n, at_ms in self._arrivals.items() if now_ms - at_ms > KEPT_MS and n < (self._base or 0)]:
            del self._arrivals[number]
        return packets

    def _write(self, base: int) -> bytes | None:
        """One packet from `base` on; moves the base behind what it reports. None when nothing arrived from there on."""
        first_ms = next((self._arrivals[n] for n in range(base, self._highest + 1) if n in self._arrivals), None)
        if first_ms is None:
            return None
        reference = int(first_ms // REFERENCE_MS)
        symbols, deltas = self._statuses(base, reference * REFERENCE_MS)
        self._base = base + len(symbols)
        body = struct.pack("!LLHHL", OUR_SSRC, self.media_ssrc, base & 0xFFFF, len(symbols),
                           (reference & 0xFFFFFF) << 8 | self._count)  # fmt: skip
        self._count = (self._count + 1) & 0xFF
        body += b"".join(struct.pack("!H", chunk) for chunk in _chunks(symbols))
        body += b"".join(struct.pack("!B" if 0 <= delta <= 0xFF else "!h", delta) for delta in deltas)
        padding = -len(body) % 4
        if padding:  # RFC 3550 6.4.1: the last octet counts the padding
            body += bytes(padding - 1) + bytes((padding,))
        head = 0x80 | (0x20 if padding else 0) | FEEDBACK_FORMAT
        return struct.pack("!BBH", head, TRANSPORT_FEEDBACK, len(body) // 4) + body

    def _statuses(self, base: int, at_ms: float) -> tuple[list[int], list[int]]:
        """Status of each number from `base`, and the deltas of those that came. Ends before a delta too large to tell."""
        symbols: list[int] = []
        deltas: list[int] = []
        for number in range(base, min(self._highest + 1, base + MAX_STATUSES)):
            arrival_ms = self._arrivals.get(number)
            if arrival_ms is None:
                symbols.append(MISSING)
                continue
            delta = round((arrival_ms - at_ms) / DELTA_MS)
            if not -0x8000 <= delta <= 0x7FFF or len(deltas) == MAX_DELTAS:
                break
            symbols.append(SMALL if 0 <= delta <= 0xFF else LARGE)
            deltas.append(delta)
            at_ms += delta * DELTA_MS  # what the reader adds up: rounding does not accumulate
        return symbols, deltas


def _chunks(symbols: Sequence[int]) -> Iterator[int]:
    """Packet chunks (section 3.1.3, 3.1.4): a run of one status, or a vector of 14 one-bit or 7 two-bit symbols."""
    at = 0
    while at < len(symbols):
        run = 1
        while at + run < len(symbols) and run < MAX_RUN and symbols[at + run] == symbols[at]:
            run += 1
        window = symbols[at : at + 14]
        if run >= 14 or run == len(window) or (run >= 7 and LARGE in window):
            yield symbols[at] << 13 | run
            at += run
        elif LARGE not in window:
            yield 0x8000 | sum(symbol << (13 - bit) for bit, symbol in enumerate(window))
            at += len(window)
        else:
            yield 0xC000 | sum(symbol << (12 - 2 * n) for n, symbol in enumerate(window[:7]))
            at += len(window[:7])
