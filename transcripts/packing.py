"""Short stretches of speech put together for one decode, and what was heard shared out to them again.

Whisper hears better in context: one decode of several utterances makes fewer errors than one decode of each, but its own
times wander. So the stretches are joined with short silences, and each keeps a private map from the place in the joint sound
to the record clock: the text comes from the joint decode, the times from where each stretch was cut.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from transcripts.listening import Cut
from transcripts.recognizer import SAMPLES_PER_MS, HeardWord, Samples

GAP_MS = 300
LONGEST_MS = 15_000  # 27 s and 10 s made more errors on the recorded clips


@dataclass(frozen=True, slots=True)
class Pack:
    """Stretches of one track in their order, and where each begins in `samples` (milliseconds)."""

    cuts: tuple[Cut, ...]
    starts_ms: tuple[int, ...]

    @property
    def samples(self) -> Samples:
        """The joint sound; zeros between."""
        sound = np.zeros(self.length_ms * SAMPLES_PER_MS, dtype=np.float32)
        for cut, start_ms in zip(self.cuts, self.starts_ms, strict=True):
            at = start_ms * SAMPLES_PER_MS
            sound[at : at + len(cut.samples)] = cut.samples[: len(sound) - at]
        return sound

    @property
    def length_ms(self) -> int:
        return self.starts_ms[-1] + _length_ms(self.cuts[-1])

    def share_out(self, words: Sequence[HeardWord]) -> list[list[HeardWord]]:
        """Each stretch's own words, on the record clock and within it.

        A word belongs where it ends: alignment gives the silence before a word to the word.
        """
        shares: list[list[HeardWord]] = [[] for _ in self.cuts]
        middles_ms = [start_ms - GAP_MS // 2 for start_ms in self.starts_ms[1:]]
        for word in words:
            place = bisect_right(middles_ms, max(word.t0_ms, word.t1_ms - WORD_END_MS))
            cut, start_ms = self.cuts[place], self.starts_ms[place]
            t0_ms, t1_ms = (cut.t0_ms + min(max(0, at - start_ms), cut.length_ms) for at in (word.t0_ms, word.t1_ms))
            shares[place].append(HeardWord(word.text, t0_ms, t1_ms, word.p))
        return shares


WORD_END_MS = 80  # how far alignment lets a word reach into the silence behind it


def pack(cuts: Iterable[Cut], longest_ms: int = LONGEST_MS) -> Iterator[Pack]:
    """Join neighbours as long as they fit; a stretch longer than that goes alone."""
    waiting: list[Cut] = []
    starts_ms: list[int] = []
    end_ms = 0
    for cut in cuts:
        begin_ms = end_ms + GAP_MS if waiting else 0
        if waiting and begin_ms + _length_ms(cut) > longest_ms:
            yield Pack(tuple(waiting), tuple(starts_ms))
            waiting, starts_ms, begin_ms = [], [], 0
        waiting.append(cut)
        starts_ms.append(begin_ms)
        end_ms = begin_ms + _length_ms(cut)
    if waiting:
        yield Pack(tuple(waiting), tuple(starts_ms))


def _length_ms(cut: Cut) -> int:
    return -(-len(cut.samples) // SAMPLES_PER_MS)
