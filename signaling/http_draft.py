"""The draft over HTTP: corrections from the record page, the history of a line, and the draft as a file."""

from __future__ import annotations

import hashlib
import json
from typing import cast

from aiohttp import web

from hearing.model import BENCH, Actor, SittingId
from record.access import Classes
from record.course import course_of
from record.draft import draft_of
from record.lines import engine_name
from record.store import material_of
from record.transcript_versions import readable, speakers_of, version_lines
from signaling.access import Access, Read, Visitor
from signaling.error_codes import Refused
from signaling.handlers.drafting import DraftDesk, Wish
from signaling.http_playback import record_reader
from signaling.http_sessions import answer
from signaling.middleware import body_of, origin_of, session_of
from signaling.parsing import parse_command
from signaling.parts import Parts
from signaling.protocol import Ack, LineHistory, LineStep
from transcripts.documents import FORMS, Title
from transcripts.model import ReplaceText, Revision, SetSpeaker


class DraftApi:
    """Corrections are the clerk's; the files are for who may read the record."""

    def __init__(self, parts: Parts, access: Access, desk: DraftDesk) -> None:
        self._parts = parts
        self._access = access
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        sitting = "/api/sittings/{sitting_id}"
        return [
            web.post(sitting + "/draft/{act:replace|split|merge|speaker}", self.edit),
            web.get(sitting + "/draft/history", self.history),
            web.get(sitting + "/transcript.{form:vtt|srt|txt|json|stm}", self.file),
        ]

    async def edit(self, request: web.Request) -> web.Response:
        """One correction; the same refusals as in the courtroom."""
        visitor = await record_reader(self._access, request)
        if visitor.participant is None:
            raise Refused("not_permitted")
        sitting_id = request.match_info["sitting_id"]
        command = parse_command(
            f"draft.{request.match_info['act']}", {**_json(await body_of(request)), "sitting_id": sitting_id}
        )
        person = visitor.participant
        actor = Actor(person.id, person.role, origin_of(request, self._parts.settings).ip)
        command_id = hashlib.sha256(f"{person.id}:{command.command_id}".encode()).hexdigest()[:40]
        edited = await self._desk.edit(SittingId(sitting_id), cast("Wish", command.body), actor, command_id)
        return answer(Ack(ok=True, number=edited.number, edited=edited.changes))

    async def history(self, request: web.Request) -> web.Response:
        """What became of a line, for the bench; while the sitting runs too."""
        sitting_id, line_id = request.match_info["sitting_id"], request.query.get("line", "")
        visitor = await self._access.sitting(session_of(request), sitting_id)
        if visitor.participant is None or visitor.participant.role not in BENCH:
            raise Refused("not_permitted")
        hearing, sitting = await self._parts.hearings.load(SittingId(sitting_id))
        async with self._parts.database.read() as connection:
            draft = await draft_of(connection, sitting_id)
        line = draft.line(line_id)
        if line is None or not await self._desk.may_read(hearing, sitting, visitor.participant.id, line):
            raise Refused("not_found")
        written = [said for said in draft.said if said.id in line.sources]
        machine = [
            LineStep(
                revision="", operation="machine", text=said.text, speaker=said.participant_id, author=None, at=None,
                engine=engine_name(said.engine),
            )
            for said in written
        ]  # fmt: skip
        response = answer(LineHistory(steps=[*machine, *(_step(revision) for revision in line.revisions)]))
        response.headers["Cache-Control"] = "no-store"
        return response

    async def file(self, request: web.Request) -> web.Response:
        """The draft as a file, in the version asked for, with what this person may have in it."""
        visitor = await record_reader(self._access, request)
        info, version = request.match_info, request.query.get("version", "")
        if not (version == "" or (version.isascii() and version.isdigit() and len(version) <= 4)):
            raise Refused("bad_field", "version")
        async with self._parts.database.read() as connection:
            material = await material_of(connection, info["sitting_id"])
            number = int(version) if version else (await draft_of(connection, info["sitting_id"])).version
            lines = await version_lines(connection, info["sitting_id"], number)
        course = course_of(material.entries, self._parts.clock.now()) if material else None
        if material is None or course is None or lines is None:
            raise Refused("not_found")
        own = readable(lines, Classes(course, material.orders), visitor.clearance)
        await self._log(visitor, request)
        hearing, form = visitor.entry.hearing, FORMS[info["form"]]
        title = Title(hearing.case_number, hearing.cause, material.sitting.ordinal, number, f"{info['sitting_id']}-{number}")
        return _download(form.write(own, speakers_of(hearing), title), form.media_type, f"{title.file_name}.{info['form']}")

    async def _log(self, visitor: Visitor, request: web.Request) -> None:
        ip = origin_of(request, self._parts.settings).ip
        await self._access.log(visitor, "transcript", ip, Read(request.match_info["sitting_id"]))


def _step(revision: Revision) -> LineStep:
    operation = revision.operation
    text = operation.text if isinstance(operation, ReplaceText) else ""
    speaker = operation.participant_id if isinstance(operation, SetSpeaker) else None
    return LineStep(
        revision=revision.id, operation=operation.type, text=text, speaker=speaker, author=revision.author_id, at=revision.at,
        engine=None,
    )  # fmt: skip


def _json(raw: bytes) -> dict[str, object]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused("bad_body") from None
    if not isinstance(data, dict):
        raise Refused("bad_body")
    return data


def _download(text: str, media_type: str, name: str) -> web.Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    response = web.Response(text=text, content_type=media_type, charset="utf-8", headers=headers)
    response.enable_compression()
    return response
