"""The audit ledger (审计账本): one chain per sitting over salted hashes of the exact stored bytes.

    entry       canonical JSON, UTF-8: sorted keys, no spaces
    entry_hash  sha256(salt || entry), hex; the salt (16 random bytes) keeps a withheld entry from being guessed
    chain_hash  sha256(previous chain_hash || entry_hash), both as hex ASCII
    first link  sha256("remote-court-ledger:" + sitting_id), hex

A package may withhold an entry and give its entry_hash alone: the chain still verifies.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hearing.event_form import JsonValue, data_of, event_of
from hearing.events import Event
from hearing.model import Actor, ParticipantId, Role, SittingId
from hearing.timeline import from_iso, iso_utc, t_ms

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """One entry as it is stored: the bytes that are hashed, and their place in the chain."""

    number: int
    entry: bytes
    salt: bytes
    entry_hash: str
    chain_hash: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an entry tells, read back."""

    number: int
    sitting_id: SittingId
    at: datetime
    t_ms: int | None  # None before 宣布开庭
    participant_id: ParticipantId | None  # who acted; None: the server
    role: Role | None
    event: Event
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a ledger: `code` is missing | changed | reordered | added | malformed | wrong_sitting."""

    number: int
    code: str
    text: str


def canonical(value: Mapping[str, object]) -> bytes:
    """The one way of writing JSON that is hashed; raises ValueError on NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def entry_bytes(
    sitting_id: SittingId,
    number: int,
    event: Event,
    actor: Actor,
    *,
    opened_at: datetime | None,
    command_id: str | None,
) -> bytes:
    """The entry that tells of `event`; `opened_at` is the zero of the record clock once the sitting is open."""
    return canonical(
        {
            "number": number,
            "sitting_id": sitting_id,
            "at": iso_utc(event.at),
            "t_ms": None if opened_at is None else t_ms(opened_at, event.at),
            "actor": {"participant_id": actor.participant_id, "role": actor.role},
            "type": event.type,
            "data": data_of(event),
            "command_id": command_id,
        }
    )


def read_entry(entry: bytes) -> Recorded:
    """What an entry tells; raises ValueError or KeyError when it is none of ours."""
    fields = json.loads(entry)
    actor = fields["actor"]
    return Recorded(
        number=fields["number"],
        sitting_id=fields["sitting_id"],
        at=from_iso(fields["at"]),
        t_ms=fields["t_ms"],
        participant_id=actor["participant_id"],
        role=Role(actor["role"]) if actor["role"] else None,
        event=event_of(fields["type"], from_iso(fields["at"]), fields["data"]),
        command_id=fields["command_id"],
    )


def first_link(sitting_id: str) -> str:
    """What the first entry is chained to."""
    return hashlib.sha256(f"remote-court-ledger:{sitting_id}".encode()).hexdigest()


def entry_hash(salt: bytes, entry: bytes) -> str:
    return hashlib.sha256(salt + entry).hexdigest()


def chain_hash(previous: str, entry_hash_hex: str) -> str:
    return hashlib.sha256(f"{previous}{entry_hash_hex}".encode()).hexdigest()


def seal(number: int, previous: str, entry: bytes, salt: bytes) -> SealedEntry:
    """Chain an entry to the one before it (`previous`: its chain_hash, or first_link())."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    hashed = entry_hash(salt, entry)
    return SealedEntry(number, entry, salt, hashed, chain_hash(previous, hashed))


def package_line(sealed: SealedEntry, *, withheld: bool = False) -> dict[str, JsonValue]:
    """The entry as a line of a package's ledger; a withheld one shows only that it exists, and where."""
    if withheld:
        return {"number": sealed.number, "entry_hash": sealed.entry_hash, "chain_hash": sealed.chain_hash}
    return {
        "number": sealed.number,
        "salt": sealed.salt.hex(),
        "entry": sealed.entry.decode(),
        "chain_hash": sealed.chain_hash,
    }


def verify(sitting_id: str, lines: Iterable[Mapping[str, object]], *, head: str | None = None) -> tuple[Problem, ...]:
    """Everything wrong with a package's ledger lines. Give `head`, the last chain_hash as signed, or a cut tail stays unseen.

    The check goes on after a break from the link the next line states, so that one change is one problem.
    """
    problems: list[Problem] = []
    kept: dict[int, Mapping[str, object]] = {}
    highest = 0
    for place, line in enumerate(lines, start=1):
        number = line.get("number")
        if not isinstance(number, int) or number < 1 or not isinstance(line.get("chain_hash"), str):
            problems.append(Problem(place, "malformed", f"第 {place} 行缺少编号或链值"))
        elif number in kept:
            problems.append(Problem(number, "added", f"第 {number} 条出现了两次"))
        else:
            if number < highest:
                problems.append(Problem(number, "reordered", f"第 {number} 条位置颠倒"))
            kept[number] = line
            highest = max(highest, number)
    problems += _broken_links(sitting_id, kept)
    last = str(kept[highest]["chain_hash"]) if kept else first_link(sitting_id)
    if head is not None and head != last:
        problems.append(Problem(highest, "missing", f"第 {highest} 条不是签名的链尾：尾部被截断、增加或改动"))
    return tuple(problems)


def _broken_links(sitting_id: str, kept: Mapping[int, Mapping[str, object]]) -> list[Problem]:
    problems: list[Problem] = []
    previous: str | None = first_link(sitting_id)
    expected = 1
    for number in sorted(kept):
        if number > expected:
            previous = None  # the link before is lost with its entry
            lost = f"第 {expected} 条" if number == expected + 1 else f"第 {expected} 至 {number - 1} 条"
            problems.append(Problem(expected, "missing", f"缺{lost}"))
        problem = _wrong_line(sitting_id, number, kept[number], previous)
        if problem:
            problems.append(problem)
        previous, expected = str(kept[number]["chain_hash"]), number + 1
    return problems


def _wrong_line(sitting_id: str, number: int, line: Mapping[str, object], previous: str | None) -> Problem | None:
    if "entry" in line:
        try:
            raw = str(line["entry"]).encode()
            told = json.loads(raw)
            hashed = entry_hash(bytes.fromhex(str(line.get("salt"))), raw)
        except ValueError:
            return Problem(number, "malformed", f"第 {number} 条无法读取")
        if not isinstance(told, dict) or told.get("number") != number:
            return Problem(number, "changed", f"第 {number} 条的内容是另一条的")
        if told.get("sitting_id") != sitting_id:
            return Problem(number, "wrong_sitting", f"第 {number} 条属于另一庭次")
    else:
        hashed = str(line.get("entry_hash"))
    if previous is not None and chain_hash(previous, hashed) != line["chain_hash"]:
        return Problem(number, "changed", f"第 {number} 条与链值不符")
    return None
