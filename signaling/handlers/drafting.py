"""draft.*: the clerk corrects the machine draft line by line; every correction is a row and a ledger entry in one transaction.

Two people at one line: a correction says what it is based on, and one that is based on what is not there any more is refused
with the text as it stands (line_changed).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import assert_never, cast

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.commands import EditDraft
from hearing.errors import Conflict, InvalidField, NotPermitted, TooBusy
from hearing.model import Actor, CourtId, Hearing, ParticipantId, Role, Sitting, SittingId
from hearing.service import Outcome
from hearing.store import command_number
from record.draft import Draft, draft_of
from signaling.acts import Acts, actor_of, scoped
from signaling.broadcast import Broadcast
from signaling.history import Line, speech_line
from signaling.parsing import Envelope
from signaling.parts import Parts
from signaling.presence import Seat
from signaling.protocol import Ack, CaptionsEdited, MergeLine, ReplaceLine, SetLineSpeaker, SplitLine
from storage.ids import new_id
from storage.tables import revisions
from transcripts import editing, store
from transcripts.model import Line as DraftLine
from transcripts.model import Merge, Operation, ReplaceText, Revision, SetSpeaker, Split

Wish = ReplaceLine | SplitLine | MergeLine | SetLineSpeaker
LINE_CHARACTERS = 2000
_TRIES = 4


class _Moved(Exception):
    """Another correction came in between reading and writing."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What a correction led to, for who gave it."""

    number: int
    changes: CaptionsEdited


@dataclass(frozen=True, slots=True)
class _Change:
    """The draft before and after one correction."""

    before: Draft
    after: Draft
    revision: Revision

    def lines(self, hearing: Hearing, opened_at: datetime) -> tuple[list[Line], list[Line]]:
        """Lines that read otherwise now, and those that are none any more."""
        was, now = ({line.utterance.id: line for line in draft.lines} for draft in (self.before, self.after))
        changed = [line for id_, line in now.items() if was.get(id_) != line]
        gone = [line for id_, line in was.items() if id_ not in now]
        return [speech_line(hearing, opened_at, line) for line in changed], [
            speech_line(hearing, opened_at, line) for line in gone
        ]


class DraftDesk:
    """Where corrections come in, from the courtroom and from the record page."""

    def __init__(self, parts: Parts, acts: Acts, broadcast: Broadcast) -> None:
        self._parts = parts
        self._acts = acts
        self._broadcast = broadcast

    async def handle(self, seat: Seat, envelope: Envelope) -> Ack:
        """The handler of draft.* in the courtroom."""
        wish = cast("Wish", envelope.body)
        edited = await self.edit(seat.sitting_id, wish, actor_of(seat), scoped(seat, envelope.command_id))
        return Ack(ok=True, number=edited.number, edited=edited.changes)

    async def edit(self, sitting_id: SittingId, wish: Wish, actor: Actor, command_id: str) -> Edited:
        """Do it once; the same `command_id` again changes nothing.

        Raises the law's refusals, Conflict (line_changed) with the present text, InvalidField.
        """
        if actor.role is not Role.CLERK:
            raise NotPermitted
        for _ in range(_TRIES):
            hearing, sitting = await self._parts.hearings.load(sitting_id)
            async with self._parts.database.read() as connection:
                number = await command_number(connection, sitting_id, command_id)
                draft = await draft_of(connection, sitting_id)
            if number is not None:
                return Edited(number, CaptionsEdited(captions=[], gone=[]))
            change = await self._change(hearing, sitting, draft, wish, actor)
            try:
                outcome = await self._commit(change, actor, command_id)
            except _Moved:
                continue
            return Edited(outcome.number, await self._publish(outcome, change, actor))
        raise TooBusy

    async def _change(self, hearing: Hearing, sitting: Sitting, draft: Draft, wish: Wish, actor: Actor) -> _Change:
        """Raises where the wish is stale, or senseless, or about a line that this person may not read."""
        line = _fresh(hearing, draft, wish.line_id, wish.based_on)
        editor = ParticipantId(actor.participant_id or "")
        if not await self.may_read(hearing, sitting, editor, line):
            raise Conflict("没有这一行，页面将刷新。", code="line_changed", field="line_id")
        operation = _operation(hearing, draft, line, wish)
        utterance_id, _, part = wish.line_id.partition("/")
        at = max([self._parts.clock.now(), *(one.at for one in draft.revisions[-1:])])
        revision = Revision(f"rev_{len(draft.revisions):06}_{new_id('r')[2:18]}", utterance_id, operation, editor, at, part)
        return _Change(draft, draft.with_revision(revision), revision)

    async def may_read(self, hearing: Hearing, sitting: Sitting, viewer: ParticipantId, line: DraftLine) -> bool:
        """Whether a person may read this line now."""
        if sitting.opened_at is None:
            return False
        return bool(await self._broadcast.readable(hearing, sitting, viewer, [speech_line(hearing, sitting.opened_at, line)]))

    async def _commit(self, change: _Change, actor: Actor, command_id: str) -> Outcome:
        """The law, the ledger entry and the row, in one transaction. Raises _Moved."""
        revision, line = change.revision, change.before.line(change.revision.line_id)
        assert line is not None
        said = line.utterance
        fields = {"type": revision.operation.type, **asdict(revision.operation), "line_id": revision.line_id, "id": revision.id}
        sha256 = hashlib.sha256(json.dumps(fields, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
        command = EditDraft(
            revision.id, revision.line_id, revision.operation.type, said.track_id, said.t0_ms, said.t1_ms, sha256
        )

        async def write(connection: AsyncConnection, outcome: Outcome) -> None:
            count = select(func.count()).select_from(revisions).where(revisions.c.sitting_id == outcome.sitting.id)
            if (await connection.execute(count)).scalar_one() != len(change.before.revisions):
                raise _Moved
            await store.add_revision(connection, CourtId(outcome.hearing.court_id), outcome.sitting.id, revision)

        return await self._acts.give(SittingId(said.sitting_id), command, actor, command_id, also=write)

    async def _publish(self, outcome: Outcome, change: _Change, actor: Actor) -> CaptionsEdited:
        """Everybody's captions follow; the answer is what the editor may read of it."""
        hearing, sitting = outcome.hearing, outcome.sitting
        if outcome.duplicate or sitting.opened_at is None:
            return CaptionsEdited(captions=[], gone=[])
        changed, gone = change.lines(hearing, sitting.opened_at)
        await self._broadcast.edited(hearing, sitting, changed, gone)
        editor = ParticipantId(actor.participant_id or "")
        return CaptionsEdited(
            captions=[line.view for line in await self._broadcast.readable(hearing, sitting, editor, changed)],
            gone=[line.view.id for line in gone],
        )


def _fresh(hearing: Hearing, draft: Draft, line_id: str, based_on: str) -> DraftLine:
    """The line, if it stands as the editor saw it."""
    line = draft.line(line_id)
    if line is None:
        raise Conflict("这一行已被合并、删除或由新版本代替，您的修改没有保存。", code="line_changed", field="line_id")
    if line.revision != based_on:
        by = hearing.participant(line.edited_by) if line.edited_by else None
        who = by.name if by else "他人"
        raise Conflict(f"{who}刚刚改了这一行，您的修改没有保存。现在是：“{line.text}”", code="line_changed", field="based_on")
    return line


def _operation(hearing: Hearing, draft: Draft, line: DraftLine, wish: Wish) -> Operation:
    """What the wish means for this line; raises InvalidField, Conflict."""
    match wish:
        case ReplaceLine(text=text):
            return ReplaceText(_text(text, line))
        case SplitLine(at=at):
            if not (line.text[: max(0, at)].strip() and line.text[at:].strip()):
                raise InvalidField("请把光标放在一行文字的中间再拆分。", field="at")
            return Split(at, editing.moment_at(line, at))
        case MergeLine(other_id=other_id, other_based_on=based_on):
            other, following = _fresh(hearing, draft, other_id, based_on), editing.next_of_speaker(draft.lines, line)
            if following is None or following.utterance.id != other.utterance.id:
                raise InvalidField("只能与同一人的下一行合并。", field="other_id")
            return Merge(other_id)
        case SetLineSpeaker(participant_id=participant_id):
            if hearing.participant(ParticipantId(participant_id)) is None:
                raise InvalidField("没有这位参加人。", field="participant_id")
            if participant_id == line.utterance.participant_id:
                raise InvalidField("发言人没有变化。", field="participant_id")
            return SetSpeaker(ParticipantId(participant_id))
        case _:
            assert_never(wish)


def _text(text: str, line: DraftLine) -> str:
    """One line without control characters; raises InvalidField for what is too long or says nothing new."""
    flat = " ".join(text.split())
    if len(flat) > LINE_CHARACTERS or any(not letter.isprintable() for letter in flat):
        raise InvalidField(f"一行最多 {LINE_CHARACTERS} 个字，不能有控制字符。", field="text")
    if flat == line.text and line.rewritten:
        raise InvalidField("文字没有变化。", field="text")
    return flat
