"""The transcripts role when its engine cannot be used: it stays up, says why, hands speech on and goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from storage.clock import SystemClock
from tests.simulated_tap import SimulatedTap, by_turns, loan_lines
from tests.transcription_endpoint import Endpoint, serving
from transcripts import http_engine, readiness, worker
from transcripts.settings import TranscriptSettings

SPEED = 8.0


@dataclass
class ListeningSignaling:
    """A stand-in for signaling's internal API that keeps what it is told."""

    health: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        """In order, each change once."""
        states = [str(told["state"]) for told in self.health]
        return [state for number, state in enumerate(states) if number == 0 or states[number - 1] != state]

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/utterances/heads", self._heads)
        app.router.add_get("/internal/sittings/{id}/words", self._no_words)
        app.router.add_post("/internal/{what:.*}", self._take)
        return app

    async def _heads(self, _request: web.Request) -> web.Response:
        return web.json_response({"heads": {}})

    async def _no_words(self, _request: web.Request) -> web.Response:
        raise web.HTTPNotFound

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        match request.match_info["what"]:
            case "captions/health":
                self.health.append(body)
            case "utterances":
                self.lines += body["utterances"]
            case "jobs":
                self.spans.append(body["payload"])
        return web.json_response({})


async def until(condition: Callable[[], object], timeout_s: float = 40.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def role(tap: SimulatedTap, signaling: ListeningSignaling, data: Path, live: str) -> AsyncIterator[asyncio.Event]:
    """The role itself; the event is set when captions can be made."""
    async with TestServer(tap.application()) as tap_server, TestServer(signaling.application()) as signaling_server:
        urls = str(tap_server.make_url("/")), str(signaling_server.make_url("/"))
        settings = TranscriptSettings((urls[0],), urls[1], "secret", data, live=live)
        ready = asyncio.Event()
        task = asyncio.create_task(worker.serve(settings, SystemClock(), ready=ready.set))
        try:
            yield ready
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_role_without_its_engine_says_why_and_goes_on_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "AGAIN_S", (0.2,))
    endpoint, signaling = Endpoint(key="north-wind"), ListeningSignaling()
    async with serving(endpoint) as url, role(SimulatedTap(), signaling, tmp_path, url) as ready:
        await until(lambda: signaling.states[-1:] == ["failed"])
        trouble = signaling.health[-1]["troubles"][0]
        assert (trouble["use"], trouble["code"]) == ("live", "engine_key_refused")
        assert "；请" in trouble["message"]
        assert not ready.is_set()
        endpoint.key = ""
        await asyncio.wait_for(ready.wait(), 40)
        await until(lambda: signaling.states == ["starting", "failed", "on"])
        assert signaling.health[-1]["troubles"] == []


async def test_speech_that_a_dead_endpoint_did_not_take_is_handed_on_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_engine, "CLOSED_AGAIN_S", (0.5,))
    monkeypatch.setattr(readiness, "TRY_AGAIN_S", 0.5)
    packets, spoken = by_turns([loan_lines()[number] for number in (4, 7, 4, 7)], pause_ms=900)
    dies_ms, comes_back_ms = spoken[1][2] - 300, spoken[3][2] - 300
    first, rest = [packet for packet in packets if packet.t_ms < dies_ms], [p for p in packets if p.t_ms >= dies_ms]
    endpoint, tap, signaling = Endpoint(), SimulatedTap(), ListeningSignaling()
    async with serving(endpoint) as url, role(tap, signaling, tmp_path, url) as ready:
        await asyncio.wait_for(ready.wait(), 40)
        await tap.play(first, SPEED)
        await until(lambda: signaling.lines)
        endpoint.troubles = [503] * 1000
        await tap.play([packet for packet in rest if packet.t_ms < comes_back_ms], SPEED)
        await until(lambda: signaling.states[-1:] == ["away"] and signaling.spans)
        await until(lambda: covered(signaling, spoken[:3]))
        endpoint.troubles = []
        await tap.play([packet for packet in rest if packet.t_ms >= comes_back_ms], SPEED)
        await until(lambda: covered(signaling, spoken))
        await until(lambda: signaling.states == ["starting", "on", "away", "on"])
    assert {line["engine"]["name"] for line in signaling.lines} == {"openai-http"}


def covered(signaling: ListeningSignaling, spoken: list[tuple[Any, str, int, int]]) -> bool:
    """Everything said has a line, or a span that is to be read again from the recording."""
    known = [(str(one["track_id"]), one["t0_ms"], one["t1_ms"]) for one in [*signaling.lines, *signaling.spans]]
    middles = [(track_id, (t0_ms + t1_ms) / 2) for _, track_id, t0_ms, t1_ms in spoken]
    return all(any(track == track_id and t0 <= middle <= t1 for track, t0, t1 in known) for track_id, middle in middles)
