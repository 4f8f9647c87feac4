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

from benchmarks.speech.silence import LOAN_WORDS, listen
from storage.clock import SystemClock
from tests.non_speech import KINDS
from tests.odd_sounds import ODD
from tests.simulated_tap import SimulatedTap, SpokenLine, by_turns, loan_lines
from transcripts import readiness, worker
from transcripts.audio import OpusTrack
from transcripts.cer import Errors, compare
from transcripts.engines import Engines, prepare
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.recognizer import SAMPLE_RATE_HZ, Recognition
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.vad import VoiceNetwork
from transcripts.windows import USUAL

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
    monkeypatch.setattr(readiness, "prepare", lambda _settings, **_: engines)


@dataclass
class SimulatedSignaling:
    """Takes lines and refill requests; `away` answers 503 that many times first."""

    heads: dict[str, int] = field(default_factory=dict)
    lines: list[dict[str, object]] = field(default_factory=list)
    jobs: list[dict[str, object]] = field(default_factory=list)
    progress: list[dict[str, object]] = field(default_factory=list)
    away: int = 0

    def heads_of_lines(self) -> dict[str, int]:
        """Where each track's last line ends, as signaling reckons it."""
        heads: dict[str, int] = {}
        for line in self.lines:
            heads[str(line["track_id"])] = max(heads.get(str(line["track_id"]), 0), int(str(line["t1_ms"])))
        return heads

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/internal/utterances/heads", self._heads)
        app.router.add_post("/internal/utterances", self._utterances)
        app.router.add_post("/internal/jobs", self._jobs)
        app.router.add_post("/internal/captions/progress", self._progress)
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

    async def _progress(self, request: web.Request) -> web.Response:
        self.progress += (await request.json())["sittings"]
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
    writing = {track_id for told in signaling.progress for track_id in told["writing"]}
    assert writing == {track_id for _, track_id, _, _ in spoken}
    assert signaling.progress[-1]["writing"] == []
    first = min(signaling.lines, key=lambda line: line["t0_ms"])
    assert first["id"] == f"sit_1:presiding_judge-audio@{first['t0_ms']}"
    assert first["participant_id"] == "presiding_judge"
    assert first["engine"]["model_sha256"].startswith("905e5bf8")
    assert "。" in first["text"]
    assert 0 < first["confidence"] < 1


@pytest.mark.parametrize("kind", KINDS)
def test_where_nobody_speaks_not_one_character_is_written(kind: str, engines: Engines) -> None:
    outcome = listen(kind, 12, engines.live, engines.final)
    assert (outcome.live_lines, outcome.final_lines) == ((), ())


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_in_two_minutes_without_speech_not_one_character_is_written(kind: str, engines: Engines) -> None:
    outcome = listen(kind, 120, engines.live, engines.final, LOAN_WORDS)
    assert (outcome.live_lines, outcome.final_lines) == ((), ())


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


async def test_killed_twice_in_the_middle_of_words_the_role_leaves_out_and_doubles_nothing(tmp_path: Path) -> None:
    """The real process and its death by SIGKILL: test_live_killed.py. Here the dead role's memory is thrown away."""
    packets, spoken = by_turns(loan_lines()[4:8], pause_ms=900)
    tap, signaling, begin = SimulatedTap(), SimulatedSignaling(), 0
    for middle in (1, 3, None):
        moment_ms = packets[-1].t_ms + 20 if middle is None else (spoken[middle][2] + spoken[middle][3]) // 2
        end = next((number for number, packet in enumerate(packets) if packet.t_ms >= moment_ms), len(packets))
        signaling.heads = signaling.heads_of_lines()
        async with running(tap, signaling, tmp_path):
            await tap.play(packets[begin:end], SPEED)
            if middle is None:
                await quiet(signaling, spoken)
        begin = end
    check(spoken, signaling)
    spans = sorted((line["track_id"], line["t0_ms"], line["t1_ms"]) for line in signaling.lines)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(spans))


def test_speech_that_goes_in_a_loop_is_read_again_with_less_of_a_prompt(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[int] = []

    def decode(_encoded: object, prompt: list[int], _samples: int) -> Recognition:
        prompts.append(len(prompt))
        return Recognition("没有没有没有没有没有没有" if len(prompts) < 3 else "没有异议", -0.3, 0.0)

    monkeypatch.setattr(engines.live, "_decode", decode)
    answer = engines.live.recognise(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32), terms=("李建国",))
    assert answer.text == "没有异议"
    assert len(prompts) == 3
    assert prompts == sorted(prompts, reverse=True)


@pytest.fixture(scope="module")
def usual_rate(engines: Engines) -> float:
    """Error rate of the line that is sent in odd ways, sent in the usual one."""
    return rate_of("as it is", engines)


@pytest.mark.parametrize("name", [name for name in ODD if name != "as it is"])
def test_words_are_understood_however_they_were_sent(name: str, engines: Engines, usual_rate: float) -> None:
    assert rate_of(name, engines) <= usual_rate + 0.2


def rate_of(name: str, engines: Engines) -> float:
    line, simplify = loan_lines()[4], Simplifier()
    return compare(line.text, text_of(ODD[name](line), LineMaker(engines.live, simplify)), simplify).rate


def text_of(packets: list[bytes], maker: LineMaker) -> str:
    """What the live path writes of one track."""
    track, listener, cuts = OpusTrack(), Listener(VoiceNetwork()), list[Cut]()
    for number, opus in enumerate(packets):
        for block in track.push(number * 20, opus, filler=False):
            cuts += listener.hear(block, USUAL)
    lines = [maker.make("sit_1", "part_a-audio", cut, "live") for cut in cuts + listener.finish()]
    return "".join(line.text for line in lines if line is not None)


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
