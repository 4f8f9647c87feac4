"""Every refusal that can be raised has a code, a status and Chinese words; nothing else gets out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from hearing import errors
from media.control import MediaError
from signaling.error_codes import LAW_STATUS, REFUSALS, Refused, describe
from signaling.protocol import NewHearing

ROOT = Path(__file__).resolve().parents[2]


def raised_codes(package: str, error: str) -> Iterator[str]:
    """First argument of every `error("…")` call in a package."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str() as code), *_]) if name == error:
                    yield code


def test_every_code_raised_is_in_the_table_and_the_table_holds_no_other() -> None:
    raised = set(raised_codes("signaling", "Refused"))
    assert raised <= REFUSALS.keys()
    used_otherwise = {"internal_error", "method_not_allowed", "session_replaced"}  # told() by the edges
    from_media = {
        "media_unreachable", "media_refused", "answer_stale", "network", "too_many_connects", "self_test_busy", "self_test_unknown",
        "nothing_written",
    }  # fmt: skip
    assert REFUSALS.keys() - raised - used_otherwise - from_media == set()


def test_every_refusal_speaks_chinese_to_people() -> None:
    for code, refusal in REFUSALS.items():
        assert code.isascii()
        assert refusal.message.endswith("。")
        assert any("一" <= letter <= "鿿" for letter in refusal.message)
        assert 400 <= refusal.status <= 503


def subclasses(kind: type[errors.CourtError]) -> Iterator[type[errors.CourtError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from subclasses(child)


@pytest.mark.parametrize("kind", list(dict.fromkeys(subclasses(errors.CourtError))))
def test_every_error_of_the_law_has_a_status(kind: type[errors.CourtError]) -> None:
    error = kind.__new__(kind)
    Exception.__init__(error, "拒绝。")
    error.message, error.field, error.code = "拒绝。", "stage", kind.default_code
    status, wire = describe(error)
    assert status == next(LAW_STATUS[base] for base in kind.__mro__ if base in LAW_STATUS)
    assert (wire.code, wire.message, wire.field) == (kind.default_code, "拒绝。", "stage")
    assert (status >= 500) == (not issubclass(kind, errors.UserError))


def test_media_errors_keep_known_codes_and_hide_english() -> None:
    assert describe(MediaError("media_unreachable", "connection refused"))[1].code == "media_unreachable"
    status, wire = describe(MediaError("peer_unknown", "no such peer"))
    assert (status, wire.code) == (409, "peer_unknown")
    assert "peer" not in wire.message
    assert describe(MediaError("peer_unknown", "没有这个媒体连接"))[1].message == "没有这个媒体连接"


def test_unknown_exceptions_tell_nothing() -> None:
    status, wire = describe(RuntimeError("password=hunter2"))
    assert (status, wire.code) == (500, "internal_error")
    assert "hunter2" not in wire.message


def test_validation_names_the_field() -> None:
    with pytest.raises(ValidationError) as caught:
        NewHearing.model_validate({"participants": [{"key": "a", "role": "pope", "name": "x"}]})
    fields = [".".join(map(str, error["loc"])) for error in caught.value.errors()]
    assert describe(caught.value)[1].field == fields[0]


def test_a_refusal_carries_its_field() -> None:
    assert describe(Refused("bad_field", "sdp"))[1].field == "sdp"
