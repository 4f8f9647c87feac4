"""Counters for operators (S30): numbers only, never names, ids of people or words. docs/operations.md lists them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from signaling.store_watch import StoresState

APPLIED_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


class Metrics:
    """One registry per application, so that two of them in one process (tests) do not collide."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter("court_http_requests_total", "HTTP requests", ("method", "route", "status"), registry=registry)
        self.commands = Counter("court_commands_total", "Commands of browsers", ("command", "outcome"), registry=registry)
        self.command_seconds = Histogram("court_command_seconds", "Time to acknowledge a command", registry=registry)
        self.grants_applied_seconds = Histogram(
            "court_grants_applied_seconds", "From an act to its grant table in force at the media worker",
            buckets=APPLIED_BUCKETS_S, registry=registry,
        )  # fmt: skip
        self.sockets = Gauge("court_sockets", "Seats held by a live socket", registry=registry)
        self.live_sittings = Gauge("court_live_sittings", "Sittings from lobby to close", ("worker",), registry=registry)
        self.media_silence_s = Gauge(
            "court_media_silence_seconds", "Since when the media worker is unheard", ("worker",), registry=registry
        )
        self.store_up = Gauge("court_store_up", "1 while the store takes what is put", ("store",), registry=registry)
        self.store_trouble = Gauge("court_store_trouble", "1 for each trouble of the stores", ("code",), registry=registry)
        self.faulty_copies = Gauge(
            "court_faulty_copies", "Stored copies that are missing or damaged and not healed yet", registry=registry
        )
        self.backlog = Gauge("court_spool_backlog_segments", "Closed segments that wait in spools", registry=registry)
        self.backlog_bytes = Gauge("court_spool_backlog_bytes", "Their size", registry=registry)
        self.oldest_s = Gauge("court_spool_oldest_seconds", "Age of the oldest of them", registry=registry)
        self.spool_free = Gauge("court_spool_free_bytes", "Disk left on the fullest media host", registry=registry)
        self.shipper_silence_s = Gauge(
            "court_shipper_silence_seconds", "Since when the shipper is unheard; +Inf before its first word", registry=registry
        )

    def set_stores(self, state: StoresState, silence_s: float | None) -> None:
        """What the shippers say, at this scrape."""
        for name, place in (("a", state.a), ("b", state.b)):
            self.store_up.labels(name).set(place is not None and place.code in {"ok", "slow"})
        self.store_trouble.clear()
        for trouble in state.troubles:
            self.store_trouble.labels(trouble.code).set(1)
        self.backlog.set(state.backlog_segments)
        self.backlog_bytes.set(state.backlog_bytes)
        self.oldest_s.set(state.oldest_age_s)
        self.spool_free.set(math.nan if state.free_bytes is None else state.free_bytes)
        self.shipper_silence_s.set(math.inf if silence_s is None else silence_s)

    def text(self, of_workers: Iterable[str]) -> bytes:
        """Prometheus' text format: our own samples, and those that each worker gave (they carry the worker's id)."""
        return generate_latest(_Joined(self.registry, of_workers))


class _Joined:
    """Several sources as one: a family that is in more than one comes once, as the format demands."""

    def __init__(self, own: CollectorRegistry, texts: Iterable[str]) -> None:
        self._own = own
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        sources = [self._own.collect(), *(text_string_to_metric_families(text) for text in self._texts)]
        for source in sources:
            for family in source:
                joined = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                joined.samples += family.samples
        yield from families.values()
