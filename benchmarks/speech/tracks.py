"""Tracks of known words at known times: recorded clips put one after the other with pauses, one track for each speaker."""

from __future__ import annotations

import json
import os
import random
import sys
import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from tests.simulated_tap import loan_lines
from transcripts.recognizer import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Samples

PAUSES_MS = (600, 3_000)
LOAN_PAUSES_MS = (1_000, 4_000)
REAL_SEED, LOAN_SEED = 7, 3
NOISE = 3e-4  # of the room in the pauses, −70 dB
FRAME_MS = 20
LOUD_SHARE = 0.2  # of the clip's loud frames: from there on somebody speaks; room noise of the clips reaches 0.16
LOUD_PERCENTILE = 95
STEADY_FRAMES = 3  # a click is shorter
VOICE_HZ = (300, 3_400)  # the telephone's band: rumble of a room or a hand on the microphone lies below, and is no voice


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said in one clip; `voice_ms` is where its voice begins, by loudness alone."""

    text: str
    t0_ms: int
    t1_ms: int
    voice_ms: int


@dataclass(frozen=True, slots=True)
class Track:
    """One speaker's clips on one clock."""

    speaker: str
    samples: Samples
    spoken: tuple[Spoken, ...]


def real_tracks(arrangement: int = 0) -> list[Track]:
    """The recorded clips of COURT_SPEECH_DIR; leaves the program with a word when there are none.

    Each arrangement has an order of each speaker's clips and pauses of its own; the first keeps the order of the manifest.
    """
    folder = os.environ.get("COURT_SPEECH_DIR")
    if not folder or not (Path(folder) / "manifest.jsonl").is_file():
        sys.exit("COURT_SPEECH_DIR names no folder with manifest.jsonl: there is no real speech to measure on")
    rows = [json.loads(line) for line in (Path(folder) / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    chance = random.Random(REAL_SEED + arrangement)
    if arrangement:
        chance.shuffle(rows)
    clips = ((row["speaker"], row["text"].lstrip("\ufeff"), _wave(Path(folder) / row["file"])) for row in rows)
    return _by_speaker(clips, PAUSES_MS, chance)


def loan_tracks(arrangement: int = 0) -> list[Track]:
    """The synthetic loan hearing of the rehearsals, one track for each role; arrangements differ in the pauses."""
    clips = ((line.role, line.text, _opus(line.file)) for line in loan_lines())
    return _by_speaker(clips, LOAN_PAUSES_MS, random.Random(LOAN_SEED + arrangement))


def _by_speaker(clips: Iterable[tuple[str, str, Samples]], pauses_ms: tuple[int, int], chance: random.Random) -> list[Track]:
    own: dict[str, list[tuple[str, Samples]]] = {}
    for speaker, text, samples in clips:
        own.setdefault(speaker, []).append((text, samples))
    return [_joined(speaker, parts, pauses_ms, chance) for speaker, parts in own.items()]


def _joined(speaker: str, clips: list[tuple[str, Samples]], pauses_ms: tuple[int, int], chance: random.Random) -> Track:
    parts: list[Samples] = []
    spoken: list[Spoken] = []
    at = 0
    for text, clip in clips:
        pause = chance.randint(*pauses_ms) * SAMPLES_PER_MS
        parts.append(np.random.default_rng(len(parts)).normal(0, NOISE, pause).astype(np.float32))
        at += pause
        t0_ms = at // SAMPLES_PER_MS
        spoken.append(Spoken(text, t0_ms, t0_ms + len(clip) // SAMPLES_PER_MS, t0_ms + voice_onset_ms(clip)))
        parts.append(clip)
        at += len(clip)
    return Track(speaker, np.concatenate(parts), tuple(spoken))


def voice_onset_ms(clip: Samples) -> int:
    """Where the voice begins: the first of three frames loud in the band of the telephone.

    Knows no voice detector, so that none is judged by itself.
    """
    size = FRAME_MS * SAMPLES_PER_MS
    spectrum, hz = np.fft.rfft(clip), np.fft.rfftfreq(len(clip), 1 / SAMPLE_RATE_HZ)
    spectrum[(hz < VOICE_HZ[0]) | (hz > VOICE_HZ[1])] = 0
    clip = np.fft.irfft(spectrum, len(clip))
    frames = clip[: len(clip) // size * size].reshape(-1, size)
    loudness = np.sqrt(np.mean(np.square(frames), axis=1))
    loud = loudness > LOUD_SHARE * np.percentile(loudness, LOUD_PERCENTILE)
    return next((number * FRAME_MS for number in range(len(loud)) if loud[number : number + STEADY_FRAMES].all()), 0)


def _wave(path: Path) -> Samples:
    with wave.open(str(path)) as sound:
        if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (SAMPLE_RATE_HZ, 1, 2):
            sys.exit(f"{path.name} is not 16 kHz mono of 16 bits")
        return np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2").astype(np.float32) / 32768


def _opus(path: Path) -> Samples:
    def frames() -> Iterator[Samples]:
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))

    return np.concatenate(list(frames()))
