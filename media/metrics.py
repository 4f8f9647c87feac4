"""Counters of a media worker for Prometheus (S30): numbers only, never names or ids of people.

The path of a packet adds to plain ints of `traffic(kind)`; everything else is counted at seconds' distance or read at the
scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hearing.audience import Kind
from media import fanout
from media.outlet import Outlet

LOSS_BUCKETS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LAG_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Traffic:
    """What this process has done with packets of one kind since it began."""

    packets_in: int = 0  # taken from publishers
    bytes_in: int = 0
    packets_out: int = 0  # to all subscribers together
    bytes_out: int = 0
    nacks_in: int = 0  # packets that subscribers asked for again
    nacks_out: int = 0  # packets that we asked publishers for again
    resent: int = 0  # answers to subscribers' NACKs
    keyframes_asked: int = 0  # PLI or FIR of subscribers, before throttling
    keyframes_wanted: int = 0  # PLI sent to publishers


_TRAFFIC = {kind: Traffic() for kind in Kind}

_COUNTED = (
    ("packets_in", "court_media_packets_received", "RTP packets taken from publishers"),
    ("bytes_in", "court_media_bytes_received", "RTP bytes taken from publishers"),
    ("packets_out", "court_media_packets_forwarded", "RTP packets given to the fan-out, one per subscriber"),
    ("bytes_out", "court_media_bytes_forwarded", "RTP bytes given to the fan-out, once per subscriber"),
    ("nacks_in", "court_media_nacks_received", "Packets that subscribers asked for again"),
    ("nacks_out", "court_media_nacks_sent", "Packets that publishers were asked for again"),
    ("resent", "court_media_packets_resent", "Packets sent to subscribers again"),
    ("keyframes_asked", "court_media_plis_received", "Keyframe requests of subscribers, before throttling"),
    ("keyframes_wanted", "court_media_plis_sent", "Keyframe requests sent to publishers"),
)


def traffic(kind: Kind) -> Traffic:
    """The process-wide ints of a kind; keep a reference where packets pass."""
    return _TRAFFIC[kind]


@dataclass(slots=True)
class _Departed:
    """What the outlets of closed connections had counted."""

    dropped: int = 0
    refused: int = 0


_DEPARTED = _Departed()


def departed(outlets: Iterable[Outlet]) -> None:
    """These outlets are closed and will not be asked any more."""
    for outlet in outlets:
        _DEPARTED.dropped += outlet.dropped
        _DEPARTED.refused += outlet.refused


class WorkerMetrics:
    """One registry per worker; every sample carries the worker's id, so that one scrape can show them all.

    `people()` gives the number of connected people of each sitting held, `outlets()` where their packets leave.
    """

    def __init__(self, worker_id: str, people: Callable[[], list[int]], outlets: Callable[[], Iterable[Outlet]]) -> None:
        self.spool_free_bytes = 0
        self._worker_id = worker_id
        self._people = people
        self._outlets = outlets
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._lag_s = Histogram(
            "court_media_loop_lag_seconds", "How late the event loop came back from a short sleep", buckets=LAG_BUCKETS_S,
            registry=self._registry,
        )  # fmt: skip
        self._loss = Histogram(
            "court_media_loss", "Share of packets lost per peer and 5 s", ("direction",), buckets=LOSS_BUCKETS,
            registry=self._registry,
        )  # fmt: skip

    def woke(self, late_ms: float) -> None:
        """The beat came this late."""
        self._lag_s.observe(max(0.0, late_ms / 1000))

    def lost(self, up: float, down: float) -> None:
        """Loss of one peer in the last interval, both ways."""
        self._loss.labels("up").observe(up)
        self._loss.labels("down").observe(down)

    def collect(self) -> Iterator[Metric]:
        """What is read at the scrape (prometheus_client's collector protocol)."""
        for field, name, help_line in _COUNTED:
            counter = CounterMetricFamily(name, help_line, labels=("kind",))
            for kind, counts in _TRAFFIC.items():
                counter.add_metric((kind.value,), getattr(counts, field))
            yield counter
        lost = CounterMetricFamily(
            "court_media_fanout_lost", "Packets that did not leave for one subscriber", labels=("reason",)
        )
        outlets = list(self._outlets())
        lost.add_metric(("socket",), _DEPARTED.dropped + sum(outlet.dropped for outlet in outlets))
        lost.add_metric(("srtp",), _DEPARTED.refused + sum(outlet.refused for outlet in outlets))
        yield lost
        people = self._people()
        yield GaugeMetricFamily("court_media_sittings", "Sittings held by the worker", len(people))
        yield GaugeMetricFamily("court_media_peers", "People with a running media connection", sum(people))
        yield GaugeMetricFamily("court_media_spool_free_bytes", "Disk left for recordings", self.spool_free_bytes)
        loop = GaugeMetricFamily("court_media_fanout", "1 for the fan-out loop in use", labels=("loop",))
        loop.add_metric(("compiled" if fanout.compiled else "python",), 1)
        yield loop

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(_Labelled(self._registry, self._worker_id))


class _Labelled:
    """A registry seen with the worker's id on every sample."""

    def __init__(self, inner: CollectorRegistry, worker_id: str) -> None:
        self._inner = inner
        self._worker = {"worker": worker_id}

    def collect(self) -> Iterator[Metric]:
        for metric in self._inner.collect():
            metric.samples = [sample._replace(labels={**sample.labels, **self._worker}) for sample in metric.samples]
            yield metric
