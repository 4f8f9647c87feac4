"""JSON of the outside into commands and messages; the first bad field is named. Nothing untyped passes beyond this file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter

from hearing.commands import Command
from signaling import protocol
from signaling.error_codes import Refused

Body = TypeVar("Body", bound=protocol.Message)

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
COMMAND_BYTES = 256 * 1024
"""Longest command: an SDP answer for a full room is about 60 KB."""

ADAPTERS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(command) for name, command in {**protocol.COURT_COMMANDS, **protocol.CONNECTION_COMMANDS}.items()
}
FIELDS: dict[str, frozenset[str]] = {
    name: frozenset(field.name for field in dataclasses.fields(command)) for name, command in protocol.COURT_COMMANDS.items()
}
"""Known fields of the law's dataclasses, which (unlike the models) would pass over unknown ones in silence."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One command as it came in."""

    name: str
    command_id: str
    sitting_id: str
    body: Command | protocol.Message


def parse_command(name: str, data: object) -> Envelope:
    """Raises unknown_command, too_large, bad_field, or pydantic's ValidationError, which names the field."""
    adapter = ADAPTERS.get(name)
    if adapter is None:
        raise Refused("unknown_command")
    if not isinstance(data, Mapping):
        raise Refused("bad_field", "command")
    _check_size(data)
    command_id, sitting_id = _id(data, "command_id"), _id(data, "sitting_id")
    unknown = data.keys() - {"command_id", "sitting_id"} - FIELDS.get(name, data.keys())
    if unknown:
        raise Refused("bad_field", str(min(unknown, key=str))[:40])
    rest = {key: value for key, value in data.items() if key not in ("command_id", "sitting_id")}
    body = adapter.validate_json(json.dumps(rest), strict=True)
    _refuse_naive_times(body)
    return Envelope(name, command_id, sitting_id, cast("Command | protocol.Message", body))


def _check_size(data: Mapping[str, object]) -> None:
    try:
        length = len(json.dumps(data))
    except (TypeError, ValueError, RecursionError):  # nested beyond reason
        raise Refused("bad_field", "command") from None
    if length > COMMAND_BYTES:
        raise Refused("too_large")


def _id(data: Mapping[str, object], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str) or ID.fullmatch(value) is None:
        raise Refused("bad_field", field)
    return value


def _refuse_naive_times(body: object) -> None:
    """A time without a zone means another moment in every process: never taken."""
    fields = (
        type(body).model_fields.keys()
        if isinstance(body, BaseModel)
        else (f.name for f in dataclasses.fields(cast("Any", body)))
    )
    for name in fields:
        value = getattr(body, name)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise Refused("bad_field", name)


def parse_body(model: type[Body], raw: bytes) -> Body:
    """An HTTP body; raises bad_body when it is no JSON object, ValidationError or bad_field when a field is wrong."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("bad_body") from None
    if not isinstance(data, dict):
        raise Refused("bad_body")
    body = model.model_validate_json(raw, strict=True)
    _refuse_naive_times(body)
    return body
