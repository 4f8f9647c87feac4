"""The script of a rehearsal (演练脚本): who takes part, what happens step by step, and what must come of it.

The JSON Schema in docs/rehearsal.schema.json is generated from these classes. Files named in a script are found beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hearing.model import BENCH, ISOLATED_UNTIL_CALLED, Procedure, Role

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class ScriptError(Exception):
    """The script cannot be used; the message is one Chinese line with file, line and field."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Matter(Part):
    """The hearing that the clerk's robot creates."""

    case_number: str
    cause: str
    title: str
    procedure: Procedure = Procedure.ORDINARY
    public: bool = True
    courtroom: str = "演练法庭"


class Person(Part):
    """A robot. Bench roles sign in with a staff account of the same position, the others by their personal link."""

    key: Key = Field(description="How the steps name this person.")
    role: Role
    name: str = Field(min_length=1, max_length=60)
    represents: Key | None = Field(None, description="Agents: whom this person represents.")
    video: bool = Field(default=True, description="Sends a test picture with a visible clock.")
    loss: float = Field(0.0, ge=0.0, le=0.5, description="Share of media datagrams lost at random, both ways.")


class Join(Part):
    """These people sign in, take the seat and connect their media."""

    do: Literal["join"]
    who: list[Key] = Field(min_length=1)


class Leave(Part):
    """This person closes the page."""

    do: Literal["leave"]
    who: Key


class Say(Part):
    """Speak an audio file; the next step waits until it has been said."""

    do: Literal["say"]
    who: Key
    audio: str = Field(description="Audio file, relative to the script.")
    text: str = Field(min_length=1, description="What is said: the reference of the character error rate.")
    then_pause_ms: int = Field(900, ge=0, le=60_000, description="Silence after it.")


class Give(Part):
    """Give one command of the wire protocol. A value "$KEY" stands for that person's or exhibit's id."""

    do: Literal["command"]
    who: Key
    command: str = Field(pattern=r"^[a-z_]+\.[a-z_]+$")
    fields: dict[str, str | int | bool | None] = Field(default_factory=dict)
    refused: str | None = Field(None, description="The error code with which the server must refuse it.")


class Submit(Part):
    """Upload an exhibit."""

    do: Literal["submit"]
    who: Key
    file: str = Field(description="PDF or image, relative to the script.")
    title: str
    purpose: str = ""
    key: Key = Field(description="How later steps name this exhibit.")


class Pause(Part):
    """Nothing happens for a while."""

    do: Literal["wait"]
    ms: int = Field(ge=0, le=3_600_000)


Step = Annotated[Join | Leave | Say | Give | Submit | Pause, Field(discriminator="do")]


class Expectations(Part):
    """What must come of it; a missed one makes the rehearsal fail. Unset: not expected."""

    captioned_lines_at_least: int | None = Field(
        None, ge=0, description="Lines said in session that were captioned for their speaker."
    )
    cer_at_most: float | None = Field(None, ge=0, description="Character error rate over all lines said in session.")
    caption_delay_p50_ms_at_most: int | None = Field(None, ge=0)
    onset_ms_at_most: int | None = Field(
        None, ge=0, description="Worst distance between the beginning of a line and the robot's first word, in ms."
    )
    stray_captions_at_most: int | None = Field(
        None, ge=0, description="Captions of people who said nothing at that time (on the wrong track, or invented)."
    )
    exhibits_shown: int | None = Field(None, ge=0)
    every_command_acknowledged: bool = True
    complete: bool = Field(default=True, description="The package verifies.")
    isolated_packets_at_most: int = Field(
        0, ge=0, description="Media packets at the socket of a witness who is not in the room."
    )
    heard_pairs: bool = Field(default=True, description="Everyone in the courtroom received media of everyone else there.")
    gaps_at_most: int | None = Field(
        None, ge=0, description="Technical gaps in the recording (being outside, muted or joining is none)."
    )
    recorded_share_at_least: float = Field(
        0.97, ge=0, le=1, description="Recorded time of each audio track over the time it was due."
    )

    @property
    def captions(self) -> bool:
        """Whether anything is expected of captions."""
        wanted = (
            self.captioned_lines_at_least, self.cer_at_most, self.caption_delay_p50_ms_at_most, self.onset_ms_at_most,
            self.stray_captions_at_most,
        )  # fmt: skip
        return any(one is not None for one in wanted)


class Script(Part):
    schema_: str = Field("", alias="$schema")
    title: str
    synthetic: bool = Field(description="The voices are synthetic; said on every report.")
    hearing: Matter
    participants: list[Person] = Field(min_length=2, max_length=200)
    steps: list[Step] = Field(min_length=1)
    expect: Expectations = Expectations()

    @model_validator(mode="after")
    def _agree(self) -> Script:
        keys = [person.key for person in self.participants]
        if len(set(keys)) != len(keys):
            raise ValueError("participants 中的 key 重复")
        roles = {person.role for person in self.participants}
        if Role.CLERK not in roles or Role.PRESIDING_JUDGE not in roles:
            raise ValueError("participants 须有一名 clerk 和一名 presiding_judge")
        return self

    def on_a_bad_network(self, loss: float) -> Script:
        """The same script with this share of everybody's media datagrams lost."""
        people = [person.model_copy(update={"loss": loss}) for person in self.participants]
        return self.model_copy(update={"participants": people})

    def person(self, key: str) -> Person:
        return next(person for person in self.participants if person.key == key)


def load_script(path: Path) -> Script:
    """Read and check a script with everything it names; raises ScriptError with line and field."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ScriptError(f"{path}：无法读取（{error.__class__.__name__}）") from None
    except json.JSONDecodeError as error:
        raise ScriptError(f"{path} 第 {error.lineno} 行：不是合法的 JSON（{error.msg}）") from None
    lines = dict(line_numbers(text))
    try:
        script = Script.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        raise _refusal(path, lines, _document_path(document, problem["loc"]), problem["msg"]) from None
    for place, reason in _loose_ends(script, path.parent):
        raise _refusal(path, lines, place, reason)
    return script


def _refusal(path: Path, lines: dict[tuple[str | int, ...], int], place: tuple[str | int, ...], reason: str) -> ScriptError:
    known = place
    while known and known not in lines:
        known = known[:-1]
    field = ".".join(str(part) for part in place) or "（整个脚本）"
    return ScriptError(f"{path} 第 {lines.get(known, 1)} 行，字段 {field}：{reason.removeprefix('Value error, ')}")


def _document_path(document: Any, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """pydantic puts the tag of a union into the location; keep what really stands in the document."""
    place: list[str | int] = []
    node = document
    for index, part in enumerate(location):
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[int(part)]
        elif index < len(location) - 1:
            continue
        place.append(part)
    return tuple(place)


def _loose_ends(script: Script, folder: Path) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Names of people, exhibits and files that lead nowhere."""
    people = {person.key for person in script.participants}
    for index, person in enumerate(script.participants):
        if person.represents is not None and person.represents not in people:
            yield ("participants", index, "represents"), f"没有 key 为 {person.represents} 的参与人"
    exhibits: set[str] = set()
    for index, step in enumerate(script.steps):
        place = ("steps", index)
        if not isinstance(step, Pause):
            for key in step.who if isinstance(step, Join) else [step.who]:
                if key not in people:
                    yield (*place, "who"), f"没有 key 为 {key} 的参与人"
        yield from _step_loose_ends(step, place, folder, people | exhibits)
        if isinstance(step, Submit):
            exhibits.add(step.key)


def _step_loose_ends(
    step: Step, place: tuple[str | int, ...], folder: Path, known: set[str]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(step, Say) and not (folder / step.audio).is_file():
        yield (*place, "audio"), f"文件不存在：{step.audio}"
    if isinstance(step, Submit) and not (folder / step.file).is_file():
        yield (*place, "file"), f"文件不存在：{step.file}"
    if isinstance(step, Give):
        for name, value in step.fields.items():
            if isinstance(value, str) and value.startswith("$") and value[1:] not in known:
                yield (*place, "fields", name), f"此前没有名为 {value[1:]} 的参与人或证据"


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def line_numbers(text: str) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """The line on which each value of a (valid) JSON text begins, by its path."""
    path: list[str | int] = []
    key: str | None = None
    for token in _TOKEN.finditer(text):
        mark = token.group()
        line = text.count("\n", 0, token.start()) + 1
        if mark in "}]":
            path.pop()
        elif mark == ",":
            if isinstance(path[-1], int):
                path[-1] += 1
        elif mark == ":":
            path[-1] = key or ""
        elif path and path[-1] == "" and mark.startswith('"'):
            key = json.loads(mark)
            yield (*path[:-1], key), line
            path[-1] = "\0"
        else:
            yield tuple(path), line
            if mark == "{":
                path.append("")
            elif mark == "[":
                path.append(0)
        if mark == "," and path and isinstance(path[-1], str):
            path[-1] = ""


def bench(script: Script) -> list[Person]:
    """Those who sign in with a staff account."""
    return [person for person in script.participants if person.role in BENCH]


def isolated(script: Script) -> list[Person]:
    """Witnesses and experts: outside the courtroom until they are called."""
    return [person for person in script.participants if person.role in ISOLATED_UNTIL_CALLED]


def script_schema() -> str:
    """The text of docs/rehearsal.schema.json."""
    return json.dumps(Script.model_json_schema(), ensure_ascii=False, indent=2) + "\n"
