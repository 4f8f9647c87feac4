"""Decisions on the record: what is noted, what is missing, what endangers it, who answers for it (AV-3, AV-4)."""

from __future__ import annotations

import re

from hearing import events as e
from hearing.commands import (
    AddNote,
    BeginFault,
    ConfirmStatement,
    DestroyRecord,
    EditDraft,
    EndFault,
    OpenSitting,
    RecordCommand,
    RecordGap,
    SignStatement,
)
from hearing.errors import InvalidField, NotNow, NotPermitted
from hearing.scene import CAUSE_CHARACTERS, NOTE_CHARACTERS, Scene, bounded_text

_SHA256 = re.compile(r"[0-9a-f]{64}")
_KINDS = frozenset({"course", "fault"})
EVIDENCE_CHARACTERS = 500


def decide_record(scene: Scene, command: RecordCommand) -> tuple[e.Event, ...]:
    """Write into the record by hand (the clerk) or for the server (a gap: never refused, a record hides nothing).

    A fault that is known already, or over already, gives no event.
    """
    running = {fault.code: fault for fault in scene.sitting.faults}
    match command:
        case AddNote(text=text):
            return (e.NoteAdded(scene.now, bounded_text(text, NOTE_CHARACTERS, "text")),)
        case EditDraft():
            return (_edited(scene, command),)
        case RecordGap(participant_id=id_, kind=kind, t0_ms=t0_ms, t1_ms=t1_ms, cause=cause):
            return (e.GapRecorded(scene.now, id_, kind, t0_ms, t1_ms, cause[:CAUSE_CHARACTERS]),)
        case BeginFault(code=code, tracks=tracks, evidence=evidence):
            if code in running and running[code].tracks == tracks:
                return ()
            return (e.FaultBegan(scene.now, code, tracks, evidence[:EVIDENCE_CHARACTERS]),)
        case EndFault(code=code):
            return (e.FaultEnded(scene.now, code),) if code in running else ()
        case ConfirmStatement() | SignStatement():
            return (_answered_for(scene, command),)
        case DestroyRecord():
            return (_destroyed(scene, command),)


def overridden(scene: Scene, command: OpenSitting) -> tuple[e.Event, ...]:
    """What stands against 宣布开庭 is overridden with a reason, or refuses it (J3).

    Raises NotNow (preflight_failed) without a reason, InvalidField for one that cannot be kept.
    """
    checks = scene.context.failed_checks
    if not checks:
        return ()
    if command.override_reason is None:
        raise NotNow("开庭前检查未通过，请按提示处理后再宣布开庭；确需开庭的，请填写理由。", code="preflight_failed")
    reason = bounded_text(command.override_reason, CAUSE_CHARACTERS, "override_reason")
    return (e.PreflightOverridden(scene.now, " ".join(checks), reason),)


def _destroyed(scene: Scene, command: DestroyRecord) -> e.RecordDestroyed:
    """Raises NotPermitted where one person orders and approves (two-person rule)."""
    if command.ordered_by == command.approved_by:
        raise NotPermitted("销毁庭审记录须由另一人批准。")
    number = bounded_text(command.order_number, CAUSE_CHARACTERS, "order_number")
    return e.RecordDestroyed(scene.now, number, command.ordered_by, command.approved_by, command.objects)


def _answered_for(scene: Scene, command: ConfirmStatement | SignStatement) -> e.Event:
    fact = e.StatementConfirmed if isinstance(command, ConfirmStatement) else e.StatementSigned
    return fact(scene.now, command.statement_id, _kind(command.kind), _digest(command.sha256))


def _edited(scene: Scene, edit: EditDraft) -> e.DraftEdited:
    return e.DraftEdited(
        scene.now, edit.revision_id, edit.line_id, edit.operation, edit.track_id, edit.t0_ms, edit.t1_ms, _digest(edit.sha256)
    )


def _kind(kind: str) -> str:
    if kind not in _KINDS:
        raise InvalidField("没有这种说明。", field="kind")
    return kind


def _digest(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise InvalidField("文件散列无效。", field="sha256")
    return sha256
