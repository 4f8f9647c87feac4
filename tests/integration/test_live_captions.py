"""The transcripts role against a simulated tap and a simulated signaling, with the real model."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from storage.clock import SystemClock
from tests.simulated_tap import SimulatedTap, SpokenLine, by_turns, encode, loan_lines
from transcripts import worker
from transcripts.cer import Errors, compare
from transcripts.engines import Engines, prepare
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.tap_message import TapPacket

pytestmark = [pytest.mark.model, pytest.mark.timeout(300)]
SPEED = 5.0
Spoken = tuple[SpokenLine, str, int, int]


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Engines:
    """The real engine, loaded once for all tests of this file."""
    settings = TranscriptSettings(("",), "", "secret", tmp_path_factory.mktemp("data"))
    return prepare(settings)


@pytest.fixture(autouse=True)
def one_engine(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "prepare", lambda _settings: engines)


@dataclass
class SimulatedSignaling:
    """Takes lines and refill requests; `away` answers 503 that many times first."""

    heads: dict[str, int] = field(default_factory=dict)
    lines: list[dict[str, object]] = field(default_factory=list)
    jobs: list[dict[str, object]] = field(default_factory=list)
    away: int = 0

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/utterances/heads", self._heads)
        app.router.add_post("/internal/utterances", self._utterances)
        app.router.add_post("/internal/jobs", self._jobs)
        return app

    async def _heads(self, _request: web.Request) -> web.Response:
        return web.json_response({"heads": self.heads})

    async def _utterances(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer secret"
        if self.away > 0:
            self.away -= 1
            raise web.HTTPServiceUnavailable
        self.lines += (await request.json())["utterances"]
        return web.json_response({})

    async def _jobs(self, request: web.Request) -> web.Response:
        self.jobs.append(await request.json())
        return web.json_response({})


@asynccontextmanager
async def running(tap: SimulatedTap, signaling: SimulatedSignaling, data_dir: Path) -> AsyncIterator[None]:
    """The role itself, until the block ends."""
    async with TestServer(tap.application()) as tap_server, TestServer(signaling.application()) as signaling_server:
        settings = TranscriptSettings((str(tap_server.make_url("/")),), str(signaling_server.make_url("/")), "secret", data_dir)
        ready = asyncio.Event()
        role = asyncio.create_task(worker.serve(settings, SystemClock(), ready=ready.set))
        try:
            await asyncio.wait_for(ready.wait(), 60)
            yield
            assert not role.done(), role.exception()
        finally:
            role.cancel()
            await asyncio.gather(role, return_exceptions=True)


async def quiet(signaling: SimulatedSignaling, spoken: Sequence[Spoken] = (), for_s: float = 3.0) -> None:
    """Wait until what was spoken has its lines (at most a minute), and then until nothing has come for a while."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + 60
    while loop.time() < end_s and not all(overlapping(signaling, track_id, t0, t1) for _, track_id, t0, t1 in spoken):
        await asyncio.sleep(0.1)
    count, since_s = -1, loop.time()
    while loop.time() - since_s < for_s:
        if len(signaling.lines) + len(signaling.jobs) != count:
            count, since_s = len(signaling.lines) + len(signaling.jobs), loop.time()
        await asyncio.sleep(0.1)


def overlapping(signaling: SimulatedSignaling, track_id: str, t0_ms: int, t1_ms: int) -> str:
    said = [
        line for line in signaling.lines if line["track_id"] == track_id and line["t0_ms"] < t1_ms and line["t1_ms"] > t0_ms
    ]
    return "".join(str(line["text"]) for line in sorted(said, key=lambda line: line["t0_ms"]))


def check(spoken: list[Spoken], signaling: SimulatedSignaling) -> Errors:
    """Every line has text on its own track, none on another's; gives the errors of all together."""
    simplify = Simplifier()
    total = Errors(0, 0)
    for line, track_id, t0_ms, t1_ms in spoken:
        text = overlapping(signaling, track_id, t0_ms, t1_ms)
        assert text, f"no caption for {line.text}"
        total += compare(line.text, text, simplify)
        others = {other for _, other, _, _ in spoken} - {track_id}
        assert all(not overlapping(signaling, other, t0_ms, t1_ms) for other in others)
    ids = [line["id"] for line in signaling.lines]
    assert len(ids) == len(set(ids))
    return total


async def test_people_speaking_by_turns_are_captioned_on_their_own_tracks(tmp_path: Path) -> None:
    packets, spoken = by_turns(loan_lines()[2:12], pause_ms=900)
    tap, signaling = SimulatedTap(), SimulatedSignaling(away=2)
    async with running(tap, signaling, tmp_path):
        await tap.play(packets, SPEED)
        await quiet(signaling, spoken)
    errors = check(spoken, signaling)
    assert errors.rate <= 0.40, errors
    assert signaling.jobs == []
    first = min(signaling.lines, key=lambda line: line["t0_ms"])
    assert first["id"] == f"sit_1:presiding_judge-audio@{first['t0_ms']}"
    assert first["participant_id"] == "presiding_judge"
    assert first["engine"]["model_sha256"].startswith("905e5bf8")
    assert "。" in first["text"]
    assert 0 < first["confidence"] < 1


async def test_silence_noise_and_music_give_not_one_character(tmp_path: Path) -> None:
    rate, seconds = 48_000, 20
    time_s = np.arange(rate * seconds, dtype=np.float32) / rate
    rng = np.random.default_rng(7)
    music = sum(
        np.sin(2 * np.pi * f * time_s) * (np.sin(2 * np.pi * (0.5 + k / 7) * time_s) > 0)
        for k, f in enumerate((262, 330, 392, 523))
    )
    sounds = {
        "silence": np.zeros(rate * seconds), "hiss": rng.normal(0, 0.01, rate * seconds),
        "noise": rng.normal(0, 0.1, rate * seconds), "music": music * 0.1,
    }  # fmt: skip
    per_track = {name: encode(sound.astype(np.float32)) for name, sound in sounds.items()}
    packets = [
        TapPacket(0, number * 20, "sit_1", f"{name}-audio", payloads[number])
        for number in range(len(per_track["noise"]) - 1)
        for name, payloads in per_track.items()
    ]
    packets = [TapPacket(n, p.t_ms, p.sitting_id, p.track_id, p.opus) for n, p in enumerate(packets, 1)]
    tap, signaling = SimulatedTap(), SimulatedSignaling()
    async with running(tap, signaling, tmp_path):
        await tap.play(packets, SPEED)
        await quiet(signaling)
    assert signaling.lines == []


async def test_a_broken_tap_is_resumed_without_a_double_or_a_missing_line(tmp_path: Path) -> None:
    packets, spoken = by_turns(loan_lines()[4:9], pause_ms=900)
    tap, signaling = SimulatedTap(), SimulatedSignaling()
    async with running(tap, signaling, tmp_path):
        for start in range(0, len(packets), len(packets) // 4):
            await tap.play(packets[start : start + len(packets) // 4], SPEED)
            await tap.break_connections()
        await quiet(signaling, spoken)
    assert len(tap.connections) >= 4
    assert tap.connections[0] == 0
    assert all(after > 0 for after in tap.connections[1:])
    assert check(spoken, signaling).rate <= 0.45


async def test_after_a_restart_speech_that_has_its_line_is_not_heard_again(tmp_path: Path) -> None:
    packets, spoken = by_turns(loan_lines()[4:8], pause_ms=900)
    tap, signaling = SimulatedTap(), SimulatedSignaling()
    half = next(number for number, packet in enumerate(packets) if packet.t_ms >= spoken[2][2] - 200)
    async with running(tap, signaling, tmp_path):
        await tap.play(packets[:half], SPEED)
        await quiet(signaling, spoken[:2])
    for line in signaling.lines:
        signaling.heads[line["track_id"]] = max(signaling.heads.get(line["track_id"], 0), line["t1_ms"])
    before = len(signaling.lines)
    async with running(tap, signaling, tmp_path):
        await tap.play(packets[half:], SPEED)
        await quiet(signaling, spoken)
    check(spoken, signaling)
    assert before > 0
    spans = sorted((line["track_id"], line["t0_ms"], line["t1_ms"]) for line in signaling.lines)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))


async def test_speech_that_left_the_ring_is_asked_for_from_the_recording(tmp_path: Path) -> None:
    packets, _ = by_turns(loan_lines()[4:6], pause_ms=900)
    tap, signaling = SimulatedTap(ring_packets=200), SimulatedSignaling(heads={"presiding_judge-audio": 2500})
    await tap.play(packets)
    async with running(tap, signaling, tmp_path):
        await quiet(signaling)
    gone_ms = {packet.track_id: packet.t_ms + 20 for packet in tap.forgotten}
    asked = sorted((job["kind"], *job["payload"].values()) for job in signaling.jobs)
    assert asked == [
        ("refill", "sit_1", "defendant-audio", 0, gone_ms["defendant-audio"]),
        ("refill", "sit_1", "presiding_judge-audio", 2500, gone_ms["presiding_judge-audio"]),
    ]
