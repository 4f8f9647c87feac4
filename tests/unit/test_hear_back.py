"""Hearing back what was just written (C35): nothing is missing where one file ends and the next begins, and no file stays open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import ParticipantId
from media.control import MediaError
from media.hear_back import FLOOR_DBFS, HEARD_MS, OnDisk, written_sound, written_tracks
from media.opus import LOST_SILENCE, MUTED_SILENCE
from media.read_back import OpenFile, ReadBack
from media.webm import Codec, WebmWriter, read_blocks

SOUND = b"\xfc\xff\xfe"  # 20 ms of silence as a browser encodes it


class Segment:
    """A file that is being written, packet by packet."""

    def __init__(self, path: Path, t0_ms: int) -> None:
        self.path, self.t0_ms, self.t_ms = path, t0_ms, 0
        self._file = path.open("wb", buffering=0)
        self._webm = WebmWriter(self._file, Codec("opus"))

    def write(self, length_ms: int, payload: bytes = SOUND) -> None:
        for _ in range(length_ms // 20):
            self._webm.add(self.t_ms, payload + bytes([self.t_ms // 20 % 251]), keyframe=True)
            self.t_ms += 20
        self._webm.flush()

    def fill(self, length_ms: int, payload: bytes) -> None:
        for _ in range(length_ms // 20):
            self._webm.add(self.t_ms, payload, keyframe=True)
            self.t_ms += 20
        self._webm.flush()

    def close(self) -> None:
        self._webm.close(self.t_ms)
        self._file.close()

    def open_file(self, access: AccessClass = AccessClass.PARTIES) -> OpenFile:
        return OpenFile("a-audio", self.path, self.t0_ms, access, heard_back=True)


@pytest.fixture
def read_back() -> Iterator[ReadBack]:
    one = ReadBack()
    yield one
    one.forget(())


def on_disk(read_back: ReadBack, state: str = "written") -> list[OnDisk]:
    return [OnDisk(ParticipantId("a"), Kind.AUDIO, state, read_back.until_ms("a-audio"), 900, read_back.kept("a-audio"))]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_end_of_a_file_that_was_closed_and_freed_meanwhile_is_heard_too(tmp_path: Path, read_back: ReadBack) -> None:
    before = open_descriptors()
    first, second = Segment(tmp_path / "0.part", 40_000), Segment(tmp_path / "1.part", 46_000)
    first.write(4_500)
    read_back.look([first.open_file()])
    first.write(1_500)
    first.close()
    first.path.unlink()  # shipped
    second.write(3_000)
    read_back.look([second.open_file()])
    heard = written_sound(on_disk(read_back), "a-audio", AccessClass.PARTIES)
    assert (heard.t0_ms, heard.t1_ms) == (49_000 - HEARD_MS, 49_000)
    assert [block.t_ms for block in read_blocks(heard.webm)] == list(range(0, HEARD_MS, 20)), "without a hole"
    second.close()
    read_back.forget(())
    assert open_descriptors() == before


def test_who_may_not_have_a_sealed_stretch_hears_what_lies_beside_it(tmp_path: Path, read_back: ReadBack) -> None:
    first, second = Segment(tmp_path / "0.part", 0), Segment(tmp_path / "1.part", 2_000)
    first.write(2_000)
    read_back.look([first.open_file()])
    first.close()
    second.write(2_000)
    read_back.look([second.open_file()])
    sealed = second.open_file(AccessClass.SEALED)  # ruled while it was being written
    read_back.look([sealed])
    second.close()
    found = on_disk(read_back)
    assert written_tracks(found)[0].access is AccessClass.SEALED
    assert written_sound(found, "a-audio", AccessClass.PARTIES).t1_ms == 2_000
    assert written_sound(found, "a-audio", AccessClass.SEALED).t1_ms == 4_000
    with pytest.raises(MediaError) as refused:
        written_sound(found, "a-audio", AccessClass.PUBLIC)
    assert refused.value.code == "nothing_written"


@pytest.mark.parametrize(("payload", "state"), [(MUTED_SILENCE, "muted"), (LOST_SILENCE, "lost")])
def test_silence_in_the_place_of_sound_is_named(tmp_path: Path, read_back: ReadBack, payload: bytes, state: str) -> None:
    segment = Segment(tmp_path / "0.part", 0)
    segment.fill(2_000, payload)
    read_back.look([segment.open_file()])
    segment.close()
    [track] = written_tracks(on_disk(read_back))
    assert (track.state, track.rms_dbfs, track.playable_ms) == (state, FLOOR_DBFS, 2_000)


def test_a_file_that_does_not_grow_has_no_level(tmp_path: Path, read_back: ReadBack) -> None:
    segment = Segment(tmp_path / "0.part", 0)
    segment.fill(2_000, SOUND)
    read_back.look([segment.open_file()])
    segment.close()
    [track] = written_tracks(on_disk(read_back, "not_written"))
    assert (track.state, track.rms_dbfs, track.peak_dbfs) == ("not_written", None, None)


def test_bytes_that_are_not_those_written_are_not_heard(tmp_path: Path, read_back: ReadBack) -> None:
    segment = Segment(tmp_path / "0.part", 0)
    segment.write(1_000)
    data = bytearray(segment.path.read_bytes())
    data[-10] ^= 0xFF
    segment.path.write_bytes(data)
    read_back.look([segment.open_file()])
    segment.close()
    assert written_sound(on_disk(read_back), "a-audio", AccessClass.PARTIES).t1_ms == 500
