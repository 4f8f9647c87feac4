"""One layer of a track: its only incoming stream, or one of the sizes in which a camera is sent at once (simulcast)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from media.rtp_time import SenderClock
from media.sdp import RIDS

if TYPE_CHECKING:
    from media.rendition import Member, Rendition

SINGLE = "single"  # the only layer of sound, of a screen, and of a camera that is not sent in layers
BEST = RIDS[-1]
LAYERS = (*RIDS, SINGLE)
METER_MS = 1_000.0
LOOK_MS = 250.0
SILENT_MS = 500.0  # without packets, while others of the same camera show so many pictures: a layer that has stopped
SILENT_PICTURES = 5
RETURN_MS = 2_000.0  # a layer that stopped must run so long before it counts again: each change costs a keyframe
RETURN_GAP_MS = 1_000.0  # without a longer gap
MAX_EARLY = 512  # packets of about one large keyframe and what follows it until its first packet is repaired


class Layer:
    """Satisfied by one SSRC at a time; a new one is a new Layer. `rank` grows with quality.

    `report` is the newest sender report: the sender's clock in ms and the RTP timestamp of that moment. `waiting` are the
    members that join at the next keyframe; what arrives meanwhile is kept in `early`, because the keyframe's first packet may
    come last, as a repair. `tails` are renditions that have left: what was lost before they left is still passed on to them.
    """

    __slots__ = (
        "_fell", "_marks", "_missed", "_pictures", "_running_ms", "_timestamp", "ask_keyframe", "bps", "bytes", "closed",
        "early", "live", "name", "newest", "newest_ms", "rank", "renditions", "report", "sender", "tails", "waiting",
    )  # fmt: skip

    def __init__(self, name: str, ask_keyframe: Callable[[], None], sender: SenderClock) -> None:
        self.name = name
        self.rank = RIDS.index(name) if name in RIDS else len(RIDS) - 1
        self.ask_keyframe = ask_keyframe
        self.sender = sender
        self.report: tuple[float, int] | None = None
        self.live = False
        self.closed = False
        self.bytes = 0
        self.bps = 0
        self.newest = -1  # sequence number; -1 before the first packet
        self.newest_ms = 0.0
        self._pictures = 0
        self.renditions: tuple[Rendition, ...] = ()
        self.tails: tuple[Rendition, ...] = ()
        self.waiting: set[Member] = set()
        self.early: dict[int, bytes] = {}
        self._fell = False
        self._missed = 0
        self._running_ms = 0.0
        self._timestamp = -1
        self._marks: deque[tuple[float, int]] = deque()

    def arrived(self, sequence: int, timestamp: int, now_ms: float) -> bool:
        """Note a packet; True when the layer has now become live. Old packets do not count: they probe the path too."""
        if (sequence - self.newest) & 0xFFFF >= 0x8000 and self.newest >= 0:
            return False
        if timestamp != self._timestamp:
            self._timestamp = timestamp
            self._pictures += 1
        if now_ms - self.newest_ms > RETURN_GAP_MS:
            self._running_ms = now_ms
        self.newest, self.newest_ms, self._missed = sequence, now_ms, 0
        if self.live or self.closed or (self._fell and now_ms - self._running_ms < RETURN_MS):
            return False
        self.live = True
        return True

    def shown(self) -> int:
        """Pictures since it was asked last."""
        pictures, self._pictures = self._pictures, 0
        return pictures

    def has_stopped(self, pictures: int, now_ms: float) -> bool:
        """Told how many pictures the camera has shown in any layer since it was asked last."""
        if now_ms - self.newest_ms <= LOOK_MS:
            return False
        self._missed += pictures
        return self.live and self._missed >= SILENT_PICTURES and now_ms - self.newest_ms > SILENT_MS

    def fall(self) -> None:
        """It has stopped."""
        self.live, self._fell = False, True

    def measure(self, now_ms: float) -> None:
        """Renew `bps` from the last second; called a few times a second."""
        marks = self._marks
        marks.append((now_ms, self.bytes))
        while len(marks) > 2 and now_ms - marks[1][0] >= METER_MS:
            marks.popleft()
        since_ms, before = marks[0]
        span_ms = now_ms - since_ms
        self.bps = round((self.bytes - before) * 8_000 / span_ms) if span_ms > 0 else 0

    def keep_early(self, sequence: int, packet: bytes) -> None:
        if len(self.early) >= MAX_EARLY:
            del self.early[next(iter(self.early))]
        self.early[sequence] = packet

    def since(self, sequence: int) -> list[bytes]:
        """What came early and belongs after `sequence`, in order."""
        ahead = {(number - sequence) & 0xFFFF: packet for number, packet in self.early.items()}
        return [ahead[distance] for distance in sorted(ahead) if 0 < distance < 0x8000]


def nearest(layers: Iterable[Layer], wanted: str) -> Layer | None:
    """The live layer for someone who wants this one: itself, else the nearest smaller one, else the nearest larger one."""
    live = [layer for layer in layers if layer.live]
    rank = RIDS.index(wanted) if wanted in RIDS else len(RIDS) - 1
    below = [layer for layer in live if layer.rank <= rank]
    if below:
        return max(below, key=lambda layer: layer.rank)
    return min(live, key=lambda layer: layer.rank, default=None)
