"""Opus packets and recorded segments → 16 kHz mono samples on the record clock; a gap becomes silence of its length."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from transcripts.recognizer import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Samples
from transcripts.tap_message import PACKET_MS

OPUS_RATE_HZ = 48_000
SLACK_MS = 30  # jitter of the sender's clock that is not a gap
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
        self._decoder = AudioCodecContext.create("libopus", "r")
        self._decoder.sample_rate = OPUS_RATE_HZ
        self._decoder.layout = "mono"
        self._resampler = AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
        self._expected_ms: float | None = None
        self.undecodable = 0

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
        try:
            frames = self._decoder.decode(av.Packet(opus))
        except av.FFmpegError:
            self.undecodable += 1
            return silence(PACKET_MS)
        parts = [part.to_ndarray().reshape(-1) for frame in frames for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else silence(0)


def silence(length_ms: int) -> Samples:
    """Digital silence of that length."""
    return np.zeros(length_ms * SAMPLES_PER_MS, dtype=np.float32)


def read_file(data: bytes) -> Samples:
    """All sound of a recorded segment (WebM) or an audio file, its own gaps filled; raises av.FFmpegError."""
    parts: list[Samples] = []
    written = 0
    resampler = AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
    with av.open(io.BytesIO(data), mode="r") as container:
        for frame in container.decode(audio=0):
            due = int((frame.time or 0.0) * SAMPLE_RATE_HZ)
            if due - written > SLACK_MS * SAMPLES_PER_MS:
                parts.append(np.zeros(due - written, dtype=np.float32))
                written = due
            for part in resampler.resample(frame):
                parts.append(part.to_ndarray().astype(np.float32, copy=False).reshape(-1))
                written += part.samples
    return np.concatenate(parts) if parts else silence(0)
