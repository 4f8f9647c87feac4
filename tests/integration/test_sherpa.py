"""The sherpa-onnx adapter against the real library: a toy model of SenseVoice's form, and files that end the library's process.

No weights that hear are at hand here: what a model recognises is not tested, only that sound goes in and words come out.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.small_models import toy_sense_voice
from transcripts.engine_address import read_address
from transcripts.recognizer import UNKNOWN_P, EngineProblem, HeardWord
from transcripts.sherpa import SherpaRecognizer
from transcripts.vad import VoiceNetwork

pytest.importorskip("sherpa_onnx", reason="the extra [sherpa] is not installed")

NOISE = np.random.default_rng(5).normal(0, 0.1, 32_000).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_sense_voice(tmp_path / "sense-voice")


def test_sound_reaches_the_model_and_its_words_come_back(folder: Path) -> None:
    VoiceNetwork()  # the voice detector's ONNX runtime and the library's own live in one process
    recognizer = SherpaRecognizer(read_address(f"sensevoice:{folder}"), 1)
    loud, quiet = recognizer.recognise(NOISE, words=True), recognizer.recognise(np.zeros(32_000, dtype=np.float32))
    assert (loud.text, quiet.text) == ("借", "条")
    assert loud.words == (HeardWord("借", 0, 2000, UNKNOWN_P),)
    assert quiet.words == ()
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert (recognizer.engine.name, recognizer.engine.model, recognizer.engine.model_sha256) == (
        "sherpa-onnx", "sense-voice", digest,
    )  # fmt: skip


def test_sound_too_short_for_the_library_does_not_end_the_process(folder: Path) -> None:
    recognizer = SherpaRecognizer(read_address(f"sensevoice:{folder}"), 1)
    assert recognizer.recognise(NOISE[:0], words=True).text == "条"
    assert recognizer.recognise(NOISE[:1], words=True).text == "条"
    assert recognizer.recognise(NOISE[:500], words=True).text == "借条", "the sound, and the silence it is lengthened by"


@pytest.mark.parametrize(
    "damage",
    ["another model", *(pytest.param(damage, marks=pytest.mark.long) for damage in ("text", "cut off", "tokens"))],
)
def test_a_wrong_file_ends_the_trial_and_not_this_process(folder: Path, damage: str) -> None:
    model = folder / "model.onnx"
    match damage:
        case "text":
            model.write_text("no model", encoding="utf-8")
        case "cut off":
            model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])
        case "another model":
            import faster_whisper

            shutil.copy(Path(faster_whisper.__file__).parent / "assets" / "silero_vad_v6.onnx", model)
        case _:
            (folder / "tokens.txt").write_bytes(b"\xff\xfe no tokens")
    with pytest.raises(EngineProblem, match="；请") as refused:
        SherpaRecognizer(read_address(f"sensevoice:{folder}"), 1)
    assert refused.value.code == "model_not_loaded"


@pytest.mark.parametrize("name", ["model.onnx", "tokens.txt"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EngineProblem, match=name.replace(".", r"\.")) as refused:
        SherpaRecognizer(read_address(f"paraformer:{folder}"), 1)
    assert refused.value.code == "model_missing"


def test_a_folder_that_is_not_there_and_a_wrong_hash_have_codes(folder: Path) -> None:
    with pytest.raises(EngineProblem) as refused:
        SherpaRecognizer(read_address(f"sensevoice:{folder}-none"), 1)
    assert refused.value.code == "model_missing"
    with pytest.raises(EngineProblem) as refused:
        SherpaRecognizer(read_address(f"sensevoice:{folder}?sha256={'0' * 64}"), 1)
    assert refused.value.code == "model_wrong_hash"


@pytest.mark.long
def test_a_sense_voice_model_is_no_paraformer(folder: Path) -> None:
    with pytest.raises(EngineProblem) as refused:
        SherpaRecognizer(read_address(f"paraformer:{folder}"), 1)
    assert refused.value.code == "model_not_loaded"
