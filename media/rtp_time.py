"""From RTP timestamps to the server's clock: which moment of the server's clock does a packet's sound or picture belong to?

A sender report (RFC 3550 6.4.1) ties a stream's RTP timestamps to the sender's own clock, the same for its audio and its
video. The sender's clock is tied to ours by the smallest (arrival - sending) seen lately: the packet that was delayed
least. Windows of half a minute follow the drift of the two crystals. Before the first report the same is done with the
stream's own timestamps.
"""

from __future__ import annotations

NTP_EPOCH_OFFSET_S = 2_208_988_800  # 1900 to 1970, RFC 5905
WINDOW_MS = 30_000.0
MAX_AHEAD_MS = 100.0  # a moment cannot lie after its arrival; more than this is a sender's wrong clock
MAX_BEHIND_MS = 15_000.0


def signed_difference(later: int, earlier: int, bits: int = 32) -> int:
    """`later - earlier` of two wrapping counters, between -2^(bits-1) and 2^(bits-1)."""
    half = 1 << (bits - 1)
    return ((later - earlier + half) & ((1 << bits) - 1)) - half


def ntp_to_ms(ntp: int) -> float:
    """64-bit NTP time to milliseconds since 1970."""
    return (ntp / 2**32 - NTP_EPOCH_OFFSET_S) * 1000.0


def ms_to_ntp(utc_ms: float) -> int:
    """Milliseconds since 1970 to 64-bit NTP time."""
    return int((utc_ms / 1000.0 + NTP_EPOCH_OFFSET_S) * 2**32) & 0xFFFFFFFFFFFFFFFF


class Unwrapper:
    """Continues a wrapping counter of `bits` bits over its wraps, from its first value."""

    __slots__ = ("_bits", "last")

    def __init__(self, bits: int) -> None:
        self._bits = bits
        self.last: int | None = None

    def __call__(self, value: int) -> int:
        if self.last is None:
            self.last = value
            return value
        unwrapped = self.last + signed_difference(value, self.last & ((1 << self._bits) - 1), self._bits)
        self.last = max(self.last, unwrapped)
        return unwrapped


class SmallestOffset:
    """The smallest of the offsets of the last one to two windows."""

    __slots__ = ("_current", "_previous", "_since_ms")

    def __init__(self) -> None:
        self._current: float | None = None
        self._previous: float | None = None
        self._since_ms = 0.0

    def add(self, offset_ms: float, now_ms: float) -> None:
        if self._current is None or now_ms - self._since_ms > WINDOW_MS:
            self._previous, self._current, self._since_ms = self._current, offset_ms, now_ms
        elif offset_ms < self._current:
            self._current = offset_ms

    @property
    def value(self) -> float | None:
        if self._previous is None or self._current is None:
            return self._current
        return min(self._previous, self._current)


class SenderClock:
    """The clock of one sender against ours; its audio and video share it."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = SmallestOffset()

    def on_report(self, ntp_ms: float, arrival_ms: float) -> None:
        self._offset.add(arrival_ms - ntp_ms, arrival_ms)

    @property
    def offset_ms(self) -> float | None:
        """Add this to the sender's clock to get ours; None before the first report."""
        return self._offset.value


class TrackClock:
    """The server's time of one stream's RTP timestamps."""

    __slots__ = ("_offset", "_rate_hz", "_report", "_sender", "_ticks")

    def __init__(self, rate_hz: int, sender: SenderClock) -> None:
        self._rate_hz = rate_hz
        self._sender = sender
        self._report: tuple[float, int] | None = None
        self._ticks = Unwrapper(32)
        self._offset = SmallestOffset()

    def on_packet(self, timestamp: int, arrival_ms: float) -> None:
        """Every packet helps to place the stream until the first sender report comes."""
        self._offset.add(arrival_ms - self._ticks(timestamp) * 1000.0 / self._rate_hz, arrival_ms)

    def on_report(self, ntp_ms: float, timestamp: int, arrival_ms: float) -> None:
        """A sender report of this stream."""
        self.tie(ntp_ms, timestamp)
        self._sender.on_report(ntp_ms, arrival_ms)

    def tie(self, ntp_ms: float, timestamp: int) -> None:
        """What an earlier report says in this stream's present numbers."""
        self._report = (ntp_ms, timestamp)

    def server_ms(self, timestamp: int, arrival_ms: float) -> float:
        """The server's time of `timestamp`. A report that contradicts the arrival is not believed."""
        estimate = self._by_report(timestamp)
        if estimate is None or not -MAX_BEHIND_MS < estimate - arrival_ms < MAX_AHEAD_MS:
            estimate = self._by_arrival(timestamp, arrival_ms)
        return min(estimate, arrival_ms)

    def _by_report(self, timestamp: int) -> float | None:
        offset_ms = self._sender.offset_ms
        if self._report is None or offset_ms is None:
            return None
        ntp_ms, reported = self._report
        return ntp_ms + signed_difference(timestamp, reported) * 1000.0 / self._rate_hz + offset_ms

    def _by_arrival(self, timestamp: int, arrival_ms: float) -> float:
        offset_ms, last = self._offset.value, self._ticks.last
        if offset_ms is None or last is None:
            return arrival_ms
        ticks = last + signed_difference(timestamp, last & 0xFFFFFFFF)
        return ticks * 1000.0 / self._rate_hz + offset_ms
