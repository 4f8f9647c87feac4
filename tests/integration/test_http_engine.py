"""The HTTP engine against a stand-in endpoint of OpenAI's form on loopback: what is sent, what is believed, and dead endpoints."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from aiohttp import web

from tests.transcription_endpoint import ANSWER, Endpoint, serving
from transcripts.engine_address import read_address
from transcripts.http_engine import OPENS_AFTER, HttpRecognizer
from transcripts.recognizer import UNKNOWN_LOGPROB, EngineAway, EngineProblem, HeardWord, Recognition, Samples

PROMPT = "以下是庭审记录。"


def tone(length_s: float = 1.5) -> Samples:
    return (0.5 * np.sin(np.arange(int(length_s * 16_000)) / 5)).astype(np.float32)


def engine(url: str, *, key: str = "", clock: Callable[[], float] | None = None, pauses_s: tuple[float, ...] = (0.0, 0.0),
           terms: tuple[str, ...] = ()) -> HttpRecognizer:  # fmt: skip
    times = {} if clock is None else {"clock": clock}
    return HttpRecognizer(read_address(url), key, PROMPT, pauses_s=pauses_s, terms=terms, **times)


async def hear(recognizer: HttpRecognizer, samples: Samples | None = None, **options: object) -> Recognition:
    return await asyncio.to_thread(lambda: recognizer.recognise(tone() if samples is None else samples, **options))  # type: ignore[arg-type]


async def problem_of(recognizer: HttpRecognizer) -> EngineProblem:
    with pytest.raises(EngineProblem) as refused:
        await hear(recognizer)
    assert "；" in refused.value.message
    return refused.value


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_sound_words_and_prompt_reach_the_endpoint_and_its_answer_comes_back() -> None:
    endpoint = Endpoint(key="north-wind")
    async with serving(endpoint) as url:
        recognizer = engine(f"{url}?model=large-v3", key="north-wind", terms=("闭庭",))
        answer = await hear(recognizer, terms=("张三丰", "借条"), words=True)
    assert answer == Recognition(
        "借条是真实的。", -0.25, 0.125,
        (HeardWord("借条", 100, 500, 0.5), HeardWord("是", 500, 700, 0.5), HeardWord("真实的。", 700, 1400, 0.5)),
    )  # fmt: skip
    assert np.allclose(endpoint.heard[0], tone(), atol=1e-4)
    assert endpoint.asked == [{
        "model": ["large-v3"], "language": ["zh"], "response_format": ["verbose_json"], "temperature": ["0"],
        "prompt": [f"{PROMPT}常用词：张三丰、借条、闭庭。"], "timestamp_granularities[]": ["segment", "word"],
    }]  # fmt: skip
    assert recognizer.trouble is None


async def test_a_line_keeps_host_model_and_the_stated_hash_and_no_key() -> None:
    recognizer = engine(f"https://asr.court.cn:9000/v1?model=large-v3&sha256={'0a' * 32}", key="north-wind")
    made = recognizer.engine
    assert (made.name, made.model, made.model_sha256) == ("openai-http", "large-v3", "0a" * 32)
    assert json.loads(made.parameters)["host"] == "asr.court.cn:9000"
    assert "north-wind" not in repr(made)


async def test_an_answer_without_chances_is_neither_sure_nor_doubtful() -> None:
    async with serving(Endpoint(answer={"text": " 同意。 "})) as url:
        assert await hear(engine(url), words=True) == Recognition("同意。", UNKNOWN_LOGPROB, 0.0)


@pytest.mark.parametrize(
    "words",
    [
        [{"word": "欠条", "start": 0, "end": 1}],
        [{"word": "借条", "start": 0, "end": 1}],
        [{"word": "是", "start": 0, "end": 1}],
        [{"word": "", "start": 0, "end": 1}],
        ["借条"],
    ],
)
async def test_words_that_are_not_the_texts_own_are_not_believed(words: list[object]) -> None:
    async with serving(Endpoint(answer={"text": "借条是真实的。", "words": words})) as url:
        assert (await hear(engine(url), words=True)).words == ()


@pytest.mark.parametrize("answer", [{"text": ""}, {"text": "", "words": []}, {"text": " ", "segments": [], "words": []}])
async def test_nothing_heard_is_an_answer(answer: dict[str, object]) -> None:
    async with serving(Endpoint(answer=answer)) as url:
        assert await hear(engine(url), words=True) == Recognition("", UNKNOWN_LOGPROB, 0.0)


async def test_times_outside_the_sound_are_brought_into_it() -> None:
    words = [{"word": "同", "start": -1, "end": 0.5, "probability": 7}, {"word": "意", "start": 0.4, "end": 99}]
    async with serving(Endpoint(answer={"text": "同意", "words": words})) as url:
        heard = (await hear(engine(url), words=True)).words
    assert heard == (HeardWord("同", 0, 500, 1.0), HeardWord("意", 400, 1500, 0.5))


async def test_a_list_that_is_read_out_is_asked_again_without_it() -> None:
    endpoint = Endpoint(answer={"text": "张三丰、借条"})
    async with serving(endpoint) as url:
        await hear(engine(url), terms=("张三丰", "借条"))
    assert [asked["prompt"] for asked in endpoint.asked] == [[f"{PROMPT}常用词：张三丰、借条。"], [PROMPT]]


async def test_without_prompt_nothing_is_suggested() -> None:
    endpoint = Endpoint()
    async with serving(endpoint) as url:
        recognizer = engine(f"{url}?prompt=off")
        await hear(recognizer, terms=("张三丰",))
    assert "prompt" not in endpoint.asked[0]
    assert recognizer.prompt == ""


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_passes_is_tried_again(status: int) -> None:
    endpoint = Endpoint(troubles=[status, status])
    async with serving(endpoint) as url:
        recognizer = engine(url)
        assert (await hear(recognizer)).text == "借条是真实的。"
    assert len(endpoint.asked) == 3
    assert recognizer.trouble is None


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "engine_key_refused"), (404, "engine_not_found"), (400, "engine_refused"), (307, "engine_moved")],
)
async def test_what_a_person_must_put_right_is_said_at_once(status: int, code: str) -> None:
    """Also a redirect: speech goes to the address the court set, nowhere else."""
    endpoint = Endpoint(troubles=[status] * 9)
    async with serving(endpoint) as url:
        recognizer = engine(url)
        problem = await problem_of(recognizer)
    assert (problem.code, isinstance(problem, EngineAway)) == (code, False)
    assert recognizer.trouble is problem
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"text": 7},
        {"segments": []},
        {"text": "好", "words": [{"word": "好", "start": "x", "end": 1}]},
        web.Response(text="{"),
    ],
)
async def test_an_answer_that_is_none_is_refused(answer: object) -> None:
    async with serving(Endpoint(answer=answer)) as url:
        assert (await problem_of(engine(url))).code == "engine_answer"


async def test_an_answer_without_end_is_not_read() -> None:
    async with serving(Endpoint(answer={"text": "好" * 700_000})) as url:
        assert (await problem_of(engine(url))).code == "engine_unreachable"


async def test_a_silent_endpoint_is_not_waited_for() -> None:
    endpoint = Endpoint(stuck=True)
    async with serving(endpoint) as url:
        problem = await problem_of(engine(f"{url}?timeout=1", pauses_s=()))
    assert (problem.code, isinstance(problem, EngineAway)) == ("engine_timeout", True)


async def test_a_dead_endpoint_opens_the_breaker_and_a_trial_closes_it() -> None:
    now_s = count(step=0)  # a clock that stands
    moved = [0.0]
    endpoint = Endpoint(troubles=[503] * (OPENS_AFTER + 1))
    async with serving(endpoint) as url:
        recognizer = engine(url, clock=lambda: next(now_s) + moved[0])
        assert (await problem_of(recognizer)).code == "engine_busy"
        assert len(endpoint.asked) == OPENS_AFTER
        assert (await problem_of(recognizer)).code == "engine_busy"
        assert len(endpoint.asked) == OPENS_AFTER, "while the breaker is open nothing is sent"
        moved[0] += 6
        assert (await problem_of(recognizer)).code == "engine_busy"
        assert len(endpoint.asked) == OPENS_AFTER + 1, "one trial, and the breaker is open again"
        moved[0] += 60
        assert (await hear(recognizer)).text == ANSWER["text"]
    assert recognizer.trouble is None


async def test_an_endpoint_that_is_not_there_is_named_by_host() -> None:
    port = unused_port()
    problem = await problem_of(engine(f"http://127.0.0.1:{port}/v1"))
    assert (problem.code, isinstance(problem, EngineAway)) == ("engine_unreachable", True)
    assert f"127.0.0.1:{port}" in problem.message


async def test_a_key_that_cannot_be_sent_is_refused_unspoken() -> None:
    with pytest.raises(EngineProblem) as refused:
        engine("http://127.0.0.1:1/v1", key="north\nwind")
    assert refused.value.code == "engine_key_missing"
    assert "wind" not in refused.value.message


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
    async with serving(Endpoint()) as url:
        assert (await hear(engine(url))).text == ANSWER["text"]
