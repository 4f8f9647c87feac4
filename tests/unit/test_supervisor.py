"""The supervisor tells when the court is open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from court import supervisor
from court.settings import Settings


async def test_an_application_that_is_slow_to_answer_is_announced_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = asyncio.Event()

    async def all_answer(settings: Settings) -> bool:
        return answers.is_set()

    monkeypatch.setattr(supervisor, "READY_WITHIN_S", 0.05)
    monkeypatch.setattr(supervisor, "_all_answer", all_answer)
    settings = Settings(data=tmp_path / "data", keys=tmp_path / "keys", captions=False)
    announcing = asyncio.create_task(supervisor._announce(settings, tmp_path, ""))
    await asyncio.sleep(0.3)
    assert not (tmp_path / "ready").exists()
    answers.set()
    await asyncio.wait_for(announcing, 10)
    assert (tmp_path / "ready").exists()
    assert "云庭已启动" in capsys.readouterr().out
