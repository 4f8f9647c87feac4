"""The service on both databases: one transaction per command, no lost update, one chain, nothing done twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from hearing import commands as c
from hearing import store
from hearing.audience import RECORDER
from hearing.errors import Conflict, InvalidField, NotPermitted, RoomFull, UnknownId
from hearing.ledger import package_line, read_entry, verify
from hearing.model import SYSTEM, Actor, ExhibitId, HearingId, ParticipantId, Role, Sitting, SittingId, SittingState, StaffId
from hearing.procedure import replay
from hearing.scheduling import NewPerson
from hearing.service import Created, HearingService, HearingSettings
from storage import tables as t
from storage.database import Database
from tests.courts import COURT, NINE, SetClock, a_new_hearing, found_court


class Room:
    """A service with one hearing set down, and a short way to act in it."""

    def __init__(self, database: Database, clock: SetClock, service: HearingService, created: Created) -> None:
        self.database = database
        self.clock = clock
        self.service = service
        self.created = created
        self.sitting_id = created.sitting.id

    def actor(self, key: str) -> Actor:
        person = self.created.hearing.participant(self.created.ids[key])
        assert person is not None
        return Actor(person.id, person.role)

    async def do(self, key: str, command: c.Command, command_id: str | None = None) -> Sitting:
        self.clock.advance(1)
        outcome = await self.service.execute(self.sitting_id, command, self.actor(key), command_id)
        return outcome.sitting

    async def open(self) -> None:
        for key in ("j", "c", "p", "d"):
            await self.do(key, c.Enter())
        await self.do("c", c.OpenLobby())
        await self.do("j", c.OpenSitting())


@pytest.fixture
async def room(court_database: Database) -> Room:
    await found_court(court_database)
    clock = SetClock()
    service = HearingService(court_database, clock)
    return Room(court_database, clock, service, await service.create_hearing(a_new_hearing()))


async def assert_derived(room: Room) -> None:
    """The stored state is the fold of the ledger, and the chain is whole."""
    entries = await room.service.ledger(room.sitting_id)
    lines = [package_line(entry) for entry in entries]
    assert verify(room.sitting_id, lines, head=entries[-1].chain_hash) == ()
    told = [read_entry(entry.entry) for entry in entries]
    assert [entry.number for entry in told] == list(range(1, len(told) + 1))
    _, stored = await room.service.load(room.sitting_id)
    assert replay(room.created.sitting, tuple(entry.event for entry in told)) == stored


async def test_a_hearing_from_setting_down_to_closing(room: Room) -> None:
    await room.open()
    opened_at = room.clock.at
    await room.do("j", c.GiveFloor(room.created.ids["p"]))
    await room.do("j", c.Adjourn(opened_at + timedelta(minutes=10)))
    await room.do("j", c.Resume())
    sitting = await room.do("j", c.Close())
    assert (sitting.state, sitting.opened_at, sitting.closed_at) == (SittingState.CLOSED, opened_at, room.clock.at)
    await assert_derived(room)
    async with room.database.read() as connection:
        (job,) = (await connection.execute(select(t.jobs))).all()
        row = (await connection.execute(select(t.sittings))).one()
    assert (job.kind, job.payload, job.state, job.court_id) == ("seal", {"sitting_id": room.sitting_id}, "waiting", COURT)
    assert (row.state, row.version, row.opened_at, row.closed_at) == ("closed", sitting.ledger_number, opened_at, room.clock.at)


async def test_the_ledger_tells_who_did_what_when(room: Room) -> None:
    await room.open()
    await room.do("c", c.AddNote("原告到庭。"), "cmd-1")
    told = read_entry((await room.service.ledger(room.sitting_id))[-1].entry)
    assert (told.participant_id, told.role, told.command_id) == (room.created.ids["c"], Role.CLERK, "cmd-1")
    assert (told.at, told.t_ms) == (room.clock.at, 1000)


async def test_a_refused_command_changes_nothing(room: Room) -> None:
    await room.open()
    before = await room.service.load(room.sitting_id)
    with pytest.raises(NotPermitted):
        await room.do("p", c.Close(), "cmd-1")
    with pytest.raises(UnknownId):
        await room.do("j", c.MuteParticipant(ParticipantId("part_none")), "cmd-2")
    assert await room.service.load(room.sitting_id) == before
    await room.do("j", c.Close(), "cmd-1")  # the id of a refused command is not used up


async def test_the_same_command_id_acts_once(room: Room) -> None:
    await room.open()
    first = await room.service.execute(room.sitting_id, c.RaiseHand(), room.actor("p"), "cmd-1")
    again = await room.service.execute(room.sitting_id, c.RaiseHand(), room.actor("p"), "cmd-1")
    assert (first.duplicate, len(first.events)) == (False, 1)
    assert (again.duplicate, again.events, again.number) == (True, (), first.number)
    other = await room.service.execute(room.sitting_id, c.RaiseHand(), room.actor("p"), "cmd-2")  # so already: no event
    assert (other.duplicate, other.events, other.number) == (False, (), first.number)
    for bad in ("", "x" * 65):
        with pytest.raises(InvalidField):
            await room.service.execute(room.sitting_id, c.RaiseHand(), room.actor("p"), bad)


async def test_the_same_command_at_once_from_two_processes_acts_once(room: Room) -> None:
    await room.open()
    other_process = HearingService(Database(str(room.database.url.render_as_string(hide_password=False))), room.clock)
    note = c.AddNote("只记一次。")
    outcomes = await asyncio.gather(
        *(s.execute(room.sitting_id, note, room.actor("c"), "cmd-1") for s in (room.service, other_process) for _ in range(3))
    )
    assert sorted(outcome.duplicate for outcome in outcomes) == [False, True, True, True, True, True]
    assert len({outcome.number for outcome in outcomes}) == 1
    await assert_derived(room)
    await other_process._database.close()


async def test_many_at_once_from_two_processes_make_one_chain(room: Room) -> None:
    await room.open()
    other = Database(str(room.database.url.render_as_string(hide_password=False)))
    services = (room.service, HearingService(other, room.clock))
    acts: list[tuple[str, c.Command]] = [("c", c.AddNote(f"第 {n} 行")) for n in range(12)] + [
        ("p", c.RaiseHand()),
        ("d", c.RaiseHand()),
        ("j", c.MuteAll()),
    ]
    before = (await room.service.load(room.sitting_id))[1].ledger_number
    outcomes = await asyncio.gather(
        *(services[n % 2].execute(room.sitting_id, act, room.actor(key), f"cmd-{n}") for n, (key, act) in enumerate(acts))
    )
    happened = sum(len(outcome.events) for outcome in outcomes)
    after = (await room.service.load(room.sitting_id))[1]
    assert after.ledger_number == before + happened
    assert len(after.hands) == 2
    await assert_derived(room)
    await other.close()


async def test_showings_are_intervals_on_the_record_clock(room: Room) -> None:
    await room.open()
    async with room.database.transaction() as connection:
        await connection.execute(
            insert(t.exhibits).values(
                id="exh_1", court_id=COURT, hearing_id=room.created.hearing.id, side="plaintiff", ordinal=1, number="原告证据1",
                title="借条", purpose="证明借款", file_name="a.pdf", media_type="application/pdf", bytes=1, pages=3, sha256="s", sm3="m",
                object_key="k", submitted_by=room.created.ids["p"], submitted_at=NINE,
            )
        )  # fmt: skip
    exhibit = ExhibitId("exh_1")
    await room.do("c", c.ShowExhibit(exhibit, 1))  # 1 s after the opening
    await room.do("c", c.ShowExhibit(exhibit, 2))
    await room.do("c", c.WithdrawExhibit())
    await room.do("c", c.ShowExhibit(exhibit, 3))
    await room.do("j", c.Adjourn())
    async with room.database.read() as connection:
        rows = (await connection.execute(select(t.showings).order_by(t.showings.c.t0_ms))).all()
    assert [(r.page, r.t0_ms, r.t1_ms) for r in rows] == [(1, 1000, 2000), (2, 2000, 3000), (3, 4000, 5000)]
    assert {r.presenter_id for r in rows} == {room.created.ids["c"]}
    await room.do("j", c.Resume())
    with pytest.raises(InvalidField):
        await room.do("c", c.ShowExhibit(exhibit, 4))


async def test_a_gap_is_taken_after_closing_until_the_record_is_sealed(room: Room) -> None:
    await room.open()
    await room.do("j", c.Close())
    gap = c.RecordGap(room.created.ids["p"], "audio", 10, 20, "media_restart")
    outcome = await room.service.execute(room.sitting_id, gap, SYSTEM)
    assert len(outcome.events) == 1
    async with room.database.transaction() as connection:
        await connection.execute(update(t.sittings).values(sealed_at=NINE, sealed_manifest_sha256="x"))
    with pytest.raises(Conflict) as refusal:
        await room.service.execute(room.sitting_id, gap, SYSTEM)
    assert refusal.value.code == "record_sealed"


async def test_a_new_sitting_comes_only_after_the_last_is_over(room: Room) -> None:
    with pytest.raises(Conflict) as refusal:
        await room.service.new_sitting(room.created.hearing.id)
    assert refusal.value.code == "sitting_not_over"
    await room.open()
    await room.do("j", c.Close())
    second = await room.service.new_sitting(room.created.hearing.id)
    assert (second.number, second.state) == (2, SittingState.SCHEDULED)
    entry = await room.service.entry(room.created.hearing.id)
    assert [(s.sitting.number, s.sitting.state) for s in entry.sittings] == [
        (1, SittingState.CLOSED),
        (2, SittingState.SCHEDULED),
    ]
    results = await asyncio.gather(
        *(room.service.new_sitting(room.created.hearing.id) for _ in range(2)), return_exceptions=True
    )
    assert all(isinstance(result, Conflict) for result in results)


async def test_new_sittings_asked_for_at_once_give_one(room: Room) -> None:
    await room.do("c", c.Cancel())
    hearing = room.created.hearing
    async with room.database.transaction() as connection:  # another process, half-way through the same
        await store.lock_hearing(connection, hearing.id)
        await store.insert_sitting(connection, COURT, Sitting(SittingId("sit_other"), hearing.id, number=2))
        second = asyncio.create_task(room.service.new_sitting(hearing.id))
        await asyncio.sleep(0.3)
        assert not second.done()
    with pytest.raises(Conflict):
        await second


async def test_a_hearing_is_stored_as_it_was_set_down(room: Room) -> None:
    hearing, sitting = await room.service.load(room.sitting_id)
    assert hearing == room.created.hearing
    assert sitting == room.created.sitting
    agent = hearing.participant(room.created.ids["a"])
    assert agent is not None
    assert (agent.represents, agent.label) == (room.created.ids["p"], "原代")


async def test_the_docket_lists_a_courts_hearings_by_time(room: Room) -> None:
    (entry,) = await room.service.docket(COURT, NINE, NINE + timedelta(days=1))
    assert entry.hearing == room.created.hearing
    assert await room.service.docket(COURT, NINE - timedelta(days=1), NINE) == ()
    assert await room.service.docket("court_other", NINE, NINE + timedelta(days=1)) == ()


@pytest.mark.parametrize(
    ("role", "staff_id"),
    [(Role.JUDGE, "clerk_1"), (Role.JUDGE, "tech_1"), (Role.ASSESSOR, "judge_2"), (Role.JUDGE, "judge_of_another_court")],
)
async def test_a_seat_is_taken_only_from_the_right_position(court_database: Database, role: Role, staff_id: str) -> None:
    await found_court(court_database)
    form = a_new_hearing()
    people = tuple(p for p in form.people if p.staff_id != staff_id and p.role is not Role.CLERK)
    clerk = NewPerson("c2", Role.CLERK, "书记员", staff_id=StaffId("clerk_2"))
    async with court_database.transaction() as connection:
        row = {"id": "clerk_2", "court_id": COURT, "login": "clerk_2", "name": "n", "position": "clerk"}
        await connection.execute(insert(t.staff).values(**row, password_hash="-", disabled=False))
    seated = (*people, clerk, NewPerson("x", role, "某人", staff_id=StaffId(staff_id)))
    with pytest.raises(InvalidField) as refusal:
        await HearingService(court_database, SetClock()).create_hearing(replace(form, people=seated))
    assert refusal.value.field == f"participants.{len(seated) - 1}.staff_id"


async def test_the_room_limit_is_a_setting(court_database: Database) -> None:
    await found_court(court_database)
    service = HearingService(court_database, SetClock(), HearingSettings(room_limit=1))
    created = await service.create_hearing(a_new_hearing())
    await service.execute(created.sitting.id, c.Enter(), Actor(created.ids["p"], Role.PLAINTIFF))
    with pytest.raises(RoomFull):
        await service.execute(created.sitting.id, c.Enter(), Actor(created.ids["d"], Role.DEFENDANT))


async def test_a_restarted_worker_gets_the_tables_of_its_live_sittings(room: Room) -> None:
    url = "http://127.0.0.1:9"
    await room.service.place(room.sitting_id, url)
    assert await room.service.live_grant_tables(url) == ()  # not begun
    await room.open()
    (table,) = await room.service.live_grant_tables(url)
    assert table.effective_at == room.clock.at
    assert any(RECORDER in grant.receivers for grant in table.grants)
    assert await room.service.live_grant_tables("http://127.0.0.1:10") == ()
    assert await room.service.worker_of(room.sitting_id) == url
    assert [sitting.id for _, sitting in await room.service.live_sittings()] == [room.sitting_id]
    await room.do("j", c.Close())
    assert await room.service.live_grant_tables(url) == ()


async def test_unknown_ids(room: Room) -> None:
    nowhere = SittingId("sit_none")
    with pytest.raises(UnknownId):
        await room.service.load(nowhere)
    with pytest.raises(UnknownId):
        await room.service.execute(nowhere, c.Close(), room.actor("j"))
    with pytest.raises(UnknownId):
        await room.service.place(nowhere, None)
    with pytest.raises(UnknownId):
        await room.service.new_sitting(HearingId("hear_none"))


async def test_the_ledgers_time_never_goes_back(room: Room) -> None:
    await room.open()
    last = room.clock.at
    room.clock.at -= timedelta(seconds=30)  # another process's clock, or a step
    sitting = await room.do("c", c.AddNote("时钟倒退。"))
    assert sitting.updated_at == last
