"""The final reading of one track: stretches of speech joined into packs, read with all care, given back with word times."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from transcripts.guards import LEAST_VOICE_MS, is_loop
from transcripts.listening import Cut
from transcripts.packing import LONGEST_MS, Pack, pack
from transcripts.recognizer import HeardWord, Recognition, Recognizer
from transcripts.windows import CutRule

READING = CutRule(pause_ms=500, longest_ms=14_000)
"""How a track is cut for the final reading: a stretch fits into one pack."""

Progress = Callable[[int], None]
"""Told the record time (milliseconds) up to which the track has been read."""


class Terms(Protocol):
    """The words of a case, as far as reading wants to know them."""

    @property
    def terms(self) -> tuple[str, ...]: ...


def read_track(
    recogniser: Recognizer, cuts: Iterable[Cut], words: Terms, progress: Progress, *, longest_ms: int = LONGEST_MS
) -> Iterator[tuple[Cut, Recognition]]:
    """Each stretch in its order with what was heard in it; its words stand on the record clock, within the stretch.

    The concatenated words are the text. Blocking; as slow as the engine. An engine without word times reads each stretch alone.
    """
    for joint in pack(cuts, longest_ms):
        yield from zip(joint.cuts, read_pack(recogniser, joint, words.terms), strict=True)
        progress(joint.cuts[-1].t1_ms)


def read_pack(recogniser: Recognizer, joint: Pack, terms: tuple[str, ...]) -> list[Recognition]:
    """What was heard in each stretch of a pack; alone again where the joint reading looped or passed over a voice."""
    if len(joint.cuts) == 1:
        return [_alone(recogniser, joint.cuts[0], terms)]
    answer = recogniser.recognise(joint.samples, terms=terms, words=True)
    if is_loop(answer.text) or (answer.text and not answer.words):
        return [_alone(recogniser, cut, terms) for cut in joint.cuts]
    return [
        _recognition(share, answer) if share or cut.voiced_ms < LEAST_VOICE_MS else _alone(recogniser, cut, terms)
        for cut, share in zip(joint.cuts, joint.share_out(answer.words), strict=True)
    ]


def _alone(recogniser: Recognizer, cut: Cut, terms: tuple[str, ...]) -> Recognition:
    answer = recogniser.recognise(cut.samples, terms=terms, words=True)
    single = Pack((cut,), (0,))
    return Recognition(
        answer.text, answer.average_logprob, answer.no_speech_probability, tuple(single.share_out(answer.words)[0])
    )


def _recognition(share: Sequence[HeardWord], answer: Recognition) -> Recognition:
    text = "".join(word.text for word in share).strip()
    return Recognition(text, _average_logprob(share, answer), answer.no_speech_probability, tuple(share))


def _average_logprob(share: Sequence[HeardWord], answer: Recognition) -> float:
    """Of this stretch's own words, so that a doubtful stretch is doubted alone."""
    if not share:
        return answer.average_logprob
    return sum(math.log(max(word.p, 1e-6)) for word in share) / len(share)
