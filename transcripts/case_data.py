"""The vocabulary of a sitting's case out of the court's database: for signaling's internal API and for the final pass."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import BENCH, SittingId
from storage import tables as t
from transcripts.vocabulary import NO_WORDS, CaseFacts, CaseWords, case_words
from transcripts.word_lists import legal_table


async def words_of_sitting(connection: AsyncConnection, sitting_id: SittingId) -> CaseWords:
    """What may be said in this sitting's hearing, of the court's own people last; no words for an unknown sitting."""
    h = t.hearings.c
    query = (
        select(h.id, h.cause, h.title).join(t.sittings, t.sittings.c.hearing_id == h.id).where(t.sittings.c.id == sitting_id)
    )
    hearing = (await connection.execute(query)).one_or_none()
    if hearing is None:
        return NO_WORDS
    p, e = t.participants.c, t.exhibits.c
    people = (await connection.execute(select(p.role, p.name).where(p.hearing_id == hearing.id).order_by(p.position))).all()
    exhibits = await connection.execute(
        select(e.title, e.purpose).where(e.hearing_id == hearing.id).order_by(e.side, e.ordinal)
    )
    facts = CaseFacts(
        people=tuple(person.name for person in sorted(people, key=lambda person: person.role in BENCH)),
        cause=hearing.cause,
        title=hearing.title,
        exhibits=tuple((exhibit.title, exhibit.purpose) for exhibit in exhibits),
    )
    return case_words(facts, legal_table())
