"""Whisper on CTranslate2; the only module that imports faster_whisper.

faster-whisper's own `transcribe` pads every call to 30 s. A hearing is made of short utterances, so the encoder is given
the utterance and a floor of 12 s instead: a third of the CPU at the same error rate. Below that floor short answers break.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from transcripts import pinyin
from transcripts.guards import is_loop, recites
from transcripts.merging import merge
from transcripts.model import Engine
from transcripts.recognizer import SAMPLE_RATE_HZ, HeardWord, Recognition, Samples
from transcripts.rewording import WEIGHT, Lexicon, reword
from transcripts.script import Simplifier
from transcripts.vocabulary import CaseWords
from transcripts.weights import ModelFiles
from transcripts.word_lists import replacer, word_costs

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
PROMPTS_KEPT = 64  # of as many vocabularies
PROMPT_TOKENS = 220  # what the decoder takes before the answer; terms beyond are left out, the last ones first
ALIGNED_MS = 20  # one step of the alignment
MEDIAN_STEPS = 7  # smoothing of the alignment, as faster-whisper has it
READINGS = 5  # of the plain reading, from which words are taken where they are commoner
ALIGNED_TOKENS = 400  # a longer answer to one stretch is no speech, and the decoder takes no more at once
LEAST_P = 1e-9


@dataclass(frozen=True, slots=True)
class _Piece:
    """A character (or several that are one token) of an answer: place in the sound, log probability of its tokens."""

    text: str
    t0_ms: int
    t1_ms: int
    logprob: float
    tokens: int


class WhisperRecognizer:
    """faster-whisper, nothing carried from one stretch to the next.

    `plain`: read once more without the prompt and take the words from there (the final reading); `weighed`: and weigh
    them against others of the same sound. `compute`: CTranslate2's name of the arithmetic (int8, float16, …); `device`:
    cpu or cuda. Not `guided`: no prompt and no terms (a second opinion).
    `shared`: use the weights that another recogniser of the same model has loaded.
    """

    def __init__(
        self, files: ModelFiles, *, threads: int, workers: int, beam: int = 1, plain: bool = False,
        terms: tuple[str, ...] = (), device: str = "cpu", compute: str = "int8", guided: bool = True,
        shared: WhisperRecognizer | None = None, weighed: bool = True,
    ) -> None:  # fmt: skip
        self._model: WhisperModel = (
            _load(files, threads, workers, device, compute) if shared is None else shared._model  # noqa: SLF001  one of us
        )
        self._tokenizer = Tokenizer(self._model.hf_tokenizer, multilingual=True, task="transcribe", language="zh")
        self._simplify = Simplifier()
        self._beam, self._plain, self._guided, self._weighed = beam, plain, guided, plain and weighed
        self._terms = terms
        self._prompt_tokens = lru_cache(PROMPTS_KEPT)(self._build_prompt)
        self._bare_tokens: list[int] = self._model.get_prompt(self._tokenizer, [], without_timestamps=True)
        self._engine = Engine("faster-whisper", files.name, files.sha256, self._parameters(compute, device))

    @property
    def engine(self) -> Engine:
        return self._engine

    @property
    def prompt(self) -> str:
        return PROMPT if self._guided else ""

    def warm_up(self) -> None:
        """Run one decode of silence, so that the first words of a sitting do not wait for memory and code."""
        self.recognise(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32))

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        """What was said; once more with less of a prompt when the answer reads out its list of terms or goes in a loop."""
        encoded = self._model.encode(self._features(samples))
        wanted = (*terms, *(term for term in self._terms if term not in terms))
        for prompt in (self._prompt_tokens(wanted), self._prompt_tokens(()), self._bare_tokens):
            answer = self._decode(encoded, prompt, len(samples))
            if not recites(answer.text, wanted) and not is_loop(answer.text):
                break
        if self._plain:
            answer = self._with_plain(encoded, answer, wanted, len(samples))
        return self._with_words(encoded, answer, len(samples)) if words and self._fits(answer.text) else answer

    def _with_plain(self, encoded: StorageView, guided: Recognition, terms: tuple[str, ...], samples: int) -> Recognition:
        """The words of a reading without the prompt, weighed; the marks and those terms of the guided one that sound so."""
        plain, *others = self._answers(encoded, self._bare_tokens, samples, READINGS)
        if is_loop(plain.text):
            return guided
        text = self._simplify(plain.text)
        if self._weighed and self._fits(text):
            texts = [self._simplify(other.text) for other in others if not is_loop(other.text)]
            ear = partial(self._hear, encoded, samples)
            text = reword(text, texts if is_loop(guided.text) else [*texts, guided.text], _lexicon(terms), ear)
        if not is_loop(guided.text):
            text = merge(text, _spelled(guided.text, terms), terms, self._simplify, _alike)
        return Recognition(text, plain.average_logprob, plain.no_speech_probability)

    def _decode(self, encoded: StorageView, prompt_tokens: list[int], samples: int) -> Recognition:
        return self._answers(encoded, prompt_tokens, samples)[0]

    def _answers(self, encoded: StorageView, prompt_tokens: list[int], samples: int, readings: int = 1) -> list[Recognition]:
        """At most so many readings, the likeliest first; a chance one where that is a loop."""
        most_tokens = min(TOKENS_LIMIT, len(prompt_tokens) + TOKENS_SPARE + int(TOKENS_PER_S * samples / SAMPLE_RATE_HZ))
        answers: list[Recognition] = []
        for temperature in TEMPERATURES:
            result = self._model.model.generate(
                encoded,
                [prompt_tokens],
                beam_size=self._beam if temperature == 0 else 1,
                num_hypotheses=min(readings, self._beam) if temperature == 0 else 1,
                sampling_temperature=temperature or 1.0,
                sampling_topk=1 if temperature == 0 else 0,
                max_length=most_tokens,
                return_scores=True,
                return_no_speech_prob=True,
            )[0]
            answers = [
                Recognition(self._tokenizer.decode(tokens).strip(), score, result.no_speech_prob)
                for tokens, score in zip(result.sequences_ids, result.scores, strict=True)
            ]
            if not is_loop(answers[0].text):
                break
        return answers

    def _hear(self, encoded: StorageView, samples: int, texts: Sequence[str]) -> list[list[float]]:
        """For each text the log probability of each of its characters; of a token of several, at its first."""
        return [self._heard_characters(encoded, samples, text) for text in texts]

    def _fits(self, text: str) -> bool:
        return 0 < len(self._tokenizer.encode(text)) <= ALIGNED_TOKENS

    def _heard_characters(self, encoded: StorageView, samples: int, text: str) -> list[float]:
        heard = [0.0] * len(text)
        place = 0
        for piece in self._aligned(encoded, samples, text):
            if place < len(heard):
                heard[place] = piece.logprob
            place += len(piece.text)
        return heard

    def _aligned(self, encoded: StorageView, samples: int, text: str) -> list[_Piece]:
        """The text in the smallest pieces that are characters, with their places in the sound by the decoder's attention."""
        tokens = self._tokenizer.encode(text)
        found = self._model.model.align(
            encoded, self._tokenizer.sot_sequence, [tokens], samples // HOP_SAMPLES, median_filter_width=MEDIAN_STEPS
        )[0]
        begins_ms: dict[int, int] = {}
        for token, step in found.alignments:
            begins_ms.setdefault(token, step * ALIGNED_MS)
        end_ms = samples * 1000 // SAMPLE_RATE_HZ
        pieces: list[_Piece] = []
        place = 0
        for piece, own in zip(*self._tokenizer.split_tokens_on_unicode(tokens), strict=True):
            after = place + len(own)
            t0_ms, t1_ms = (min(end_ms, begins_ms.get(token, end_ms)) for token in (place, after))
            logprob = sum(math.log(max(p, LEAST_P)) for p in found.text_token_probs[place:after])
            pieces.append(_Piece(piece, t0_ms, max(t0_ms, t1_ms), logprob, len(own)))
            place = after
        return pieces

    def _with_words(self, encoded: StorageView, answer: Recognition, samples: int) -> Recognition:
        """The answer with the place of each character; marks go with the word before them."""
        heard: list[HeardWord] = []
        for piece in self._aligned(encoded, samples, answer.text):
            if heard and not any(character.isalnum() for character in piece.text):
                heard[-1] = replace(heard[-1], text=heard[-1].text + piece.text)
            else:
                p = math.exp(piece.logprob / max(1, piece.tokens))
                heard.append(HeardWord(piece.text, piece.t0_ms, piece.t1_ms, p))
        return replace(answer, words=tuple(heard))

    def _features(self, samples: Samples) -> Samples:
        """Log-mel frames of the utterance, padded with silence to the encoder's floor, even in number."""
        length_s = min(LONGEST_S, max(ENCODER_FLOOR_S, len(samples) / SAMPLE_RATE_HZ + ENCODER_TAIL_S))
        frames = int(length_s * SAMPLE_RATE_HZ / HOP_SAMPLES) // 2 * 2
        padded = np.zeros(frames * HOP_SAMPLES, dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        features: Samples = self._model.feature_extractor(padded)
        return features[..., :frames]

    def _build_prompt(self, terms: tuple[str, ...]) -> list[int]:
        """Some 12 ms where terms have to be left out: kept by terms, since every stretch of a hearing has the same."""
        if not self._guided:
            return self._bare_tokens
        before = self._tokenizer.encode(f" {PROMPT}{_listed(terms)}")
        while terms and len(before) > PROMPT_TOKENS:
            terms = terms[:-1]
            before = self._tokenizer.encode(f" {PROMPT}{_listed(terms)}")
        tokens: list[int] = self._model.get_prompt(self._tokenizer, before, without_timestamps=True)
        return tokens

    def _parameters(self, compute: str, device: str) -> str:
        parameters = {
            "beam": self._beam, "compute": compute, "device": device, "encoder_floor_s": ENCODER_FLOOR_S,
            "encoder_tail_s": ENCODER_TAIL_S, "plain_reading": self._plain, "readings": READINGS, "prompt": self.prompt,
            "lexicon_weight": WEIGHT if self._weighed else 0, "temperatures": list(TEMPERATURES), "terms": list(self._terms),
            "tokens_per_s": TOKENS_PER_S,
        }  # fmt: skip
        return json.dumps(parameters, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _load(files: ModelFiles, threads: int, workers: int, device: str, compute: str) -> WhisperModel:
    return WhisperModel(str(Path(files.path)), device=device, compute_type=compute, cpu_threads=threads, num_workers=workers)


def _listed(terms: tuple[str, ...]) -> str:
    return f"常用词：{'、'.join(terms)}。" if terms else ""


def _alike(term: str, heard: str) -> bool:
    """Whether a term may be what was heard: as long, and no more than a usual confusion for each character."""
    if len(term) != len(heard):
        return False
    steps = sum(pinyin.step(one, other) for one, other in zip(pinyin.readings(term), pinyin.readings(heard), strict=True))
    return steps <= len(term) * pinyin.CLOSE


def _spelled(text: str, terms: tuple[str, ...]) -> str:
    """The reading with those terms in their own characters that it has by sound: 答辨 is 答辩, a common word stays."""
    return replacer().replace(text, CaseWords(legal=terms))[0]


@cache
def _common_words() -> Lexicon:
    return Lexicon(word_costs(), pinyin.readings)


@lru_cache(maxsize=16)
def _lexicon(terms: tuple[str, ...]) -> Lexicon:
    """Common words and those of the case; made once for a sitting."""
    return _common_words().naming(terms)
