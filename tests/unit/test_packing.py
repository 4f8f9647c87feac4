"""Joint decodes: nothing is lost in packing, and every word comes back to its own stretch and time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from transcripts.listening import Cut
from transcripts.packing import GAP_MS, LONGEST_MS, pack
from transcripts.recognizer import SAMPLES_PER_MS, HeardWord


def cuts_of(lengths_ms: list[int], pause_ms: int = 2_000) -> list[Cut]:
    cuts, at_ms = [], 1_000
    for number, length_ms in enumerate(lengths_ms, 1):
        cuts.append(Cut(at_ms, at_ms + length_ms, length_ms, np.full(length_ms * SAMPLES_PER_MS, number, dtype=np.float32)))
        at_ms += length_ms + pause_ms
    return cuts


lengths = some.lists(some.integers(min_value=200, max_value=26_000), max_size=12)


@given(lengths)
def test_all_stretches_are_packed_in_order_and_whole(lengths_ms: list[int]) -> None:
    cuts = cuts_of(lengths_ms)
    packs = list(pack(cuts))
    assert [cut for one in packs for cut in one.cuts] == cuts
    for one in packs:
        assert one.length_ms <= LONGEST_MS or len(one.cuts) == 1
        sound = one.samples
        for cut, start_ms in zip(one.cuts, one.starts_ms, strict=True):
            at = start_ms * SAMPLES_PER_MS
            assert np.array_equal(sound[at : at + len(cut.samples)], cut.samples)
        assert np.count_nonzero(sound) == sum(len(cut.samples) for cut in one.cuts), "silence between them"


@given(lengths.filter(bool), some.data())
def test_a_word_comes_back_where_it_was_said(lengths_ms: list[int], data: some.DataObject) -> None:
    for one in pack(cuts_of(lengths_ms)):
        place = data.draw(some.integers(min_value=0, max_value=len(one.cuts) - 1))
        cut, start_ms = one.cuts[place], one.starts_ms[place]
        begins_ms = data.draw(some.integers(min_value=0, max_value=cut.length_ms - 150))
        before_ms = data.draw(some.integers(min_value=0, max_value=GAP_MS if place else 0))  # silence given to the word
        word = HeardWord("借", start_ms + begins_ms - (before_ms if begins_ms == 0 else 0), start_ms + begins_ms + 150, 0.9)
        shares = one.share_out([word])
        assert [len(share) for share in shares] == [int(number == place) for number in range(len(one.cuts))]
        found = shares[place][0]
        assert found.t1_ms == cut.t0_ms + begins_ms + 150
        assert found.t0_ms == cut.t0_ms + begins_ms


def test_neighbours_share_a_decode_until_it_is_full() -> None:
    assert [len(one.cuts) for one in pack(cuts_of([5_000, 5_000, 4_000, 5_000]))] == [3, 1]
