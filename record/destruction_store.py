"""SQL of lawful destruction: holds, orders, and how far one has been carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import StaffId
from storage.ids import new_id
from storage.tables import access_log, destructions, hearing_words, holds, revisions, sittings, utterances

_d = destructions.c


@dataclass(frozen=True, slots=True)
class Hold:
    """保全、上诉 …: stands until it is lifted."""

    id: str
    reason: str
    placed_at: datetime
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Order:
    """销毁令 and what came of it. `state` is ordered | approved | shredded | done."""

    id: str
    court_id: str
    hearing_id: str
    order_number: str
    reason: str
    state: str
    ordered_by: StaffId
    approved_by: StaffId | None
    shredded_at: datetime | None
    objects: int
    bytes: int
    lines: int
    done_to: str
    left: Mapping[str, int]  # store → objects that it did not let go

    @property
    def ruling(self) -> str:
        """What stands in the row of each key that went by this order."""
        return f"销毁令 {self.order_number}（{self.id}）"


async def holds_of(connection: AsyncConnection, hearing_id: str, *, standing: bool = False) -> list[Hold]:
    query = select(holds).where(holds.c.hearing_id == hearing_id).order_by(holds.c.placed_at)
    rows = await connection.execute(query.where(holds.c.lifted_at.is_(None)) if standing else query)
    return [Hold(row.id, row.reason, row.placed_at, row.lifted_at) for row in rows]


async def place_hold(
    connection: AsyncConnection, court_id: str, hearing_id: str, reason: str, by: StaffId, now: datetime
) -> str:
    hold_id = new_id("hold")
    row: dict[str, Any] = {"court_id": court_id, "hearing_id": hearing_id, "reason": reason, "placed_by": by, "placed_at": now}
    await connection.execute(insert(holds).values(id=hold_id, **row))
    return hold_id


async def lift_hold(connection: AsyncConnection, hold_id: str, reason: str, by: StaffId, now: datetime) -> bool:
    """False: there is no such hold, or it was lifted."""
    standing = (holds.c.id == hold_id) & holds.c.lifted_at.is_(None)
    result = await connection.execute(update(holds).where(standing).values(lifted_by=by, lifted_at=now, lift_reason=reason))
    return result.rowcount == 1


async def add_order(connection: AsyncConnection, row: Mapping[str, Any]) -> str:
    order_id = new_id("destr")
    await connection.execute(insert(destructions).values(id=order_id, state="ordered", left={}, **row))
    return order_id


async def order_of(connection: AsyncConnection, order_id: str, *, lock: bool = False) -> Order | None:
    query = select(destructions).where(_d.id == order_id)
    row = (await connection.execute(query.with_for_update() if lock else query)).one_or_none()
    if row is None:
        return None
    return Order(**{name: getattr(row, name) for name in Order.__slots__})


async def orders_of(connection: AsyncConnection, hearing_id: str) -> list[Order]:
    found = await connection.execute(select(_d.id).where(_d.hearing_id == hearing_id).order_by(_d.ordered_at))
    orders = [await order_of(connection, order_id) for order_id in found.scalars().all()]
    return [order for order in orders if order is not None]


async def change(connection: AsyncConnection, order_id: str, **values: object) -> None:
    await connection.execute(update(destructions).where(_d.id == order_id).values(**values))


async def sittings_of(connection: AsyncConnection, hearing_id: str) -> list[Any]:
    """Rows of the hearing's sittings in order."""
    query = select(sittings).where(sittings.c.hearing_id == hearing_id).order_by(sittings.c.number)
    return list((await connection.execute(query)).all())


async def count_lines(connection: AsyncConnection, hearing_id: str) -> int:
    mine = select(sittings.c.id).where(sittings.c.hearing_id == hearing_id)
    query = select(func.count()).select_from(utterances).where(utterances.c.sitting_id.in_(mine))
    return int((await connection.execute(query)).scalar_one())


async def delete_lines(connection: AsyncConnection, sitting_id: str) -> int:
    """The machine lines and corrections of a sitting; the database lets them go under an approved order alone. How many."""
    await connection.execute(delete(revisions).where(revisions.c.sitting_id == sitting_id))
    return int((await connection.execute(delete(utterances).where(utterances.c.sitting_id == sitting_id))).rowcount)


async def delete_words(connection: AsyncConnection, hearing_id: str) -> None:
    """The words that the clerk typed for recognition: names and places of the case."""
    await connection.execute(delete(hearing_words).where(hearing_words.c.hearing_id == hearing_id))


async def log_destruction(connection: AsyncConnection, order: Order, now: datetime) -> None:
    """In the access log, where everybody looks who asks what became of a record."""
    row: dict[str, Any] = {"court_id": order.court_id, "hearing_id": order.hearing_id, "what": "destroy", "ip": "", "at": now}
    await connection.execute(insert(access_log).values(session_subject=order.approved_by or "", **row))
