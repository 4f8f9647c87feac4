"""How many packages a person may download, and everybody together."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signaling.error_codes import Refused
from signaling.rate import DOWNLOADS_AT_ONCE, DOWNLOADS_OF_ONE, DOWNLOADS_WINDOW_S, Downloads


class Ticks:
    """A clock that stands where it is put."""

    ticks = 0.0

    def monotonic(self) -> float:
        return self.ticks

    def now(self) -> datetime:
        return datetime(2026, 11, 21, tzinfo=UTC)


def refused(downloads: Downloads, subject: str) -> bool:
    try:
        with downloads.begin(subject):
            return False
    except Refused as error:
        assert error.code == "too_many_downloads"  # noqa: PT017  what is raised and what is not are both asked for
        return True


def test_one_at_a_time_of_one_person() -> None:
    downloads = Downloads(Ticks())
    with downloads.begin("a"):
        assert refused(downloads, "a")
        assert not refused(downloads, "b")
    assert not refused(downloads, "a")


def test_an_interrupted_download_counts_as_ended() -> None:
    downloads = Downloads(Ticks())
    with pytest.raises(ConnectionResetError), downloads.begin("a"):
        raise ConnectionResetError
    assert not refused(downloads, "a")


def test_so_many_in_a_while_of_one_person() -> None:
    clock = Ticks()
    downloads = Downloads(clock)
    assert [refused(downloads, "a") for _ in range(DOWNLOADS_OF_ONE + 1)] == [False] * DOWNLOADS_OF_ONE + [True]
    assert not refused(downloads, "b")
    clock.ticks += DOWNLOADS_WINDOW_S + 1
    assert not refused(downloads, "a")


def test_so_many_at_once_of_everybody() -> None:
    downloads = Downloads(Ticks())
    running = [downloads.begin(str(number)) for number in range(DOWNLOADS_AT_ONCE)]
    for one in running:
        one.__enter__()
    assert refused(downloads, "one more")
    running[0].__exit__(None, None, None)
    assert not refused(downloads, "one more")
