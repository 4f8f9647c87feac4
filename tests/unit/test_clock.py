"""The court's time when somebody sets the machine's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage import clock

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


class Machine:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.elapsed_s = START, 500.0
        monkeypatch.setattr(clock, "_wall", lambda: self.wall)
        monkeypatch.setattr(clock, "_elapsed_s", lambda: self.elapsed_s)
        self.line = clock._Line()

    def pass_s(self, elapsed: float, wall: float | None = None) -> datetime:
        self.elapsed_s += elapsed
        self.wall += timedelta(seconds=elapsed if wall is None else wall)
        return self.line.now()


@pytest.mark.parametrize("by_s", [60.0, -60.0, 3_600.0, 1.5])
def test_a_step_is_not_followed(monkeypatch: pytest.MonkeyPatch, by_s: float) -> None:
    machine = Machine(monkeypatch)
    assert machine.pass_s(10) == START + timedelta(seconds=10)
    assert machine.pass_s(10, 10 + by_s) == START + timedelta(seconds=20)
    assert machine.pass_s(3_600) == START + timedelta(seconds=3_620)
    assert machine.pass_s(0, -by_s) == START + timedelta(seconds=3_620)


def test_small_corrections_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    for _ in range(100):
        told = machine.pass_s(10, 10.001)
    assert told == START + timedelta(seconds=1_000.1)
