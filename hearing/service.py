"""The one door to a sitting's state: load, decide, append to the ledger, store, all in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing import events as e
from hearing import store
from hearing.audience import GrantTable, grant_table
from hearing.commands import Command, RecordGap, ShowExhibit
from hearing.errors import Conflict, InvalidField, TooBusy, UnknownId
from hearing.ledger import SALT_BYTES, SealedEntry, entry_bytes, seal
from hearing.model import Actor, Context, Hearing, HearingId, Participant, ParticipantId, Sitting, SittingId
from hearing.procedure import decide, evolve
from hearing.scheduling import POSITIONS, CheckedHearing, NewHearing, check
from hearing.states import LIVE, OVER
from hearing.timeline import Clock, t_ms, whole_ms
from storage.database import Database
from storage.ids import new_id
from storage.queue import SleepingWake, Wake, enqueue

SEAL = "seal"  # kind of the job that closing a sitting asks for; payload {"sitting_id"}
_ATTEMPTS = 5
_COMMAND_ID_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class HearingSettings:
    """Limits of a courtroom."""

    room_limit: int = 16  # people present in one sitting; the bench always gets in


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command led to. `number` is the ledger number it led to; a duplicate leads nowhere again.

    `media_worker_url` is the media worker that held the sitting then.
    """

    number: int
    events: tuple[e.Event, ...]
    hearing: Hearing
    sitting: Sitting
    duplicate: bool = False
    media_worker_url: str | None = None

    @property
    def grants(self) -> GrantTable:
        """The grant table after this command."""
        return grants_of(self.hearing, self.sitting)


@dataclass(frozen=True, slots=True)
class SittingSummary:
    """A sitting in a list."""

    sitting: Sitting
    sealed_at: datetime | None
    sealed_manifest_sha256: str | None
    media_worker_url: str | None


@dataclass(frozen=True, slots=True)
class DocketEntry:
    """A hearing with its sittings in order (J1)."""

    hearing: Hearing
    sittings: tuple[SittingSummary, ...]


@dataclass(frozen=True, slots=True)
class Created:
    """A hearing set down, with its first sitting; `ids` leads from the form's keys to the people."""

    hearing: Hearing
    sitting: Sitting
    ids: Mapping[str, ParticipantId]


Alongside = Callable[[AsyncConnection, Outcome], Awaitable[None]]
"""Something of another package that belongs to an act, on the act's own transaction."""


class _StaleVersion(Exception):
    """Somebody else changed the sitting between load and store."""


def grants_of(hearing: Hearing, sitting: Sitting) -> GrantTable:
    """The grant table in force; it took effect with the last event (before the first: when the hearing is set down)."""
    return grant_table(hearing, sitting, sitting.updated_at or hearing.scheduled_at)


class HearingService:
    """Commands in, facts out. Holds no state: any number of processes may each have one."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: HearingSettings = HearingSettings(),
        wake: Wake | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._wake = wake or SleepingWake()

    async def execute(
        self,
        sitting_id: SittingId,
        command: Command,
        actor: Actor,
        command_id: str | None = None,
        *,
        failed_checks: tuple[str, ...] = (),
        also: Alongside | None = None,
    ) -> Outcome:
        """Do what `command` asks, once; the same `command_id` again changes nothing and gives `duplicate`.

        `failed_checks` stand against 宣布开庭 (J3). `also` is done in the same transaction once the law has agreed; what it
        raises undoes everything.

        Raises the law's UserErrors (nothing changed), or TooBusy when the database would not let it be committed.
        """
        if command_id is not None and not 1 <= len(command_id) <= _COMMAND_ID_CHARACTERS:
            raise InvalidField("命令编号无效。", field="command_id")
        for _ in range(_ATTEMPTS):
            try:
                async with self._database.transaction() as connection:
                    outcome = await self._execute(connection, sitting_id, command, actor, command_id, failed_checks)
                    if also is not None and not outcome.duplicate:
                        await also(connection, outcome)
            except TimeoutError as error:
                raise TooBusy from error
            except (_StaleVersion, DBAPIError) as error:
                if isinstance(error, DBAPIError) and not _may_pass(error):
                    raise
                continue
            if any(isinstance(event, e.SittingClosed) for event in outcome.events):
                await self._wake.notify(SEAL)
            return outcome
        raise TooBusy

    async def load(self, sitting_id: SittingId) -> tuple[Hearing, Sitting]:
        """The hearing and the sitting as they stand; raises UnknownId."""
        async with self._database.read() as connection:
            row = await _sitting(connection, sitting_id)
            return await _hearing(connection, row.sitting.hearing_id), row.sitting

    async def entry(self, hearing_id: HearingId) -> DocketEntry:
        """The hearing with its sittings; raises UnknownId."""
        async with self._database.read() as connection:
            return await _docket_entry(connection, await _hearing(connection, hearing_id))

    async def docket(self, court_id: str, from_at: datetime, to_at: datetime) -> tuple[DocketEntry, ...]:
        """The court's hearings set down for [from_at, to_at), in order of time."""
        async with self._database.read() as connection:
            hearings = await store.hearings_between(connection, court_id, from_at, to_at)
            return tuple([await _docket_entry(connection, hearing) for hearing in hearings])

    async def ledger(self, sitting_id: SittingId, *, after: int = 0) -> tuple[SealedEntry, ...]:
        """The sitting's ledger entries with a number above `after`."""
        async with self._database.read() as connection:
            return await store.load_ledger(connection, sitting_id, after=after)

    async def create_hearing(self, new: NewHearing) -> Created:
        """Set a hearing down with its first sitting; raises InvalidField naming the field."""
        checked = check(new)
        async with self._database.transaction() as connection:
            await _check_staff(connection, new)
            hearing, ids = _built(new, checked)
            await store.insert_hearing(connection, hearing, whole_ms(self._clock.now()), new.created_by)
            sitting = Sitting(SittingId(new_id("sit")), hearing.id, number=1)
            await store.insert_sitting(connection, hearing.court_id, sitting)
        return Created(hearing, sitting, ids)

    async def new_sitting(self, hearing_id: HearingId) -> Sitting:
        """The next sitting of a hearing whose last one is over; raises UnknownId, Conflict (code sitting_not_over)."""
        async with self._database.transaction() as connection:
            await store.lock_hearing(connection, hearing_id)
            hearing = await _hearing(connection, hearing_id)
            last = (await store.sittings_of(connection, hearing_id))[-1].sitting
            if last.state not in OVER:
                raise Conflict("上一庭次尚未闭庭，不能安排新的庭次。", code="sitting_not_over")
            sitting = Sitting(SittingId(new_id("sit")), hearing_id, number=last.number + 1)
            await store.insert_sitting(connection, hearing.court_id, sitting)
        return sitting

    async def place(self, sitting_id: SittingId, worker_url: str | None, *, instead_of: str | None = None) -> str | None:
        """Note which media worker holds the sitting, unless another than `instead_of` holds it by now.

        Returns the one that holds it; raises UnknownId.
        """
        async with self._database.transaction() as connection:
            row = await _sitting(connection, sitting_id, lock=True)
            if row.media_worker_url != instead_of:
                return row.media_worker_url
            await store.set_worker(connection, sitting_id, worker_url)
            return worker_url

    async def worker_of(self, sitting_id: SittingId) -> str | None:
        """The media worker that holds the sitting; raises UnknownId."""
        async with self._database.read() as connection:
            return (await _sitting(connection, sitting_id)).media_worker_url

    async def standings(self) -> tuple[store.Standing, ...]:
        """Ledger number and media worker of every sitting from 候审 to 闭庭."""
        async with self._database.read() as connection:
            return await store.standings(connection, LIVE)

    async def live_sittings(self, worker_url: str | None = None) -> tuple[tuple[Hearing, Sitting], ...]:
        """Every sitting from 候审 to 闭庭, or those that one media worker holds."""
        async with self._database.read() as connection:
            rows = [r for r in await store.sittings_in(connection, LIVE) if worker_url in {None, r.media_worker_url}]
            return tuple([(await _hearing(connection, row.sitting.hearing_id), row.sitting) for row in rows])

    async def live_grant_tables(self, worker_url: str) -> tuple[GrantTable, ...]:
        """The tables a worker must hold: of every live sitting placed on it."""
        async with self._database.read() as connection:
            rows = [r for r in await store.sittings_in(connection, LIVE) if r.media_worker_url == worker_url]
            return tuple([grants_of(await _hearing(connection, r.sitting.hearing_id), r.sitting) for r in rows])

    async def _execute(
        self,
        connection: AsyncConnection,
        sitting_id: SittingId,
        command: Command,
        actor: Actor,
        command_id: str | None,
        failed_checks: tuple[str, ...],
    ) -> Outcome:
        row = await _sitting(connection, sitting_id, lock=True)
        hearing = await _hearing(connection, row.sitting.hearing_id)
        if command_id is not None:
            number = await store.command_number(connection, sitting_id, command_id)
            if number is not None:
                return Outcome(number, (), hearing, row.sitting, duplicate=True)
        if row.sealed_at is not None and isinstance(command, RecordGap):
            raise Conflict("庭审记录已封存。", code="record_sealed")
        now = _not_before(whole_ms(self._clock.now()), row.sitting.updated_at)
        context = replace(await self._context(connection, hearing, command), failed_checks=failed_checks)
        events = decide(hearing, row.sitting, command, actor, now, context)
        after = await _record(connection, row, events, actor, command_id)
        if command_id is not None:
            await store.insert_command(connection, row, command_id, after.ledger_number, now)
        return Outcome(after.ledger_number, events, hearing, after, media_worker_url=row.media_worker_url)

    async def _context(self, connection: AsyncConnection, hearing: Hearing, command: Command) -> Context:
        exhibits = await store.load_exhibits(connection, hearing.id) if isinstance(command, ShowExhibit) else ()
        return Context(exhibits=exhibits, room_limit=self._settings.room_limit)


def _not_before(now: datetime, last: datetime | None) -> datetime:
    """Two processes' clocks may differ by milliseconds; what the ledger says next did not happen earlier."""
    return now if last is None else max(now, last)


async def _record(
    connection: AsyncConnection,
    row: store.SittingRow,
    events: tuple[e.Event, ...],
    actor: Actor,
    command_id: str | None,
) -> Sitting:
    """Chain the events to the ledger, fold them in, keep the showings, ask for the seal; raises _StaleVersion."""
    sitting = row.sitting
    if not events:
        return sitting
    head = await store.chain_head(connection, sitting.id)
    for event in events:
        number = sitting.ledger_number + 1
        after = evolve(sitting, event, number)
        raw = entry_bytes(sitting.id, number, event, actor, opened_at=after.opened_at, command_id=command_id)
        entry = seal(number, head, raw, secrets.token_bytes(SALT_BYTES))
        await store.append_entry(connection, row, entry)
        await _keep_showings(connection, row, event, after)
        if isinstance(event, e.SittingClosed):
            await enqueue(connection, SEAL, {"sitting_id": sitting.id}, row.court_id, event.at)
        sitting, head = after, entry.chain_hash
    if not await store.update_sitting(connection, row.sitting.ledger_number, sitting):
        raise _StaleVersion
    return sitting


async def _keep_showings(connection: AsyncConnection, row: store.SittingRow, event: e.Event, after: Sitting) -> None:
    """Each exhibit page on the screen is an interval on the record clock (S20)."""
    if after.opened_at is None or not isinstance(event, e.ExhibitShown | e.ExhibitWithdrawn):
        return
    moment_ms = t_ms(after.opened_at, event.at)
    await store.end_showing(connection, after.id, moment_ms)
    if isinstance(event, e.ExhibitShown):
        await store.open_showing(connection, row, new_id("show"), event.exhibit_id, event.page, event.presenter_id, moment_ms)


async def _sitting(connection: AsyncConnection, sitting_id: str, *, lock: bool = False) -> store.SittingRow:
    row = await store.load_sitting(connection, sitting_id, lock=lock)
    if row is None:
        raise UnknownId("没有此庭次。", field="sitting_id")
    return row


async def _hearing(connection: AsyncConnection, hearing_id: str) -> Hearing:
    hearing = await store.load_hearing(connection, hearing_id)
    if hearing is None:
        raise UnknownId("没有此庭审。", field="hearing_id")
    return hearing


async def _docket_entry(connection: AsyncConnection, hearing: Hearing) -> DocketEntry:
    rows = await store.sittings_of(connection, hearing.id)
    summaries = tuple(SittingSummary(r.sitting, r.sealed_at, r.sealed_manifest_sha256, r.media_worker_url) for r in rows)
    return DocketEntry(hearing, summaries)


async def _check_staff(connection: AsyncConnection, new: NewHearing) -> None:
    """Each colleague belongs to this court, is not disabled, and sits where the position allows."""
    wanted = [person.staff_id for person in new.people if person.staff_id]
    known = await store.load_staff(connection, new.court_id, wanted)
    for index, person in enumerate(new.people):
        if person.staff_id is None:
            continue
        member = known.get(person.staff_id)
        if member is None or member.disabled or member.position not in POSITIONS[person.role]:
            raise InvalidField("所选人员不能担任此职。", field=f"participants.{index}.staff_id")


def _built(new: NewHearing, checked: CheckedHearing) -> tuple[Hearing, dict[str, ParticipantId]]:
    ids = {person.key: ParticipantId(new_id("part")) for person in checked.people}
    participants = tuple(
        Participant(
            id=ids[person.key],
            role=person.role,
            name=person.name,
            label=label,
            represents=ids[person.represents] if person.represents else None,
            staff_id=person.staff_id,
        )
        for person, label in zip(checked.people, checked.labels, strict=True)
    )
    hearing = Hearing(
        id=HearingId(new_id("hear")),
        court_id=new.court_id,
        case_number=checked.case_number,
        cause=checked.cause,
        title=checked.title,
        procedure=new.procedure,
        public=new.public,
        courtroom=checked.courtroom,
        scheduled_at=new.scheduled_at,
        participants=participants,
    )
    return hearing, ids


def _may_pass(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when tried again: lock not had, serialisation failure, deadlock."""
    state = getattr(error.orig, "sqlstate", None)
    return state in {"40001", "40P01", "55P03"} or "database is locked" in str(error.orig)
