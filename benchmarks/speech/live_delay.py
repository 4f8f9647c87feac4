"""How long a live caption takes after the words, and what the machine does meanwhile, by the number of people talking.

    python benchmarks/speech/live_delay.py [--turns 2] [--together 1,2,4,6] [--seconds 60] [--json FILE]

`turns`: so many people, one after the other, as in court. `together`: so many who all talk all the time, which no court
does: it shows what happens when speech comes faster than it is recognised. The transcripts role runs in a process of its own
with a real tap connection, in real time; nothing else is real: the voices are the synthetic hearing's.

Delay = from the last voiced sound of a stretch to the arrival of its line at signaling; the pause that ends it is part of it.
Prints a table and, last, one JSON object. The load of the machine before each run stands in it: whoever shares it shows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aiohttp import web
from aiohttp.test_utils import TestServer

from court.roles.transcripts import COURT_WORDS
from tests.role_process import RoleProcess
from tests.simulated_tap import SimulatedTap, SpokenLine, all_at_once, by_turns, loan_lines
from transcripts.cer import Errors, compare
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.tap_message import TapPacket
from transcripts.windows import USUAL

TURN_PAUSE_MS = 900
BREATH_MS = 700  # between two lines of a person who talks all the time; a pause ends a stretch after 500 ms
QUIET_S = 4.0  # without a new line: all have come
DRAIN_S = 120.0
STEP_S = 5.0
ROLES = ("presiding_judge", "plaintiff", "defendant", "witness")
COLUMNS = (
    "case",
    "speech",
    "captions",
    "p50",
    "p95",
    "max",
    "backlog max",
    "lengthened",
    "after the end",
    "cores",
    "heard",
    "CER",
)

Spoken = tuple[SpokenLine, str, int, int]


@dataclass
class Signaling:
    """Signaling's side: notes when lines and progress arrive."""

    lines: list[tuple[float, dict[str, object]]] = field(default_factory=list)
    told: list[tuple[float, dict[str, object]]] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/internal/utterances", self._utterances)
        app.router.add_post("/internal/captions/progress", self._progress)
        app.router.add_get("/internal/utterances/heads", self._heads)
        return app

    async def _heads(self, _request: web.Request) -> web.Response:
        return web.json_response({"heads": {}})

    async def _utterances(self, request: web.Request) -> web.Response:
        now_s = asyncio.get_running_loop().time()
        self.lines += [(now_s, line) for line in (await request.json())["utterances"]]
        return web.json_response({})

    async def _progress(self, request: web.Request) -> web.Response:
        now_s = asyncio.get_running_loop().time()
        self.told += [(now_s, progress) for progress in (await request.json())["sittings"]]
        return web.json_response({})


async def measure(
    case: str, packets: list[TapPacket], spoken: list[Spoken], arguments: argparse.Namespace
) -> dict[str, object]:
    """One run in real time: play, wait until the last line has come, reckon."""
    tap, signaling, load = SimulatedTap(), Signaling(), os.getloadavg()[0]
    loop = asyncio.get_running_loop()
    async with TestServer(tap.application()) as tap_server, TestServer(signaling.application()) as signaling_server:
        role = RoleProcess(
            TranscriptSettings(
                (str(tap_server.make_url("/")),), str(signaling_server.make_url("/")), "secret", arguments.data,
                threads=arguments.threads, workers=arguments.workers, beam=arguments.beam, terms=COURT_WORDS,
            )
        )  # fmt: skip
        await role.start()
        try:
            cpu_s, begun_s = role.cpu_s(), loop.time()
            await tap.play(packets, speed=1.0)
            played_s = loop.time() - begun_s
            cores = (role.cpu_s() - cpu_s) / played_s
            await _drained(signaling)
        finally:
            role.kill()
    return {
        "case": case, "load_before": round(load, 2), "cores_used": round(cores, 2), "cores": os.cpu_count(),
        **report(signaling, spoken, begun_s, played_s),
    }  # fmt: skip


async def _drained(signaling: Signaling) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + DRAIN_S
    count, since_s = -1, loop.time()
    while loop.time() < end_s and loop.time() - since_s < QUIET_S:
        if len(signaling.lines) != count or (signaling.told and signaling.told[-1][1]["writing"]):
            count, since_s = len(signaling.lines), loop.time()
        await asyncio.sleep(0.2)


def report(signaling: Signaling, spoken: list[Spoken], begun_s: float, played_s: float) -> dict[str, object]:
    """Numbers of one run; all seconds."""
    delays_s = [now_s - begun_s - (_ms(line, "t1_ms") - USUAL.pad_ms) / 1000 for now_s, line in signaling.lines]
    ranks = statistics.quantiles(delays_s, n=20, method="inclusive")
    heard, errors = _compare(signaling, spoken)
    late = [
        (now_s - begun_s, now_s - begun_s - _ms(told, "behind_from_ms") / 1000)
        for now_s, told in signaling.told
        if told["behind_from_ms"] is not None
    ]
    steps = range(int((max(now_s for now_s, _ in signaling.lines) - begun_s) / STEP_S) + 1)
    backlog = [max((s for at_s, s in late if step <= at_s / STEP_S < step + 1), default=0.0) for step in steps]
    long = [bool(told["lengthened"]) for _, told in signaling.told]
    return {
        "speech_share": round(sum(t1 - t0 for _, _, t0, t1 in spoken) / 1000 / played_s, 2), "played_s": round(played_s, 1),
        "captions": len(delays_s), "delay_p50_s": round(ranks[9], 2), "delay_p95_s": round(ranks[18], 2),
        "delay_max_s": round(max(delays_s), 2), "backlog_by_5_s": [round(value, 1) for value in backlog],
        "lengthened_times": sum(now and not before for before, now in zip([False, *long], long, strict=False)),
        "last_line_after_end_s": round(max(now_s for now_s, _ in signaling.lines) - begun_s - played_s, 1),
        "lines_spoken": len(spoken), "lines_heard": heard, "cer": round(errors.rate, 3),
    }  # fmt: skip


def _compare(signaling: Signaling, spoken: list[Spoken]) -> tuple[int, Errors]:
    """How many spoken lines have a caption on their own track, and the errors of all together."""
    simplify, errors, heard = Simplifier(), Errors(0, 0), 0
    for line, track_id, t0_ms, t1_ms in spoken:
        own = (fields for _, fields in sorted(signaling.lines, key=lambda item: _ms(item[1], "t0_ms")))
        text = "".join(
            str(fields["text"])
            for fields in own
            if fields["track_id"] == track_id
            and t0_ms - 300 <= (_ms(fields, "t0_ms") + _ms(fields, "t1_ms")) // 2 <= t1_ms + 300
        )
        overlapping = any(
            fields["track_id"] == track_id and _ms(fields, "t0_ms") < t1_ms and _ms(fields, "t1_ms") > t0_ms
            for _, fields in signaling.lines
        )
        heard += overlapping
        errors += compare(line.text, text, simplify)
    return heard, errors


def _ms(fields: dict[str, object], name: str) -> int:
    return int(str(fields[name]))


def row(result: dict[str, object]) -> str:
    """One line of the table."""
    backlog = result["backlog_by_5_s"]
    assert isinstance(backlog, list)
    cells = (
        result["case"], f"{result['speech_share']}", result["captions"], f"{result['delay_p50_s']} s", f"{result['delay_p95_s']} s",
        f"{result['delay_max_s']} s", f"{max(backlog, default=0)} s", result["lengthened_times"],
        f"{result['last_line_after_end_s']} s", f"{result['cores_used']}", f"{result['lines_heard']}/{result['lines_spoken']}",
        f"{result['cer']:.1%}",
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def chosen_lines(people: int, seconds: float) -> list[SpokenLine]:
    """Lines of the synthetic hearing by so many people, in its order, until the time is filled."""
    lines, total_s = [], 0.0
    for line in (line for line in loan_lines()[2:] if line.role in ROLES[:people]):
        total_s += line.seconds + TURN_PAUSE_MS / 1000
        if total_s > seconds:
            break
        lines.append(line)
    return lines


async def measure_all(arguments: argparse.Namespace) -> list[dict[str, object]]:
    results = []
    for people in arguments.turns:
        packets, spoken = by_turns(chosen_lines(people, arguments.seconds), TURN_PAUSE_MS)
        results.append(await measure(f"{people} by turns", packets, spoken, arguments))
    for people in arguments.together:
        packets, spoken = all_at_once(loan_lines()[2:], people, arguments.seconds, BREATH_MS)
        results.append(await measure(f"{people} together", packets, spoken, arguments))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="delay of live captions by the number of people talking")
    parser.add_argument("--turns", type=_numbers, default=[2], help="people who speak by turns, at most 4 (default 2)")
    parser.add_argument("--together", type=_numbers, default=[1, 2, 4, 6], help="people who all talk all the time")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--data", type=Path, help="where the joined model is kept (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        arguments.data = arguments.data or Path(scratch)
        results = asyncio.run(measure_all(arguments))
    print("| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS), *map(row, results), sep="\n")
    text = json.dumps({"results": results}, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


if __name__ == "__main__":
    main()
