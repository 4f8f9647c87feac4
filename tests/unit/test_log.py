"""Logs carry no personal data and no routine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from court.log import configure_logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_values_that_may_be_personal_are_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json", "signaling")
    structlog.get_logger("t").info("joined", participant_id="part_1", name="张伟", token="s3cret", text="借款属实")
    line = json.loads(capsys.readouterr().err)
    assert line["participant_id"] == "part_1"
    assert line["role"] == "signaling"
    assert {line["name"], line["token"], line["text"]} == {"(withheld)"}


def test_what_is_below_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "console", "jobs")
    structlog.get_logger("t").info("quiet")
    structlog.get_logger("t").warning("loud")
    written = capsys.readouterr().err
    assert "quiet" not in written
    assert "loud" in written


def test_the_roles_small_talk_is_written_only_when_it_fails(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json", "signaling")
    log = structlog.get_logger("t")
    log.info("request", route="/internal/media/reports", status=200)
    log.info("request", route="/internal/media/reports", status=500)
    log.info("request", route="/api/me", status=200)
    written = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["route"], line["status"]) for line in written] == [("/internal/media/reports", 500), ("/api/me", 200)]
