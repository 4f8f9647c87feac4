"""Voices of the robots: audio files encoded ahead of time into 20 ms Opus packets with their loudness."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

RATE_HZ = 48_000
FRAME_MS = 20
FRAME_TICKS = RATE_HZ * FRAME_MS // 1000
BIT_RATE_BPS = 40_000
SILENCE = b"\xf8\xff\xfe"  # one 20 ms Opus frame of silence
SILENCE_DBOV = 127
AUDIBLE_DBOV = 50  # the first word of a file begins with a packet at least so loud


@dataclass(frozen=True, slots=True)
class VoicePacket:
    """20 ms of Opus; `level_dbov` as in RFC 6464: 0 is the loudest, 127 silence."""

    payload: bytes
    level_dbov: int


@dataclass(frozen=True, slots=True)
class Speech:
    """An audio file, ready to be sent."""

    packets: tuple[VoicePacket, ...]

    @property
    def duration_ms(self) -> int:
        return len(self.packets) * FRAME_MS


def encode_speech(path: Path) -> Speech:
    """Decode any audio file and encode it as mono Opus; raises av.error.FFmpegError when it is no audio."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE_HZ, "mono", "s16"
    encoder.bit_rate = BIT_RATE_BPS
    encoder.options = {"application": "voip", "frame_duration": str(FRAME_MS)}
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ, frame_size=FRAME_TICKS)
    payloads: list[bytes] = []
    levels: list[int] = []
    with av.open(str(path)) as container:
        for decoded in [*container.decode(audio=0), None]:
            for frame in resampler.resample(decoded):
                if frame.samples < FRAME_TICKS:
                    continue  # less than 20 ms at the very end
                frame.pts = None
                levels.append(level_dbov(frame.to_ndarray().astype(np.int16)))
                payloads += [bytes(packet) for packet in encoder.encode(frame)]
    payloads += [bytes(packet) for packet in encoder.encode(None)]
    levels += [SILENCE_DBOV] * (len(payloads) - len(levels))
    return Speech(tuple(VoicePacket(payload, level) for payload, level in zip(payloads, levels, strict=False)))


def level_dbov(samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> int:
    """Loudness of 16-bit samples below overload, in dB."""
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64))))) / 32768
    return SILENCE_DBOV if rms < 1e-6 else max(0, min(SILENCE_DBOV, round(-20 * math.log10(rms))))
