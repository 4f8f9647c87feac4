"""How loud a voice is in a stretch of sound."""

from __future__ import annotations

import numpy as np

from transcripts.recognizer import SAMPLES_PER_MS, Samples

FRAME = 32 * SAMPLES_PER_MS
SILENCE_DB = -100.0


def level_db(samples: Samples) -> float:
    """Mean power of the louder half of its frames, in dB below full scale: pauses and padding say nothing of the voice."""
    frames = len(samples) // FRAME
    if frames == 0:
        return SILENCE_DB
    power = np.mean(samples[: frames * FRAME].reshape(frames, FRAME).astype(np.float64) ** 2, axis=1)
    louder = np.sort(power)[frames // 2 :]
    return round(max(SILENCE_DB, 10 * float(np.log10(np.mean(louder) + 1e-12))), 1)
