"""Who watched what of a record (AV-10): every opening, every stretch handed out, every stretch played, in access_log.

Rows are only added. `record`: the page was opened, under a view id that stands in the watermark. `play`: bytes of this minute
of the record clock were handed out, written before the first of them goes; it does not depend on what the page says.
`watched`: the page reports that it played this stretch.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from signaling.access import Access, Read, Visitor
from signaling.parts import Parts
from signaling.protocol import RecordRead
from storage.tables import access_log, participants, staff

MINUTE_MS = 60_000
MOST_VIEWS = 2000  # remembered at a time; a forgotten one only writes a row twice
MOST_READS = 500
TOGETHER_MS = 1500
READS = ("record", "captions", "exhibit_original", "film", "package", "hear_back", "transcript")

Span = tuple[int, int]


class Viewing:
    """The log of replays."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access
        self._minutes: OrderedDict[tuple[str, str, str], set[int]] = OrderedDict()

    async def opened(self, visitor: Visitor, sitting_id: str, ip: str) -> str:
        """Log that the record was opened; the id of this view."""
        view_id = secrets.token_hex(4).upper()
        await self._access.log(visitor, "record", ip, Read(sitting_id, view_id))
        return view_id

    async def handed_out(self, visitor: Visitor, sitting_id: str, view_id: str, span: Span, ip: str) -> None:
        """Log the minutes of which bytes are about to go out, each once for a view however many tracks it has."""
        minutes = self._known(visitor.session.subject, sitting_id, view_id)
        asked = set(range(span[0] // MINUTE_MS, (max(span[0], span[1] - 1)) // MINUTE_MS + 1))
        for minute in sorted(asked - minutes):
            minutes.add(minute)
            stretch = Read(sitting_id, view_id, minute * MINUTE_MS, (minute + 1) * MINUTE_MS)
            await self._access.log(visitor, "play", ip, stretch)

    async def played(self, visitor: Visitor, sitting_id: str, view_id: str, spans: Iterable[Span], ip: str) -> bool:
        """Log what the page says it played. False: this person opened no such view."""
        own = (access_log.c.view_id == view_id) & (access_log.c.session_subject == visitor.session.subject)
        query = select(func.count()).where(own, access_log.c.sitting_id == sitting_id, access_log.c.what == "record")
        async with self._parts.database.read() as connection:
            if not (await connection.execute(query)).scalar_one():
                return False
        await self._access.log_all(visitor, "watched", ip, [Read(sitting_id, view_id, t0, t1) for t0, t1 in spans])
        return True

    async def reads(self, visitor: Visitor, sitting_id: str) -> list[RecordRead]:
        """The last reads of a sitting's record and its hearing's package, newest first."""
        hearing_id = visitor.entry.hearing.id
        mine = (access_log.c.hearing_id == hearing_id) & access_log.c.sitting_id.in_((sitting_id, ""))
        query = select(access_log).where(mine).order_by(access_log.c.id.desc()).limit(20 * MOST_READS)
        async with self._parts.database.read() as connection:
            rows = (await connection.execute(query)).all()
            names = {
                id_: name for t in (participants, staff) for id_, name in await connection.execute(select(t.c.id, t.c.name))
            }
        openings = [row for row in rows if row.what in READS][:MOST_READS]
        return [_read(row, [one for one in rows if row.view_id and one.view_id == row.view_id], names) for row in openings]

    def _known(self, subject: str, sitting_id: str, view_id: str) -> set[int]:
        key = (subject, sitting_id, view_id)
        minutes = self._minutes.setdefault(key, set())
        self._minutes.move_to_end(key)
        if len(self._minutes) > MOST_VIEWS:
            self._minutes.popitem(last=False)
        return minutes


def _read(row: Row[Any], same_view: Sequence[Row[Any]], names: Mapping[str, str]) -> RecordRead:
    watched = [(one.t0_ms, one.t1_ms) for one in same_view if one.what == "watched"]
    last_at = max((one.at for one in same_view), default=row.at)
    name = names.get(row.session_subject, "")
    return RecordRead(view_id=row.view_id, what=row.what, name=name, at=row.at, last_at=last_at, played=_flat(watched))


def _flat(spans: Iterable[Span]) -> list[int]:
    """Stretches joined where they touch, as one flat list."""
    joined: list[int] = []
    for t0, t1 in sorted(spans):
        if joined and t0 - joined[-1] <= TOGETHER_MS:
            joined[-1] = max(joined[-1], t1)
        else:
            joined += (t0, t1)
    return joined
