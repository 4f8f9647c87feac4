"""One rehearsal with faults, and the row of the table that comes of it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from record.verify import BENIGN, verify
from tests.matrix.faults import FAULTS, Fault, clock_shim, strike
from tests.rehearsing import Played, changed_script, play

LINE = "speech/loan/loan_16_plaintiff.opus"
BEFORE_S, AFTER_S = 3.0, 3.0
NOT_IN_COURT = {"outside", "muted"}


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one rehearsal. Lost: sound that people were there to give and that is not in the record, per track."""

    faults: str
    lost_ms: dict[str, int]
    received_ms: int  # the most of it that one person's sound had already reached the server
    declared: dict[str, int]  # technical gaps by cause, milliseconds
    intervals: tuple[str, ...]
    verdict: str
    problems: tuple[str, ...]
    ended: bool  # the hearing went on to its end

    @property
    def most_lost_ms(self) -> int:
        return max(self.lost_ms.values(), default=0)


def try_faults(names: Sequence[str], folder: Path) -> tuple[Row, Played]:
    """Play a short hearing in which these happen one after another, while everybody sends."""
    faults = [FAULTS[name] for name in names]
    folder.mkdir(parents=True, exist_ok=True)
    script = changed_script("short.json", folder / "scripts", lambda script: _lengthen(script, faults))
    problems: list[str] = []
    struck: list[datetime] = []
    waiting, threads = iter(faults), []

    def when(line: str) -> None:
        if "张伟：" in line and (fault := next(waiting, None)) is not None:
            threads.append(strike(fault, folder / "play", struck, problems))

    shim = clock_shim(folder) if "clock jump" in names else {}
    if shim:
        shim["CLOCK_JUMP_FILE"] = str(folder / "play" / "clock")
    with patch.dict(os.environ, shim):
        played = play(script, folder / "play", when)
    for thread in threads:
        thread.join()
    return row_of(" + ".join(names), played, struck, problems), played


def _lengthen(script: dict[str, Any], faults: Sequence[Fault]) -> None:
    """The opening of our short script, then one line for each fault with time to get over it, then the end."""
    opening = [
        step
        for step in script["steps"]
        if step["do"] == "join" or step.get("command") in {"sitting.open_lobby", "sitting.open"}
    ]
    script["steps"] = [step for step in opening if "refused" not in step]
    script["steps"].append({"do": "wait", "ms": round(BEFORE_S * 1000)})
    for fault in faults:
        script["steps"].append({"do": "say", "who": "plaintiff", "audio": LINE, "text": "没有异议。"})
        script["steps"].append({"do": "wait", "ms": round((fault.lasts_s + fault.settle_s) * 1000)})
    script["steps"] += [
        {"do": "say", "who": "defendant", "audio": LINE, "text": "没有异议。"},
        {"do": "wait", "ms": round(AFTER_S * 1000)},
        {"do": "command", "who": "presiding_judge", "command": "sitting.close"},
    ]
    script["expect"] = {"recorded_share_at_least": 0.1}


def row_of(name: str, played: Played, struck: Sequence[datetime] = (), problems: Sequence[str] = ()) -> Row:
    sealed = played.package / "sitting-1" / "manifest.json"
    if not sealed.exists():
        problems = (*problems, *played.report["verify"]["problems"], *played.report["problems"])
        return Row(name, {}, 0, {}, (), "not sealed", problems, ended=False)
    manifest = json.loads(sealed.read_text(encoding="utf-8"))
    declared: dict[str, int] = {}
    for gap in manifest["gaps"]:
        if gap["cause"] not in BENIGN and gap["kind"] == "audio":
            declared[gap["cause"]] = max(declared.get(gap["cause"], 0), gap["t1_ms"] - gap["t0_ms"])
    outcome = verify(played.package)
    return Row(
        name,
        lost := _lost(manifest),
        _received(manifest, struck, max(lost.values(), default=0)),
        declared,
        tuple(interval["state"] for interval in manifest["intervals"]),
        outcome.verdict,
        (*problems, *outcome.problems, *played.report["problems"]),
        played.report["verify"]["complete"],
    )


def _lost(manifest: dict[str, Any]) -> dict[str, int]:
    """Sound of people in court that the record does not have, by role: gaps, and silence written for what did not come."""
    lost: dict[str, int] = {}
    for person in manifest["people"]:
        track_id = f"{person['id']}-audio"
        gaps = [gap for gap in manifest["gaps"] if gap["track_id"] == track_id and gap["cause"] not in NOT_IN_COURT]
        filled_ms = sum(s["filled_ms"] for t in manifest["tracks"] if t["track_id"] == track_id for s in t["segments"])
        lost[person["role"]] = filled_ms + sum(gap["t1_ms"] - gap["t0_ms"] for gap in gaps)
    return lost


def _received(manifest: dict[str, Any], struck: Sequence[datetime], lost_ms: int) -> int:
    """Where media died: what lies between the last sound saved and its death. Else people went on sending: all of it."""
    zero = datetime.fromisoformat(manifest["clock"]["zero_at"])
    gaps = [gap for gap in manifest["gaps"] if gap["kind"] == "audio" and gap["cause"] == "media_restart"]
    moments = [(at - zero) / timedelta(milliseconds=1) for at in struck]
    before = [min((moment - gap["t0_ms"] for moment in moments if moment > gap["t0_ms"]), default=0) for gap in gaps]
    return round(max(before)) if before else lost_ms


def markdown(rows: Sequence[Row]) -> str:
    """The table, for people."""
    columns = ("fault", "most sound lost by one person", "of it already received", "gaps the manifest declares", "verifier")
    lines = [f"| {' | '.join(columns)} | hearing went on |", "|---|---|---|---|---|---|"]
    for row in rows:
        gaps = ", ".join(f"{cause} {ms / 1000:.1f} s" for cause, ms in sorted(row.declared.items())) or "none"
        lines.append(
            f"| {row.faults} | {row.most_lost_ms / 1000:.1f} s | {row.received_ms / 1000:.1f} s | {gaps} | {row.verdict} "
            f"| {'yes' if row.ended else 'no'} |"
        )
    return "\n".join(lines)


def all_rows(folder: Path) -> list[Row]:
    """The whole matrix, one rehearsal a fault; takes a quarter of an hour."""
    rows = []
    for n, name in enumerate(FAULTS):
        try:
            rows.append(try_faults([name], folder / f"{n:02d}")[0])
        except (AssertionError, OSError, KeyError) as error:
            rows.append(Row(name, {}, 0, {}, (), "none", (repr(error)[:2_000],), ended=False))
        print(rows[-1], flush=True)
    return rows
