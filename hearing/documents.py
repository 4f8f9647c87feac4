"""The stored form of a sitting: a JSON document derived from the ledger, there so that nobody has to replay it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from hearing.model import (
    CameraReason,
    CameraRequest,
    ExhibitId,
    Fault,
    Hand,
    HandReason,
    HearingId,
    Keeping,
    Part,
    ParticipantId,
    Showing,
    Sitting,
    SittingId,
    SittingState,
    Stage,
)
from hearing.timeline import from_iso, iso_utc

_SETS = (
    "attended",
    "present",
    "called",
    "dismissed",
    "excluded",
    "court_muted",
    "microphone_off",
    "camera_off",
    "may_present",
    "camera_leave",
    "camera_failed",
    "microphone_failed",
    "in_background",
)
_TIMES = ("opened_at", "closed_at", "recess_at", "planned_resume_at", "part_since_at", "updated_at")


def to_document(sitting: Sitting) -> dict[str, Any]:
    """The sitting as JSON values; sets are sorted, so equal sittings give equal documents."""
    showing = sitting.showing
    return {
        "id": sitting.id,
        "hearing_id": sitting.hearing_id,
        "number": sitting.number,
        "state": sitting.state.value,
        "stage": sitting.stage.value,
        "part": sitting.part.value,
        "keeping": sitting.keeping.value,
        "part_ruling": sitting.part_ruling,
        "floor": sitting.floor,
        "hands": [[hand.participant_id, hand.reason.value, iso_utc(hand.raised_at)] for hand in sitting.hands],
        "camera_requests": [
            [asked.participant_id, asked.reason.value, iso_utc(asked.asked_at)] for asked in sitting.camera_requests
        ],
        "faults": [[fault.code, fault.tracks, iso_utc(fault.since_at)] for fault in sitting.faults],
        "showing": showing and [showing.exhibit_id, showing.page, showing.presenter_id, iso_utc(showing.since_at)],
        "screen": sitting.screen,
        "stages_entered": sorted(stage.value for stage in sitting.stages_entered),
        "ledger_number": sitting.ledger_number,
        **{name: sorted(getattr(sitting, name)) for name in _SETS},
        **{name: _written(getattr(sitting, name)) for name in _TIMES},
    }


def from_document(document: Mapping[str, Any]) -> Sitting:
    """The sitting that to_document() wrote; a field that was not yet known when it was written has its default."""
    floor = document["floor"]
    alike: dict[str, Any] = {name: frozenset(ParticipantId(id_) for id_ in document.get(name, ())) for name in _SETS}
    alike |= {name: _read(document.get(name)) for name in _TIMES}
    return Sitting(
        id=SittingId(document["id"]),
        hearing_id=HearingId(document["hearing_id"]),
        number=document["number"],
        state=SittingState(document["state"]),
        stage=Stage(document["stage"]),
        part=Part(document.get("part", Part.OPEN)),
        keeping=Keeping(document.get("keeping", Keeping.FULL)),
        part_ruling=document.get("part_ruling", ""),
        floor=ParticipantId(floor) if floor else None,
        hands=tuple(Hand(ParticipantId(who), HandReason(why), from_iso(at)) for who, why, at in document["hands"]),
        camera_requests=tuple(
            CameraRequest(ParticipantId(who), CameraReason(why), from_iso(at))
            for who, why, at in document.get("camera_requests", ())
        ),
        showing=_showing(document["showing"]),
        screen=document.get("screen"),
        faults=tuple(Fault(code, tracks, from_iso(at)) for code, tracks, at in document.get("faults", ())),
        stages_entered=frozenset(Stage(stage) for stage in document["stages_entered"]),
        ledger_number=document["ledger_number"],
        **alike,
    )


def _showing(stored: Sequence[Any] | None) -> Showing | None:
    if stored is None:
        return None
    exhibit_id, page, presenter_id, since_at = stored
    return Showing(ExhibitId(exhibit_id), page, ParticipantId(presenter_id), from_iso(since_at))


def _written(at: datetime | None) -> str | None:
    return iso_utc(at) if at else None


def _read(text: str | None) -> datetime | None:
    return from_iso(text) if text else None
