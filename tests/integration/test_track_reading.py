"""The bundled model reads a track twice and weighs its words: each character has its place, a term of the case is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.speech.tracks import loan_tracks
from tests.simulated_tap import loan_lines
from transcripts.audio import Block
from transcripts.cer import compare
from transcripts.listening import Listener
from transcripts.reading import READING, read_track
from transcripts.script import Simplifier
from transcripts.vad import VoiceNetwork
from transcripts.vocabulary import CaseWords
from transcripts.weights import prepare
from transcripts.whisper import WhisperRecognizer

pytestmark = [pytest.mark.long, pytest.mark.model, pytest.mark.timeout(300)]


def test_a_track_is_read_with_a_place_for_every_character(tmp_path: Path) -> None:
    (witness,) = [track for track in loan_tracks() if track.speaker == "witness"]
    listener = Listener(VoiceNetwork())
    cuts = [*listener.hear(Block(0, witness.samples, joined=False), READING), *listener.finish()]
    engine = WhisperRecognizer(
        prepare(tmp_path, None, lambda _: None), threads=1, workers=1, beam=5, plain=True, terms=("被告", "借款")
    )
    found = list(read_track(engine, cuts, CaseWords(names=("张伟", "李强", "王芳")), lambda _: None))
    assert [cut for cut, _ in found] == cuts
    for cut, heard in found:
        assert heard.text == "".join(word.text for word in heard.words).strip()
        assert all(cut.t0_ms <= word.t0_ms <= word.t1_ms <= cut.t1_ms for word in heard.words)
        assert [word.t0_ms for word in heard.words] == sorted(word.t0_ms for word in heard.words)
    said = "".join(line.text for line in loan_lines() if line.role == "witness")
    text = "".join(heard.text for _, heard in found)
    assert compare(said, text, Simplifier()).rate < 0.35
    assert "。" in text
    assert "王芳" in text
