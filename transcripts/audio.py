"""Opus packets and recorded segments → 16 kHz mono samples on the record clock; a gap becomes silence of its length."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from transcripts.recognizer import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Samples
from transcripts.tap_message import PACKET_MS

OPUS_RATE_HZ = 48_000
SLACK_MS = 30  # jitter of the sender's clock that is not a gap
STEREO_FLAG = 0x04  # of an Opus packet's first byte (RFC 6716 3.1)
CANCELLED = 0.01  # of the louder channel's power: two voices in a room differ by far less
BRIDGE_MS = 1000  # a longer gap ends the utterance; nothing is gained by listening to zeros


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples; the first stands at `t_ms`. `joined` is false where the sound before it is not its neighbour."""

    t_ms: int
    samples: Samples
    joined: bool


class OpusTrack:
    """Decodes one track's packets in order. A packet that cannot be decoded becomes silence, and is counted."""

    def __init__(self) -> None:
        self._open("mono")
        self._expected_ms: float | None = None
        self.undecodable = 0

    def _open(self, layout: str) -> None:
        self._layout = layout
        self._decoder = AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate = OPUS_RATE_HZ
        self._decoder.layout = layout
        self._resampler = AudioResampler("fltp", layout, SAMPLE_RATE_HZ)

    def push(self, t_ms: int, opus: bytes, *, filler: bool) -> list[Block]:
        """The sound of one packet, after silence for what is missing before it."""
        samples = silence(PACKET_MS) if filler or not opus else self._decode(opus)
        expected, self._expected_ms = self._expected_ms, t_ms + len(samples) / SAMPLES_PER_MS
        if expected is None or abs(t_ms - expected) > BRIDGE_MS:
            return [Block(t_ms, samples, joined=False)]
        if t_ms - expected > SLACK_MS:
            gap = Block(round(expected), silence(t_ms - round(expected)), joined=True)
            return [gap, Block(t_ms, samples, joined=True)]
        return [Block(t_ms, samples, joined=True)]

    def _decode(self, opus: bytes) -> Samples:
        if self._layout == "mono" and opus[0] & STEREO_FLAG:
            self._open("stereo")  # the decoder's own way to mono would let channels of opposite polarity cancel
        try:
            frames = self._decoder.decode(av.Packet(opus))
        except av.FFmpegError:
            self.undecodable += 1
            return silence(PACKET_MS)
        parts = [one_channel(part.to_ndarray()) for frame in frames for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else silence(0)


def one_channel(channels: NDArray[Any]) -> Samples:
    """One channel of several (rows): their mean, or the loudest where they cancel (a microphone with one pole turned)."""
    sound = channels.astype(np.float32, copy=False)
    power = np.square(sound).mean(axis=1)
    loudest: Samples = sound[int(power.argmax())]
    if len(sound) == 1:
        return loudest
    mean: Samples = sound.mean(axis=0, dtype=np.float32)
    return loudest if float(np.square(mean).mean()) < CANCELLED * float(power.max()) else mean


def silence(length_ms: int) -> Samples:
    """Digital silence of that length."""
    return np.zeros(length_ms * SAMPLES_PER_MS, dtype=np.float32)


def read_file(data: bytes) -> Samples:
    """All sound of a recorded segment (WebM) or an audio file, its own gaps filled; raises av.FFmpegError."""
    parts: list[Samples] = []
    written = 0
    resampler: AudioResampler | None = None
    with av.open(io.BytesIO(data), mode="r") as container:
        for frame in container.decode(audio=0) if container.streams.audio else ():
            if resampler is None:
                resampler = AudioResampler("fltp", frame.layout.name, SAMPLE_RATE_HZ)
            due = int((frame.time or 0.0) * SAMPLE_RATE_HZ)
            if due - written > SLACK_MS * SAMPLES_PER_MS:
                parts.append(np.zeros(due - written, dtype=np.float32))
                written = due
            for part in resampler.resample(frame):
                parts.append(one_channel(part.to_ndarray()))
                written += part.samples
    return np.concatenate(parts) if parts else silence(0)
