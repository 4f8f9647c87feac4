"""Facts about the record itself: what was noted, what is missing of it, what endangered it, who answers for it (AV-3, AV-4).

Part of hearing/events.py, where all facts stand together; the same rules hold for the fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from hearing.model import ParticipantId, StaffId


@dataclass(frozen=True, slots=True)
class NoteAdded:
    """书记员记一行."""

    at: datetime
    text: str
    type: ClassVar[str] = "note.added"


@dataclass(frozen=True, slots=True)
class DraftEdited:
    """书记员更正机器稿一行: which line and where it lies; what was written stands in the row with this digest.

    A line of a closed part is as closed as what was said there, wherever the clerk corrects it.
    """

    at: datetime
    revision_id: str
    line_id: str
    operation: str  # replace_text | split | merge | set_speaker
    track_id: str
    t0_ms: int
    t1_ms: int
    sha256: str
    type: ClassVar[str] = "draft.edited"


@dataclass(frozen=True, slots=True)
class GapRecorded:
    """A span of a track is missing, with its cause; `_ms` on the record clock."""

    at: datetime
    participant_id: ParticipantId
    kind: str  # audio | video | screen
    t0_ms: int
    t1_ms: int
    cause: str
    type: ClassVar[str] = "record.gap_recorded"


@dataclass(frozen=True, slots=True)
class FaultBegan:
    """录音录像故障: the server found that something is not being recorded. The same `code` again: other tracks now.

    `tracks` are track ids with a space between ("": all of the sitting); `evidence` is what was seen, for the technician.
    """

    at: datetime
    code: str  # recorder_silent | disk_full | io_error | writer_stuck | stalled | file_changed | track_silent | overflow
    tracks: str
    evidence: str
    type: ClassVar[str] = "record.fault_began"


@dataclass(frozen=True, slots=True)
class FaultEnded:
    """故障排除: what `code` began is over."""

    at: datetime
    code: str
    type: ClassVar[str] = "record.fault_ended"


@dataclass(frozen=True, slots=True)
class PreflightOverridden:
    """开庭前检查未通过而仍决定开庭: the presiding judge's decision with its reason; `checks` with a space between."""

    at: datetime
    checks: str
    reason: str
    type: ClassVar[str] = "sitting.preflight_overridden"


@dataclass(frozen=True, slots=True)
class StatementConfirmed:
    """书记员确认: `sha256` is of the exact document (AV-3, AV-4)."""

    at: datetime
    statement_id: str
    kind: str  # course | fault
    sha256: str
    type: ClassVar[str] = "statement.confirmed"


@dataclass(frozen=True, slots=True)
class StatementSigned:
    """审判长(独任审判员)审核签字, in the application, of the document with this `sha256`."""

    at: datetime
    statement_id: str
    kind: str
    sha256: str
    type: ClassVar[str] = "statement.signed"


@dataclass(frozen=True, slots=True)
class RecordDestroyed:
    """依法销毁: the keys of this sitting's recordings, forms and exhibits are gone, by order, after the time of keeping.

    `ordered_by` and `approved_by` are two members of staff. What stays: this ledger, the manifest, every hash.
    """

    at: datetime
    order_number: str  # 文号
    ordered_by: StaffId
    approved_by: StaffId
    objects: int
    type: ClassVar[str] = "record.destroyed"
