"""Writes web/src/protocol.ts from protocol.py and the command dataclasses of the law: `python -m signaling.typescript`."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Union, cast

from pydantic import BaseModel

from signaling import protocol

TARGET = Path(__file__).parent.parent / "web" / "src" / "protocol.ts"

HEADER = """// GENERATED from signaling/protocol.py by `python -m signaling.typescript`. Never edited by hand.
// Times (`_at`) are ISO-8601 UTC strings; `_ms` are milliseconds on the record clock (0 = 宣布开庭).
//
// HTTP answers (refusals: an HTTP error status with a WireError body):
//   POST /api/sign-in, POST /api/link, GET /api/me         → Me
//   POST /api/sign-out, DELETE /api/participants/{id}/link, POST /api/self-test → 204, no body
//   POST /api/network-tests                                → NetworkTestBegun
//   POST /api/network-tests/{id}/answer, DELETE /api/network-tests/{id} → 204, no body
//   GET  /api/network-tests/{id}                           → NetworkTestMeasured
//   GET  /api/docket?from=&to= (ISO-8601)                  → DocketItem[]
//   GET  /api/hearings/{id}                                → DocketItem
//   GET  /api/staff                                        → StaffView[]
//   POST /api/hearings                                     → HearingCreated
//   POST /api/hearings/{id}/sittings                       → DocketSitting
//   POST /api/participants/{id}/link                       → LinkView
//   GET, PUT /api/hearings/{id}/words (PUT NewHearingWords) → HearingWords
//   GET  /api/hearings/{id}/exhibits                       → ExhibitView[]
//   POST /api/hearings/{id}/exhibits (multipart: title, purpose, file; file last) → ExhibitView
//   GET, POST /api/sittings/{id}/statements                → StatementView[] (POST drafts anew)
//   POST /api/sittings/{id}/statements/{id}/confirm (StatementConfirmation), …/sign (StatementSignature) → StatementView[]
//   GET  /api/sittings/{id}/hear-back                      → HearBackView; …/{track_id}.webm: the last seconds of a track
//   GET  /api/sittings/{id}/preflight                      → PreflightView
//   GET  /api/sittings/{id}/record                         → RecordView
//   GET  /api/sittings/{id}/sealed                         → RecordSealed
//   GET  /api/sittings/{id}/segments/{page}                → SegmentPage
//   POST /api/sittings/{id}/views/{view_id} (PlayedSpans)  → 204, no body
//   GET  /api/sittings/{id}/views                          → RecordRead[]
//   GET, POST /api/sittings/{id}/film                      → FilmView (POST asks for it once more)
//   GET  /api/sittings/{id}/captions                       → CaptionView[]
//   POST /api/sittings/{id}/draft/{replace|split|merge|speaker} (the command of that name, without sitting_id) → Ack
//   GET  /api/sittings/{id}/draft/history?line=            → LineHistory
//   GET  /api/sittings/{id}/transcript.{vtt|srt|txt|json|stm}?version= → the draft as a file
//   GET, POST /api/sittings/{id}/transcript/versions       → TranscriptVersions (POST TranscriptRequest: another pass)
//   GET  /api/sittings/{id}/transcript/versions/{number}   → CaptionView[]
//   GET  /api/sittings/{id}/transcript/diff?from=&to=      → TranscriptDiff

/** The fields every command carries. `command_id` is new for every act and repeated when the same act is sent again. */
export interface CommandHeader {
  command_id: string
  sitting_id: string
}
"""

EMITTED_BY_BROWSER = "/** What the browser emits on /court; always answered once. */\nexport interface ClientToServerEvents"
EMITTED_BY_SERVER = "/** What the server emits on /court. */\nexport interface ServerToClientEvents"

FOOTER = """export type CommandName = keyof ClientToServerEvents
export type EventName = keyof ServerToClientEvents
type Command<Name extends CommandName> = Parameters<ClientToServerEvents[Name]>[0]
/** The fields of a command without its header. */
export type CommandFields<Name extends CommandName> = Omit<Command<Name>, keyof CommandHeader>
export type EventBody<Name extends EventName> = Parameters<ServerToClientEvents[Name]>[0]
"""

SENT_BY_BROWSER = frozenset(
    {
        "SignIn",
        "ExchangeLink",
        "NewParticipant",
        "NewHearing",
        "SelfTest",
        "NetworkResult",
        "NetworkTestAnswer",
        "PlayedSpans",
        "NewAccessOrder",
        "NewHearingWords",
    }
)
"""HTTP bodies the browser writes: their defaulted fields may be left out. The server always writes every field."""

SCALARS: dict[object, str] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    datetime: "string",
    type(None): "null",
}


class Unwritable(TypeError):
    """A type in protocol.py that has no TypeScript form here."""


def text_of(hint: Any) -> str:
    """TypeScript form of one annotation."""
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, typing.NewType):
        return text_of(hint.__supertype__)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(text_of(argument) for argument in arguments)
    if origin is list:
        inner = text_of(arguments[0])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    if isinstance(hint, type) and issubclass(hint, (BaseModel, StrEnum)):
        return hint.__name__
    raise Unwritable(f"{hint!r} has no TypeScript form")


def comment_of(owner: type) -> str:
    """First paragraph of a docstring as a one-line comment; nothing for inherited or machine-made docstrings."""
    text = (owner.__doc__ or "").strip().split("\n\n")[0]
    if not text or text.startswith(f"{owner.__name__}("):
        return ""
    return f"/** {' '.join(text.split())} */\n"


def interface(owner: type, fields: Iterator[tuple[str, Any, bool]], extends: str = "") -> str:
    """One interface; `fields` are (name, annotation, may be left out)."""
    lines = [f"  {name}{'?' if optional else ''}: {text_of(hint)}\n" for name, hint, optional in fields]
    if not lines:
        return f"{comment_of(owner)}export type {owner.__name__} = {extends or 'Record<string, never>'}\n"
    clause = f" extends {extends}" if extends else ""
    return f"{comment_of(owner)}export interface {owner.__name__}{clause} {{\n{''.join(lines)}}}\n"


def message_fields(model: type[BaseModel], optional_defaults: bool) -> Iterator[tuple[str, Any, bool]]:
    hints = typing.get_type_hints(model)
    for name, field in model.model_fields.items():
        yield name, hints[name], optional_defaults and not field.is_required()


def command_fields(command: type) -> Iterator[tuple[str, Any, bool]]:
    """Fields of a law command (dataclass) or of a connection command (model)."""
    if issubclass(command, BaseModel):
        yield from message_fields(command, optional_defaults=True)
        return
    hints = typing.get_type_hints(command)
    for field in dataclasses.fields(cast("Any", command)):
        yield field.name, hints[field.name], field.default is not dataclasses.MISSING


def messages() -> list[type[protocol.Message]]:
    """Every message of protocol.py but the commands, in the order of the file."""
    commands = set(protocol.CONNECTION_COMMANDS.values())
    found = [value for value in vars(protocol).values() if isinstance(value, type) and issubclass(value, protocol.Message)]
    return [model for model in found if model is not protocol.Message and model not in commands]


def enums_in(hints: Iterator[Any]) -> Iterator[type[StrEnum]]:
    for hint in hints:
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            yield hint
        yield from enums_in(iter(typing.get_args(hint)))


def enum_text(enum: type[StrEnum]) -> str:
    """The union and, for lists on the page, the values in order."""
    values = [f'"{member.value}"' for member in enum]
    union = f"{comment_of(enum)}export type {enum.__name__} = {' | '.join(values)}\n"
    return union + f"export const {constant_name(enum)}: readonly {enum.__name__}[] = [{', '.join(values)}]\n"


def constant_name(enum: type[StrEnum]) -> str:
    """`SittingState` → `SITTING_STATES`, `Difficulty` → `DIFFICULTIES`, `AccessClass` → `ACCESS_CLASSES`."""
    snake = "".join(f"_{letter}" if letter.isupper() and index else letter for index, letter in enumerate(enum.__name__))
    return re.sub(r"SSS$", "SSES", re.sub(r"(?<=[^AEIOU])YS$", "IES", f"{snake.upper()}S"))


def event_map(opening: str, entries: dict[str, type], signature: str) -> str:
    """A map from event names to signatures, in which {} stands for the body's type."""
    lines = "".join(f'  "{event}": {signature.format(owner.__name__)}\n' for event, owner in entries.items())
    return f"{opening} {{\n{lines}}}\n"


def generate() -> str:
    """The whole of protocol.ts."""
    commands = {**protocol.COURT_COMMANDS, **protocol.CONNECTION_COMMANDS}
    models = messages()
    hints = [hint for command in commands.values() for _, hint, _ in command_fields(command)]
    hints += [hint for model in models for _, hint, _ in message_fields(model, False)]
    blocks = [HEADER]
    blocks += [enum_text(enum) for enum in dict.fromkeys(enums_in(iter(hints)))]
    blocks += [interface(command, command_fields(command), "CommandHeader") for command in commands.values()]
    blocks += [interface(model, message_fields(model, model.__name__ in SENT_BY_BROWSER)) for model in models]
    blocks.append(event_map(EMITTED_BY_BROWSER, commands, "(command: {}, ack: (answer: Ack) => void) => void"))
    blocks.append(event_map(EMITTED_BY_SERVER, dict(protocol.EVENTS), "(event: {}) => void"))
    blocks.append(FOOTER)
    return "\n".join(blocks)


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(generate(), encoding="utf-8")
