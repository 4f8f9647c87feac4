"""Plays a script: the robots' entrances, lines and commands in order, and the notes a report is made of."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from court.rehearsal.door import Account, Credentials, Door, HttpRefused
from court.rehearsal.participant import CommandRefused, Robot
from court.rehearsal.picture import TestPicture
from court.rehearsal.script import Give, Join, Leave, Pause, Person, Say, Script, Step, Submit, isolated
from court.rehearsal.sender import MediaSender
from court.rehearsal.voice import Speech
from hearing.model import BENCH, Role, SittingState
from hearing.timeline import Clock
from media.settings import Network
from signaling.protocol import DocketParticipant, ExhibitView, HearingCreated, NewHearing, NewParticipant

IN_FLIGHT_S = 0.4  # packets sent before a grant was withdrawn may still be on their way
LINES_WAIT_S = 20.0

Progress = Callable[[str], None]


class RehearsalFailed(Exception):
    """The rehearsal could not be carried on; the message is one Chinese line."""


@dataclass(frozen=True, slots=True)
class Said:
    """A line as it was spoken, in server time."""

    key: str
    role: Role
    text: str
    began_at: datetime
    words_at: datetime  # its first word left the robot
    ended_at: datetime
    in_session: bool
    moved_ms: int  # Spoken.moved_ms


@dataclass(slots=True)
class Notes:
    """What the director saw, for the report."""

    said: list[Said] = field(default_factory=list)
    exhibits: dict[str, ExhibitView] = field(default_factory=dict)
    in_room: list[tuple[str, datetime, datetime | None]] = field(default_factory=list)  # key, from, to
    isolated_packets: dict[str, int] = field(default_factory=dict)
    refused_as_written: int = 0
    problems: list[str] = field(default_factory=list)


class Director:
    """One rehearsal on one server. Use as an async context manager: leaving it, all robots leave."""

    def __init__(
        self, script: Script, folder: Path, base_url: str, credentials: Credentials, clock: Clock, progress: Progress
    ) -> None:
        self.script = script
        self.robots: dict[str, Robot] = {}
        self.notes = Notes()
        self.created: HearingCreated
        self._folder = folder
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._progress = progress
        self._isolated_from: dict[str, int] = {}
        self._speeches: dict[str, Speech] = {}
        self._ids: dict[str, str] = {}
        self._exits = contextlib.AsyncExitStack()
        self._runs: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        for robot in self.robots.values():
            with contextlib.suppress(TimeoutError, OSError):
                await robot.leave()
        await self._exits.aclose()

    @property
    def clerk(self) -> Robot:
        return next(robot for robot in self.robots.values() if robot.person.role is Role.CLERK)

    @property
    def offset(self) -> timedelta:
        """Server clock minus ours."""
        compared = [robot.server_ahead for robot in self.robots.values() if robot.server_ahead is not None]
        return max(compared, default=timedelta())

    def server_now(self) -> datetime:
        return self._clock.now() + self.offset

    # --- before the doors open ---------------------------------------------------------------------

    async def prepare(self, speeches: dict[str, Speech]) -> None:
        """Sign the bench in, create the hearing and open the parties' links."""
        self._speeches = speeches
        accounts = self._accounts()
        for person in self.script.participants:
            if person.role in BENCH:
                await self._make(person).door.sign_in(accounts[person.key])
        await self._create_hearing(accounts)
        links = list(self.created.links)
        for person in self.script.participants:
            if person.role not in BENCH:
                robot = self._make(person)
                link = next(link for link in links if (link.role, link.name) == (person.role, person.name))
                links.remove(link)
                await robot.door.use_link(link.url)
                await robot.door.report_self_test(video=person.video)
        for robot in self.robots.values():
            self._runs.append(asyncio.create_task(robot.run()))

    def _make(self, person: Person) -> Robot:
        local = "//127.0.0.1:" in self._base_url or "//localhost:" in self._base_url
        network = Network(addresses=("127.0.0.1",)) if local else Network()
        pictures = {"": TestPicture(person.key, ZoneInfo("Asia/Shanghai"))} if person.video else {}
        door = Door(self._base_url, trust_any_certificate=local)
        self._exits.push_async_callback(door.session.close)
        robot = Robot(person, door, MediaSender(person.key, self._clock, pictures), network, self._clock)
        self.robots[person.key] = robot
        return robot

    def _accounts(self) -> dict[str, Account]:
        """A staff account of the right position for everyone on the bench."""
        free = list(self._credentials.accounts)
        positions = {Role.PRESIDING_JUDGE: "judge", Role.JUDGE: "judge", Role.ASSESSOR: "assessor", Role.CLERK: "clerk"}
        chosen: dict[str, Account] = {}
        for person in self.script.participants:
            if person.role in BENCH:
                account = next((account for account in free if account.position == positions[person.role]), None)
                if account is None:
                    raise RehearsalFailed(f"账号文件中缺少职务为 {positions[person.role]} 的账号（{person.key}）")
                free.remove(account)
                chosen[person.key] = account
        return chosen

    async def _create_hearing(self, accounts: dict[str, Account]) -> None:
        names: dict[str, tuple[str, str]] = {}  # key → staff id, name
        colleagues = await self.clerk.door.colleagues()
        for key in accounts:
            me = await self.robots[key].door.who()
            names[key] = next((c.id, c.name) for c in colleagues if c.name == me.name)
        people = [
            NewParticipant(
                key=person.key,
                role=person.role,
                name=names[person.key][1] if person.key in names else person.name,
                represents=person.represents,
                staff_id=names[person.key][0] if person.key in names else None,
            )
            for person in self.script.participants
        ]
        matter = self.script.hearing.model_dump()
        hearing = NewHearing(**matter, scheduled_at=self.server_now() + timedelta(minutes=1), participants=people)
        self.created = await self.clerk.door.create_hearing(hearing)
        item = await self.clerk.door.hearing(self.created.hearing_id)
        self._learn_ids(list(item.participants), {person.key: person.name for person in people})

    def _learn_ids(self, participants: list[DocketParticipant], names: dict[str, str]) -> None:
        for person in self.script.participants:
            known = next(p for p in participants if p.role is person.role and p.name == names[person.key])
            participants.remove(known)
            self._ids[person.key] = known.id

    # --- the play ----------------------------------------------------------------------------------

    async def play(self) -> None:
        """All steps in order. What does not go as written is noted, and the play goes on."""
        for number, step in enumerate(self.script.steps, 1):
            try:
                await self._step(step)
            except (CommandRefused, TimeoutError, HttpRefused, OSError) as error:
                problem = f"第 {number} 步（{step.do}）：{str(error) or error.__class__.__name__}"
                self.notes.problems.append(problem)
                self._progress(f"！{problem}")
        await self._hear_the_rest()
        for key in list(self._isolated_from):
            self._end_isolation(key)

    async def _step(self, step: Step) -> None:
        match step:
            case Join():
                for key in step.who:
                    await self._join(key)
            case Leave():
                await self.robots[step.who].leave()
                self._left_room(step.who)
            case Say():
                await self._say(step)
            case Give():
                await self._give(step)
            case Submit():
                await self._submit(step)
            case Pause():
                await asyncio.sleep(step.ms / 1000)

    async def _join(self, key: str) -> None:
        robot = self.robots[key]
        await robot.join(self.created.sitting_id)
        if robot.person in isolated(self.script):
            self._isolated_from[key] = robot.received.datagrams
        else:
            self.notes.in_room.append((key, self.server_now(), None))
        self._progress(f"{robot.person.name} 已入庭")

    async def _say(self, step: Say) -> None:
        robot, speech = self.robots[step.who], self._speeches[step.audio]
        await robot.media_up()
        state = robot.sitting.state if robot.sitting is not None else None
        self._progress(f"{robot.person.name}：{step.text}")
        spoken = await robot.say(speech)
        now_s, ended_at = asyncio.get_running_loop().time(), self.server_now()
        began_at, words_at = (ended_at - timedelta(seconds=now_s - at_s) for at_s in (spoken.began_s, spoken.words_s))
        in_session = state is SittingState.IN_SESSION
        said = Said(step.who, robot.person.role, step.text, began_at, words_at, ended_at, in_session, spoken.moved_ms)
        self.notes.said.append(said)
        await asyncio.sleep(step.then_pause_ms / 1000)

    async def _give(self, step: Give) -> None:
        robot = self.robots[step.who]
        fields = {name: self._resolve(value) for name, value in step.fields.items()}
        called = self._key_of(fields.get("participant_id"))
        if step.command == "witness.call":
            self._end_isolation(called)
        try:
            await robot.give(step.command, fields)
        except CommandRefused as refusal:
            if step.refused != refusal.error.code:
                raise
            self.notes.refused_as_written += 1
            return
        if step.refused is not None:
            raise TimeoutError(f"{step.command} 应被拒绝（{step.refused}），却被接受")
        self._progress(f"{robot.person.name} 〔{step.command}〕")
        await self._witness_moved(step.command, called)

    async def _witness_moved(self, command: str, key: str) -> None:
        if command == "witness.call":
            self.notes.in_room.append((key, self.server_now(), None))
        elif command == "witness.dismiss":
            self._left_room(key)
            await asyncio.sleep(IN_FLIGHT_S)
            self._isolated_from[key] = self.robots[key].received.datagrams

    def _end_isolation(self, key: str) -> None:
        if key in self._isolated_from:
            packets = self.robots[key].received.datagrams - self._isolated_from.pop(key)
            self.notes.isolated_packets[key] = self.notes.isolated_packets.get(key, 0) + packets

    def _left_room(self, key: str) -> None:
        for index, (who, since, until) in enumerate(self.notes.in_room):
            if who == key and until is None:
                self.notes.in_room[index] = (who, since, self.server_now())

    async def _submit(self, step: Submit) -> None:
        robot = self.robots[step.who]
        view = await robot.door.submit_exhibit(self.created.hearing_id, self._folder / step.file, step.title, step.purpose)
        self._ids[step.key] = view.id
        self.notes.exhibits[step.key] = view
        self._progress(f"{robot.person.name} 提交 {view.number} {step.title}")

    def _resolve(self, value: Any) -> Any:
        return self._ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value

    def _key_of(self, participant_id: object) -> str:
        return next((key for key, known in self._ids.items() if known == participant_id), "")

    async def _hear_the_rest(self) -> None:
        """Captions of the last lines are still being made, where any are expected."""
        if not self.script.expect.captions:
            return
        waited_from = self._clock.monotonic()
        while self._clock.monotonic() - waited_from < LINES_WAIT_S:
            heard = sum(caption.caption.kind == "speech" for caption in self.clerk.captions.values())
            if heard >= sum(said.in_session for said in self.notes.said):
                return
            await asyncio.sleep(0.5)
