"""The vocabulary of a sitting's case out of the court's database: for signaling's internal API and for the final pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import BENCH, CourtId, HearingId, SittingId, StaffId
from storage import tables as t
from storage.ids import new_id
from transcripts.vocabulary import NO_WORDS, CaseFacts, CaseWords, case_words
from transcripts.word_lists import legal_table


@dataclass(frozen=True, slots=True)
class TypedWords:
    """What the clerk typed for a hearing, by whom and when last; nobody and never at first."""

    words: tuple[str, ...] = ()
    author: str = ""
    at: datetime | None = None


async def words_of_sitting(connection: AsyncConnection, sitting_id: SittingId) -> CaseWords:
    """What may be said in this sitting's hearing; no words for an unknown sitting."""
    query = select(t.sittings.c.hearing_id).where(t.sittings.c.id == sitting_id)
    hearing_id = await connection.scalar(query)
    return NO_WORDS if hearing_id is None else await words_of_hearing(connection, HearingId(hearing_id))


async def words_of_hearing(connection: AsyncConnection, hearing_id: HearingId) -> CaseWords:
    """What may be said in a hearing that exists; of the court's own people last."""
    h, p, e = t.hearings.c, t.participants.c, t.exhibits.c
    hearing = (await connection.execute(select(h.cause, h.title).where(h.id == hearing_id))).one()
    people = (await connection.execute(select(p.role, p.name).where(p.hearing_id == hearing_id).order_by(p.position))).all()
    exhibits = await connection.execute(
        select(e.title, e.purpose).where(e.hearing_id == hearing_id).order_by(e.side, e.ordinal)
    )
    facts = CaseFacts(
        people=tuple(person.name for person in sorted(people, key=lambda person: person.role in BENCH)),
        cause=hearing.cause,
        title=hearing.title,
        exhibits=tuple((exhibit.title, exhibit.purpose) for exhibit in exhibits),
        added=(await typed_words(connection, hearing_id)).words,
    )
    return case_words(facts, legal_table())


async def typed_words(connection: AsyncConnection, hearing_id: HearingId) -> TypedWords:
    """The newest list."""
    w = t.hearing_words.c
    query = select(w.words, t.staff.c.name, w.at).join(t.staff, t.staff.c.id == w.author_id).where(w.hearing_id == hearing_id)
    row = (await connection.execute(query.order_by(w.at.desc(), w.id.desc()).limit(1))).one_or_none()
    return TypedWords() if row is None else TypedWords(tuple(row.words), row.name, row.at)


async def type_words(
    connection: AsyncConnection, court_id: CourtId, hearing_id: HearingId, words: tuple[str, ...], author: StaffId, at: datetime
) -> None:
    """A new list in the place of the one before, which stays as a row: who had which words recognised, and since when."""
    values = {"id": new_id("words"), "court_id": court_id, "hearing_id": hearing_id, "words": list(words)}
    await connection.execute(insert(t.hearing_words).values(**values, author_id=author, at=at))
