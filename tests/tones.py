"""Finding a tone: in samples, in recorded media, in any bytes that may hold media (S22)."""

from __future__ import annotations

import io

import av
import numpy as np

RATE = 48_000
A_TONE = 0.33


def share_of_tone(samples: np.ndarray, hz: float, rate: int = RATE) -> float:
    """The greatest share of a window's energy that is a sine of this frequency (Goertzel, 1958); 1.0 is a pure tone."""
    best = 0.0
    window = rate // 10
    bearing = np.exp(-2j * np.pi * hz / rate * np.arange(window))
    for start in range(0, len(samples) - window + 1, window // 2):
        part = samples[start : start + window].astype(np.float64)
        energy = float(np.sum(part**2))
        if energy > window * 1e-6:  # below −60 dBFS there is nothing to find
            best = max(best, float(2 * np.abs(np.dot(part, bearing)) ** 2 / (window * energy)))
    return best


def sound_of(data: bytes) -> np.ndarray:
    """All sound in a media file as mono samples of 48 kHz, −1 … 1; empty when it holds none or is no media file."""
    parts: list[np.ndarray] = []
    try:
        with av.open(io.BytesIO(data)) as container:
            if not container.streams.audio:
                return np.zeros(0)
            resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                parts += [out.to_ndarray().ravel() for out in resampler.resample(frame)]
    except (av.error.FFmpegError, ValueError):
        pass  # a file cut anywhere: what could be decoded of it counts
    return np.concatenate(parts) if parts else np.zeros(0)


def has_tone(data: bytes, hz: float) -> bool:
    """Whether a media file holds the tone: more than a third of the energy of some tenth of a second (10 Hz apart)."""
    return share_of_tone(sound_of(data), hz) > A_TONE
