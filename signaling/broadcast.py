"""After a committed act: who receives what. Views are personal; a line reaches only those who were there.

Everything is sent to the Socket.IO room of one person in one sitting, so that it also reaches a socket that another
signaling process holds (Redis manager).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import socketio

from hearing.access import clearance, may_have
from hearing.audience import Place, place_of
from hearing.model import BENCH, Hearing, Participant, ParticipantId, Sitting, SittingId
from hearing.service import Outcome
from hearing.states import OVER
from record.access import Classes
from record.course import course_of
from record.store import orders_of
from signaling import protocol
from signaling.courts import CourtNames
from signaling.history import Histories, Line, marks_of
from signaling.packets import NAMESPACE
from signaling.parts import Parts
from signaling.presence import room_of
from signaling.protocol import CaptionAdded, CaptionsEdited, Message, SittingUpdated
from signaling.recording_watch import RecordingWatch
from signaling.views import Scene, sitting_view

EVENT_NAMES: dict[type[Message], str] = {model: name for name, model in protocol.EVENTS.items()}


class Broadcast:
    """Sends events to the people of a sitting."""

    def __init__(self, server: socketio.AsyncServer, parts: Parts, histories: Histories, watch: RecordingWatch) -> None:
        self._server = server
        self._parts = parts
        self._histories = histories
        self._watch = watch
        self._courts = CourtNames(parts.database)
        self._refreshing: dict[SittingId, asyncio.Lock] = {}
        self._waiting: set[SittingId] = set()

    async def scene(self, hearing: Hearing, sitting: Sitting) -> Scene:
        """What views of this sitting are made from now."""
        exhibits = tuple(await self._parts.exhibits.list(hearing.id))
        court_name = await self._courts.name(hearing.court_id)
        return Scene(hearing, sitting, exhibits, self._watch.state(sitting), court_name, self._parts.clock.now())

    async def refresh(self, sitting_id: SittingId) -> None:
        """Send everyone present their newest view.

        One at a time per sitting, so that numbers never go back on a socket; whoever waits reads the state after all that
        came before, so a second waiter would tell nothing new.
        """
        if sitting_id in self._waiting:
            return
        self._waiting.add(sitting_id)
        async with self._refreshing.setdefault(sitting_id, asyncio.Lock()):
            self._waiting.discard(sitting_id)
            hearing, sitting = await self._parts.hearings.load(sitting_id)
            scene = await self.scene(hearing, sitting)
            for viewer in hearing.participants:
                if _is_told(sitting, viewer):
                    await self.send(sitting_id, viewer.id, SittingUpdated(sitting=sitting_view(scene, viewer)))

    async def tell(self, outcome: Outcome) -> None:
        """The acts and notes of an outcome, as lines."""
        hearing, sitting = outcome.hearing, outcome.sitting
        marks = marks_of(await self._parts.exhibits.list(hearing.id))
        history = await self._histories.of(hearing, sitting)
        for line in history.acts(hearing, marks, range(outcome.number - len(outcome.events) + 1, outcome.number + 1)):
            await self.line(hearing, sitting, line)

    async def line(self, hearing: Hearing, sitting: Sitting, line: Line) -> None:
        """One line, to those present who were in the courtroom for the whole of it."""
        history = await self._histories.of(hearing, sitting)
        readers = [p.id for p in hearing.participants if _is_told(sitting, p) and history.may_read(p.id, line)]
        await self.send_to(sitting.id, readers, CaptionAdded(caption=line.view))

    async def edited(self, hearing: Hearing, sitting: Sitting, changed: Sequence[Line], gone: Sequence[Line]) -> None:
        """Corrected lines, and lines that are none any more, to those present who may read them."""
        for person in hearing.participants:
            if not _is_told(sitting, person):
                continue
            captions = [line.view for line in await self.readable(hearing, sitting, person.id, changed)]
            ids = [line.view.id for line in await self.readable(hearing, sitting, person.id, gone)]
            if captions or ids:
                await self.send(sitting.id, person.id, CaptionsEdited(captions=captions, gone=ids))

    async def readable(self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, speech: Sequence[Line]) -> list[Line]:
        """Which of these lines a person may read now: see lines(). When all is over, the class alone counts for the clerk's
        and the judges' work, who read the record whole.
        """
        history = await self._histories.of(hearing, sitting)
        if sitting.state not in OVER:
            return [line for line in speech if history.may_read(viewer, line)]
        person = hearing.participant(viewer)
        works = person is not None and person.role in BENCH
        found = [line for line in speech if works or history.may_read(viewer, line)]
        return await self._of_class(hearing, sitting, viewer, found)

    async def lines(self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, speech: Iterable[Line]) -> list[Line]:
        """All lines this viewer may read, in record order: acts and notes from the ledger among the speech given.

        During the sitting by having been there; afterwards, beside that, by the class of each (S21).
        """
        marks = marks_of(await self._parts.exhibits.list(hearing.id))
        history = await self._histories.of(hearing, sitting)
        lines = [*history.acts(hearing, marks), *speech]
        readable = sorted((line for line in lines if history.may_read(viewer, line)), key=lambda line: line.from_at)
        return await self._of_class(hearing, sitting, viewer, readable) if sitting.state in OVER else readable

    async def _of_class(self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, lines: list[Line]) -> list[Line]:
        """The lines of a sitting that is over which are of a class this person may have."""
        history = await self._histories.of(hearing, sitting)
        course = course_of(history.entries, self._parts.clock.now())
        if course is None:
            return lines
        person = hearing.participant(viewer)
        async with self._parts.database.read() as connection:
            classes = Classes(course, await orders_of(connection, sitting.id))
        holder = clearance(person.role if person else None)
        return [line for line in lines if may_have(holder, classes.of_line(line.view))]

    async def send(self, sitting_id: SittingId, receiver: ParticipantId, message: Message) -> None:
        """One event to one person."""
        room = room_of(sitting_id, receiver)
        await self._server.emit(EVENT_NAMES[type(message)], message.model_dump(mode="json"), room=room, namespace=NAMESPACE)

    async def send_to(self, sitting_id: SittingId, receivers: Iterable[ParticipantId], message: Message) -> None:
        for receiver in receivers:
            await self.send(sitting_id, receiver, message)


def _is_told(sitting: Sitting, person: Participant) -> bool:
    """Those present; after 闭庭 the law counts nobody as present, yet whoever still has the page open learns of it."""
    return person.id in sitting.present or sitting.state in OVER


def insiders(hearing: Hearing, sitting: Sitting) -> list[Participant]:
    """Those present who stand in the courtroom."""
    return [p for p in hearing.participants if p.id in sitting.present and place_of(sitting, p) is Place.COURTROOM]


def quality_receivers(hearing: Hearing, sitting: Sitting, about: ParticipantId) -> list[ParticipantId]:
    """Who sees a person's network mark: the person, the bench, and who shares the courtroom with them."""
    person = hearing.participant(about)
    inside = person is not None and place_of(sitting, person) is Place.COURTROOM
    present = [p for p in hearing.participants if p.id in sitting.present]
    return [p.id for p in present if p.id == about or p.role in BENCH or (inside and place_of(sitting, p) is Place.COURTROOM)]
