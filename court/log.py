"""Logs: structlog lines that carry ids and never names, speech or tokens."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

FORBIDDEN_KEYS = frozenset(
    {
        "name",
        "text",
        "token",
        "password",
        "cookie",
        "authorization",
        "csrf",
        "url",
        "sdp",
        "case_number",
        "title",
        "candidate",
        "credential",
    }
)
"""Keys whose values may hold personal data or secrets; their values never reach a log."""


def configure_logging(level: str, log_format: str, role: str) -> None:
    """Send structlog and the standard library's loggers to stderr, as readable lines or as JSON."""
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False) if log_format == "json" else _console()
    shared: list[Processor] = [
        _without_routine,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_personal_data,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=render))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _console() -> Processor:
    return structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def _without_routine(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What the roles tell each other every second is logged only when it fails."""
    route = str(event.get("route", ""))
    between_roles = route.startswith("/internal/") or route == "/healthz"
    if event.get("event") == "request" and between_roles and event.get("status") == 200:
        raise structlog.DropEvent
    return event


def _without_personal_data(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in FORBIDDEN_KEYS & event.keys():
        event[key] = "(withheld)"
    return event
