"""Who may send what to whom (S1): pure derivation of the grant table from the state of a sitting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hearing.model import ParticipantId, SittingId

RECORDER = ParticipantId("recorder")  # grantee: the recorder, a listener like any other
TAP = ParticipantId("tap")  # grantee: the live transcriber (audio only)


class Kind(StrEnum):
    """Kind of a media track."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Grant:
    """Packets of `source`'s `kind` go to exactly these receivers; no grant, no packet."""

    source: ParticipantId
    kind: Kind
    receivers: frozenset[ParticipantId]


@dataclass(frozen=True, slots=True)
class GrantTable:
    """The whole permission of a sitting at one ledger number; a higher number replaces a lower one.

    `effective_at` is the time of the deciding event: recording starts and stops at that time, although the table
    arrives a little later. `opened_at` is the zero of the record clock (宣布开庭).
    """

    sitting_id: SittingId
    number: int
    effective_at: datetime
    opened_at: datetime | None
    members: frozenset[ParticipantId]  # who may hold a media connection at all (an isolated witness may: device test)
    grants: tuple[Grant, ...]
