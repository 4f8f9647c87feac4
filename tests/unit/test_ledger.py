"""The chain: what verifies, what does not, and that withholding an entry hides it without breaking the chain."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from hearing import events as e
from hearing.event_form import event_of
from hearing.ledger import canonical, entry_bytes, first_link, package_line, read_entry, seal, verify
from hearing.model import SYSTEM, Difficulty, HandReason, Keeping, Part, Stage
from tests.courts import NINE, a_sitting, actor, pid

SITTING = a_sitting().id
EVENTS: tuple[e.Event, ...] = (
    e.LobbyOpened(NINE),
    e.SittingOpened(NINE + timedelta(seconds=1)),
    e.HandRaised(NINE + timedelta(seconds=2), pid("plaintiff"), HandReason.OBJECTION),
    e.SittingAdjourned(NINE + timedelta(seconds=3), NINE + timedelta(minutes=20)),
    e.NoteAdded(NINE + timedelta(seconds=4), "原告：“属实。”\n"),
    e.SittingClosed(NINE + timedelta(seconds=5)),
)


def a_ledger() -> tuple[list[dict[str, Any]], str]:
    """Lines as a package holds them, and the head of the chain."""
    lines: list[dict[str, Any]] = []
    head = first_link(SITTING)
    opened_at = None
    for number, event in enumerate(EVENTS, start=1):
        opened_at = event.at if isinstance(event, e.SittingOpened) else opened_at
        raw = entry_bytes(SITTING, number, event, actor("presiding"), opened_at=opened_at, command_id=f"cmd-{number}")
        entry = seal(number, head, raw, bytes([number]) * 16)
        head = entry.chain_hash
        lines.append(dict(package_line(entry)))
    return lines, head


def problems(lines: list[dict[str, Any]], head: str | None = None) -> list[tuple[int, str]]:
    return [(problem.number, problem.code) for problem in verify(SITTING, lines, head=head)]


def test_an_entry_is_canonical_json_with_exactly_these_fields() -> None:
    raw = entry_bytes(SITTING, 2, EVENTS[2], actor("plaintiff"), opened_at=NINE, command_id=None)
    assert raw.decode() == (
        '{"actor":{"participant_id":"plaintiff","role":"plaintiff"},"at":"2026-11-21T01:00:02.000Z","command_id":null,'
        '"data":{"participant_id":"plaintiff","reason":"objection"},"number":2,"sitting_id":"sit_test","t_ms":2000,'
        '"type":"hand.raised"}'
    )


def test_the_chain_is_made_as_it_is_written_down() -> None:
    lines, _ = a_ledger()
    previous = hashlib.sha256(b"remote-court-ledger:sit_test").hexdigest()
    for line in lines:
        entry_hash = hashlib.sha256(bytes.fromhex(line["salt"]) + line["entry"].encode()).hexdigest()
        previous = hashlib.sha256((previous + entry_hash).encode("ascii")).hexdigest()
        assert line["chain_hash"] == previous


def test_every_event_survives_the_way_into_the_ledger_and_back() -> None:
    examples: dict[str, Any] = {
        "stage": Stage.DEBATE,
        "previous": Stage.OPENING,
        "reason": HandReason.HEALTH,
        "difficulty": Difficulty.CAMERA,
        "planned_resume_at": None,
        "part": Part.CLOSED,
        "recorded": Keeping.SEALED,
    }
    for event_type in e.TYPES.values():
        fields = {
            f.name: examples.get(f.name, {"bool": True, "int": 3}.get(str(f.type), "x")) for f in dataclasses.fields(event_type)
        }
        event = event_type(**{**fields, "at": NINE})
        told = read_entry(entry_bytes(SITTING, 1, event, SYSTEM, opened_at=None, command_id=None))
        assert told.event == event
        assert (told.t_ms, told.participant_id, told.role) == (None, None, None)
        assert type(told.event) is event_type


@pytest.mark.parametrize(
    ("type_", "data", "error"),
    [
        ("sitting.exploded", {}, KeyError),
        ("hand.raised", {"participant_id": "p", "reason": "boredom"}, ValueError),
        ("hand.raised", {"participant_id": "p"}, ValueError),
        ("sitting.opened", {"loudness": 3}, ValueError),
    ],
)
def test_an_entry_that_is_none_of_ours_is_not_read(type_: str, data: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        event_of(type_, NINE, data)


def test_the_whole_ledger_verifies() -> None:
    lines, head = a_ledger()
    assert problems(lines, head) == []


def test_withheld_entries_still_verify_and_tell_nothing() -> None:
    lines, head = a_ledger()
    raw = lines[4]["entry"].encode()
    entry = seal(5, lines[3]["chain_hash"], raw, bytes([5]) * 16)
    lines[4] = dict(package_line(entry, withheld=True))
    assert lines[4].keys() == {"number", "entry_hash", "chain_hash"}
    assert problems(lines, head) == []
    # The salt is what keeps the hash of a short, guessable entry from being found by trying.
    assert lines[4]["entry_hash"] != hashlib.sha256(raw).hexdigest()


def test_a_withheld_entry_cannot_be_replaced() -> None:
    lines, head = a_ledger()
    lines[4] = {"number": 5, "entry_hash": hashlib.sha256(b"another").hexdigest(), "chain_hash": lines[4]["chain_hash"]}
    assert problems(lines, head) == [(5, "changed")]


@pytest.mark.parametrize("field", ["entry", "salt", "chain_hash"])
def test_a_changed_field_is_found(field: str) -> None:
    lines, head = a_ledger()
    if field == "entry":
        lines[4]["entry"] = lines[4]["entry"].replace("属实", "不属实")
    else:
        first = lines[4][field][0]
        lines[4][field] = ("0" if first != "0" else "1") + lines[4][field][1:]
    assert (5, "changed") in problems(lines, head)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_removed_entry_is_found(number: int) -> None:
    lines, head = a_ledger()
    del lines[number - 1]
    assert problems(lines, head) == [(number, "missing")]


def test_a_cut_tail_is_found_by_the_signed_head_only() -> None:
    lines, head = a_ledger()
    assert problems(lines[:-2]) == []
    assert problems(lines[:-2], head) == [(4, "missing")]
    assert problems([], head) == [(0, "missing")]


def test_two_entries_in_the_wrong_order_are_found() -> None:
    lines, head = a_ledger()
    lines[2], lines[3] = lines[3], lines[2]
    assert problems(lines, head) == [(3, "reordered")]


def test_an_added_entry_is_found() -> None:
    lines, head = a_ledger()
    assert problems([*lines, lines[2]], head) == [(3, "added")]
    forged = dict(package_line(seal(7, head, canonical({"number": 7, "sitting_id": SITTING}), bytes(16))))
    assert problems([*lines, forged], head) == [(7, "missing")]  # beyond the signed head


def test_an_entry_of_another_sitting_or_place_is_found() -> None:
    lines, _ = a_ledger()
    stolen = canonical({**json.loads(lines[5]["entry"]), "sitting_id": "sit_other"})
    entry = seal(6, lines[4]["chain_hash"], stolen, bytes(16))
    assert problems([*lines[:5], dict(package_line(entry))]) == [(6, "wrong_sitting")]
    moved = canonical({**json.loads(lines[5]["entry"]), "number": 3})
    entry = seal(6, lines[4]["chain_hash"], moved, bytes(16))
    assert problems([*lines[:5], dict(package_line(entry))]) == [(6, "changed")]


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"number": "6", "chain_hash": "x"},
        {"number": 6},
        {"number": 6, "chain_hash": "x", "entry": "not json", "salt": "00"},
        {"number": 6, "chain_hash": "x", "entry": "{}", "salt": "not hex"},
        {"number": 6, "chain_hash": "x", "entry": "\ud800", "salt": "00"},
        {"number": 6, "chain_hash": "x", "entry": "[]", "salt": "00"},
        {"number": -1, "chain_hash": "x"},
        {"number": 10**15, "chain_hash": "x", "entry_hash": "y"},
    ],
)
def test_rubbish_is_a_problem_and_never_a_crash(line: dict[str, Any]) -> None:
    lines, _ = a_ledger()
    assert problems([*lines[:5], line])


def test_a_salt_is_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        seal(1, first_link(SITTING), b"{}", b"short")
