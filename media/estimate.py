"""What the path down to one client carries beside sound, and how to find out if it carries more. Pure: times are handed in.

Two witnesses. The client's REMB (draft-alvestrand-rmcat-remb-03) sees queues grow, by the send time in every packet; it
never says much more than 1.5 times what it receives. Its receiver reports see loss, which is all that a full queue of
constant length shows. The lower of the two holds. Without either nothing is known. Browsers leave sound out of their REMB
(libwebrtc, ReceiveSideCongestionController), so all rates here are of pictures and padding: what is left beside sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FLOOR_BPS = 60_000  # so much is always tried: else an estimate that has fallen to nothing could never grow
HIGH_LOSS, LOW_LOSS = 0.10, 0.02  # reduce above, grow below, hold between (as in draft-ietf-rmcat-gcc-02 section 6)
FELT_LOSS = 0.05
GROWTH_PER_S = 1.08
ROOM = 1.5  # an estimate is worth at most this much more than what was really sent
UNKNOWN_ABOVE_BPS = 20_000_000  # a limit by loss above this limits nothing
LOSS_WINDOW_MS = 500.0
FEEDBACK_MS = 900.0  # after a cut, reports still tell of what was sent before it
LOSS_PACKETS = 20  # fewer say little about a share
MAX_STREAMS = 256  # whose reports are remembered


class LossMeter:
    """Share of packets lost over all streams of a connection, from the running totals of receiver reports."""

    def __init__(self) -> None:
        self.share = 0.0
        self._totals: dict[int, tuple[int, int]] = {}
        self._lost = self._expected = 0
        self._since_ms = 0.0

    def add(self, ssrc: int, lost: int, highest: int, now_ms: float, never_sent: Callable[[range], int] = lambda _: 0) -> bool:
        """Take one report block; True when a window is complete and `share` is fresh.

        `never_sent(numbers)`: how many of these extended sequence numbers had no packet. What was lost on its way to us
        leaves holes in what we send, and the receiver cannot tell one loss from the other.
        """
        before = self._totals.pop(ssrc, None)
        self._totals[ssrc] = (lost, highest)
        if len(self._totals) > MAX_STREAMS:
            del self._totals[next(iter(self._totals))]
        if before is not None and 0 <= highest - before[1] < 1 << 16:
            missing = never_sent(range(before[1] + 1, highest + 1))
            self._expected += highest - before[1] - missing
            self._lost += lost - before[0] - missing
        if self._expected < LOSS_PACKETS or now_ms - self._since_ms < LOSS_WINDOW_MS:
            return False
        self.share = min(1.0, max(0.0, self._lost / self._expected))
        self._lost = self._expected = 0
        self._since_ms = now_ms
        return True


class DownEstimate:
    """The estimate of one path. `bps` is None while nothing is known."""

    def __init__(self) -> None:
        self._remb_bps: int | None = None
        self._loss_bps: float | None = None
        self._first_high: tuple[float, float] | None = None  # (loss, sent bps) where the present loss began
        self._judged_ms = self._cut_ms = 0.0
        self.lossy = False  # people begin to hear it: no reason to try for more, nor to overlook a dip

    @property
    def bps(self) -> int | None:
        known = [limit for limit in (self._remb_bps, self._loss_bps) if limit is not None]
        return max(FLOOR_BPS, int(min(known))) if known else None

    def on_remb(self, bps: int) -> None:
        self._remb_bps = bps

    def on_loss(self, share: float, sent_bps: float, now_ms: float, audio_bps: float = 0.0) -> None:
        """Loss of one window in which `sent_bps` was sent, and sound beside it."""
        if now_ms - self._cut_ms < FEEDBACK_MS:
            return
        elapsed_s = min(5.0, (now_ms - self._judged_ms) / 1000)
        self._judged_ms = now_ms
        self.lossy = share > FELT_LOSS
        if share > HIGH_LOSS:
            if not self._is_not_ours(share, sent_bps):
                came_bps = (sent_bps + audio_bps) * (1 - share) - audio_bps
                self._cut_ms = now_ms
                self._loss_bps = max(FLOOR_BPS, min(self._loss_bps or came_bps, came_bps))
            return
        if share < FELT_LOSS:
            self._first_high = None
        if share < LOW_LOSS and self._loss_bps is not None:
            grown = min(self._loss_bps * GROWTH_PER_S**elapsed_s, sent_bps * ROOM)
            self._loss_bps = max(self._loss_bps, grown)
            if self._loss_bps > UNKNOWN_ABOVE_BPS:
                self._loss_bps = None

    def _is_not_ours(self, share: float, sent_bps: float) -> bool:
        """Loss that did not fall although we send much less is the path's own (radio): less helps nobody."""
        if self._first_high is None:
            self._first_high = (share, sent_bps)
            return False
        first_share, first_bps = self._first_high
        return share < 0.3 and sent_bps < 0.7 * first_bps and share > 0.7 * first_share


PROBE_SHARE = 0.9  # of the estimate is sent at most while probing: the estimate grows, the queue does not
MAX_PROBE_BPS, MAX_PROBE_SHARE = 1_500_000, 0.4  # the larger; of what is sent: else one more of many pictures is never proven
PROBE_MS = 40_000.0  # 8 % a second for so long is twentyfold
RAMP_PER_S = 1.2  # slowly, so that the limit is met with a short queue
REST_MS, MAX_REST_MS = 5_000.0, 40_000.0
PROVEN_MS = 2_000.0  # what was sent all this time without harm the path carries
FALL = 0.93  # an estimate that falls below this share of its best has met the limit
PROGRESS = 1.15  # a limit so much higher than the last one was not the path's own


class Probe:
    """Traffic beside the media, so that an estimate limited by what was sent can grow and be proven; only when more is wanted.

    Each failure at the same limit doubles the rest before the next try: a path that stays narrow is left in peace.
    """

    def __init__(self) -> None:
        self._began_ms: float | None = None
        self._best_bps = self._limit_bps = 0
        self._ramp_bps = self._ramped_ms = self._rest_until_ms = 0.0
        self._rest_ms = REST_MS

    def bps(self, wanted_bps: float | None, estimate: DownEstimate, sent_bps: float, now_ms: float) -> float:
        """How much to send beside `sent_bps` now, so that the estimate may reach `wanted_bps`."""
        known = estimate.bps
        if wanted_bps is None or known is None:
            self._began_ms = None
            return 0.0
        if now_ms < self._rest_until_ms:
            return 0.0
        if self._began_ms is None:
            self._began_ms, self._best_bps = now_ms, known
            self._ramp_bps, self._ramped_ms = max(sent_bps, FLOOR_BPS / 2), now_ms
        self._best_bps = max(self._best_bps, known)
        if estimate.lossy or known < FALL * self._best_bps or now_ms - self._began_ms > PROBE_MS:
            self._rest(now_ms)
            return 0.0
        self._ramp_bps = max(sent_bps, self._ramp_bps, FLOOR_BPS / 2) * RAMP_PER_S ** ((now_ms - self._ramped_ms) / 1000)
        self._ramped_ms = now_ms
        self._ramp_bps = min(
            self._ramp_bps, wanted_bps, known * PROBE_SHARE, sent_bps + max(MAX_PROBE_BPS, sent_bps * MAX_PROBE_SHARE)
        )
        return max(0.0, self._ramp_bps - sent_bps)

    def _rest(self, now_ms: float) -> None:
        self._began_ms = None
        progress = self._best_bps > PROGRESS * self._limit_bps
        self._limit_bps = self._best_bps
        self._rest_ms = REST_MS if progress else min(MAX_REST_MS, self._rest_ms * 2)
        self._rest_until_ms = now_ms + self._rest_ms


class Recent:
    """Smallest and largest of the values of the last `window_ms`."""

    def __init__(self, window_ms: float) -> None:
        self._window_ms = window_ms
        self._values: deque[tuple[float, float]] = deque()

    def add(self, value: float, now_ms: float) -> None:
        self._values.append((now_ms, value))
        while now_ms - self._values[0][0] > self._window_ms:
            self._values.popleft()

    @property
    def smallest(self) -> float:
        return min((value for _, value in self._values), default=0.0)

    @property
    def largest(self) -> float:
        return max((value for _, value in self._values), default=0.0)
