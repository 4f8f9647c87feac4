"""The package over HTTP: each person gets that of their class, one at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hearing.access import AccessClass
from signaling.rate import DOWNLOADS_OF_ONE
from tests.integration.signaling_bed import court_house


async def test_each_person_gets_the_package_of_their_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[AccessClass] = []

    async def package(*_parts: Any, holder: AccessClass) -> AsyncIterator[bytes]:
        asked.append(holder)
        yield b"PK"

    monkeypatch.setattr("tests.integration.signaling_bed.package_zip", package)
    async with court_house(tmp_path) as bed:
        people = [await bed.person(key) for key in ("presiding", "judge", "clerk", "plaintiff", "agent")]
        url = f"/api/hearings/{bed.hearing_id}/package.zip"
        for person in people:
            async with person.http.get(url) as answer:
                assert (answer.status, await answer.read()) == (200, b"PK")
        assert asked == [AccessClass.SEALED, AccessClass.PANEL, AccessClass.PANEL, AccessClass.PARTIES, AccessClass.PARTIES]
        statuses = []
        for _ in range(DOWNLOADS_OF_ONE):
            async with people[-1].http.get(url) as answer:
                statuses.append(answer.status)
        assert statuses == [200] * (DOWNLOADS_OF_ONE - 1) + [429]
