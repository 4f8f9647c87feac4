"""How an event is written into a ledger entry and read out of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import get_args, get_type_hints

from hearing.events import TYPES, Event
from hearing.timeline import from_iso, iso_utc

JsonValue = str | int | bool | None


def data_of(event: Event) -> dict[str, JsonValue]:
    """The event's own fields as JSON values; `at` and `type` stand beside them in the ledger entry."""
    data: dict[str, JsonValue] = {}
    for field in dataclasses.fields(event):
        if field.name != "at":
            value = getattr(event, field.name)
            data[field.name] = iso_utc(value) if isinstance(value, datetime) else value
    return data


def event_of(type_: str, at: datetime, data: Mapping[str, JsonValue]) -> Event:
    """The event a ledger entry tells of; raises KeyError or ValueError when it is none of ours."""
    readers = _readers(type_)
    if unknown := data.keys() - readers.keys():
        raise ValueError(f"{type_} has no field {sorted(unknown)}")
    build: Callable[..., Event] = TYPES[type_]
    try:
        return build(at=at, **{name: readers[name](value) for name, value in data.items()})
    except TypeError as error:
        raise ValueError(f"{type_} lacks a field") from error


@cache
def _readers(type_: str) -> dict[str, _Reader]:
    event = TYPES[type_]
    hints = get_type_hints(event)
    return {field.name: _Reader(hints[field.name]) for field in dataclasses.fields(event) if field.name != "at"}


class _Reader:
    """Turns one JSON value back into the field's type: times and enumerations; anything else stands as it is."""

    def __init__(self, hint: object) -> None:
        kinds = get_args(hint) or (hint,)
        self._time = datetime in kinds
        self._choice = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrEnum)), None)

    def __call__(self, value: JsonValue) -> object:
        if isinstance(value, str) and self._time:
            return from_iso(value)
        if isinstance(value, str) and self._choice:
            return self._choice(value)
        return value
