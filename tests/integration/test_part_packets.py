"""A closed part and a deliberation, by packets: who is outside gets not one, and each segment is of one class (J17, J19, S1).

The law decides (its own service), a worker forwards and records. What is said inside a part is another tone: it is looked for
in every segment of the other class, and in everything that lies in the spool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from hearing import commands as c
from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import Actor, CourtId, Keeping, Part, Procedure, Role
from hearing.scheduling import NewHearing, NewPerson
from hearing.service import Created, HearingService
from media.aiortc_bridge import Endpoint
from media.spool import Spool, SpooledSegment
from storage.database import Database
from storage.tables import metadata
from tests.courts import COURT, NINE, found_court
from tests.integration.media_rig import CLOCK, SITTING, Client, Rig, opus_tone, rig, vp8_picture
from tests.integration.test_isolation_packets import IN_FLIGHT_S, Court, SocketCounter, sockets  # noqa: F401  a fixture
from tests.tones import has_tone

OPEN_HZ, CLOSED_HZ, DELIBERATION_HZ = 440.0, 1_000.0, 1_700.0
PART_S = 1.6
ROLES = {
    "j": Role.PRESIDING_JUDGE, "k": Role.JUDGE, "c": Role.CLERK, "p": Role.PLAINTIFF, "d": Role.DEFENDANT, "o": Role.OBSERVER,
}  # fmt: skip
STAFF = {"j": "judge_1", "k": "judge_2", "c": "clerk_1"}


@dataclass
class Voice:
    """Endless 20 ms packets of the tone that is spoken now."""

    tones: dict[float, list[bytes]]
    hz: float = OPEN_HZ

    def __iter__(self) -> Iterator[bytes]:
        n = 0
        while True:
            yield self.tones[self.hz][n % 50 + 1]
            n += 1


class Chamber(Court):
    """A court of its own roles; remembers when each act took effect."""

    def __init__(self, one: Rig, service: HearingService, created: Created) -> None:
        super().__init__(one, service, created)
        self.at: dict[str, datetime] = {}

    async def act(self, who: str, command: c.Command, name: str = "") -> None:
        outcome = await self._service.execute(self._sitting_id, command, Actor(self.ids[who], ROLES[who]))
        self.table = replace(outcome.grants, sitting_id=SITTING)
        self.at[name] = self.table.effective_at
        await self.apply()


async def set_down(database: Database, service: HearingService) -> Created:
    async with database.transaction() as connection:
        await connection.run_sync(metadata.create_all)
    await found_court(database)
    people = tuple(NewPerson(key, role, key, staff_id=STAFF.get(key)) for key, role in ROLES.items())  # type: ignore[arg-type]
    return await service.create_hearing(
        NewHearing(
            court_id=CourtId(COURT), case_number="（2026）沪0106民初1234号", cause="民间借贷纠纷", title="张某诉李某民间借贷纠纷",
            procedure=Procedure.ORDINARY, public=True, courtroom="第三在线法庭", scheduled_at=NINE, people=people, created_by=None,
        )
    )  # fmt: skip


async def hears(court: Chamber, client: Client, speaker: str) -> None:
    """Something new of the speaker arrives."""
    track = f"{court.ids[speaker]}-audio"
    before = len(client.got.get(track, ()))
    await court.one.until(lambda: len(client.got.get(track, ())) > before + 5, 10)


async def hear_nothing(sockets: SocketCounter, outside: list[Endpoint], inside: Client) -> None:  # noqa: F811
    """From half a second after the act to the end of the part not one packet more, nor a report about one."""
    await asyncio.sleep(IN_FLIGHT_S)
    before, lively = [sockets.of(endpoint) for endpoint in outside], inside.datagrams
    await asyncio.sleep(PART_S)
    assert inside.datagrams > lively + 20, "there is something to be kept from"
    assert [sockets.of(endpoint) for endpoint in outside] == before


@pytest.mark.timeout(120)
async def test_a_closed_part_and_a_deliberation(tmp_path: Path, sockets: SocketCounter) -> None:  # noqa: F811
    database = Database(f"sqlite:///{tmp_path / 'court.db'}")
    tones = {hz: await asyncio.to_thread(opus_tone, 1.2, hz) for hz in (OPEN_HZ, CLOSED_HZ, DELIBERATION_HZ)}
    try:
        service = HearingService(database, CLOCK)
        async with rig(tmp_path) as one:
            court, voice = Chamber(one, service, await set_down(database, service)), Voice(tones)
            await play(court, voice, sockets)
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished"), 20)
            segments = list(Spool(one.spool).closed())
            check(court, segments)
    finally:
        await database.close()


async def play(court: Chamber, voice: Voice, sockets: SocketCounter) -> None:  # noqa: F811
    await court.act("c", c.OpenLobby())
    for who in ROLES:
        await court.act(who, c.Enter())
    await court.act("j", c.OpenSitting(), "open")
    judge, member, clerk, party, observer = [await court.client(who) for who in "jkcpo"]
    picture = await asyncio.to_thread(vp8_picture, 200)
    for client in (judge, party):
        client.talk(voice)  # type: ignore[arg-type]
        client.show(picture, per_second=10)
    for client in (observer, clerk, member, party):
        await hears(court, client, "j")
    await asyncio.sleep(PART_S)

    await court.act("j", c.BeginPart(Part.CLOSED, "涉及个人隐私"), "closed")
    voice.hz = CLOSED_HZ
    await hear_nothing(sockets, [observer.down], party)
    voice.hz = OPEN_HZ
    await asyncio.sleep(0.1)
    await court.act("j", c.EndPart(), "public")
    await hears(court, observer, "j")
    await asyncio.sleep(PART_S)

    await court.act("j", c.BeginPart(Part.DELIBERATION, "合议"), "deliberation")
    voice.hz = DELIBERATION_HZ
    await hear_nothing(sockets, [observer.down, clerk.down, party.down], member)
    voice.hz = OPEN_HZ
    await asyncio.sleep(0.1)
    await court.act("j", c.EndPart(), "back")
    for client in (observer, clerk, party):
        await hears(court, client, "j")
    await asyncio.sleep(PART_S)
    await court.act("j", c.Close(), "end")


def check(court: Chamber, segments: list[tuple[SpooledSegment, Path]]) -> None:
    zero = court.at["open"]
    ms = {name: round((at - zero).total_seconds() * 1000) for name, at in court.at.items()}
    voice = sorted((s for s, _ in segments if s.track_id == f"{court.ids['j']}-audio"), key=lambda s: s.index)
    assert [s.access for s in voice] == [AccessClass.PARTIES, AccessClass.SEALED, AccessClass.PARTIES, AccessClass.PARTIES]
    cuts = [(voice[0].t1_ms, ms["closed"]), (voice[1].t0_ms, ms["closed"]), (voice[1].t1_ms, ms["public"])]
    cuts += [(voice[2].t1_ms, ms["deliberation"]), (voice[3].t0_ms, ms["back"]), (voice[3].t1_ms, ms["end"])]
    assert all(abs(found - due) <= 80 for found, due in cuts), cuts  # one packet, and the media clock's 60 ms
    for segment, _ in segments:
        apart = segment.t1_ms <= ms["deliberation"] + 80 or segment.t0_ms >= ms["back"] - 20
        assert apart, "nothing is recorded of the deliberation"
    sounds = [(s, path.read_bytes()) for s, path in segments if s.kind is Kind.AUDIO]
    assert all(not has_tone(data, DELIBERATION_HZ) for _, data in sounds)
    assert all(not has_tone(data, CLOSED_HZ) for s, data in sounds if s.access is AccessClass.PARTIES)
    assert all(has_tone(data, OPEN_HZ) for s, data in sounds if s.access is AccessClass.PARTIES)
    assert any(has_tone(data, CLOSED_HZ) for s, data in sounds if s.access is AccessClass.SEALED), "the test can find a tone"
    assert {s.access for s, _ in segments if s.kind is Kind.VIDEO} == {AccessClass.PARTIES, AccessClass.SEALED}


@pytest.mark.timeout(60)
async def test_a_closed_part_that_is_not_recorded_leaves_a_hole(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'court.db'}")
    tones = {hz: await asyncio.to_thread(opus_tone, 1.2, hz) for hz in (OPEN_HZ, CLOSED_HZ)}
    try:
        service = HearingService(database, CLOCK)
        async with rig(tmp_path) as one:
            court, voice = Chamber(one, service, await set_down(database, service)), Voice(tones)
            await court.act("c", c.OpenLobby())
            await court.act("j", c.Enter())
            await court.act("j", c.OpenSitting(), "open")
            (await court.client("j")).talk(voice)  # type: ignore[arg-type]
            await asyncio.sleep(PART_S)
            await court.act("j", c.BeginPart(Part.CLOSED, "国家秘密", Keeping.NONE))
            voice.hz = CLOSED_HZ
            await asyncio.sleep(PART_S)
            await court.act("j", c.Close())
            await one.control.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished"), 20)
            held = [path.read_bytes() for path in one.spool.rglob("*") if path.is_file()]
            assert any(has_tone(data, OPEN_HZ) for data in held)
            assert not any(has_tone(data, CLOSED_HZ) for data in held)
    finally:
        await database.close()
