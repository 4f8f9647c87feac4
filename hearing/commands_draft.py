"""Corrections of the machine draft as the law sees them; part of hearing/commands.py, where all commands stand together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class EditDraft:
    """The clerk corrects a line of the machine draft (更正机器稿); the server fills in which, and what became of it.

    `sha256` is of the correction as it is stored, which is written in the same transaction.
    """

    revision_id: str
    line_id: str
    operation: str  # replace_text | split | merge | set_speaker
    track_id: str
    t0_ms: int
    t1_ms: int
    sha256: str
    type: ClassVar[str] = "draft.edit"
