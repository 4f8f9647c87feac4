"""The transcripts role killed twice in mid-hearing, in real time and with real sound: nothing that was said is missing."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.role_process import RoleProcess
from tests.simulated_tap import SimulatedTap, SpokenLine, by_turns, loan_lines
from transcripts.cer import Errors, compare
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.tap_message import TapPacket

pytestmark = [pytest.mark.long, pytest.mark.model, pytest.mark.timeout(1500)]

PAUSE_MS = 900
DEATHS = (0.3, 0.62)  # of the hearing: both in the middle of a line
QUIET_S = 15.0
WITHIN_S = 240.0
WORSE_AT_MOST = 0.1  # of the error rate: the two lines that a death cuts in two lose a word each

Spoken = tuple[SpokenLine, str, int, int]


@dataclass
class Draft:
    """Signaling's side, with the lines kept over the role's deaths as rows are."""

    lines: dict[str, dict[str, object]] = field(default_factory=dict)
    jobs: list[object] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/utterances/heads", self._heads)
        app.router.add_post("/internal/utterances", self._utterances)
        app.router.add_post("/internal/jobs", self._jobs)
        return app

    async def _heads(self, _request: web.Request) -> web.Response:
        heads: dict[str, int] = {}
        for line in self.lines.values():
            heads[str(line["track_id"])] = max(heads.get(str(line["track_id"]), 0), int(str(line["t1_ms"])))
        return web.json_response({"heads": heads})

    async def _utterances(self, request: web.Request) -> web.Response:
        for line in (await request.json())["utterances"]:
            if line["id"] in self.lines:
                self.doubled.append(line["id"])
            self.lines[line["id"]] = line
        return web.json_response({})

    async def _jobs(self, request: web.Request) -> web.Response:
        self.jobs.append(await request.json())
        return web.json_response({})

    def text(self, track_id: str, t0_ms: int, t1_ms: int) -> str:
        own = (line for line in self.lines.values() if line["track_id"] == track_id)
        inside = [line for line in own if int(str(line["t0_ms"])) < t1_ms and int(str(line["t1_ms"])) > t0_ms]
        return "".join(str(line["text"]) for line in sorted(inside, key=lambda line: int(str(line["t0_ms"]))))


async def hold(packets: list[TapPacket], deaths_ms: list[int], folder: Path) -> Draft:
    """A hearing in real time in which the role dies at these moments; a new one is started at once, as the supervisor does."""
    tap, draft = SimulatedTap(), Draft()
    async with TestServer(tap.application()) as tap_server, TestServer(draft.application()) as signaling_server:
        settings = TranscriptSettings((str(tap_server.make_url("/")),), str(signaling_server.make_url("/")), "secret", folder)
        role = RoleProcess(settings)
        await role.start()
        playing = asyncio.create_task(tap.play(packets, speed=1.0))
        begun_s = asyncio.get_running_loop().time()
        try:
            for moment_ms in deaths_ms:
                await asyncio.sleep(begun_s + moment_ms / 1000 - asyncio.get_running_loop().time())
                role.kill()
                role = RoleProcess(settings)
                await role.start()
            await playing
            await settled(draft)
        finally:
            role.kill()
    return draft


async def settled(draft: Draft) -> None:
    loop = asyncio.get_running_loop()
    end_s, count, since_s = loop.time() + WITHIN_S, -1, loop.time()
    while loop.time() < end_s and loop.time() - since_s < QUIET_S:
        if len(draft.lines) != count:
            count, since_s = len(draft.lines), loop.time()
        await asyncio.sleep(0.2)


def errors_of(draft: Draft, spoken: list[Spoken]) -> Errors:
    simplify, total = Simplifier(), Errors(0, 0)
    for line, track_id, t0_ms, t1_ms in spoken:
        text = draft.text(track_id, t0_ms, t1_ms)
        assert text, f"no caption for {line.text}"
        total += compare(line.text, text, simplify)
    return total


async def test_nothing_is_missing_of_a_hearing_in_which_the_role_was_killed_twice(tmp_path: Path) -> None:
    packets, spoken = by_turns(loan_lines()[4:16], PAUSE_MS)
    length_ms = packets[-1].t_ms
    middles_ms = [(t0 + t1) // 2 for _, _, t0, t1 in spoken]
    deaths_ms = [min(middles_ms, key=lambda at: abs(at - share * length_ms)) for share in DEATHS]
    whole, killed = await hold(packets, [], tmp_path), await hold(packets, deaths_ms, tmp_path)
    undisturbed, disturbed = errors_of(whole, spoken), errors_of(killed, spoken)
    assert disturbed.rate <= undisturbed.rate + WORSE_AT_MOST, (undisturbed, disturbed)
    assert killed.jobs == []  # all of it was still in the tap's ring
    spans = sorted((str(line["track_id"]), int(str(line["t0_ms"])), int(str(line["t1_ms"]))) for line in killed.lines.values())
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))
    assert killed.doubled == []
