"""How long a live caption takes after the words: people speak by turns, in real time, through a real tap connection.

    python benchmarks/speech/live_delay.py [--lines 12] [--people 2] [--threads 2] [--workers 1] [--data DIR]

Delay = from the last voiced sound of a stretch to the arrival of its line at signaling; the pause that ends it is part of
it. Prints one JSON object; the load of the machine before the run stands in it, since whoever shares the machine shows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from aiohttp import web
from aiohttp.test_utils import TestServer

from storage.clock import SystemClock
from tests.simulated_tap import SimulatedTap, SpokenLine, by_turns, loan_lines
from transcripts.cer import Errors, compare
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.windows import USUAL
from transcripts.worker import serve

PAUSE_MS = 900
WAIT_S = 8.0


class Arrivals:
    """Signaling's side: notes when each line arrives."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, dict[str, object]]] = []

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/utterances/heads", self._heads)
        app.router.add_post("/internal/utterances", self._utterances)
        return app

    async def _heads(self, _request: web.Request) -> web.Response:
        return web.json_response({"heads": {}})

    async def _utterances(self, request: web.Request) -> web.Response:
        now_s = asyncio.get_running_loop().time()
        self.lines += [(now_s, line) for line in (await request.json())["utterances"]]
        return web.json_response({})


def chosen_lines(people: int, lines: int) -> list[SpokenLine]:
    """Lines of the synthetic hearing by so many people, in its order."""
    roles = ["presiding_judge", "plaintiff", "defendant", "witness"][:people]
    return [line for line in loan_lines()[2:] if line.role in roles][:lines]


async def measure(arguments: argparse.Namespace, data_dir: Path) -> dict[str, object]:
    packets, spoken = by_turns(chosen_lines(arguments.people, arguments.lines), PAUSE_MS)
    tap, arrivals, ready = SimulatedTap(), Arrivals(), asyncio.Event()
    load = os.getloadavg()[0]
    async with TestServer(tap.application()) as tap_server, TestServer(arrivals.application()) as signaling_server:
        settings = TranscriptSettings(
            (str(tap_server.make_url("/")),), str(signaling_server.make_url("/")), "secret", data_dir,
            threads=arguments.threads, workers=arguments.workers, beam=arguments.beam,
        )  # fmt: skip
        role = asyncio.create_task(serve(settings, SystemClock(), ready=ready.set))
        await ready.wait()
        cpu_s = sum(os.times()[:2])
        begun_s = asyncio.get_running_loop().time()
        await tap.play(packets, speed=1.0)
        played_s = asyncio.get_running_loop().time() - begun_s
        await asyncio.sleep(WAIT_S)
        cpu_s = sum(os.times()[:2]) - cpu_s
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)
    delays_s = [now_s - begun_s - (int(str(line["t1_ms"])) - USUAL.pad_ms) / 1000 for now_s, line in arrivals.lines]
    return report(delays_s, spoken, arrivals, {"cpu_cores": cpu_s / played_s, "load_before": load, "audio_s": played_s})


def report(
    delays_s: list[float], spoken: list[tuple[SpokenLine, str, int, int]], arrivals: Arrivals, machine: dict[str, float]
) -> dict[str, object]:
    simplify, errors = Simplifier(), Errors(0, 0)
    for line, track_id, t0_ms, t1_ms in spoken:
        own = (fields for _, fields in arrivals.lines if fields["track_id"] == track_id)
        text = "".join(str(f["text"]) for f in own if int(str(f["t0_ms"])) < t1_ms and int(str(f["t1_ms"])) > t0_ms)
        errors += compare(line.text, text, simplify)
    ranks = statistics.quantiles(delays_s, n=20, method="inclusive")
    return {
        "delay_p50_s": round(ranks[9], 2), "delay_p95_s": round(ranks[18], 2), "delay_max_s": round(max(delays_s), 2),
        "captions": len(delays_s), "spoken_lines": len(spoken), "cer": round(errors.rate, 3), "cores": os.cpu_count(),
        **{name: round(value, 2) for name, value in machine.items()},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="delay of live captions, people speaking by turns")
    parser.add_argument("--lines", type=int, default=12)
    parser.add_argument("--people", type=int, default=2, choices=(1, 2, 3, 4))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--beam", type=int, default=1)
    parser.add_argument("--data", type=Path, help="where the joined model is kept (default: a temporary folder)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(asyncio.run(measure(arguments, arguments.data or Path(scratch))), indent=1))


if __name__ == "__main__":
    main()
