"""A path with a bounded queue and a browser behind it: REMB as libwebrtc's AIMD makes it, receiver reports every second."""

import math
import random
from dataclasses import dataclass, field

from media.allocation import Demand, Layer
from media.estimate import PROVEN_MS, DownEstimate, Probe, Recent
from media.viewer import Costs, Viewer

STEP_MS = 50.0
QUEUE_MS = 250.0


@dataclass
class Browser:
    """Receive-side estimate: 0.85 of what comes when the queue grows, else 8 % a second, at most 1.5 times what comes."""

    remb_bps: float = 0.0
    sends_remb: bool = True
    patience_ms: float = 25.0  # a shorter queue is no queue
    _came: list[tuple[float, float]] = field(default_factory=list)
    _delay_ms: float = 0.0
    _rising: int = 0
    _hold_until: float = 0.0
    _link_bps: float | None = None

    def take(self, delivered_bytes: float, delay_ms: float, now_ms: float) -> float | None:
        self._came = [(at, size) for at, size in self._came if now_ms - at < 500]
        self._came.append((now_ms, delivered_bytes))
        throughput = sum(size for _, size in self._came) * 8 / 0.5
        self._rising = self._rising + 1 if delay_ms > self._delay_ms + 4 else 0
        growing = self._rising >= 2 and delay_ms > self.patience_ms
        self._delay_ms = delay_ms
        if now_ms < 1_000:
            self.remb_bps = max(self.remb_bps, throughput)
        elif growing:
            self.remb_bps = min(self.remb_bps, 0.85 * throughput)
            self._link_bps = throughput
            self._hold_until = now_ms + 400
        elif now_ms > self._hold_until and self.remb_bps < (limit := 1.5 * throughput + 10_000):
            if self._link_bps is not None and throughput > 1.3 * self._link_bps:
                self._link_bps = None
            step = self.remb_bps * (1.08 ** (STEP_MS / 1000) - 1) if self._link_bps is None else 40_000 * STEP_MS / 1000
            self.remb_bps = min(limit, self.remb_bps + step)
        return self.remb_bps if self.sends_remb and now_ms > 300 else None


@dataclass
class Room:
    """What a viewer gets while the path's rate changes; `changes` are (time, layers by track)."""

    rate_bps: list[tuple[float, float]]
    cameras: int = 4
    seed: int = 1
    random_loss: float = 0.0
    sends_remb: bool = True
    padding: bool = True
    audio_bps: float = 70_000
    changes: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    estimates: list[float | None] = field(default_factory=list)
    audio_lost: list[tuple[float, float]] = field(default_factory=list)
    probed_bytes: float = 0.0

    def run(self, seconds: float) -> "Room":
        rng = random.Random(self.seed)
        browser, estimate, probe = Browser(sends_remb=self.sends_remb), DownEstimate(), Probe()
        viewer, costs, proven = Viewer(0.0), Costs(), Recent(PROVEN_MS)
        nominal = {"l": 110_000, "m": 350_000, "h": 850_000}
        queue_bytes = lost = sent = extra_bps = lost_audio = 0.0
        report_ms, choose_ms = 0.0, -500.0
        wave = {n: rng.uniform(0, 6) for n in range(self.cameras)}
        now = 0.0
        while now < seconds * 1000:
            now += STEP_MS
            rate = [bps for at_s, bps in self.rate_bps if at_s * 1000 <= now][-1]
            measured = {
                (f"t{n}", name): bps * (1 + 0.2 * math.sin(now / 7_000 + wave[n])) * rng.uniform(0.85, 1.15)
                for n in range(self.cameras)
                for name, bps in nominal.items()
            }
            pictures = sum(measured[track, layer] for track, layer in viewer.current.items())
            burst = 4.0 if rng.random() < 0.01 else 1.0  # a keyframe
            offered = (self.audio_bps + pictures * burst + extra_bps) * STEP_MS / 8_000
            proven.add(extra_bps + sum(costs.of(*one) for one in viewer.current.items()), now)
            self.probed_bytes += extra_bps * STEP_MS / 8_000
            room = rate * (STEP_MS + QUEUE_MS) / 8_000 - queue_bytes
            accepted = min(offered, max(0.0, room))
            queue_bytes += accepted
            delivered = min(queue_bytes, rate * STEP_MS / 8_000)
            queue_bytes -= delivered
            share = 1 - accepted / offered
            lost += offered * (share + self.random_loss)
            lost_audio += share
            sent += offered
            pictures_share = 1 - self.audio_bps * STEP_MS / 8_000 / offered  # sound does not count in REMB
            remb = browser.take(delivered * pictures_share * (1 - self.random_loss), queue_bytes * 8_000 / rate, now)
            if remb is not None:
                estimate.on_remb(int(remb))
            if now - report_ms >= 500:
                sent_bps = sent * 8_000 / (now - report_ms) - self.audio_bps
                estimate.on_loss(min(1.0, lost / sent), sent_bps, now, self.audio_bps)
                self.audio_lost.append((now / 1000, lost_audio * STEP_MS / (now - report_ms)))
                lost = sent = lost_audio = 0.0
                report_ms = now
            if now - choose_ms >= 500:
                choose_ms = now
                costs.update(measured, now)
                demands = [
                    Demand(f"t{n}", tuple(Layer(name, costs.of(f"t{n}", name)) for name in nominal))
                    for n in range(self.cameras)
                ]
                before = viewer.current
                viewer.choose(demands, estimate, proven.smallest if self.padding else math.inf, pictures, now)
                if viewer.current != before:
                    self.changes.append((now / 1000, viewer.current))
                self.estimates.append(estimate.bps)
            extra_bps = probe.bps(viewer.wanted_bps, estimate, pictures, now) if self.padding else 0.0
        return self

    def layers_at(self, at_s: float) -> dict[str, str]:
        return next((layers for at, layers in reversed(self.changes) if at <= at_s), {})

    def most_changes(self, from_s: float, to_s: float, window_s: float = 30.0) -> int:
        """The largest number of changes of single layers in any window of this span."""
        moments = []
        for (_, old), (at, new) in zip(self.changes, self.changes[1:], strict=False):
            if from_s <= at <= to_s:
                moments += [at] * sum(old.get(t) != new.get(t) for t in old.keys() | new.keys())
        return max((sum(at <= other < at + window_s for other in moments) for at in moments), default=0)
