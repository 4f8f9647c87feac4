"""A recorded track heard again in stretches: each can be read, written down and forgotten before the next is fetched.

A stretch ends in silence, and hearing begins afresh behind it. So a pass that was interrupted goes on at the end of its last
stretch and comes to the same lines as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from transcripts.audio import Block
from transcripts.listening import Cut, Listener
from transcripts.reading import READING
from transcripts.recognizer import SAMPLES_PER_MS, Samples
from transcripts.vad import VoiceNetwork

SPEECH_MS = 60_000  # so much speech is written down at a time: what a crash costs
LONGEST_MS = 300_000  # a stretch without much speech
BLOCK_MS = 1_000
REWIND_MS = 500  # behind a silence: the next speech finds its padding
SEAM_MS = 60  # segments of one track that follow each other so closely are one sound

Span = tuple[int, int]


@dataclass(slots=True)
class Stretch:
    """Listens from `from_ms` on, with what `leave_out` names cut out, until there is enough to read.

    `to_ms` is where the next stretch begins; give it the segments in order until take() says that it is enough.
    """

    network: VoiceNetwork
    from_ms: int
    leave_out: Sequence[Span] = ()
    speech_ms: int = SPEECH_MS
    cuts: list[Cut] = field(default_factory=list)
    to_ms: int = 0
    _listener: Listener = field(init=False)
    _end_ms: int | None = None
    _access: str = ""

    def __post_init__(self) -> None:
        self._listener = Listener(self.network)
        self.to_ms = self.from_ms

    def take(self, t0_ms: int, samples: Samples, access: str = "") -> bool:
        """Hear a segment, blocking; True once the stretch is long enough. A line never spans two access classes."""
        joined = self._access == access
        self._access = access
        for block in self._blocks(t0_ms, samples):
            follows = joined and self._end_ms is not None and abs(block.t_ms - self._end_ms) <= SEAM_MS
            joined = True
            self.cuts += self._listener.hear(Block(block.t_ms, block.samples, joined=follows), READING)
            self._end_ms = block.t_ms + len(block.samples) // SAMPLES_PER_MS
            if self._enough(self._end_ms):
                return True
        return False

    def finish(self, end_ms: int) -> None:
        """The track ends here."""
        self.cuts += self._listener.finish()
        self.to_ms = end_ms

    def _blocks(self, t0_ms: int, samples: Samples) -> Iterator[Block]:
        """What of a segment is to be heard, in pieces of a second."""
        t1_ms = t0_ms + len(samples) // SAMPLES_PER_MS
        for start_ms, end_ms in outside((max(t0_ms, self.from_ms), t1_ms), self.leave_out):
            for at_ms in range(start_ms, end_ms, BLOCK_MS):
                to_ms = min(at_ms + BLOCK_MS, end_ms)
                sound = samples[(at_ms - t0_ms) * SAMPLES_PER_MS : (to_ms - t0_ms) * SAMPLES_PER_MS]
                yield Block(at_ms, sound, joined=True)

    def _enough(self, end_ms: int) -> bool:
        speech_ms = sum(cut.length_ms for cut in self.cuts)
        if speech_ms < self.speech_ms and end_ms - self.from_ms < LONGEST_MS:
            return False
        last_ms = self.cuts[-1].t1_ms if self.cuts else self.from_ms
        if not self._listener.speaking:
            self.to_ms = max(last_ms, end_ms - REWIND_MS)
            return True
        if speech_ms >= 2 * self.speech_ms:  # nobody draws breath: cut where the last line ends
            self.to_ms = last_ms
            return True
        return False


def outside(span: Span, left_out: Sequence[Span]) -> Iterator[Span]:
    """The parts of `span` that none of `left_out` (in order) covers."""
    start_ms, end_ms = span
    for t0_ms, t1_ms in left_out:
        if t1_ms <= start_ms or t0_ms >= end_ms:
            continue
        if t0_ms > start_ms:
            yield start_ms, t0_ms
        start_ms = t1_ms
    if start_ms < end_ms:
        yield start_ms, end_ms
