"""What an exhibit (证据) is: a file of one side, untouched since it was submitted, with its number and digests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hearing.model import CourtId, ExhibitId, HearingId, ParticipantId, Side


class ExhibitState(StrEnum):
    """How far an exhibit has come (S19, thin): later states need an opinion (质证) and a ruling (认定)."""

    SUBMITTED = "submitted"  # 提交
    PRESENTED = "presented"  # 出示


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One exhibit. `sha256` and `sm3` are of the original bytes under `object_key`, which never change."""

    id: ExhibitId
    court_id: CourtId
    hearing_id: HearingId
    side: Side  # an agent (诉讼代理人) counts for the party represented
    ordinal: int  # within the side, from 1
    number: str  # 原告证据1
    title: str
    purpose: str  # 证明目的
    file_name: str  # as the person's device called it
    media_type: str
    bytes: int
    pages: int
    sha256: str
    sm3: str
    object_key: str
    submitted_by: ParticipantId
    submitted_at: datetime


def state_of(exhibit_id: ExhibitId, shown: frozenset[ExhibitId]) -> ExhibitState:
    """State of an exhibit, given those that were shown in any sitting."""
    return ExhibitState.PRESENTED if exhibit_id in shown else ExhibitState.SUBMITTED
