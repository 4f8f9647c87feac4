"""The words that recognition is told of a case (识别词表, C18), seen and added to by who manages the hearing."""

from __future__ import annotations

import re

from aiohttp import web

from hearing.model import CourtId, Hearing, StaffId
from signaling.access import Access, Visitor
from signaling.error_codes import Refused
from signaling.http_sessions import answer
from signaling.middleware import body_of, session_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import HearingWords, NewHearingWords
from transcripts.case_data import type_words, typed_words, words_of_hearing

MOST_WORDS = 100
WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fffA-Za-z0-9·]{2,16}")


class WordsApi:
    """The vocabulary of one hearing. Names stand in it, so that only who manages the hearing reads it."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/hearings/{hearing_id}/words", self.show),
            web.put("/api/hearings/{hearing_id}/words", self.change),
        ]

    async def show(self, request: web.Request) -> web.Response:
        visitor = await self._manager(request)
        return answer(await self._words(visitor.entry.hearing))

    async def change(self, request: web.Request) -> web.Response:
        """In force within a minute, also in a running sitting; who changed the list and when stays (a row for each change)."""
        visitor = await self._manager(request)
        staff_id = visitor.session.staff_id
        if staff_id is None:
            raise Refused("not_permitted")
        body = parse_body(NewHearingWords, await body_of(request))
        words = tuple(dict.fromkeys(word.strip() for word in body.words))
        if len(words) > MOST_WORDS or not all(WORD.fullmatch(word) for word in words):
            raise Refused("bad_field", "words")
        hearing = visitor.entry.hearing
        async with self._parts.database.transaction() as connection:
            now = self._parts.clock.now()
            await type_words(connection, CourtId(hearing.court_id), hearing.id, words, StaffId(staff_id), now)
        return answer(await self._words(hearing))

    async def _words(self, hearing: Hearing) -> HearingWords:
        async with self._parts.database.read() as connection:
            typed = await typed_words(connection, hearing.id)
            every = await words_of_hearing(connection, hearing.id)
        known = [word for word in every.own if word not in typed.words]
        return HearingWords(typed=list(typed.words), known=known, changed_by=typed.author, changed_at=typed.at)

    async def _manager(self, request: web.Request) -> Visitor:
        visitor = await self._access.hearing(session_of(request), request.match_info["hearing_id"])
        if not visitor.may_manage:
            raise Refused("not_permitted")
        return visitor
