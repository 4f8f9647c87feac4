"""A whole court in its own processes, with robots in its sittings: for what only real processes show when they die."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import aiohttp

from court.rehearsal.command import _sealed
from court.rehearsal.director import Director
from court.rehearsal.participant import Robot
from court.rehearsal.script import Script
from court.rehearsal.server import TemporaryServer, temporary_server
from record.verify import Report, verify
from storage.clock import SystemClock
from tests.rehearsing import pid_of

CLOCK = SystemClock()
BENCH = (("presiding", "presiding_judge"), ("clerk", "clerk"))
TWELVE = (
    *BENCH, ("assessor1", "assessor"), ("assessor2", "assessor"), ("plaintiff1", "plaintiff"), ("plaintiff2", "plaintiff"),
    ("agent1", "agent"), ("defendant1", "defendant"), ("defendant2", "defendant"), ("agent2", "agent"),
    ("third", "third_party"), ("interpreter", "interpreter"),
)  # fmt: skip
FOUR = (*BENCH, ("plaintiff", "plaintiff"), ("defendant", "defendant"))
REPRESENTS = {"agent1": "plaintiff1", "agent2": "defendant1"}


def a_script(people: tuple[tuple[str, str], ...], title: str, pictures: frozenset[str]) -> Script:
    participants = [
        {"key": key, "role": role, "name": f"{title}{key}", "video": key in pictures, "represents": REPRESENTS.get(key)}
        for key, role in people
    ]
    matter = {"case_number": f"（2026）江0102民初{9100 + len(title)}号", "cause": "民间借贷纠纷", "title": title}
    steps = [{"do": "wait", "ms": 0}]
    document = {"title": title, "synthetic": True, "hearing": matter, "participants": participants, "steps": steps}
    return Script.model_validate(document)


@dataclass
class RobotCourt:
    """The running court; `sitting()` opens sittings full of robots."""

    server: TemporaryServer
    exits: contextlib.AsyncExitStack
    sittings: list[Director] = field(default_factory=list)

    def kill(self, role: str, number: int = signal.SIGKILL) -> None:
        os.kill(pid_of(self.server.folder, role), number)

    @contextlib.asynccontextmanager
    async def kept_down(self, role: str) -> AsyncIterator[None]:
        """The role dies again and again, as on a machine that has no more memory for it."""

        async def kill_for_ever() -> None:
            while True:
                with contextlib.suppress(ProcessLookupError):
                    self.kill(role)
                await asyncio.sleep(0.1)

        killing = asyncio.create_task(kill_for_ever())
        try:
            yield
        finally:
            killing.cancel()

    @property
    def log(self) -> str:
        return (self.server.folder / "server.log").read_text(encoding="utf-8")

    async def worker_of(self, director: Director) -> str:
        """Name of the media worker that holds a sitting, as the log of the placement says it."""
        lines = [line for line in self.log.splitlines() if "sitting placed" in line and director.created.sitting_id in line]
        return str(self.names[lines[-1].split("worker=")[1].split()[0]])

    @property
    def names(self) -> dict[str, str]:
        """Addresses of the media workers, by the order of their ports."""
        urls = sorted({line.split("worker=")[1].split()[0] for line in self.log.splitlines() if "sitting placed" in line})
        return {url: f"media-{number}" for number, url in enumerate(urls, 1)}

    async def sitting(
        self, people: tuple[tuple[str, str], ...], title: str = "演练", pictures: frozenset[str] = frozenset()
    ) -> Director:
        """A sitting in session with everyone in it and everyone hearing everyone."""
        script = a_script(people, title, pictures)
        director = Director(script, self.server.folder, self.server.base_url, self.server.credentials, CLOCK, lambda _: None)
        await self.exits.enter_async_context(director)
        self.sittings.append(director)
        await director.prepare({})
        for key in ("clerk", "presiding"):
            await director._join(key)
        await director.robots["clerk"].give("sitting.open_lobby")
        for key, _ in people:
            if key not in {"clerk", "presiding"}:
                await director._join(key)
        await director.robots["presiding"].give("sitting.open")
        await until(lambda: all_hear(director.robots.values(), director.robots.values()), 60)
        return director

    async def close(self, director: Director) -> Report:
        """Close the sitting, wait for the seal, and verify the package."""
        await director.robots["presiding"].give("sitting.close")
        record = await _sealed(director)
        assert record is not None
        assert record.proof.state != "sealing"
        package = self.server.folder / f"{director.created.hearing_id}.zip"
        await director.clerk.door.save_package(director.created.hearing_id, package)
        return await asyncio.to_thread(verify, package)

    async def metrics(self) -> dict[str, float]:
        """One scrape."""
        token = (self.server.folder / "keys" / "internal-token").read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(f"{self.server.base_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if not x.startswith("#"))}


def sound(robot: Robot) -> Counter[str]:
    """Audio packets that a robot got, by who sent them."""
    return Counter({source: count for (source, kind), count in robot.received.by_source.items() if kind.value == "audio"})


def all_hear(
    robots: Iterable[Robot], sources: Iterable[Robot], since: Mapping[str, Counter[str]] = MappingProxyType({})
) -> bool:
    """Whether every robot got sound of each of these others (since the counts of `since`)."""
    sources = list(sources)
    for robot in robots:
        fresh = sound(robot) - since.get(robot.person.key, Counter())
        if not all(fresh[other.participant_id] > 0 for other in sources if other is not robot):
            return False
    return True


def counts(robots: Iterable[Robot]) -> dict[str, Counter[str]]:
    """What each has heard until now."""
    return {robot.person.key: sound(robot) for robot in robots}


async def until(condition: Callable[[], object], within_s: float = 20.0) -> float:
    """Wait for it; returns how long it took, in seconds."""
    began = CLOCK.monotonic()
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)
    return CLOCK.monotonic() - began


@contextlib.asynccontextmanager
async def robot_court(folder: Path, *, workers: int = 1) -> AsyncIterator[RobotCourt]:
    folder.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as exits:
        settings = {"COURT_MEDIA_WORKERS": str(workers)}
        server = await exits.enter_async_context(temporary_server(folder, captions=False, settings=settings))
        yield RobotCourt(server, exits)
