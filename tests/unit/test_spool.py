"""Segments on disk: readable after a cut anywhere, chained, repaired, never half there."""

import hashlib
import io
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from hearing.audience import Kind
from hearing.model import ParticipantId, SittingId
from media.opus import LOST_SILENCE, MUTED_SILENCE
from media.spool import SegmentContent, SegmentName, Spool
from media.webm import Codec, WebmWriter, read_blocks, read_codec

SITTING = SittingId("sit_1")
SPEECH = b"\xf8" + bytes(range(100))


def name(index: int = 0, t0_ms: int = 0) -> SegmentName:
    started = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
    return SegmentName(SITTING, ParticipantId("part_a"), "part_a-audio", Kind.AUDIO, "opus", index, t0_ms, started)


def content(t1_ms: int) -> SegmentContent:
    return SegmentContent(t1_ms, packets=1, lost_packets=0, filled_ms=0, muted_ms=0, closed_by="rotate")


def write_open(spool: Spool, segment: SegmentName, blocks: int, *, close: bool = False) -> Path:
    """A .part file with `blocks` packets of 20 ms; lost and muted silence among them."""
    part = spool.begin(segment)
    with part.open("wb", buffering=0) as file:
        writer = WebmWriter(file, Codec("opus"))
        for n in range(blocks):
            writer.add(n * 20, {3: LOST_SILENCE, 4: MUTED_SILENCE}.get(n % 10, SPEECH), keyframe=True)
        writer.flush()
        if close:
            writer.close(blocks * 20)
    return part


def test_a_written_segment_reads_back() -> None:
    file = io.BytesIO()
    writer = WebmWriter(file, Codec("vp8", 640, 360))
    frames = [(n * 33, bytes((n, 1, 2)), n % 30 == 0) for n in range(100)]
    for frame in frames:
        writer.add(*frame)
    writer.close(3_300)
    assert [(block.t_ms, block.data, block.keyframe) for block in read_blocks(file.getvalue())] == frames
    assert read_codec(file.getvalue()) == Codec("vp8", 640, 360)
    with av.open(io.BytesIO(file.getvalue())) as container:
        assert container.duration == 3_300_000
        assert container.streams.video[0].width == 640
        container.seek(1_500_000, backward=True)  # by the index
        assert next(container.demux(video=0)).pts == 990


def test_the_pictures_of_a_slow_camera_leave_no_holes() -> None:
    """A browser takes what a picture's duration does not cover for a hole in the recording."""
    file = io.BytesIO()
    writer = WebmWriter(file, Codec("vp8", 640, 360))
    for t_ms in (0, 33, 700, 1_400, 2_900):
        writer.add(t_ms, bytes((0x10, 2, 0)), keyframe=t_ms == 0)
    writer.close(4_000)
    with av.open(io.BytesIO(file.getvalue())) as container:
        stands = [(p.pts, p.duration) for p in container.demux(video=0) if p.size]
    assert stands == [(0, 33), (33, 667), (700, 700), (1_400, 1_500), (2_900, 1_100)]


def test_a_file_cut_anywhere_gives_its_whole_blocks(tmp_path: Path) -> None:
    data = write_open(Spool(tmp_path), name(), 60).read_bytes()
    counts = [len(list(read_blocks(data[:cut]))) for cut in range(len(data) + 1)]
    assert counts == sorted(counts)
    assert counts[-1] == 60
    assert counts[len(data) // 2] >= 25
    for cut in range(0, len(data), 7):
        for n, block in enumerate(read_blocks(data[:cut])):
            assert block.t_ms == n * 20
            assert block.data in {SPEECH, LOST_SILENCE, MUTED_SILENCE}


@pytest.mark.parametrize("silence", [b"\xf8\xff\xfe", b"\xfc\xff\xfe"])  # one channel and two, as encoders write it
def test_silence_that_was_sent_does_not_count_as_lost_or_muted_after_a_repair(tmp_path: Path, silence: bytes) -> None:
    part = Spool(tmp_path).begin(name())
    with part.open("wb", buffering=0) as file:
        writer = WebmWriter(file, Codec("opus"))
        for n in range(50):
            writer.add(n * 20, silence, keyframe=True)
        writer.flush()
    [segment] = Spool(tmp_path).repair()
    assert (segment.packets, segment.filled_ms, segment.muted_ms) == (50, 0, 0)


@pytest.mark.parametrize("silence", [LOST_SILENCE, MUTED_SILENCE])
def test_our_silence_is_20_ms_for_a_decoder(silence: bytes) -> None:
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = 48_000
    [frame] = decoder.decode(av.Packet(silence))
    assert frame.samples == 960
    assert not frame.to_ndarray().any()


@pytest.mark.parametrize("share", [0.1, 0.35, 0.5, 0.77, 0.999, 1.0])
def test_an_open_segment_is_repaired_wherever_it_was_cut(tmp_path: Path, share: float) -> None:
    spool = Spool(tmp_path)
    part = write_open(spool, name(), 100)
    data = part.read_bytes()
    part.write_bytes(data[: int(len(data) * share)])
    whole = len(list(read_blocks(part.read_bytes())))
    [segment] = Spool(tmp_path).repair()
    assert segment.closed_by == "repair"
    assert segment.t1_ms == whole * 20
    assert segment.packets + (segment.filled_ms + segment.muted_ms) // 20 == whole
    [(found, path)] = spool.closed()
    assert found == segment
    assert hashlib.sha256(path.read_bytes()).hexdigest() == segment.sha256
    with av.open(str(path)) as container:
        assert container.duration == whole * 20_000
    assert sorted(p.name for p in path.parent.iterdir()) == ["000000.json", "000000.webm", "head.copy.json", "head.json"]


@pytest.mark.parametrize("size", [0, 10, 150])
def test_an_open_segment_without_a_whole_block_leaves_nothing(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path)
    part = write_open(spool, name(), 5)
    part.write_bytes(part.read_bytes()[:size])
    assert spool.repair() == []
    assert list(tmp_path.rglob("*")) == [tmp_path / SITTING], "only the folder, which may be claimed"


def test_segments_are_chained_and_the_chain_survives_shipping_and_restart(tmp_path: Path) -> None:
    first = Spool(tmp_path).commit(name(0), content(200), write_open(Spool(tmp_path), name(0), 10, close=True))
    for path in tmp_path.rglob("000000.*"):
        path.unlink()  # shipped and freed
    part = write_open(Spool(tmp_path), name(1, 200), 10)
    assert part.exists()
    [second] = Spool(tmp_path).repair()
    assert second.prev_sha256 == first.sha256
    [end] = Spool(tmp_path).track_ends(SITTING)
    assert (end.segments, end.last_sha256) == (2, second.sha256)


def test_a_crash_while_closing_is_completed(tmp_path: Path) -> None:
    """Cut after the media file has its name and before the sidecar appears."""
    spool = Spool(tmp_path)
    segment = spool.commit(name(0), content(200), write_open(spool, name(0), 10, close=True))
    folder = spool.track_folder(SITTING, "part_a-audio")
    (folder / "000000.json").rename(folder / "000000.json.tmp")
    (folder / "head.json").unlink()
    assert list(spool.closed()) == []
    assert Spool(tmp_path).repair() == []
    assert [found for found, _ in spool.closed()] == [segment]
    head = spool.head(SITTING, "part_a-audio")
    assert head is not None
    assert head.sha256 == segment.sha256


def test_a_crash_before_the_media_file_has_its_name_is_repaired(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    part = write_open(spool, name(0), 10, close=True)
    part.with_name("000000.json.tmp").write_text("{}")
    [segment] = Spool(tmp_path).repair()
    assert segment.t1_ms == 200
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_finished_sitting_is_told_until_it_is_heard(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    assert spool.finish(SITTING).tracks == ()
    assert list(tmp_path.iterdir()) == []  # a sitting without a recording leaves nothing
    segment = spool.commit(name(0), content(200), write_open(spool, name(0), 10, close=True))
    spool.finish(SITTING)
    [(sitting, finished)] = Spool(tmp_path).unreported()
    assert sitting == SITTING
    assert finished.tracks[0].last_sha256 == segment.sha256
    spool.mark_reported(SITTING)
    assert spool.unreported() == []


def test_ids_are_not_paths(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not an id"):
        Spool(tmp_path).begin(replace(name(), track_id="../../etc"))


def test_one_worker_at_a_time_writes_a_sitting(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    with pytest.raises(FileNotFoundError):
        first.claim(SITTING)
    first.make_room(SITTING)
    first.make_room("sit_2")
    claim, other = first.claim(SITTING), second.claim("sit_2")
    assert claim is not None
    assert other is not None, "another sitting is free"
    assert second.claim(SITTING) is None
    os.close(claim)
    again = second.claim(SITTING)
    assert again is not None
    os.close(again)
    os.close(other)
