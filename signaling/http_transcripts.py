"""Versions of a transcript over HTTP: which there are and how far, their lines, what differs, and asking for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import func, select

from hearing.access import AccessClass, may_have
from hearing.model import Hearing
from record.access import Classes
from record.course import course_of
from record.lines import engine_name, line_of_draft
from record.model import Material
from record.store import material_of
from record.transcript_versions import readable, version_lines
from signaling.access import Access, Read, Visitor
from signaling.error_codes import Refused
from signaling.history import caption_view
from signaling.http_playback import record_reader
from signaling.http_sessions import answer, answer_list
from signaling.middleware import body_of, origin_of
from signaling.parsing import parse_body
from signaling.parts import Parts
from signaling.protocol import (
    CaptionView,
    DiffPiece,
    DiffRow,
    TranscriptDiff,
    TranscriptRequest,
    TranscriptVersions,
    VersionView,
)
from storage.tables import utterances
from transcripts import versions
from transcripts.diff import Row, diff
from transcripts.model import Line
from transcripts.versions import FINAL, Version

PROBLEMS = {
    "engine_missing": "没有设置这个识别引擎，请联系技术人员。",
    "engine_changed": "识别途中更换了引擎，已另起一个版本重新识别。",
    "audio_unreadable": "部分录音无法读取，其余已识别。",
    "store_away": "存储暂时无法连接，恢复后自动继续。",
    "engine_away": "识别服务暂时没有应答，恢复后自动继续。",
    "gave_up": "多次尝试没有成功，请联系技术人员查看日志。",
}


@dataclass(frozen=True, slots=True)
class _Sitting:
    """What decides which lines somebody may read."""

    hearing: Hearing
    classes: Classes


class TranscriptApi:
    """For who may read the record; each line only for who is cleared for its class. Comparing is the court's own work."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        transcript = "/api/sittings/{sitting_id}/transcript"
        return [
            web.get(transcript + "/versions", self.known),
            web.post(transcript + "/versions", self.ask),
            web.get(transcript + r"/versions/{number:\d{1,4}}", self.lines),
            web.get(transcript + "/diff", self.diff),
        ]

    async def known(self, request: web.Request) -> web.Response:
        return await self._list(request, await record_reader(self._access, request))

    async def _list(self, request: web.Request, visitor: Visitor) -> web.Response:
        sitting_id = request.match_info["sitting_id"]
        c = utterances.c
        async with self._parts.database.read() as connection:
            known = await versions.versions_of(connection, sitting_id)
            count = select(c.version, func.count()).where(c.sitting_id == sitting_id).group_by(c.version)
            lines: dict[int, int] = dict((await connection.execute(count)).all())
        under_way = any(version.state in (versions.WAITING, versions.RUNNING) for version in known)
        views = [_view(version, lines.get(version.number, 0) - len(version.bleed)) for version in known]
        sealed = self._is_sealed(visitor, sitting_id)
        body = TranscriptVersions(
            live_lines=lines.get(0, 0), versions=views, may_ask=visitor.may_manage and sealed and not under_way,
            may_compare=_may_compare(visitor),
        )  # fmt: skip
        return _uncached(answer(body))

    async def ask(self, request: web.Request) -> web.Response:
        """Once more, with the engine that is set now; what is there stays beside it. For who manages the hearing."""
        visitor = await record_reader(self._access, request)
        sitting_id = request.match_info["sitting_id"]
        if not visitor.may_manage:
            raise Refused("not_permitted")
        if not self._is_sealed(visitor, sitting_id):
            raise Refused("record_not_ready")
        body = parse_body(TranscriptRequest, await body_of(request))
        by = visitor.participant.id if visitor.participant else None
        now = self._parts.clock.now()
        async with self._parts.database.transaction() as connection:
            court_id = visitor.session.court_id
            await versions.ask_for(connection, sitting_id, court_id, now, requested_by=by, engine=body.engine)
        await self._log(visitor, "transcript_ask", request)
        await self._parts.wake.notify(FINAL)
        return await self._list(request, visitor)

    async def lines(self, request: web.Request) -> web.Response:
        """What was said, by this version and by who corrected it. Acts and notes stand on the record page."""
        visitor = await record_reader(self._access, request)
        sitting, (found,) = await self._read(request, visitor.clearance, int(request.match_info["number"]))
        await self._log(visitor, "transcript", request)
        return _uncached(answer_list([_caption(line, sitting.hearing) for line in found]))

    async def diff(self, request: web.Request) -> web.Response:
        """From one version to another, 0 being the live draft."""
        visitor = await record_reader(self._access, request)
        if not _may_compare(visitor):
            raise Refused("not_permitted")
        old, new = _number(request, "from"), _number(request, "to")
        sitting, (before, after) = await self._read(request, visitor.clearance, old, new)
        await self._log(visitor, "transcript", request)
        rows = [_row(row, sitting.hearing) for row in diff(before, after)]
        return _uncached(answer(TranscriptDiff(from_version=old, to_version=new, rows=rows)))

    async def _read(self, request: web.Request, holder: AccessClass, *numbers: int) -> tuple[_Sitting, Sequence[list[Line]]]:
        """What the holder may read of these versions; raises not_found where one of them is not finished."""
        sitting_id = request.match_info["sitting_id"]
        async with self._parts.database.read() as connection:
            material = await material_of(connection, sitting_id)
            found = [await version_lines(connection, sitting_id, number) for number in numbers]
        sitting = self._sitting(material)
        lines = [readable(one, sitting.classes, holder) for one in found if one is not None]
        if len(lines) != len(numbers):
            raise Refused("not_found")
        return sitting, lines

    def _sitting(self, material: Material | None) -> _Sitting:
        course = course_of(material.entries, self._parts.clock.now()) if material else None
        if material is None or course is None:
            raise Refused("not_found")
        return _Sitting(material.hearing, Classes(course, material.orders))

    @staticmethod
    def _is_sealed(visitor: Visitor, sitting_id: str) -> bool:
        return any(one.sitting.id == sitting_id and one.sealed_at is not None for one in visitor.entry.sittings)

    async def _log(self, visitor: Visitor, what: str, request: web.Request) -> None:
        ip = origin_of(request, self._parts.settings).ip
        await self._access.log(visitor, what, ip, Read(request.match_info["sitting_id"]))


def _may_compare(visitor: Visitor) -> bool:
    """Panel and clerk: which engine heard what is no part of what parties consult."""
    return visitor.may_manage or may_have(visitor.clearance, AccessClass.PANEL)


def _view(version: Version, lines: int) -> VersionView:
    code = version.problem
    message = PROBLEMS.get(code, f"识别引擎不可用（{code}），请联系技术人员。") if code else ""
    return VersionView(
        number=version.number, state=version.state, progress=round(version.progress, 3), problem=code, message=message,
        engine=engine_name(version.engine) if version.engine else None,
        model_sha256=version.engine.model_sha256 if version.engine else None, lines=lines, bleed=len(version.bleed),
        requested_by=version.requested_by, created_at=version.created_at, finished_at=version.finished_at,
    )  # fmt: skip


def _caption(line: Line, hearing: Hearing) -> CaptionView:
    return caption_view(line_of_draft(line, hearing))


def _row(row: Row, hearing: Hearing) -> DiffRow:
    said = (row.new or row.old)[0].utterance
    person = hearing.participant(said.participant_id)
    return DiffRow(
        change=row.change, participant_id=said.participant_id, label=person.label if person else "",
        name=person.name if person else "", t0_ms=row.t0_ms, t1_ms=row.t1_ms,
        from_ids=[line.utterance.id for line in row.old], to_ids=[line.utterance.id for line in row.new],
        pieces=[DiffPiece(kind=piece.kind, text=piece.text) for piece in row.pieces],
    )  # fmt: skip


def _number(request: web.Request, name: str) -> int:
    """A version's number in the query; raises bad_field."""
    text = request.query.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise Refused("bad_field", name)
    return int(text)


def _uncached(response: web.Response) -> web.Response:
    response.headers["Cache-Control"] = "no-store"
    response.enable_compression()
    return response
