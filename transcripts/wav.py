"""Samples as a WAV file in memory: 16-bit PCM, mono, 16 kHz, the form every endpoint takes."""

from __future__ import annotations

import io
import wave

import numpy as np

from transcripts.recognizer import SAMPLE_RATE_HZ, Samples

LOUDEST = 32767


def wav_of(samples: Samples) -> bytes:
    """What is louder than the form can hold is clipped."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(samples, -1.0, 1.0) * LOUDEST).astype("<i2").tobytes())
    return out.getvalue()
