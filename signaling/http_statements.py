"""起止与中断情况记录 and 录音录像故障说明 over HTTP: draft, confirm (the clerk), sign (the presiding judge), read, print (AV-3, AV-4).

Each act is one entry of the sitting's ledger in the same transaction as the row it changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.commands import ConfirmStatement, SignStatement
from hearing.errors import Conflict, InvalidField, UnknownId
from hearing.model import BENCH, Actor, Role, SittingId, SittingState
from hearing.service import Outcome
from hearing.timeline import whole_ms
from record import statement_store as rows
from record import store
from record.acts import person_mark
from record.statement_jobs import drafted, names_of
from record.statement_pages import page_of
from record.statement_store import Statement
from record.statements import REMARKS_CHARACTERS, sha256_of, with_remarks
from signaling.access import Access, Visitor
from signaling.acts import Acts
from signaling.error_codes import Refused
from signaling.http_sessions import answer_list
from signaling.middleware import body_of, origin_of, session_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import StatementConfirmation, StatementSignature, StatementView
from storage.ids import new_id

log = structlog.get_logger("signaling.statements")

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "X-Frame-Options": "SAMEORIGIN",
}


class StatementApi:
    """The bench and who manages the hearing see every version; who may read the record sees what is signed."""

    def __init__(self, parts: Parts, access: Access, acts: Acts) -> None:
        self._parts = parts
        self._access = access
        self._acts = acts

    def routes(self) -> list[web.RouteDef]:
        one = "/api/sittings/{sitting_id}/statements/{statement_id}"
        return [
            web.get("/api/sittings/{sitting_id}/statements", self.list),
            web.post("/api/sittings/{sitting_id}/statements", self.draft),
            web.post(f"{one}/confirm", self.confirm),
            web.post(f"{one}/sign", self.sign),
            web.get(f"{one}/page", self.page),
        ]

    async def list(self, request: web.Request) -> web.Response:
        return await self._answer(request, await self._reader(request))

    async def draft(self, request: web.Request) -> web.Response:
        """Draft anew from the ledger as it stands; what tells nothing new makes no new version."""
        visitor = await self._reader(request)
        if not _works_on_it(visitor):
            raise Refused("not_permitted")
        async with self._parts.database.transaction() as connection:
            material = await store.material_of(connection, request.match_info["sitting_id"])
            if material is not None:
                await drafted(connection, material, self._parts.clock)
        return await self._answer(request, visitor)

    async def confirm(self, request: web.Request) -> web.Response:
        """The clerk's remarks go in, and the document stands as it is from now on."""
        visitor, one = await self._mine(request)
        body = parse_body(StatementConfirmation, await body_of(request))
        remarks = body.remarks.strip()
        if len(remarks) > REMARKS_CHARACTERS:
            raise InvalidField(f"备注最多 {REMARKS_CHARACTERS} 个字。", field="remarks")
        if one.sha256 != body.sha256:
            raise Conflict("内容已经更新，请刷新后再确认。", code="statement_not_open")
        document = with_remarks(one.document, remarks)
        command = ConfirmStatement(one.id, one.kind, sha256_of(document))
        return await self._act(request, visitor, command, lambda c, by, at: rows.confirm(c, one.id, document, by, at))

    async def sign(self, request: web.Request) -> web.Response:
        """The presiding judge's in-app confirmation of exactly what was shown."""
        visitor, one = await self._mine(request)
        sha256 = parse_body(StatementSignature, await body_of(request)).sha256
        command = SignStatement(one.id, one.kind, sha256)
        return await self._act(request, visitor, command, lambda c, by, at: rows.sign(c, one.id, sha256, by, at))

    async def page(self, request: web.Request) -> web.Response:
        """To be read and printed."""
        visitor = await self._reader(request)
        async with self._parts.database.read() as connection:
            one = await rows.statement(connection, request.match_info["sitting_id"], request.match_info["statement_id"])
            material = await store.material_of(connection, request.match_info["sitting_id"])
        if material is None or not _may_see(visitor, one):
            raise UnknownId("没有这份说明。", field="statement_id")
        await self._access.log(visitor, "statement", origin_of(request, self._parts.settings).ip)
        return web.Response(text=page_of(one, names_of(material)), content_type="text/html", headers=PAGE_HEADERS)

    async def _act(
        self,
        request: web.Request,
        visitor: Visitor,
        command: ConfirmStatement | SignStatement,
        change: Callable[[AsyncConnection, str, datetime], Awaitable[None]],
    ) -> web.Response:
        """The law decides who may; the ledger entry and the row stand or fall together."""
        person = visitor.participant
        if person is None:
            raise Refused("not_permitted")
        actor = Actor(person.id, person.role, origin_of(request, self._parts.settings).ip)

        async def also(connection: AsyncConnection, outcome: Outcome) -> None:
            at = outcome.sitting.updated_at or whole_ms(self._parts.clock.now())
            await change(connection, person.id, at)

        await self._acts.give(SittingId(request.match_info["sitting_id"]), command, actor, new_id("sign"), also=also)
        log.info("statement", statement_id=command.statement_id, act=command.type, kind=command.kind)
        return await self._answer(request, visitor)

    async def _reader(self, request: web.Request) -> Visitor:
        visitor = await self._access.sitting(session_of(request), request.match_info["sitting_id"])
        if not visitor.may_read_record:
            raise Refused("not_permitted")
        return visitor

    async def _mine(self, request: web.Request) -> tuple[Visitor, Statement]:
        visitor = await self._reader(request)
        async with self._parts.database.read() as connection:
            return visitor, await rows.statement(
                connection, request.match_info["sitting_id"], request.match_info["statement_id"]
            )

    async def _answer(self, request: web.Request, visitor: Visitor) -> web.Response:
        """The newest version of each kind first."""
        async with self._parts.database.read() as connection:
            found = await rows.statements_of(connection, request.match_info["sitting_id"])
        hearing = visitor.entry.hearing
        views = [
            StatementView.model_validate(
                {
                    "id": one.id, "kind": one.kind, "title": one.document["title"], "version": one.version, "state": one.state,
                    "sha256": one.sha256, "remarks": one.document["remarks"], "drafted_at": one.drafted_at,
                    "confirmed_by": person_mark(hearing, one.confirmed_by) if one.confirmed_by else "",
                    "confirmed_at": one.confirmed_at,
                    "signed_by": person_mark(hearing, one.signed_by) if one.signed_by else "",
                    "signed_at": one.signed_at, "may": _may(visitor, one),
                }
            )
            for one in reversed(found) if _may_see(visitor, one)
        ]  # fmt: skip
        return answer_list(views)


def _works_on_it(visitor: Visitor) -> bool:
    return visitor.may_manage or (visitor.participant is not None and visitor.participant.role in BENCH)


def _may(visitor: Visitor, one: Statement) -> str:
    """What the page offers; the law and the row remain the judges."""
    over = any(s.sitting.id == one.sitting_id and s.sitting.state is SittingState.CLOSED for s in visitor.entry.sittings)
    role = visitor.participant.role if visitor.participant and over else None
    act = {(Role.CLERK, rows.DRAFTED): "confirm", (Role.PRESIDING_JUDGE, rows.CONFIRMED): "sign"}
    return act.get((role, one.state), "") if role else ""


def _may_see(visitor: Visitor, one: Statement) -> bool:
    return _works_on_it(visitor) or one.state == rows.SIGNED
