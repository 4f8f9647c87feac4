"""Lawful destruction of a hearing's record (依法销毁): after its time of keeping, by order, approved by a second person (a33).

The keys go first, in the transaction that writes it into the ledger: from then on nobody can read what lies in the stores or in
any copy of them. The machine lines and the words typed for recognition go with them. Then the objects are removed from both
stores, as far as these allow it. What stays: the ledger, the signed manifests, every hash, and the record of the destruction.
Stopped anywhere, it goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from evidence.store import exhibits_of
from hearing.commands import DestroyRecord
from hearing.errors import Conflict, NotNow, NotPermitted, UnknownId
from hearing.model import SYSTEM, Hearing, SittingId, SittingState, StaffId
from hearing.scene import bounded_text
from hearing.service import HearingService, Outcome
from hearing.states import OVER
from hearing.store import load_hearing
from hearing.timeline import Clock, local_date_time
from record import destruction_store as store
from record.destruction_store import Order
from storage.database import Database
from storage.objects import Erasable, exhibit_key, manifest_key, signature_key
from storage.stores import Stores

REASON_CHARACTERS, NUMBER_CHARACTERS = 500, 100
BATCH = 50
NO_END_YEAR = 9999  # of a legal hold on an object: it is lifted by a person
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff who orders or approves, as signed in."""

    staff_id: StaffId
    position: str  # judge | assessor | clerk | technician


@dataclass(frozen=True, slots=True)
class DestructionPlan:
    """What would go, and what stands against it (empty: nothing does)."""

    hearing: Hearing
    objects: int
    bytes: int
    lines: int
    keep_until: datetime | None  # None: never opened
    obstacles: tuple[str, ...]


class Destroyer:
    """`retention_years`: the time of keeping, from the last 闭庭; 0: records are kept for ever."""

    def __init__(
        self, database: Database, stores: Stores, hearings: HearingService, clock: Clock, retention_years: int
    ) -> None:
        self._database = database
        self._stores = stores
        self._hearings = hearings
        self._clock = clock
        self._retention_years = retention_years

    # --- what stands against it --------------------------------------------------------------

    async def plan(self, hearing_id: str) -> DestructionPlan:
        """Looks only. Raises UnknownId, StoreUnavailable (a store's lock cannot be asked for)."""
        async with self._database.read() as connection:
            hearing = await _hearing(connection, hearing_id)
            rows = await store.sittings_of(connection, hearing_id)
            holds = await store.holds_of(connection, hearing_id, standing=True)
            lines = await store.count_lines(connection, hearing_id)
            prefixes, kept = await _scope(connection, hearing)
        names = [one for prefix in prefixes for one in await self._stores.keys.stored_names(prefix) if one[0] not in kept]
        keep_until = self._keep_until(rows)
        obstacles = self._by_law(rows, keep_until) + [f"有效的保全或中止：{hold.reason}（{hold.id}）" for hold in holds]
        obstacles += await self._locks([stored for _, stored, _ in names])
        return DestructionPlan(hearing, len(names), sum(size for *_, size in names), lines, keep_until, tuple(obstacles))

    def _keep_until(self, rows: Sequence[Any]) -> datetime | None:
        closed = [row.closed_at for row in rows if row.closed_at is not None]
        if not closed or not self._retention_years:
            return None
        last: datetime = max(closed)
        year, leap_day = last.year + self._retention_years, (last.month, last.day) == (2, 29)
        return last.replace(year=year, month=3, day=1) if leap_day else last.replace(year=year)

    def _by_law(self, rows: Sequence[Any], keep_until: datetime | None) -> list[str]:
        found = []
        if not self._retention_years:
            found.append("未设定保存期限（COURT_RETENTION_YEARS），记录永久保存")
        if any(SittingState(row.state) not in OVER for row in rows):
            found.append("庭审尚未结束")
        if any(row.opened_at is not None and row.sealed_at is None for row in rows):
            found.append("有庭次尚未封存")
        if keep_until is not None and self._clock.now() < keep_until:
            found.append(f"保存期限到 {local_date_time(keep_until)} 届满")
        return found

    async def _locks(self, stored_keys: Sequence[str]) -> list[str]:
        found = []
        for name, place in (("A", self._stores.first), ("B", self._stores.second)):
            if not isinstance(place, Erasable) or not stored_keys:
                continue
            times = [until for key in stored_keys if (until := await place.locked_until(key)) is not None]
            ahead = [until for until in times if until > self._clock.now()]
            if ahead:
                last = "另行解除" if max(ahead).year == NO_END_YEAR else local_date_time(max(ahead))
                found.append(f"{name} 库 {len(ahead)} 个文件受防删除锁定，至 {last}")
        return found

    # --- order, approval, holds --------------------------------------------------------------

    async def order(self, hearing_id: str, order_number: str, reason: str, by: Person) -> str:
        """Write the order down; nothing is destroyed yet. Raises NotPermitted, NotNow (obstacles), Conflict, InvalidField."""
        if by.position not in {"clerk", "judge"}:
            raise NotPermitted("只有书记员或法官可以提出销毁。")
        plan = await self._unobstructed(hearing_id)
        row = {
            "court_id": plan.hearing.court_id, "hearing_id": hearing_id, "ordered_by": by.staff_id,
            "ordered_at": self._clock.now(), "reason": bounded_text(reason, REASON_CHARACTERS, "reason"),
            "order_number": bounded_text(order_number, NUMBER_CHARACTERS, "order_number"),
        }  # fmt: skip
        try:
            async with self._database.transaction() as connection:
                return await store.add_order(connection, row)
        except IntegrityError:
            raise Conflict("这个庭审已有同一文号的销毁令。", code="destruction_exists") from None

    async def approve(self, order_id: str, by: Person) -> None:
        """The second person's approval. Raises NotPermitted for the first one and for anybody but a judge."""
        order = await self.find(order_id)
        if by.position != "judge":
            raise NotPermitted("销毁须由法官批准。")
        if by.staff_id == order.ordered_by:
            raise NotPermitted("提出销毁的人不能自己批准（双人原则）。")
        await self._unobstructed(order.hearing_id)
        async with self._database.transaction() as connection:
            current = await store.order_of(connection, order_id, lock=True)
            if current is not None and current.state == "ordered":
                await store.change(
                    connection, order_id, state="approved", approved_by=by.staff_id, approved_at=self._clock.now()
                )
        _log.warning("destruction_approved", order_id=order_id, hearing_id=order.hearing_id)

    async def _unobstructed(self, hearing_id: str) -> DestructionPlan:
        plan = await self.plan(hearing_id)
        if plan.obstacles:
            raise NotNow("；".join(plan.obstacles) + "。", code="destruction_obstructed")
        return plan

    async def find(self, order_id: str) -> Order:
        """Raises UnknownId."""
        async with self._database.read() as connection:
            order = await store.order_of(connection, order_id)
        if order is None:
            raise UnknownId("没有这个销毁令。", field="order_id")
        return order

    async def hold(self, hearing_id: str, reason: str, by: Person) -> str:
        """Nothing of this hearing is destroyed until the hold is lifted. Raises UnknownId, InvalidField."""
        async with self._database.transaction() as connection:
            hearing = await _hearing(connection, hearing_id)
            words = bounded_text(reason, REASON_CHARACTERS, "reason")
            return await store.place_hold(connection, hearing.court_id, hearing_id, words, by.staff_id, self._clock.now())

    async def lift(self, hold_id: str, reason: str, by: Person) -> None:
        """Raises NotPermitted for anybody but a judge, UnknownId."""
        if by.position != "judge":
            raise NotPermitted("解除须由法官决定。")
        words = bounded_text(reason, REASON_CHARACTERS, "reason")
        async with self._database.transaction() as connection:
            if not await store.lift_hold(connection, hold_id, words, by.staff_id, self._clock.now()):
                raise UnknownId("没有这个有效的保全或中止。", field="hold_id")

    # --- carrying it out ---------------------------------------------------------------------

    async def carry_out(self, order_id: str) -> Order:
        """From where it stands to the end. Raises NotNow before approval or where something stands against it by now."""
        order = await self.find(order_id)
        if order.state == "ordered":
            raise NotNow("销毁令尚未批准。", code="destruction_not_approved")
        if order.state == "approved":
            order = await self._shred(order)
        if order.state == "shredded":
            await self._clear(order)
        return await self.find(order_id)

    async def _shred(self, order: Order) -> Order:
        """Keys and lines of one sitting after the other, each with its entry in the ledger; the exhibits with the last."""
        plan = await self.plan(order.hearing_id)
        begun = order.objects > 0 or order.lines > 0
        if plan.obstacles and not begun:
            raise NotNow("；".join(plan.obstacles) + "。", code="destruction_obstructed")
        async with self._database.read() as connection:
            rows = await store.sittings_of(connection, order.hearing_id)
            if not begun:
                order = replace(order, objects=plan.objects, bytes=plan.bytes, lines=plan.lines)
        assert order.approved_by is not None
        for row in rows:
            command = DestroyRecord(order.order_number, order.ordered_by, order.approved_by, order.objects)
            also = partial(self._shred_sitting, order=order, last=row is rows[-1])
            await self._hearings.execute(SittingId(row.id), command, SYSTEM, f"destroy_{order.id}", also=also)
        _log.warning("record_destroyed", order_id=order.id, hearing_id=order.hearing_id, objects=order.objects)
        return await self.find(order.id)

    async def _shred_sitting(self, connection: AsyncConnection, outcome: Outcome, order: Order, *, last: bool) -> None:
        court_id, sitting_id = outcome.hearing.court_id, outcome.sitting.id
        kept = (manifest_key(court_id, sitting_id), signature_key(court_id, sitting_id))
        await self._stores.keys.destroy_under(connection, _folder(court_id, sitting_id), order.ruling, kept)
        await store.delete_lines(connection, sitting_id)
        now = self._clock.now()
        values: dict[str, object] = {"objects": order.objects, "bytes": order.bytes, "lines": order.lines}
        if last:
            for exhibit in await exhibits_of(connection, order.hearing_id):
                await self._stores.keys.destroy_under(connection, _exhibit(court_id, exhibit.id), order.ruling)
            await store.delete_words(connection, order.hearing_id)
            await store.log_destruction(connection, order, now)
            values |= {"state": "shredded", "shredded_at": now}
        await store.change(connection, order.id, **values)

    async def _clear(self, order: Order) -> None:
        """Remove from both stores what nobody can read any more. Raises StoreUnavailable; called again it goes on."""
        after, left = order.done_to, dict(order.left)
        while batch := await self._stores.keys.destroyed_by(order.ruling, after, BATCH):
            for _, stored_key in batch:
                for name in await self._kept_by(stored_key):
                    left[name] = left.get(name, 0) + 1
            after = batch[-1][0]
            await self._note(order, {"done_to": after, "left": left})
        await self._note(order, {"state": "done", "finished_at": self._clock.now()})

    async def _kept_by(self, stored_key: str) -> list[str]:
        """Names of the stores that did not let this object go."""
        kept = []
        for name, place in (("A", self._stores.first), ("B", self._stores.second)):
            if not isinstance(place, Erasable) or not await place.erase(stored_key):
                kept.append(name)
        return kept

    async def _note(self, order: Order, values: Mapping[str, object]) -> None:
        async with self._database.transaction() as connection:
            await store.change(connection, order.id, **values)


async def _hearing(connection: AsyncConnection, hearing_id: str) -> Hearing:
    hearing = await load_hearing(connection, hearing_id)
    if hearing is None:
        raise UnknownId("没有这个庭审。", field="hearing_id")
    return hearing


async def _scope(connection: AsyncConnection, hearing: Hearing) -> tuple[list[str], frozenset[str]]:
    """Prefixes of everything of the hearing, and the keys among it that stay."""
    rows = await store.sittings_of(connection, hearing.id)
    prefixes = [_folder(hearing.court_id, row.id) for row in rows]
    prefixes += [_exhibit(hearing.court_id, exhibit.id) for exhibit in await exhibits_of(connection, hearing.id)]
    kept = {key(hearing.court_id, row.id) for row in rows for key in (manifest_key, signature_key)}
    return prefixes, frozenset(kept)


def _folder(court_id: str, sitting_id: str) -> str:
    return manifest_key(court_id, sitting_id).removesuffix("manifest.json")


def _exhibit(court_id: str, exhibit_id: str) -> str:
    return exhibit_key(court_id, exhibit_id).removesuffix("original")
