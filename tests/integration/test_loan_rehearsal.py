"""The whole synthetic loan hearing in real time: what the court's own acceptance test must show before go-live."""

from __future__ import annotations

from pathlib import Path

import pytest

from court.rehearsal.report import Report
from record.verify import verify
from tests.rehearsing import ROOT, court, play

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

LINES_AT_LEAST = 33  # of the 35 lines spoken in session
CER_AT_MOST = 0.40
ONSET_MS = 500  # between a line's beginning and the robot's first word


def test_the_loan_hearing_ends_in_a_record_that_proves_itself(tmp_path: Path) -> None:
    played = play(ROOT / "rehearsals" / "loan.json", tmp_path / "loan")
    report = Report.model_validate(played.report)
    assert (played.status, report.problems) == (0, []), played.progress
    onsets = [(row.onset_apart_ms or 0, row.onset_ms, row.moved_ms, row.reference) for row in report.captions]
    assert all(apart_ms <= ONSET_MS for apart_ms, *_ in onsets), onsets
    assert report.stray_captions == 0
    captioned = [row for row in report.captions if row.text]
    assert len(captioned) >= LINES_AT_LEAST
    assert report.cer is not None
    assert report.cer <= CER_AT_MOST
    assert sorted(row.number for row in report.exhibits) == ["原告证据1", "被告证据1"]
    assert report.commands.acknowledged == report.commands.sent
    assert report.verify.complete
    assert verify(played.package).complete
    assert court("verify", str(played.package)).returncode == 0
