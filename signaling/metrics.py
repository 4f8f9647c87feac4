"""Counters for operators (S30): numbers only, never names, ids of people or words."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """One registry per application, so that two of them in one process (tests) do not collide."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "court_http_requests_total", "HTTP requests", ("method", "route", "status"), registry=self.registry
        )
        self.commands = Counter("court_commands_total", "Commands of browsers", ("command", "outcome"), registry=self.registry)
        self.command_seconds = Histogram("court_command_seconds", "Time to acknowledge a command", registry=self.registry)
        self.sockets = Gauge("court_sockets", "Seats held by a live socket", registry=self.registry)
        self.live_sittings = Gauge("court_live_sittings", "Sittings from lobby to close", registry=self.registry)
        self.media_silence_s = Gauge(
            "court_media_silence_seconds", "Since when the media worker is unheard", registry=self.registry
        )
