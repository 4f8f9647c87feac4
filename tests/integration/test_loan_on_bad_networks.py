"""The loan hearing with a tenth of all media packets lost costs hardly a character, because what is lost is sent again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from court.rehearsal.report import Report
from tests.rehearsing import ROOT, play

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_500)]

LOSS = 0.10
CER_MORE_AT_MOST = 0.03


def test_ten_percent_of_loss_costs_at_most_three_points_of_cer(tmp_path: Path) -> None:
    script = json.loads((ROOT / "rehearsals" / "loan.json").read_text(encoding="utf-8"))
    clean = Report.model_validate(play(ROOT / "rehearsals" / "loan.json", tmp_path / "clean").report)
    for person in script["participants"]:
        person["loss"] = LOSS
    bad = ROOT / "rehearsals" / ".loan-on-bad-networks.json"  # beside the speech it names
    bad.write_text(json.dumps(script, ensure_ascii=False), encoding="utf-8")
    try:
        lossy = Report.model_validate(play(bad, tmp_path / "lossy").report)
    finally:
        bad.unlink()
    print(f"CER {clean.cer} without loss, {lossy.cer} with {LOSS:.0%}")
    assert clean.cer is not None
    assert lossy.cer is not None
    assert lossy.cer <= clean.cer + CER_MORE_AT_MOST
    assert lossy.verify.complete
