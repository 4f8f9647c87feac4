"""After a power cut: a file may end anywhere, end in zeros, miss bytes in its middle; any small file may be torn or gone."""

from __future__ import annotations

import hashlib
import io
import itertools
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import ParticipantId, SittingId
from media.mending import kept_of, length_ms
from media.opus import LOST_SILENCE
from media.spool import SegmentContent, SegmentName, Spool, SpooledSegment, title_of
from media.webm import Codec, StoredBlock, WebmWriter, is_finished, read_blocks, read_title
from tests.integration.claps import HEIGHT, WIDTH, beep, hush, picture

SITTING = SittingId("sit_1")
PAGE_BYTES = 512
SEGMENT_MS = 2_000


def name(index: int) -> SegmentName:
    started = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
    return SegmentName(SITTING, ParticipantId("part_a"), "part_a-audio", Kind.AUDIO, "opus", index, index * SEGMENT_MS, started)


def blocks_of(codec: Codec) -> list[StoredBlock]:
    """Two seconds of real packets."""
    if codec.name == "opus":
        payloads = [*beep(1, 5), *itertools.repeat(hush(), 20)]
        return [StoredBlock(n * 20, True, payloads[n % len(payloads)]) for n in range(SEGMENT_MS // 20)]
    return [StoredBlock(n * 100, n % 10 == 0, picture(100, keyframe=n % 10 == 0)) for n in range(SEGMENT_MS // 100)]


def written(codec: Codec, *, close: bool, title: str = "") -> bytes:
    file = io.BytesIO()
    writer = WebmWriter(file, codec, title)
    for block in blocks_of(codec):
        writer.add(block.t_ms, block.data, block.keyframe)
    if close:
        writer.close(SEGMENT_MS)
    else:
        writer.flush()
    return file.getvalue()


CODECS = pytest.mark.parametrize("codec", [Codec("opus"), Codec("vp8", WIDTH, HEIGHT)], ids=["sound", "picture"])


@CODECS
def test_a_cut_at_any_byte_keeps_every_whole_block_before_it(codec: Codec) -> None:
    data, blocks = written(codec, close=False), blocks_of(codec)
    ends = [data.find(block.data, at) + len(block.data) for block, at in _places(data, blocks)]
    for cut in range(len(data) + 1):
        kept, found = kept_of(data[:cut])
        assert kept == blocks[: len(kept)]
        assert len(kept) >= sum(end < cut for end in ends) - (codec.name == "vp8") or found is None


def _places(data: bytes, blocks: list[StoredBlock]) -> list[tuple[StoredBlock, int]]:
    """Where to look for each block: behind the one before."""
    places, at = [], 0
    for block in blocks:
        if data.find(block.data, at) >= 0:
            places.append((block, at))
            at = data.find(block.data, at) + len(block.data)
    return places


@CODECS
def test_zeros_at_the_end_are_never_taken_for_media(codec: Codec) -> None:
    data, blocks = written(codec, close=False), blocks_of(codec)
    for cut in range(len(data)):
        kept, _ = kept_of(data[:cut] + bytes(len(data) - cut))
        assert kept == blocks[: len(kept)]
        assert len(kept) >= len(kept_of(data[:cut])[0]) - 1


@CODECS
@pytest.mark.parametrize("close", [True, False])
def test_a_page_that_never_reached_the_disk_is_silence_or_no_picture(codec: Codec, close: bool) -> None:
    data, blocks = written(codec, close=close), blocks_of(codec)
    true = {block.t_ms: block.data for block in blocks}
    for at in range(PAGE_BYTES, len(data) - PAGE_BYTES, 64):
        holed = data[:at] + bytes(PAGE_BYTES) + data[at + PAGE_BYTES :]
        kept, found = kept_of(holed)
        assert found == codec
        assert not is_finished(holed)
        assert all(block.data in {true[block.t_ms], LOST_SILENCE} for block in kept)
        if codec.name == "opus" and kept:
            assert [block.t_ms for block in kept] == [n * 20 for n in range(len(kept))]
            assert length_ms(kept, codec) >= SEGMENT_MS - 1_000
        assert not kept or decoded(_rewritten(kept, codec)) == len(kept)


def decoded(data: bytes) -> int:
    """Frames that a real decoder makes of it."""
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode())


def _rewritten(blocks: list[StoredBlock], codec: Codec) -> bytes:
    file = io.BytesIO()
    writer = WebmWriter(file, codec)
    for block in blocks:
        writer.add(block.t_ms, block.data, block.keyframe)
    writer.close(SEGMENT_MS)
    return file.getvalue()


@CODECS
def test_a_segment_tells_what_it_is_and_whether_it_is_whole(codec: Codec) -> None:
    data = written(codec, close=True, title="这是什么")
    assert read_title(data) == "这是什么"
    assert is_finished(data)
    assert not any(is_finished(data[:cut]) for cut in range(len(data)))
    assert list(read_blocks(data)) == blocks_of(codec)


def commit(spool: Spool, segment: SegmentName, *, close: bool = True) -> SpooledSegment | None:
    part = spool.begin(segment)
    part.write_bytes(written(Codec("opus"), close=close, title=title_of(segment)))
    content = SegmentContent(segment.t0_ms + SEGMENT_MS, 100, 0, 0, 0, "rotate")
    return spool.commit(segment, content, part) if close else None


SMALL = ("000000.json", "000001.json", "000002.open.json", "head.json", "head.copy.json")


@settings(max_examples=60, deadline=None)
@given(
    torn=st.sampled_from(SMALL),
    share=st.floats(0, 1),
    how=st.sampled_from(["cut", "zeros", "gone", "unseen"]),
    open_share=st.floats(0.3, 1),
)
def test_any_small_file_may_be_torn(torn: str, share: float, how: str, open_share: float) -> None:
    """Two closed segments and an open one: all are shown to the shipper in one chain, whichever note is unreadable."""
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        before = [commit(spool, name(0)), commit(spool, name(1))]
        commit(spool, name(2), close=False)
        track = spool.track_folder(SITTING, "part_a-audio")
        part = track / "000002.webm.part"
        part.write_bytes(part.read_bytes()[: int(len(part.read_bytes()) * open_share)])
        tear(track / torn, share, how)
        Spool(Path(folder)).repair()
        after = [segment for segment, _ in spool.closed()]
        assert [(s.index, s.t0_ms) for s in after] == [(0, 0), (1, SEGMENT_MS), (2, 2 * SEGMENT_MS)]
        assert [s.prev_sha256 for s in after] == ["", *(s.sha256 for s in after[:-1])]
        assert [s.sha256 for s in after[:2]] == [s.sha256 for s in before if s is not None], "whole files keep their bytes"
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() == s.sha256 for s, path in spool.closed())
        assert after[2].closed_by == "repair"
        sealed = torn == "000002.open.json" and how != "unseen" and (how == "gone" or share < 1)
        assert after[2].access is (AccessClass.SEALED if sealed else AccessClass.PARTIES) or share == 1 or how == "zeros"
        head = spool.head(SITTING, "part_a-audio")
        assert head is not None
        assert (head.index, head.sha256) == (2, after[2].sha256)
        assert not [path.name for path in track.iterdir() if path.suffix in {".tmp", ".new", ".part", ".mended"}]


def tear(path: Path, share: float, how: str) -> None:
    data = path.read_bytes()
    cut = int(len(data) * share)
    if how == "gone":
        path.unlink()
    elif how == "unseen":  # written, but its name did not reach the disk
        path.with_name(
            path.name + ".tmp" if path.name[0] == "0" and "open" not in path.name else path.name + ".new"
        ).write_bytes(data[:cut])
        if "open" not in path.name:
            path.unlink()
    else:
        path.write_bytes(data[:cut] + (bytes(len(data) - cut) if how == "zeros" else b""))
