"""From RTP timestamps to the server's clock: which moment of the server's clock does a packet's sound or picture belong to?

A sender report (RFC 3550 6.4.1) ties a stream's RTP timestamps to the sender's own clock, the same for its audio and its
video. The sender's clock is tied to ours by the smallest (arrival - sending) seen lately: the packet that was delayed
least. Windows of half a minute follow the drift of the two crystals. The same is done with the stream's own timestamps:
that places it before the first report, goes on when the reports stop, and shows where the timestamps themselves broke off
(a device that stood still, another device), which a report tells only seconds later.
"""

from __future__ import annotations

from media.stalls import LagWatch

NTP_EPOCH_OFFSET_S = 2_208_988_800  # 1900 to 1970, RFC 5905
WINDOW_MS = 30_000.0
MAX_AHEAD_MS = 100.0  # a moment cannot lie after its arrival; more than this is a sender's wrong clock
MAX_BEHIND_MS = 15_000.0
STEP_MS = 250.0  # a larger change between two clocks is not drift
REPORT_LIFE_MS = 20_000.0  # reports come every 1 to 7.5 s; an older one has not followed the crystal
MAX_APART_MS = 5_000.0  # between the ways of one sender's audio and video
ERA_SETTLED_MS = 60_000.0
MAX_ERAS = 4
OVERTAKEN_MS = 150.0  # packets behind the first of an era may arrive before it


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
    """The clock of one sender against ours; its audio and video share it. `epoch` counts the steps of that clock."""

    __slots__ = ("_offset", "epoch")

    def __init__(self) -> None:
        self._offset = SmallestOffset()
        self.epoch = 0

    def on_report(self, ntp_ms: float, arrival_ms: float) -> None:
        """A report that seems to come long before it was sent says nothing here: TrackClock.tie() looks into it."""
        offset_ms, known = arrival_ms - ntp_ms, self._offset.value
        if known is None or offset_ms > known - STEP_MS:
            self._offset.add(offset_ms, arrival_ms)

    def set_to(self, offset_ms: float, arrival_ms: float) -> None:
        """The sender's clock was set: what was known of it counts no more, nor do the reports made before."""
        self._offset = SmallestOffset()
        self._offset.add(offset_ms, arrival_ms)
        self.epoch += 1

    @property
    def offset_ms(self) -> float | None:
        """Add this to the sender's clock to get ours; None before the first report."""
        return self._offset.value


class _Era:
    """A span in which a stream's timestamps run on without a break.

    `report`: newest sender report as (sender's clock, timestamp, epoch, arrival). `apart_ms`: how much earlier than by the
    arrivals the reports place the stream.
    """

    __slots__ = ("_ticks_per_ms", "apart_ms", "from_ms", "from_timestamp", "offset", "report", "ticks")

    def __init__(self, ticks_per_ms: float, from_timestamp: int, from_ms: float, apart_ms: float | None) -> None:
        self._ticks_per_ms = ticks_per_ms
        self.from_timestamp = from_timestamp
        self.from_ms = from_ms
        self.apart_ms = apart_ms
        self.offset = SmallestOffset()
        self.report: tuple[float, int, int, float] | None = None
        self.ticks = Unwrapper(32)

    def by_arrival(self, timestamp: int) -> float | None:
        """When this was sent, judged by the arrivals of all packets."""
        offset_ms, last = self.offset.value, self.ticks.last
        if offset_ms is None or last is None:
            return None
        return (last + signed_difference(timestamp, last & 0xFFFFFFFF)) / self._ticks_per_ms + offset_ms

    def reported_ms(self, timestamp: int, sender: SenderClock) -> float | None:
        """The same by the newest report of the sender's present epoch."""
        if self.report is None or sender.offset_ms is None or self.report[2] != sender.epoch:
            return None
        ntp_ms, reported, _, _ = self.report
        return ntp_ms + signed_difference(timestamp, reported) / self._ticks_per_ms + sender.offset_ms


class TrackClock:
    """The server's time of one stream's RTP timestamps.

    `presumed_apart_ms`: what `apart_ms` of the same person's connection before has been. Until a report tells, a picture
    that is on its way for longer than the sound would stand too late without it.
    """

    __slots__ = ("_doubts", "_eras", "_presumed_apart_ms", "_sender", "_ticks_per_ms", "_watch")

    def __init__(self, rate_hz: int, sender: SenderClock, presumed_apart_ms: float = 0.0) -> None:
        self._ticks_per_ms = rate_hz / 1000.0
        self._sender = sender
        self._presumed_apart_ms = presumed_apart_ms
        self._eras: list[_Era] = []
        self._watch = LagWatch()
        self._doubts = 0

    def on_packet(self, timestamp: int, arrival_ms: float, *, newest: bool = True) -> None:
        """Every packet helps to place the stream; the newest by its number shows where the timestamps break off."""
        era = self._eras[-1] if self._eras else self.begin(timestamp, arrival_ms)
        last = era.ticks.last
        ticks = era.ticks(timestamp)
        raw_ms = arrival_ms - ticks / self._ticks_per_ms
        known = era.offset.value
        if last is None or known is None:
            era.offset.add(raw_ms, arrival_ms)
            self._watch.restart(raw_ms)
            return
        if newest and self._has_jumped(ticks - last, raw_ms - known):
            self.begin(timestamp, arrival_ms)
            self.on_packet(timestamp, arrival_ms)
            return
        era.offset.add(raw_ms, arrival_ms)
        if newest and ticks > last:
            stall = self._watch.on_packet(timestamp, arrival_ms, raw_ms, raw_ms - known)
            if stall is not None:
                stalled = self.begin(stall.timestamp, stall.arrival_ms)
                stalled.ticks.last = ticks
                stalled.offset.add(stall.raw_ms, arrival_ms)
        if len(self._eras) > 1 and arrival_ms - self._eras[-1].from_ms > ERA_SETTLED_MS:
            del self._eras[:-1]

    def _has_jumped(self, ahead_ticks: int, lag_ms: float) -> bool:
        """Timestamps from another source: far back, or far ahead of the time."""
        return ahead_ticks < -MAX_APART_MS * self._ticks_per_ms or lag_ms < -MAX_APART_MS

    def begin(self, timestamp: int, arrival_ms: float) -> _Era:
        """From this packet on the timestamps count anew; audio and video stay as far apart as they were."""
        era = _Era(self._ticks_per_ms, timestamp, arrival_ms, self._eras[-1].apart_ms if self._eras else None)
        self._eras = [*self._eras[1 - MAX_ERAS :], era]
        self._watch = LagWatch()
        return era

    def on_report(self, ntp_ms: float, timestamp: int, arrival_ms: float) -> None:
        """A sender report of this stream."""
        self._sender.on_report(ntp_ms, arrival_ms)
        self.tie(ntp_ms, timestamp, arrival_ms)

    def tie(self, ntp_ms: float, timestamp: int, arrival_ms: float) -> None:
        """What a report says in this stream's present numbers; one that does not fit is believed when the next agrees.

        A report compares the sender's clock with the stream and, by its own arrival, with ours. When only the stream has
        moved, its device stood still; when both comparisons have moved, by the same and against one another, the sender's
        clock was set. Reports may be late on top of that.
        """
        offset_ms = self._sender.offset_ms
        if offset_ms is None:
            return
        era = self._eras[-1] if self._eras else self.begin(timestamp, arrival_ms)
        by_arrival = era.by_arrival(timestamp)
        apart_ms = ntp_ms + offset_ms - by_arrival if by_arrival is not None else None
        if apart_ms is not None and era.apart_ms is None and abs(apart_ms) > MAX_APART_MS:
            return
        moved_ms = 0.0 if apart_ms is None or era.apart_ms is None else apart_ms - era.apart_ms
        late_ms = arrival_ms - ntp_ms - offset_ms
        if abs(moved_ms) > STEP_MS and abs(late_ms + moved_ms) < abs(late_ms):
            self._doubts += 1
            if self._doubts < 2:
                return
            self._sender.set_to(offset_ms - moved_ms, arrival_ms)
            apart_ms = era.apart_ms
        elif abs(moved_ms) > STEP_MS:
            era, apart_ms = self.begin(*(self._watch.since or (timestamp, arrival_ms))), era.apart_ms
        self._doubts = 0
        era.report = (ntp_ms, timestamp, self._sender.epoch, arrival_ms)
        if apart_ms is not None:
            era.apart_ms = apart_ms

    def server_ms(self, timestamp: int, arrival_ms: float) -> float:
        """The server's time of `timestamp`. A report that contradicts the arrival is not believed."""
        era = self._era_of(timestamp, arrival_ms)
        if era is None:
            return arrival_ms
        estimate = era.reported_ms(timestamp, self._sender)
        old = era.report is not None and arrival_ms - era.report[3] > REPORT_LIFE_MS
        if estimate is None or old or not -MAX_BEHIND_MS < estimate - arrival_ms < MAX_AHEAD_MS:
            by_arrival = era.by_arrival(timestamp)
            estimate = arrival_ms if by_arrival is None else by_arrival + self._apart_ms_in(era)
        return min(estimate, arrival_ms)

    @property
    def apart_ms(self) -> float:
        """How much earlier than by the arrivals the reports place the stream; what was presumed, before the first report."""
        return self._apart_ms_in(self._eras[-1]) if self._eras else self._presumed_apart_ms

    def _apart_ms_in(self, era: _Era) -> float:
        return self._presumed_apart_ms if era.apart_ms is None else era.apart_ms

    def _era_of(self, timestamp: int, arrival_ms: float) -> _Era | None:
        for era in reversed(self._eras[1:]):
            if arrival_ms >= era.from_ms - OVERTAKEN_MS and signed_difference(timestamp, era.from_timestamp) >= 0:
                return era
        return self._eras[0] if self._eras else None
