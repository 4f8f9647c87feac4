"""Whisper on CTranslate2; the only module that imports faster_whisper.

faster-whisper's own `transcribe` pads every call to 30 s. A hearing is made of short utterances, so the encoder is given
the utterance and a floor of 12 s instead: a third of the CPU at the same error rate. Below that floor short answers break.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from transcripts.guards import is_loop, recites
from transcripts.model import Engine
from transcripts.recognizer import SAMPLE_RATE_HZ, Recognition, Samples
from transcripts.weights import ModelFiles

if TYPE_CHECKING:
    from ctranslate2 import StorageView

PROMPT = "以下是普通话的法庭庭审记录，使用简体中文，并加上标点符号。"
TEMPERATURES = (0.0, 0.4)  # the second only after a loop
HOP_SAMPLES = 160  # one mel frame, 10 ms
LONGEST_S = 30.0
ENCODER_FLOOR_S = 12.0
ENCODER_TAIL_S = 3.0
TOKENS_PER_S = 14  # fast speech is ~7 characters/s, a rare character needs two tokens
TOKENS_SPARE = 16
TOKENS_LIMIT = 448  # of the Whisper decoder


class WhisperRecognizer:
    """faster-whisper with int8 weights on the CPU, one decode per utterance, nothing carried from one to the next."""

    def __init__(self, files: ModelFiles, *, threads: int, workers: int, beam: int = 1, terms: tuple[str, ...] = ()) -> None:
        self._model = WhisperModel(
            str(Path(files.path)), device="cpu", compute_type="int8", cpu_threads=threads, num_workers=workers
        )
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=True, task="transcribe", language="zh")
        self._beam = beam
        self._terms = terms
        self._prompt_tokens = self._build_prompt(terms)
        self._plain_prompt_tokens = self._build_prompt(())
        self._engine = Engine("faster-whisper", files.name, files.sha256, self._parameters(terms))

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def prompt(self) -> str:
        return PROMPT

    def warm_up(self) -> None:
        """Run one decode of silence, so that the first words of a sitting do not wait for memory and code."""
        self.recognise(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32))

    def recognise(
        self,
        samples: Samples,
        *,
        terms: tuple[str, ...] = (),  # noqa: ARG002
        words: bool = False,  # noqa: ARG002
    ) -> Recognition:
        """What was said; once more without the list of terms when the answer reads out that list."""
        encoded = self._model.encode(self._features(samples))
        answer = self._decode(encoded, self._prompt_tokens, len(samples))
        if recites(answer.text, self._terms):
            answer = self._decode(encoded, self._plain_prompt_tokens, len(samples))
        return answer

    def _decode(self, encoded: StorageView, prompt_tokens: list[int], samples: int) -> Recognition:
        most_tokens = min(TOKENS_LIMIT, len(prompt_tokens) + TOKENS_SPARE + int(TOKENS_PER_S * samples / SAMPLE_RATE_HZ))
        answer = Recognition("", 0.0, 1.0)
        for temperature in TEMPERATURES:
            result = self._model.model.generate(
                encoded,
                [prompt_tokens],
                beam_size=self._beam if temperature == 0 else 1,
                sampling_temperature=temperature or 1.0,
                sampling_topk=1 if temperature == 0 else 0,
                max_length=most_tokens,
                return_scores=True,
                return_no_speech_prob=True,
            )[0]
            tokens = [token for token in result.sequences_ids[0] if token < self._tokenizer.eot]
            answer = Recognition(self._tokenizer.decode(tokens).strip(), result.scores[0], result.no_speech_prob)
            if not is_loop(answer.text):
                break
        return answer

    def _features(self, samples: Samples) -> Samples:
        """Log-mel frames of the utterance, padded with silence to the encoder's floor, even in number."""
        length_s = min(LONGEST_S, max(ENCODER_FLOOR_S, len(samples) / SAMPLE_RATE_HZ + ENCODER_TAIL_S))
        frames = int(length_s * SAMPLE_RATE_HZ / HOP_SAMPLES) // 2 * 2
        padded = np.zeros(frames * HOP_SAMPLES, dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        features: Samples = self._model.feature_extractor(padded)
        return features[..., :frames]

    def _build_prompt(self, terms: tuple[str, ...]) -> list[int]:
        words = f"常用词：{'、'.join(terms)}。" if terms else ""
        before = self._tokenizer.encode(f" {PROMPT}{words}")
        tokens: list[int] = self._model.get_prompt(self._tokenizer, before, without_timestamps=True)
        return tokens

    def _parameters(self, terms: tuple[str, ...]) -> str:
        parameters = {
            "beam": self._beam, "compute": "int8", "encoder_floor_s": ENCODER_FLOOR_S, "encoder_tail_s": ENCODER_TAIL_S,
            "prompt": PROMPT, "temperatures": list(TEMPERATURES), "terms": list(terms), "tokens_per_s": TOKENS_PER_S,
        }  # fmt: skip
        return json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
