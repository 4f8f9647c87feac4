"""One spoken line as odd devices would send it: narrow band, stereo, clipped, one pole turned, with a constant voltage, damaged."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
from numpy.typing import NDArray

from tests.simulated_tap import SILENT_OPUS, SpokenLine
from transcripts.tap_message import PACKET_MS

LEAD_MS = 1_000
RATE_HZ = 48_000

Sound = NDArray[np.float32]


def sound_of(line: SpokenLine, rate_hz: int = RATE_HZ) -> Sound:
    """The line's sound, one channel, silence of LEAD_MS before and after it."""
    resampler = av.AudioResampler("flt", "mono", rate_hz)
    with av.open(str(line.file)) as container:
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    still = np.zeros(rate_hz * LEAD_MS // 1000, dtype=np.float32)
    return np.concatenate([still, *parts, still])


def opus_of(channels: Sound, rate_hz: int = RATE_HZ) -> list[bytes]:
    """20 ms Opus packets of one or two channels (rows)."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.format = rate_hz, "flt"
    encoder.layout = "mono" if len(channels) == 1 else "stereo"
    encoder.options = {"frame_duration": str(PACKET_MS)}
    size = rate_hz * PACKET_MS // 1000
    packets = []
    for at in range(0, channels.shape[1] - size + 1, size):
        interleaved = np.ascontiguousarray(channels[:, at : at + size].T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=encoder.layout.name)
        frame.sample_rate = rate_hz
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def _narrow(line: SpokenLine) -> list[bytes]:
    return opus_of(sound_of(line, 8_000)[None], 8_000)


def _shaped(shape: Callable[[Sound], Sound]) -> Callable[[SpokenLine], list[bytes]]:
    return lambda line: opus_of(np.atleast_2d(shape(sound_of(line))).astype(np.float32))


def _damaged(line: SpokenLine) -> list[bytes]:
    """Every tenth packet is no Opus, and behind the line stands a second of bytes that somebody made up."""
    rng = np.random.default_rng(7)
    packets = opus_of(sound_of(line)[None])
    damaged = [b"\xff\xff\xff" if number % 10 == 5 else packet for number, packet in enumerate(packets)]
    return damaged + [rng.bytes(60) for _ in range(50)] + [SILENT_OPUS] * 50


ODD: dict[str, Callable[[SpokenLine], list[bytes]]] = {
    "as it is": _shaped(lambda sound: sound),
    "8 kHz": _narrow,
    "stereo": _shaped(lambda sound: np.stack([sound, sound])),
    "left only": _shaped(lambda sound: np.stack([sound, 0 * sound])),
    "one channel of reversed polarity": _shaped(lambda sound: np.stack([sound, -sound])),
    "reversed polarity": _shaped(lambda sound: -sound),
    "clipped": _shaped(lambda sound: np.clip(sound * 12, -0.9, 0.9)),
    "very quiet": _shaped(lambda sound: sound * 0.02),
    "constant voltage": _shaped(lambda sound: sound * 0.6 + 0.3),
    "damaged": _damaged,
}
