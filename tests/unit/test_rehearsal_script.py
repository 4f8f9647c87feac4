"""Rehearsal scripts: the ones we ship are good, and a bad one is refused with line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from court.rehearsal.report import report_schema
from court.rehearsal.script import Say, ScriptError, line_numbers, load_script, script_schema

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["short.json", "loan.json"])
def test_our_scripts_are_good(name: str) -> None:
    assert load_script(ROOT / "rehearsals" / name).synthetic


def test_the_loan_hearing_is_said_line_by_line() -> None:
    said = [step for step in load_script(ROOT / "rehearsals" / "loan.json").steps if isinstance(step, Say)]
    lines = json.loads((ROOT / "rehearsals" / "speech" / "loan" / "lines.json").read_text(encoding="utf-8"))
    assert [(step.who, step.text) for step in said] == [(line["role"], line["text"]) for line in lines]


@pytest.mark.parametrize(
    ("name", "text"), [("rehearsal.schema.json", script_schema()), ("rehearsal-report.schema.json", report_schema())]
)
def test_the_schemas_are_fresh(name: str, text: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text


def good() -> dict[str, Any]:
    return {
        "title": "t",
        "synthetic": True,
        "hearing": {"case_number": "（2026）江0102民初1号", "cause": "c", "title": "t"},
        "participants": [
            {"key": "judge", "role": "presiding_judge", "name": "a"},
            {"key": "clerk", "role": "clerk", "name": "b"},
            {"key": "plaintiff", "role": "plaintiff", "name": "c"},
        ],
        "steps": [{"do": "join", "who": ["judge"]}, {"do": "wait", "ms": 1}],
    }


def written(tmp_path: Path, script: object) -> Path:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(script, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def test_a_small_script_is_enough(tmp_path: Path) -> None:
    assert load_script(written(tmp_path, good())).expect.complete


@pytest.mark.parametrize(
    ("where", "value", "field"),
    [
        (("steps", 1, "ms"), -1, "steps.1.ms"),
        (("steps", 1, "do"), "dance", "steps.1"),
        (("steps", 0, "who"), ["nobody"], "steps.0.who"),
        (("participants", 0, "role"), "king", "participants.0.role"),
        (("participants", 1, "key"), "judge", "整个脚本"),
        (("participants", 2, "represents"), "nobody", "participants.2.represents"),
        (("hearing", "sort"), 1, "hearing.sort"),
        (("expect",), {"cer_at_most": "low"}, "expect.cer_at_most"),
        (("steps", 1), {"do": "say", "who": "judge", "audio": "none.opus", "text": "x"}, "steps.1.audio"),
        (("steps", 1), {"do": "submit", "who": "plaintiff", "file": "none.pdf", "title": "x", "key": "iou"}, "steps.1.file"),
        (
            ("steps", 1),
            {"do": "command", "who": "judge", "command": "exhibit.show", "fields": {"exhibit_id": "$iou"}},
            "steps.1.fields.exhibit_id",
        ),
    ],
)
def test_a_bad_script_is_refused_with_line_and_field(
    tmp_path: Path, where: tuple[str | int, ...], value: object, field: str
) -> None:
    script = good()
    node: Any = script
    for part in where[:-1]:
        node = node[part]
    node[where[-1]] = value
    path = written(tmp_path, script)
    with pytest.raises(ScriptError) as refusal:
        load_script(path)
    message = str(refusal.value)
    assert f"字段 {field}" in message or f"字段 （{field}）" in message
    assert "\n" not in message
    line = int(message.rsplit(" 第 ", maxsplit=1)[-1].partition(" 行")[0])
    named = str(where[-1]) if isinstance(where[-1], str) else None
    if named and named in {"ms", "role", "represents", "sort"}:
        assert f'"{named}"' in path.read_text(encoding="utf-8").splitlines()[line - 1]


def test_broken_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text('{\n "title": "t",\n "steps": [,]\n}', encoding="utf-8")
    with pytest.raises(ScriptError, match="第 3 行"):
        load_script(path)


def test_a_missing_script_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="无法读取"):
        load_script(tmp_path / "none.json")


def test_line_numbers_of_nested_values() -> None:
    text = '{\n "a": [1, {"b": "x,{:"}],\n "c": {\n  "d": [],\n  "e": null}\n}'
    assert dict(line_numbers(text)) == {
        (): 1, ("a",): 2, ("a", 0): 2, ("a", 1): 2, ("a", 1, "b"): 2, ("c",): 3, ("c", "d"): 4, ("c", "e"): 5,
    }  # fmt: skip
