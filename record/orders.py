"""Sealing after the fact (封存, AV-16): the presiding judge's order makes a stretch of a sitting's record stricter.

The order itself holds at once: playback and export ask record.access, which reads the orders. The job `rewrap` then wraps the
data keys of what it touches for the stricter class (storage.data_keys): the stored bytes, locked or not, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import insert, select

from hearing.access import AccessClass
from hearing.errors import InvalidField, NotNow, NotPermitted, UnknownId
from hearing.model import Actor, Hearing, ParticipantId, Role, SittingState
from hearing.scene import bounded_text
from hearing.timeline import Clock
from record import film_store, store
from record.access import Classes
from record.course import course_of
from record.model import AccessOrder, Material
from storage.data_keys import DataKeys
from storage.database import Database
from storage.ids import new_id
from storage.objects import ObjectMissing, manifest_key
from storage.queue import Wake, enqueue
from storage.tables import access_log, access_orders, data_keys

REWRAP = "rewrap"  # kind of the job; payload {"sitting_id"}
RULING_CHARACTERS = 500
ORDERED = (AccessClass.PANEL, AccessClass.SEALED)
MADE_OF_ALL = ("sealed/", "film")  # the transcript's forms and the film: made from the whole sitting
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What the presiding judge orders. `track_id` "": every track and all that was noted and shown meanwhile."""

    track_id: str
    t0_ms: int
    t1_ms: int
    access: AccessClass
    ruling: str


class Orders:
    """Orders on the access to a closed sitting's record."""

    def __init__(self, database: Database, clock: Clock, wake: Wake) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake

    async def give(self, sitting_id: str, new: NewOrder, actor: Actor, subject: str) -> AccessOrder:
        """Write the order, its trace in the access log (of the session `subject`) and the job, in one transaction.

        Raises NotPermitted for anybody but the presiding judge, NotNow before 闭庭, InvalidField, UnknownId.
        """
        async with self._database.transaction() as connection:
            material = await store.material_of(connection, sitting_id)
            if material is None:
                raise UnknownId("没有此庭次。", field="sitting_id")
            judge = _presiding(material.hearing, actor)
            now = self._clock.now()
            order = _checked(material, new, judge, self._clock)
            row: dict[str, object] = {
                "id": new_id("ord"),
                "court_id": material.sitting.court_id,
                "sitting_id": sitting_id,
                "ordered_by": judge,
            }
            row |= {"track_id": order.track_id, "t0_ms": order.t0_ms, "t1_ms": order.t1_ms, "access": order.access.value}
            await connection.execute(insert(access_orders).values(**row, ruling=order.ruling, at=order.at))
            trace: dict[str, object] = {
                "court_id": material.sitting.court_id,
                "hearing_id": material.hearing.id,
                "session_subject": subject,
            }
            trace |= {"what": "seal", "ip": actor.ip, "at": now, "sitting_id": sitting_id}
            await connection.execute(insert(access_log).values(**trace, t0_ms=order.t0_ms, t1_ms=order.t1_ms))
            await enqueue(connection, REWRAP, {"sitting_id": sitting_id}, material.sitting.court_id, now)
            await film_store.ask_for(connection, sitting_id, material.sitting.court_id, now)  # the one before shows too much
        await self._wake.notify(REWRAP)
        _log.info("access_ordered", sitting_id=sitting_id, order_id=row["id"], access=order.access.value)
        return order

    async def of(self, sitting_id: str) -> tuple[AccessOrder, ...]:
        """All orders on a sitting, in order of time."""
        async with self._database.read() as connection:
            return await store.orders_of(connection, sitting_id)


def _presiding(hearing: Hearing, actor: Actor) -> ParticipantId:
    person = hearing.participant(actor.participant_id) if actor.participant_id else None
    if person is None or person.role is not Role.PRESIDING_JUDGE or actor.role is not person.role:
        raise NotPermitted("只有审判长可以决定封存。")
    return person.id


def _checked(material: Material, new: NewOrder, judge: ParticipantId, clock: Clock) -> AccessOrder:
    course = course_of(material.entries, clock.now())
    if course is None or material.sitting.state is not SittingState.CLOSED:
        raise NotNow("闭庭以后才能决定封存庭审记录。")
    if new.track_id and new.track_id not in material.tracks():
        raise InvalidField("没有这条音视频轨道。", field="track_id")
    if not 0 <= new.t0_ms < new.t1_ms <= course.end_ms:
        raise InvalidField("封存的起止时间无效。", field="t0_ms")
    if new.access not in ORDERED:
        raise InvalidField("只能改为合议庭或者封存。", field="access")
    ruling = bounded_text(new.ruling, RULING_CHARACTERS, "ruling")
    return AccessOrder(new.track_id, new.t0_ms, new.t1_ms, new.access, ruling, judge, clock.now())


@dataclass(frozen=True, slots=True)
class Rewrapper:
    """The job `rewrap`: every object of a sitting whose key is wrapped for another class than it has is wrapped anew.

    Each object is its own transaction, and one that is as it should be is passed over: stopped anywhere, it goes on.
    """

    database: Database
    keys: DataKeys
    clock: Clock

    async def rewrap(self, payload: dict[str, Any]) -> None:
        sitting_id = str(payload["sitting_id"])
        async with self.database.read() as connection:
            material = await store.material_of(connection, sitting_id)
            if material is None:
                return
            prefix = _folder(material)
            found = select(data_keys.c.object_key, data_keys.c.key_class).where(
                data_keys.c.object_key.startswith(prefix, autoescape=True), data_keys.c.wrapped.is_not(None)
            )
            kept_as = {row.object_key: row.key_class for row in await connection.execute(found)}
        moved = 0
        for object_key, access in _classes_of_objects(material, kept_as, self.clock):
            if kept_as[object_key] != access:
                try:
                    await self.keys.move(object_key, access.value)
                    moved += 1
                except ObjectMissing:  # lawfully destroyed meanwhile
                    continue
        _log.info("keys_rewrapped", sitting_id=sitting_id, objects=len(kept_as), moved=moved)


def _classes_of_objects(material: Material, kept_as: dict[str, str], clock: Clock) -> Iterator[tuple[str, AccessClass]]:
    """The class of each object under the sitting's prefix; manifest and signature stay as open as they are."""
    course = course_of(material.entries, clock.now())
    if course is None:
        return
    classes = Classes(course, material.orders)
    segments = {segment.object_key: classes.of_segment(segment) for segment in material.segments}
    for object_key in sorted(kept_as):
        if object_key in segments:
            yield object_key, segments[object_key]
        elif object_key.removeprefix(_folder(material)).startswith(MADE_OF_ALL):
            yield object_key, classes.of_made(AccessClass(kept_as[object_key]))


def _folder(material: Material) -> str:
    """What the keys of all of a sitting's objects begin with."""
    return manifest_key(material.sitting.court_id, material.sitting.id).removesuffix("manifest.json")
