"""The media workers as this process hears them: which are there, how much each carries, which gets the next sitting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hearing.timeline import Clock

USUAL_PEOPLE = 6
"""A sitting that has just been placed counts as so many people: they are on their way."""


@dataclass(slots=True)
class _Heard:
    at_s: float | None = None  # monotonic
    people: int = 0


class Fleet:
    """`urls` are the workers' control addresses, in the order of their numbers."""

    def __init__(self, urls: tuple[str, ...], clock: Clock, silence_s: float) -> None:
        self.urls = urls
        self._clock = clock
        self._silence_s = silence_s
        self._begun_s = clock.monotonic()
        self._heard = {url: _Heard() for url in urls}

    def known(self, url: str) -> str | None:
        """The worker a report is from; without an address it is the only one."""
        if not url and len(self.urls) == 1:
            return self.urls[0]
        return url if url in self._heard else None

    def heard(self, url: str, people: int | None = None) -> None:
        heard = self._heard[url]
        heard.at_s = self._clock.monotonic()
        if people is not None:
            heard.people = people

    def silence_s(self, url: str) -> float:
        """Since when the worker is unheard; counted from our own start at first."""
        at_s = self._heard[url].at_s
        return self._clock.monotonic() - (self._begun_s if at_s is None else at_s)

    def is_there(self, url: str) -> bool:
        return self._heard[url].at_s is not None and self.silence_s(url) <= self._silence_s

    @property
    def names(self) -> dict[str, str]:
        """media-1, media-2 … and their addresses."""
        return {f"media-{number}": url for number, url in enumerate(self.urls, 1)}

    def lightest(self, placed: Mapping[str, int], without: Iterable[str | None] = ()) -> str:
        """The worker that carries least, of those that are there (of all, when none has been heard yet).

        `placed` is the number of live sittings by worker; `without` are those that cannot take it.
        """
        others = [url for url in self.urls if url not in set(without)] or list(self.urls)
        there = [url for url in others if self.is_there(url)] or others
        return min(
            there, key=lambda url: (max(self._heard[url].people, USUAL_PEOPLE * placed.get(url, 0)), self.urls.index(url))
        )
