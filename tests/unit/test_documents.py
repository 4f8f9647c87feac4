"""The stored form of a sitting gives back every field."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

from hearing.documents import from_document, to_document
from hearing.model import (
    CameraReason,
    CameraRequest,
    ExhibitId,
    Fault,
    Hand,
    HandReason,
    Keeping,
    Part,
    Showing,
    Sitting,
    SittingState,
    Stage,
)
from tests.courts import NINE, a_sitting, pid

SETS: dict[str, Any] = {
    name: frozenset({pid(name), pid("plaintiff")})
    for name in (
        "attended", "present", "called", "dismissed", "excluded", "court_muted", "microphone_off", "camera_off", "may_present",
        "camera_leave", "camera_failed", "microphone_failed", "in_background",
    )
}  # fmt: skip
FULL = dataclasses.replace(
    a_sitting(),
    number=2,
    state=SittingState.RECESS,
    stage=Stage.DEBATE,
    opened_at=NINE,
    closed_at=NINE + timedelta(hours=4),
    recess_at=NINE + timedelta(hours=1),
    planned_resume_at=NINE + timedelta(hours=2),
    updated_at=NINE + timedelta(hours=3, milliseconds=7),
    part=Part.CLOSED,
    keeping=Keeping.SEALED,
    part_ruling="涉及商业秘密",
    part_since_at=NINE + timedelta(minutes=40),
    floor=pid("plaintiff"),
    hands=(Hand(pid("defendant"), HandReason.HEALTH, NINE), Hand(pid("counsel"), HandReason.SPEAK, NINE)),
    showing=Showing(ExhibitId("exh_iou"), 2, pid("plaintiff"), NINE),
    screen=pid("counsel"),
    faults=(Fault("disk_full", "part_1-audio part_1-video", NINE),),
    camera_requests=(CameraRequest(pid("defendant"), CameraReason.HEALTH, NINE),),
    stages_entered=frozenset({Stage.OPENING, Stage.DEBATE}),
    ledger_number=41,
    **SETS,
)


def test_every_field_comes_back_through_json() -> None:
    untouched = [
        f.name
        for f in dataclasses.fields(Sitting)
        if f.default is not dataclasses.MISSING and getattr(FULL, f.name) == f.default
    ]
    assert untouched == []  # a new field must be set above, or this test would not see it
    assert from_document(json.loads(json.dumps(to_document(FULL)))) == FULL


def test_a_document_from_before_screens_and_camera_leave_is_read() -> None:
    later = {"screen", "camera_leave", "camera_requests", "camera_failed", "microphone_failed", "in_background"}
    older = {name: value for name, value in to_document(a_sitting()).items() if name not in later}
    assert from_document(older) == a_sitting()


def test_a_fresh_sitting_comes_back_too() -> None:
    assert from_document(json.loads(json.dumps(to_document(a_sitting())))) == a_sitting()
