"""One rehearsal with faults, and the rows of the table that come of it."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from media.opus import LOST_SILENCE, SILENCE_MS
from media.webm import read_clusters
from record.verify import BENIGN, subtract, verify
from storage.clock import SystemClock
from tests.matrix.faults import FAULTS, Fault, Ground, strike
from tests.rehearsing import Played, changed_script, play

LINE = "speech/loan/loan_16_plaintiff.opus"
LINE_S = 2.0
BEFORE_S, AFTER_S = 3.0, 3.0
TAKEN_MS = 3_500
LISTENED = "captioned_lines_at_least"
NOT_IN_COURT = {"outside", "muted"}

Span = tuple[int, int]
Window = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of faults that happened at once. Lost: sound that people were there to give and that is not in the record."""

    faults: str
    lost_ms: dict[str, int]  # by role
    received_ms: int  # the most of it that one person's sound had already reached the server
    declared: dict[str, int]  # technical gaps of sound by cause, milliseconds: the most that one person has
    without_text: int | None  # lines said without a caption; None: nobody listened
    stood_still_ms: int  # sound that a robot never sent in the whole rehearsal, because its machine was busy
    verdict: str
    problems: tuple[str, ...]
    ended: bool  # the hearing went on to its end

    @property
    def most_lost_ms(self) -> int:
        return max(self.lost_ms.values(), default=0)


def try_faults(together: Sequence[Sequence[Fault]], folder: Path) -> tuple[list[Row], Played]:
    """Play a short hearing in which these groups of faults happen one after another, while everybody sends."""
    folder.mkdir(parents=True, exist_ok=True)
    place = (folder / "play").resolve()
    ground = _joined([fault.ground(place) for group in together for fault in group])
    script = changed_script("short.json", folder / "scripts", lambda script: _lengthen(script, together))
    place.mkdir()
    (place / ".env").write_text(ground.settings, encoding="ascii")
    problems: list[str] = []
    struck: list[datetime] = []
    waiting, threads = iter(together), []

    def when(line: str) -> None:
        if "张伟：" in line and (group := next(waiting, None)) is not None:
            struck.append(SystemClock().now())
            threads.extend(strike(fault, place, problems) for fault in group)

    with patch.dict(os.environ, ground.environment):
        played = play(script, place, when, within=ground.within)
    for thread in threads:
        thread.join()
    names = [" + ".join(fault.name for fault in group) for group in together]
    problems += [f"{name}: was never tried" for name in names[len(struck) :]]
    return rows_of(names, played, struck, problems), played


def _joined(grounds: Sequence[Ground]) -> Ground:
    environment = {name: value for ground in grounds for name, value in ground.environment.items()}
    within = next((ground.within for ground in grounds if ground.within), ())
    return Ground(environment, within, "".join(ground.settings for ground in grounds))


def _lengthen(script: dict[str, Any], groups: Sequence[Sequence[Fault]]) -> None:
    """The opening of our short script, then one line for each group with time to get over it, then the end."""
    opening = [
        step
        for step in script["steps"]
        if step["do"] == "join" or step.get("command") in {"sitting.open_lobby", "sitting.open"}
    ]
    opening = [step for step in opening if "refused" not in step]
    before = {"do": "wait", "ms": round(BEFORE_S * 1000)}  # everybody sends when it opens, as people do who waited in the lobby
    at = next(number for number, step in enumerate(opening) if step.get("command") == "sitting.open")
    script["steps"] = [*opening[:at], before, *opening[at:], before]
    for group in groups:
        lasts_s = max(fault.lasts_s + fault.settle_s for fault in group)
        script["steps"].append({"do": "say", "who": "plaintiff", "audio": LINE, "text": "没有异议。"})
        script["steps"].append({"do": "wait", "ms": round(max(0.0, lasts_s - LINE_S) * 1000)})
    script["steps"] += [
        {"do": "say", "who": "defendant", "audio": LINE, "text": "没有异议。"},
        {"do": "wait", "ms": round(AFTER_S * 1000)},
        {"do": "command", "who": "presiding_judge", "command": "sitting.close"},
    ]
    listen = any(fault.name == "kill transcripts" for group in groups for fault in group)
    script["expect"] = {"recorded_share_at_least": 0.1} | ({LISTENED: 1} if listen else {})


def rows_of(names: Sequence[str], played: Played, struck: Sequence[datetime], problems: Sequence[str]) -> list[Row]:
    """What was lost belongs to the last faults that had begun by then; see _is_of()."""
    if not (played.package / "sitting-1" / "manifest.json").exists():
        told = (*problems, *played.report["verify"]["problems"], *played.report["problems"])
        return [Row(name, {}, 0, {}, None, 0, "not sealed", told, ended=False) for name in names]
    told_of = Told.of(played)
    begins = [(at - told_of.zero_at) / timedelta(milliseconds=1) for at in struck] or [0.0]
    outcome = verify(played.package)
    told = (*problems, *outcome.problems, *played.report["problems"])
    windows = itertools.pairwise((-math.inf, *begins[1:], math.inf))
    return [
        Row(name, lost := told_of.lost_ms(window), told_of.received_ms(window, begin, max(lost.values(), default=0)),
            told_of.declared_ms(window), told_of.without_text(window), told_of.stood_still_ms, outcome.verdict, told,
            ended=played.report["verify"]["complete"])
        for name, window, begin in zip(names, windows, begins, strict=False)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What package and report say, to be asked for a window of the record clock: from some faults to the next."""

    zero_at: datetime
    lost: Mapping[str, Sequence[Span]]  # by role
    gaps: Sequence[dict[str, Any]]  # of sound, and technical
    lines: Sequence[dict[str, Any]] | None
    stood_still_ms: int

    @classmethod
    def of(cls, played: Played) -> Told:
        sitting = played.package / "sitting-1"
        manifest = json.loads((sitting / "manifest.json").read_text(encoding="utf-8"))
        listened = any(row["name"] == LISTENED for row in played.report["expectations"])
        return cls(
            datetime.fromisoformat(manifest["clock"]["zero_at"]),
            {person["role"]: list(_lost(manifest, f"{person['id']}-audio", sitting)) for person in manifest["people"]},
            [gap for gap in manifest["gaps"] if gap["cause"] not in BENIGN and gap["kind"] == "audio"],
            played.report["captions"] if listened else None,
            max(robot["stood_still_ms"] for robot in played.report["participants"]),
        )

    def lost_ms(self, window: Window) -> dict[str, int]:
        return {role: round(sum(t1 - t0 for t0, t1 in spans if _is_of(window, t0, t1))) for role, spans in self.lost.items()}

    def declared_ms(self, window: Window) -> dict[str, int]:
        """The most that one person has of each cause."""
        by_track: Counter[tuple[str, str]] = Counter()
        for gap in self.gaps:
            if _is_of(window, gap["t0_ms"], gap["t1_ms"]):
                by_track[gap["cause"], gap["track_id"]] += gap["t1_ms"] - gap["t0_ms"]
        return {cause: max(ms for (one, _), ms in by_track.items() if one == cause) for cause, _ in by_track}

    def received_ms(self, window: Window, struck_ms: float, lost_ms: int) -> int:
        """Where media died: what lies between the last sound saved and its death. Else people went on sending: all of it."""
        restarts = [gap for gap in self.gaps if gap["cause"] == "media_restart"]
        died = [gap for gap in restarts if _is_of(window, gap["t0_ms"], gap["t1_ms"])]
        return round(max(0.0, *(struck_ms - gap["t0_ms"] for gap in died))) if died else lost_ms

    def without_text(self, window: Window) -> int | None:
        if self.lines is None:
            return None
        return sum(not line["text"] for line in self.lines if window[0] <= line["said_t_ms"] < window[1])


def _is_of(window: Window, t0_ms: int, t1_ms: int) -> bool:
    """What a dying process takes with it began before it died."""
    return window[0] < min(t1_ms, t0_ms + TAKEN_MS) <= window[1]


def _lost(manifest: dict[str, Any], track_id: str, sitting: Path) -> Iterator[Span]:
    """Sound of someone in court that the record does not have: gaps, and silence written for what did not come."""
    mine = [gap for gap in manifest["gaps"] if gap["track_id"] == track_id and gap["cause"] not in NOT_IN_COURT]
    gaps = [(gap["t0_ms"], gap["t1_ms"]) for gap in mine]
    yield from gaps
    for track in manifest["tracks"]:
        for segment in track["segments"] if track["track_id"] == track_id else ():
            for t_ms in _silences(segment_file(sitting, track_id, segment["index"]).read_bytes()):
                yield from subtract((segment["t0_ms"] + t_ms, segment["t0_ms"] + t_ms + round(SILENCE_MS)), gaps)


def _silences(data: bytes) -> Iterator[int]:
    """Where in a segment silence stands for what was lost."""
    for cluster in read_clusters(data):
        yield from (block.t_ms for block in cluster or () if block.data == LOST_SILENCE)


def segment_file(sitting: Path, track_id: str, index: int) -> Path:
    return sitting / "media" / track_id / f"{index:06d}.webm"


def markdown(rows: Sequence[Row]) -> str:
    """The table, for people."""
    columns = (
        "fault", "most sound lost by one person", "of it already received", "gaps the manifest declares", "lines without text",
        "verifier", "hearing went on", "robots stood still",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in rows:
        gaps = ", ".join(f"{cause} {ms / 1000:.1f} s" for cause, ms in sorted(row.declared.items())) or "none"
        text = "—" if row.without_text is None else str(row.without_text)
        lost, received = f"{row.most_lost_ms / 1000:.1f} s", f"{row.received_ms / 1000:.1f} s"
        cells = (
            row.faults,
            lost,
            received,
            gaps,
            text,
            row.verdict,
            "yes" if row.ended else "no",
            f"{row.stood_still_ms / 1000:.0f} s",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def all_rows(folder: Path) -> list[Row]:
    """The whole matrix, one rehearsal a fault; takes a quarter of an hour."""
    rows: list[Row] = []
    for n, fault in enumerate(FAULTS.values()):
        try:
            rows += try_faults([[fault]], folder / f"{n:02d}")[0]
        except (AssertionError, OSError, KeyError) as error:
            rows.append(Row(fault.name, {}, 0, {}, None, 0, "none", (repr(error)[:2_000],), ended=False))
        print(rows[-1], flush=True)
    return rows
