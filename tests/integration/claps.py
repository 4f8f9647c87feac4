"""A clapper board for tests of recordings: a beep and a flash at known moments, encoded for real and found in what decodes.

Each clap has a pitch and a brightness of its own, so that one cannot be taken for the next.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from court.rehearsal.voice import FRAME_TICKS, RATE_HZ

PITCHES_HZ = (700, 1_100, 1_700, 2_600, 4_000)
LUMAS = (100, 160, 220)
DARK = 16
BEEP_MS = 60
FLASH_MS = 150
WIDTH, HEIGHT = 64, 48
LOUD = 0.08  # of full scale; the beep has 0.5
PITCH_FROM, PITCH_SAMPLES = 120, 1_440  # where the pitch of a beep is looked for, from its onset
QUIET_MS = 300  # between two claps: a beep with a hole in it is one


@dataclass(frozen=True, slots=True)
class Found:
    """A beep or flash in a recording: when it begins on the record clock, and which it is (an index)."""

    t_ms: float
    which: int


def _opus(samples: np.ndarray) -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, "mono", "s16"
    encoder.bit_rate = 40_000
    encoder.options = {"application": "lowdelay", "frame_duration": "20"}
    payloads: list[bytes] = []
    for part in samples.reshape(-1, FRAME_TICKS):
        frame = av.AudioFrame.from_ndarray((part * 32_767).astype(np.int16).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        payloads += [bytes(packet) for packet in encoder.encode(frame)]
    return payloads


@functools.cache
def beep(which: int, offset_ms: int) -> tuple[bytes, ...]:
    """Packets of 20 ms, the first of which begins to beep at `offset_ms`."""
    quiet, packets = 4, 5
    samples = np.zeros((quiet + packets) * FRAME_TICKS)
    start = quiet * FRAME_TICKS + offset_ms * RATE_HZ // 1000
    length = BEEP_MS * RATE_HZ // 1000
    samples[start : start + length] = 0.5 * np.sin(2 * np.pi * PITCHES_HZ[which] / RATE_HZ * np.arange(length))
    return tuple(_opus(samples)[quiet : quiet + packets])


@functools.cache
def hush() -> bytes:
    """A packet of encoded silence."""
    return _opus(np.zeros(8 * FRAME_TICKS))[4]


@functools.cache
def picture(luma: int, *, keyframe: bool) -> bytes:
    """One even VP8 picture; the one that is no keyframe changes nothing of the same luma before it."""
    encoder = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.bit_rate = Fraction(10), 100_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": "9999", "error-resilient": "1"}
    encoded: list[bytes] = []
    for n in range(2):
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = luma
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.pict_type = n, PictureType.I if n == 0 else PictureType.NONE
        encoded.append(b"".join(bytes(packet) for packet in encoder.encode(frame)))
    return encoded[0 if keyframe else 1]


def beeps(segments: Iterable[tuple[int, Path]]) -> tuple[list[Found], float]:
    """The beeps in audio segments (t0_ms, file) of one track, and the milliseconds of sound that were decoded."""
    found: list[Found] = []
    quiet_since_ms, decoded_ms = float("-inf"), 0.0
    decoded = ((t0_ms, _samples(path)) for t0_ms, path in segments)
    for (t0_ms, samples), (_, following) in itertools.pairwise(itertools.chain(decoded, [(0, np.empty(0, np.float32))])):
        decoded_ms += len(samples) / RATE_HZ * 1000
        heard = np.concatenate([samples, following[: PITCH_FROM + PITCH_SAMPLES]])  # it may begin where a segment ends
        for at in np.flatnonzero(np.abs(samples).reshape(-1, 48).max(axis=1) > LOUD).tolist():  # milliseconds
            if t0_ms + at - quiet_since_ms > QUIET_MS:
                onset = at * 48 + int(np.argmax(np.abs(samples[at * 48 : (at + 1) * 48]) > LOUD))
                found.append(Found(t0_ms + onset / 48, _pitch(heard[onset + PITCH_FROM :][:PITCH_SAMPLES])))
            quiet_since_ms = t0_ms + at
    return found, decoded_ms


def _samples(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    joined = np.concatenate(parts).astype(np.float32)
    return joined[: len(joined) // 48 * 48]


def _pitch(samples: np.ndarray) -> int:
    spectrum = np.abs(np.fft.rfft(samples, 4_800))
    hertz = int(np.argmax(spectrum)) * 10
    return min(range(len(PITCHES_HZ)), key=lambda n: abs(PITCHES_HZ[n] - hertz))


def flashes(segments: Iterable[tuple[int, Path]]) -> Iterator[Found]:
    """The flashes in video segments of one track."""
    bright_since_ms = float("-inf")
    for t0_ms, path in segments:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                luma = int(frame.to_ndarray()[HEIGHT // 2, WIDTH // 2])
                t_ms = t0_ms + (frame.pts or 0)
                if luma > (DARK + LUMAS[0]) // 2:
                    if t_ms - bright_since_ms > QUIET_MS:
                        yield Found(t_ms, min(range(len(LUMAS)), key=lambda n: abs(LUMAS[n] - luma)))
                    bright_since_ms = t_ms
