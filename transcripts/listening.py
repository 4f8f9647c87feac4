"""One track's listener: samples in, stretches of speech out, each with its place on the record clock."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from transcripts.audio import Block
from transcripts.recognizer import SAMPLES_PER_MS, Samples
from transcripts.vad import FRAME_MS, FRAME_SAMPLES, VoiceDetector, VoiceNetwork
from transcripts.windows import CutRule, Cutter, Window


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of speech to recognise; `t0_ms`/`t1_ms` on the record clock."""

    t0_ms: int
    t1_ms: int
    voiced_ms: int
    samples: Samples

    @property
    def length_ms(self) -> int:
        return self.t1_ms - self.t0_ms


class Listener:
    """Keeps the sound that may still be needed, listens for voice, and cuts."""

    def __init__(self, network: VoiceNetwork) -> None:
        self._detector = VoiceDetector(network)
        self._begin()

    def _begin(self) -> None:
        self._cutter = Cutter(FRAME_MS)
        self._sound: Samples = np.zeros(0, dtype=np.float32)  # kept samples; the first is number _first
        self._first = 0
        self._heard = 0  # samples the detector has heard
        self._anchors: list[tuple[int, int]] = []  # (sample number, t_ms): the record clock may step by some ms

    @property
    def speaking(self) -> bool:
        return self._cutter.speaking

    @property
    def surely_speaking(self) -> bool:
        """Whether what is being said is surely voice, no noise."""
        return self._cutter.surely_speaking

    @property
    def needed_from_ms(self) -> int | None:
        """Record time before which all speech has been given; None before the first sound."""
        return self._time_of(max(self._first, self._cutter.needed_from_ms * SAMPLES_PER_MS)) if self._anchors else None

    def hear(self, block: Block, rule: CutRule) -> list[Cut]:
        """Take the next sound; gives the stretches that end in it."""
        cuts = [] if block.joined else self.finish()
        self._anchors.append((self._first + len(self._sound), block.t_ms))
        self._sound = np.concatenate((self._sound, block.samples))
        while self._first + len(self._sound) - self._heard >= FRAME_SAMPLES:
            at = self._heard - self._first
            probability = self._detector.probability(self._sound[at : at + FRAME_SAMPLES])
            self._heard += FRAME_SAMPLES
            window = self._cutter.push(probability, rule)
            if window is not None and window.is_speech:
                cuts.append(self._cut(window))
        self._forget()
        return cuts

    def finish(self) -> list[Cut]:
        """The sound stops (muted, left, gap): what was being said is complete; the next block begins afresh."""
        window = self._cutter.finish()
        cuts = [self._cut(window)] if window is not None and window.is_speech else []
        self._begin()
        self._detector.reset()
        return cuts

    def _cut(self, window: Window) -> Cut:
        start, end = window.t0_ms * SAMPLES_PER_MS, window.t1_ms * SAMPLES_PER_MS
        samples = self._sound[max(0, start - self._first) : max(0, end - self._first)].copy()
        t0_ms = self._time_of(start)
        return Cut(t0_ms, max(t0_ms + 1, self._time_of(end)), window.voiced_ms, samples)

    def _time_of(self, sample: int) -> int:
        """Record time of a sample, from the packet it came with."""
        place = bisect_right(self._anchors, sample, key=lambda anchor: anchor[0]) - 1
        number, t_ms = self._anchors[max(0, place)]
        return t_ms + (sample - number) // SAMPLES_PER_MS

    def _forget(self) -> None:
        """Drop sound that no later window can reach; in one-second steps, since dropping copies the rest."""
        spare = min(self._cutter.needed_from_ms * SAMPLES_PER_MS, self._heard) - self._first
        if spare < 1000 * SAMPLES_PER_MS:
            return
        self._sound = self._sound[spare:].copy()
        self._first += spare
        place = bisect_right(self._anchors, self._first, key=lambda anchor: anchor[0]) - 1
        self._anchors = self._anchors[max(0, place) :]
