"""The segment index, piece by piece, and one segment to be played: both only as far as the viewer may have them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.access import AccessClass, may_have
from hearing.ledger import read_entry
from hearing.store import load_ledger
from hearing.timeline import Clock
from record.access import Classes
from record.course import course_of
from record.replay import PAGE_MS
from record.store import orders_of
from storage.clock import SystemClock
from storage.database import Database
from storage.tables import access_orders, ledger, segments

BEYOND_MS = 30_000  # a piece also holds what follows it, so that the page knows where its last segments end
MOST_SITTINGS = 50  # whose classes are kept in memory

_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class PlayedSegment:
    """What it takes to hand out the bytes of a segment; `access` is its class of today."""

    object_key: str
    bytes: int
    sha256: str
    t0_ms: int
    t1_ms: int
    access: AccessClass


class SegmentIndex:
    """Looks segments up. What a sitting's ledger and orders say of its classes is read anew when either has grown."""

    def __init__(self, database: Database, clock: Clock = _CLOCK) -> None:
        self._database = database
        self._clock = clock
        self._classes: OrderedDict[str, tuple[tuple[int, int], Classes]] = OrderedDict()

    async def page(self, sitting_id: str, page: int, holder: AccessClass) -> list[dict[str, object]]:
        """protocol.SegmentPage.tracks: segments that touch [page, page + 1) times PAGE_MS, by track and time."""
        t0_ms, t1_ms = page * PAGE_MS, (page + 1) * PAGE_MS + BEYOND_MS
        columns = (segments.c.track_id, segments.c.index, segments.c.t0_ms, segments.c.t1_ms, segments.c.access)
        within = (segments.c.sitting_id == sitting_id) & (segments.c.t1_ms > t0_ms) & (segments.c.t0_ms < t1_ms)
        query = select(*columns).where(within).order_by(segments.c.track_id, segments.c.index)
        tracks: dict[str, list[int]] = {}
        async with self._database.read() as connection:
            classes = await self._classes_of(connection, sitting_id)
            for track_id, index, start, end, recorded_as in await connection.execute(query):
                access = classes.of_recorded(track_id, start, end, AccessClass(recorded_as)) if classes else AccessClass.SEALED
                if may_have(holder, access):
                    tracks.setdefault(track_id, []).extend((index, start, end))
        return [{"track_id": track_id, "segments": flat} for track_id, flat in tracks.items()]

    async def segment(self, sitting_id: str, track_id: str, index: int) -> PlayedSegment | None:
        """One segment; who may have it is for the caller to decide by its class. None: there is none."""
        names = ("object_key", "bytes", "sha256", "t0_ms", "t1_ms", "access")
        query = select(*(segments.c[name] for name in names)).where(
            segments.c.sitting_id == sitting_id, segments.c.track_id == track_id, segments.c.index == index
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            classes = await self._classes_of(connection, sitting_id)
        if row is None or classes is None:
            return None
        access = classes.of_recorded(track_id, row.t0_ms, row.t1_ms, AccessClass(row.access))
        return PlayedSegment(row.object_key, row.bytes, row.sha256, row.t0_ms, row.t1_ms, access)

    async def _classes_of(self, connection: AsyncConnection, sitting_id: str) -> Classes | None:
        """None before 宣布开庭."""
        head = select(func.max(ledger.c.number)).where(ledger.c.sitting_id == sitting_id).scalar_subquery()
        orders = select(func.count()).where(access_orders.c.sitting_id == sitting_id).scalar_subquery()
        row = (await connection.execute(select(head, orders))).one()
        stamp = (row[0] or 0, row[1])
        known = self._classes.get(sitting_id)
        if known is not None and known[0] == stamp:
            return known[1]
        entries = [read_entry(sealed.entry) for sealed in await load_ledger(connection, sitting_id)]
        course = course_of(entries, self._clock.now())
        if course is None:
            return None
        classes = Classes(course, await orders_of(connection, sitting_id))
        self._classes[sitting_id] = (stamp, classes)
        if len(self._classes) > MOST_SITTINGS:
            self._classes.popitem(last=False)
        return classes
