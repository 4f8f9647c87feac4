"""Record views kept for a while: a long hearing's takes a second to make, and a sealed record does not change by itself."""

from __future__ import annotations

from collections import OrderedDict

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.access import AccessClass
from hearing.timeline import Clock
from record.checks import last_check
from record.replay import record_view
from storage.clock import SystemClock
from storage.database import Database
from storage.objects import ObjectStore
from storage.tables import access_orders, ledger, revisions, sittings, utterances

MOST_VIEWS = 8  # a hearing of three hours and twelve people: about 5 MB each
KEPT_S = 300.0  # then the stores are looked at again, also where no row tells of a change
_CLOCK = SystemClock()
_GROWING = (ledger, access_orders, utterances, revisions)


class RecordViews:
    """record_view() of sealed sittings, made again as soon as anything it is made of has grown."""

    def __init__(self, database: Database, objects: ObjectStore, clock: Clock = _CLOCK) -> None:
        self._database = database
        self._objects = objects
        self._clock = clock
        self._kept: OrderedDict[tuple[str, AccessClass], tuple[object, float, dict[str, object]]] = OrderedDict()

    async def view(self, sitting_id: str, holder: AccessClass) -> dict[str, object]:
        """See record_view()."""
        async with self._database.read() as connection:
            stamp = await _stamp(connection, sitting_id)
        known = self._kept.get((sitting_id, holder))
        if known is not None and stamp is not None and known[0] == stamp and self._clock.monotonic() - known[1] < KEPT_S:
            self._kept.move_to_end((sitting_id, holder))
            return known[2]
        body = await record_view(self._database, self._objects, sitting_id, holder, self._clock)
        if stamp is not None:
            self._kept[sitting_id, holder] = (stamp, self._clock.monotonic(), body)
            if len(self._kept) > MOST_VIEWS:
                self._kept.popitem(last=False)
        return body


async def _stamp(connection: AsyncConnection, sitting_id: str) -> object | None:
    """What the view depends on; None while the record is not sealed: then it is always made anew."""
    sealed = select(sittings.c.sealed_manifest_sha256).where(sittings.c.id == sitting_id)
    sha256 = (await connection.execute(sealed)).scalar_one_or_none()
    if sha256 is None:
        return None
    counts = [select(func.count()).where(table.c.sitting_id == sitting_id).scalar_subquery() for table in _GROWING]
    grown = tuple((await connection.execute(select(*counts))).one())
    return sha256, grown, await last_check(connection, sitting_id)
