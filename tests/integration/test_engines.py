"""Engines made from the settings, with the real base model: shared weights, refusals by code, a second opinion."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rehearsing import court
from tests.simulated_tap import loan_lines
from tests.small_models import ENGLISH_ONLY, cut_off_copy, whisper_folder
from tests.transcription_endpoint import Endpoint, serving
from transcripts.audio import read_file
from transcripts.engines import Engines, UnusableRecognizer, check, prepare
from transcripts.http_engine import HttpRecognizer
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Engine, MarkKind
from transcripts.readiness import health_of
from transcripts.recognizer import SAMPLES_PER_MS, EngineProblem
from transcripts.script import Simplifier
from transcripts.second_opinion import SecondOpinion
from transcripts.settings import TranscriptSettings
from transcripts.vocabulary import NO_WORDS

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> TranscriptSettings:
    """The bundled model, with itself at beam 1 and without prompt as second opinion."""
    return TranscriptSettings((), "", "", tmp_path_factory.mktemp("data"), second="whisper:?prompt=off&beam=1")


@pytest.fixture(scope="module")
def engines(settings: TranscriptSettings) -> Engines:
    return prepare(settings)


def dead_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/v1"


def cut_of(number: int) -> Cut:
    samples = read_file(loan_lines()[number].file.read_bytes())
    length_ms = len(samples) // SAMPLES_PER_MS
    return Cut(0, length_ms, length_ms, samples)


def test_each_use_has_its_own_parameters_over_the_same_weights(engines: Engines) -> None:
    assert engines.second is not None
    made = [recognizer.engine for recognizer in (engines.live, engines.final, engines.second)]
    parameters = [json.loads(engine.parameters) for engine in made]
    assert [(one["beam"], one["plain_reading"], bool(one["prompt"])) for one in parameters] == [
        (5, False, True), (5, True, True), (1, False, False),
    ]  # fmt: skip
    assert all((one["compute"], one["device"]) == ("int8", "cpu") for one in parameters)
    assert {engine.model_sha256[:8] for engine in made} == {"905e5bf8"}
    assert engines.live._model is engines.final._model is engines.second._model  # type: ignore[attr-defined]
    assert engines.troubles == ()


def test_a_second_opinion_marks_where_it_hears_other_words(engines: Engines) -> None:
    assert engines.second is not None
    cut = cut_of(4)
    line = LineMaker(engines.final, Simplifier()).make("sit_1", "defendant-audio", cut, "final", NO_WORDS)
    assert line is not None
    told = SecondOpinion(engines.second).on(line, cut, NO_WORDS)
    assert replace(told, marks=line.marks, engine=line.engine) == line
    assert json.loads(told.engine.parameters)["second"]["model"] == "whisper-base"
    marks = [mark for mark in told.marks if mark.kind is MarkKind.SECOND_OPINION]
    assert marks, "the accented 被告 is heard otherwise without the prompt"
    assert all(told.text[mark.start : mark.end] != mark.note for mark in marks)


@pytest.mark.long
def test_a_second_engine_that_fails_leaves_the_line_as_it_is(engines: Engines) -> None:
    cut = cut_of(2)
    line = LineMaker(engines.live, Simplifier()).make("sit_1", "plaintiff-audio", cut, "final", NO_WORDS)
    assert line is not None
    gone = UnusableRecognizer(EngineProblem("model_missing", "没有模型；请放入模型"))
    assert SecondOpinion(gone).on(line, cut, NO_WORDS) == line


def test_a_model_cut_off_in_the_middle_is_refused_before_it_is_loaded(engines: Engines, settings: TranscriptSettings) -> None:
    """The real table of variables with half of the weights, as an interrupted copy leaves them."""
    whole = settings.data_dir / "models" / "whisper-base"
    half = settings.data_dir / "models" / "half"
    half.mkdir()
    for path in whole.iterdir():
        if path.name == "model.bin":
            cut_off_copy(path, half / path.name, 0.5)
        else:
            (half / path.name).hardlink_to(path)
    with pytest.raises(EngineProblem) as refused:
        prepare(replace(settings, live="half"))
    assert refused.value.code == "model_truncated"


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("no-such-model", "model_missing"),
        ("english", "model_english_only"),
        (f"whisper:?sha256={'0' * 64}", "model_wrong_hash"),
        ("toy", "model_not_loaded"),
        ("sensevoice:/nowhere", "model_missing"),
        ("dead", "engine_unreachable"),
    ],
)
def test_a_live_engine_that_cannot_be_used_is_refused_at_start_by_its_code(
    settings: TranscriptSettings, address: str, code: str
) -> None:
    models = settings.data_dir / "models"
    if address in {"english", "toy"}:
        whisper_folder(models / address, **({"words": ENGLISH_ONLY} if address == "english" else {}))
    with pytest.raises(EngineProblem, match="；请") as refused:
        prepare(replace(settings, live=dead_address() if address == "dead" else address))
    assert refused.value.code == code


def test_captions_go_on_without_the_other_engines(engines: Engines, settings: TranscriptSettings) -> None:
    found = prepare(replace(settings, final="no-such-model", second=dead_address()))
    health = health_of(found)
    assert health.state == "on"
    assert [(trouble.use, trouble.code) for trouble in health.troubles] == [
        ("second", "engine_unreachable"), ("final", "model_missing"),
    ]  # fmt: skip
    assert found.live.engine == engines.live.engine
    assert isinstance(found.second, HttpRecognizer), "it may come back by itself"
    with pytest.raises(EngineProblem) as refused:
        found.final.recognise(cut_of(2).samples)
    assert refused.value.code == "model_missing"


@pytest.mark.long
def test_a_worker_of_final_passes_needs_no_live_engine_but_its_own(engines: Engines, settings: TranscriptSettings) -> None:
    found = prepare(replace(settings, live="no-such-model", final="whisper:?beam=2", second=""), captions=False)
    assert json.loads(found.final.engine.parameters)["beam"] == 2
    assert found.live is found.final
    with pytest.raises(EngineProblem):
        prepare(replace(settings, final="no-such-model"), captions=False)


@pytest.mark.long
def test_a_dead_endpoint_is_replaced_by_the_local_model_only_where_the_court_says_so(
    engines: Engines, settings: TranscriptSettings
) -> None:
    found = prepare(replace(settings, live=dead_address(), final="whisper:", fallback=True))
    assert found.live.engine == engines.live.engine
    assert [(trouble.use, trouble.code) for trouble in found.troubles] == [("live", "engine_unreachable")]
    assert "本机模型代替" in found.troubles[0].message


async def test_an_endpoint_is_tried_with_its_key_from_a_file(tmp_path: Path, settings: TranscriptSettings) -> None:
    key = tmp_path / "key"
    async with serving(Endpoint(key="north-wind")) as url:
        wanted = replace(settings, live=f"{url}?model=large-v3", second="", http_key="wrong", http_key_file=key)
        with pytest.raises(EngineProblem) as refused:
            await asyncio.to_thread(prepare, wanted)
        assert refused.value.code == "engine_key_missing"
        key.write_text("north-wind\n", encoding="utf-8")
        found = await asyncio.to_thread(prepare, wanted)
        assert isinstance(found.live, HttpRecognizer)
        key.write_text("south-wind\n", encoding="utf-8")
        with pytest.raises(EngineProblem) as refused:
            await asyncio.to_thread(prepare, wanted)
        assert refused.value.code == "engine_key_refused"
    assert "wind" not in refused.value.message


@pytest.mark.long
def test_every_engine_is_checked_by_itself(engines: Engines, settings: TranscriptSettings) -> None:
    found = dict(check(replace(settings, live="no-such-model", final="whisper:")))
    assert isinstance(found["live"], EngineProblem)
    assert isinstance(found["final"], Engine)
    assert isinstance(found["second"], Engine)


@pytest.mark.long
def test_the_doctor_says_what_to_do(settings: TranscriptSettings) -> None:
    folder = settings.data_dir
    (folder / ".env").write_text(f"COURT_DATA={folder}\nCOURT_SPEECH_SECOND=no-such-model\n", encoding="utf-8")
    told = court("doctor", cwd=folder)
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    assert lines[0] == "实时字幕：可用　faster-whisper whisper-base 905e5bf8（cpu int8）"
    assert lines[2].startswith("对照识别：不可用　[model_missing] ")
    assert "；请放入模型" in lines[2]
