"""Single-track WebM (Matroska, RFC 9559) for recorded segments: written as it comes, readable to its last whole block.

Written by hand because the recorder needs three things from the file: clusters that reach the disk at once, a reader that
takes every whole block of a file cut anywhere, and no encoder behind it. Pictures carry their durations: a browser would
take a slow camera's long intervals for holes. When a segment is closed its duration and an index (Cues) are added, so
that browsers can seek.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CLUSTER_MS = 500  # at most this much is lost with the process; RFC 9559 recommends at most 5 s
UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"

_EBML, _SEGMENT, _INFO, _TRACKS, _CLUSTER, _CUES, _SEEK_HEAD, _VOID = (
    b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x15\x49\xa9\x66", b"\x16\x54\xae\x6b", b"\x1f\x43\xb6\x75",
    b"\x1c\x53\xbb\x6b", b"\x11\x4d\x9b\x74", b"\xec",
)  # fmt: skip
_TIMESTAMP, _SIMPLE_BLOCK, _DURATION = b"\xe7", b"\xa3", b"\x44\x89"
_BLOCK_GROUP, _BLOCK, _BLOCK_DURATION, _REFERENCE = b"\xa0", b"\xa1", b"\x9b", b"\xfb"
_EARLIER = _REFERENCE + b"\x81\xff"  # needs a picture before it; that there is a reference says "not a keyframe"
_CRC, _TITLE = b"\xbf", b"\x7b\xa9"
_CRC_BYTES = 6  # the whole element
_HOLE_BYTES = 64
_SEEK_HEAD_BYTES = 64
_LONGEST_ELEMENT_HEAD = 12  # id and size
_IN_SEGMENT = {_INFO, _TRACKS, _CLUSTER, _CUES, _SEEK_HEAD, _VOID}
_APPLICATION = b"Remote Court"


@dataclass(frozen=True, slots=True)
class Codec:
    """What a segment holds: opus, or vp8 with the picture size."""

    name: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """One block: milliseconds from the start of the segment, keyframe flag, payload."""

    t_ms: int
    keyframe: bool
    data: bytes


class WebmWriter:
    """Writes one segment to an unbuffered binary file; the file is complete after close(). `title`: what it is, for repair.

    Each cluster carries its CRC-32 (RFC 8794, 11.3.1): after a power cut a file may have its length but not all its bytes.
    """

    def __init__(self, file: BinaryIO, codec: Codec, title: str = "") -> None:
        self._file = file
        self._video = codec.name == "vp8"
        self._cluster = bytearray()
        self._cluster_t_ms = 0
        self._waiting: StoredBlock | None = None
        self._cues: list[tuple[int, int]] = []
        head = _element(_EBML, _ebml_header())
        self._segment_size_at = len(head) + len(_SEGMENT)
        self._segment_at = self._segment_size_at + len(UNKNOWN_SIZE)
        info = _element(_INFO, _info(title))
        self._duration_at = self._segment_at + _SEEK_HEAD_BYTES + info.index(_DURATION) + 3
        self._info_at, self._tracks_at = _SEEK_HEAD_BYTES, _SEEK_HEAD_BYTES + len(info)
        self._write(head + _SEGMENT + UNKNOWN_SIZE + _void(_SEEK_HEAD_BYTES) + info + _element(_TRACKS, _track(codec)))

    def add(self, t_ms: int, data: bytes, keyframe: bool) -> None:
        """Append a block at `t_ms` from the segment's start; times must not go back. A picture waits for the next one."""
        if self._video:
            self._put_waiting(t_ms)
            self._waiting = StoredBlock(t_ms, keyframe, data)
        else:
            self._reach(t_ms, new_cluster=False)
            self._cluster += _element(_SIMPLE_BLOCK, self._block(t_ms, 0x80 if keyframe else 0, data))

    def _put_waiting(self, until_ms: int) -> None:
        """Write the picture that waits, now that it is known how long it stands."""
        picture, self._waiting = self._waiting, None
        if picture is None:
            return
        self._reach(picture.t_ms, new_cluster=picture.keyframe)
        block = _element(_BLOCK, self._block(picture.t_ms, 0, picture.data))
        duration = _element(_BLOCK_DURATION, _uint(max(1, until_ms - picture.t_ms)))
        self._cluster += _element(_BLOCK_GROUP, block + duration + (b"" if picture.keyframe else _EARLIER))

    def _reach(self, t_ms: int, *, new_cluster: bool) -> None:
        """Have a cluster open in which `t_ms` may stand."""
        if not self._cluster or t_ms - self._cluster_t_ms >= CLUSTER_MS or new_cluster:
            self.flush()
            self._cluster_t_ms = t_ms
            self._cluster += _element(_TIMESTAMP, _uint(t_ms))

    def _block(self, t_ms: int, flags: int, data: bytes) -> bytes:
        return b"\x81" + struct.pack("!hB", t_ms - self._cluster_t_ms, flags) + data

    def flush(self) -> None:
        """Hand the open cluster to the operating system."""
        if self._cluster:
            self._cues.append((self._cluster_t_ms, self._file.tell() - self._segment_at))
            crc = zlib.crc32(self._cluster).to_bytes(4, "little")
            self._write(_element(_CLUSTER, _element(_CRC, crc) + self._cluster))
            self._cluster.clear()

    def close(self, duration_ms: int) -> None:
        """Write index and duration; the file itself stays open, for its owner to sync and close."""
        self._put_waiting(duration_ms)
        self.flush()
        cues_at = self._file.tell() - self._segment_at
        self._write(_element(_CUES, b"".join(_cue(t_ms, at) for t_ms, at in self._cues)))
        end = self._file.tell()
        seeks = b"".join(
            _element(b"\x4d\xbb", _element(b"\x53\xab", name) + _element(b"\x53\xac", at.to_bytes(5, "big")))
            for name, at in ((_INFO, self._info_at), (_TRACKS, self._tracks_at), (_CUES, cues_at))
        )
        seek_head = _element(_SEEK_HEAD, seeks)
        self._patch(self._segment_at, seek_head + _void(_SEEK_HEAD_BYTES - len(seek_head)))
        self._patch(self._duration_at, struct.pack("!d", float(duration_ms)))
        self._patch(self._segment_size_at, (end - self._segment_at | 1 << 56).to_bytes(8, "big"))
        self._file.seek(end)

    def _patch(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        self._write(data)

    def _write(self, data: bytes) -> None:
        """Unbuffered files may write less than asked for."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


def read_blocks(data: bytes) -> Iterator[StoredBlock]:
    """Every whole block of a file that may be cut anywhere; blocks inside a cut cluster count too."""
    for cluster in read_clusters(data):
        yield from cluster or ()


def read_clusters(data: bytes) -> Iterator[list[StoredBlock] | None]:
    """The whole blocks of each cluster; None for one whose bytes are not those that were written.

    The last one may be cut: by the end of the file, or by the zeros that a power cut leaves behind.
    """
    at = data.find(_CLUSTER)
    while at >= 0:
        start, end = _inside(data, at)
        if _is_whole(data, start, end):
            yield list(_cluster_blocks(data, start, end))
            at = data.find(_CLUSTER, end)
            continue
        at = data.find(_CLUSTER, at + 1)
        while at >= 0 and not _is_whole(data, *_inside(data, at)):
            at = data.find(_CLUSTER, at + 1)
        written = _written(data, start)
        yield list(_cluster_blocks(data[:written], start, end)) if at < 0 and end > written else None


def _inside(data: bytes, at: int) -> tuple[int, int]:
    """Start and end of the content of the element at `at`."""
    return next(((start, end) for _, start, end in _elements(data, at, len(data))), (len(data), len(data)))


def _written(data: bytes, start: int) -> int:
    """Where the zeros begin that nobody wrote: no packet has so many in a row."""
    hole = data.find(bytes(_HOLE_BYTES), start)
    return hole if hole >= 0 else len(data.rstrip(b"\0"))


def _is_whole(data: bytes, start: int, end: int) -> bool:
    body = data[start:end]
    if end > len(data) or body[:1] != _CRC:
        return False
    return zlib.crc32(body[_CRC_BYTES:]).to_bytes(4, "little") == body[_CRC_BYTES - 4 : _CRC_BYTES]


def _segment_elements(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    for name, start, end in _elements(data, 0, len(data)):
        if name == _SEGMENT:
            yield from _elements(data, start, end)


def is_finished(data: bytes) -> bool:
    """Whether close() came to its end, and every byte has reached the disk."""
    top = [(name, end) for name, _, end in _elements(data, 0, len(data))]
    if UNKNOWN_SIZE in data[:64] or not top or top[-1] != (_SEGMENT, len(data)):
        return False
    inside = list(_segment_elements(data))
    whole = all(_is_whole(data, start, end) for name, start, end in inside if name == _CLUSTER)
    return whole and inside[-1][0] == _CUES and inside[-1][2] == len(data)


def read_title(data: bytes) -> str:
    """What the writer was told that this is; nothing when the file is cut before it."""
    for name, start, end in _segment_elements(data):
        if name == _INFO and end <= len(data):
            titles = [data[at:to] for inner, at, to in _elements(data, start, end) if inner == _TITLE]
            return titles[0].decode("utf-8", "replace") if titles else ""
    return ""


class Unreadable(Exception):
    """Where a cluster must begin stands something else."""


def clusters_of(data: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, time of the last block) of every whole cluster of a segment that is being written.

    `at` is 0 for a file's beginning, or the end of a cluster. Raises Unreadable when these are not the bytes of such a file.
    """
    if at == 0:
        inside = [start for name, start, _ in _elements(data, 0, len(data)) if name == _SEGMENT]
        if not inside:
            if len(data) > _SEEK_HEAD_BYTES:  # by then the segment has begun
                raise Unreadable("no segment")
            return
        at = inside[0]
    for name, start, end in _elements(data, at, len(data)):
        if name not in _IN_SEGMENT:
            break
        begin, at = at, end
        if end > len(data):
            return
        if name == _CLUSTER:
            yield begin, end, max((block.t_ms for block in _cluster_blocks(data, start, end)), default=0)
    if len(data) - at >= _LONGEST_ELEMENT_HEAD:
        raise Unreadable("no cluster")


def read_codec(data: bytes) -> Codec | None:
    """Codec and picture size of a file; None when it is cut inside its head."""
    at = data.find(b"\x86\x86A_OPUS"), data.find(b"\x86\x85V_VP8")
    if at[0] >= 0 and at[0] < len(data) - 40:
        return Codec("opus")
    width_at = data.find(b"\xb0\x82", at[1]) if at[1] >= 0 else -1
    if width_at < 0 or len(data) < width_at + 8:
        return None
    return Codec("vp8", *struct.unpack_from("!H2xH", data, width_at + 2))


def _cluster_blocks(data: bytes, start: int, end: int) -> Iterator[StoredBlock]:
    base_ms = 0
    for name, at, block_end in _elements(data, start, end):
        if block_end > len(data):
            return
        if name == _TIMESTAMP:
            base_ms = int.from_bytes(data[at:block_end], "big")
        elif name == _SIMPLE_BLOCK and block_end - at > 4:
            yield _stored(data, base_ms, at, block_end, keyframe=bool(data[at + 3] & 0x80))
        elif name == _BLOCK_GROUP:
            parts = {part: (part_at, part_end) for part, part_at, part_end in _elements(data, at, block_end)}
            if _BLOCK in parts and parts[_BLOCK][1] - parts[_BLOCK][0] > 4:
                yield _stored(data, base_ms, *parts[_BLOCK], keyframe=_REFERENCE not in parts)


def _stored(data: bytes, base_ms: int, at: int, end: int, *, keyframe: bool) -> StoredBlock:
    (relative_ms,) = struct.unpack_from("!h", data, at + 1)
    return StoredBlock(base_ms + relative_ms, keyframe, data[at + 4 : end])


def _elements(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """(id, start, end) of the elements between `at` and `end`; the end of a cut one may lie behind the data."""
    end = min(end, len(data))
    while at < end:
        id_bytes = 9 - data[at].bit_length()
        if id_bytes > 4 or at + id_bytes >= end:
            return
        name, at = data[at : at + id_bytes], at + id_bytes
        size_bytes = 9 - data[at].bit_length()
        if size_bytes > 8 or at + size_bytes > end:
            return
        size = int.from_bytes(data[at : at + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
        at += size_bytes
        element_end = end if size == (1 << 7 * size_bytes) - 1 else at + size
        yield name, at, element_end
        at = element_end


def _ebml_header() -> bytes:
    return b"".join(
        (
            _element(b"\x42\x86", _uint(1)), _element(b"\x42\xf7", _uint(1)), _element(b"\x42\xf2", _uint(4)),
            _element(b"\x42\xf3", _uint(8)), _element(b"\x42\x82", b"webm"), _element(b"\x42\x87", _uint(4)),
            _element(b"\x42\x85", _uint(2)),
        )
    )  # fmt: skip


def _info(title: str) -> bytes:
    """Time stamps count milliseconds; the duration is filled in when the segment is closed."""
    scale = _element(b"\x2a\xd7\xb1", _uint(1_000_000))
    named = _element(_TITLE, title.encode()) if title else b""
    applications = _element(b"\x4d\x80", _APPLICATION) + _element(b"\x57\x41", _APPLICATION)
    return scale + _element(_DURATION, bytes(8)) + named + applications


def _track(codec: Codec) -> bytes:
    number = _element(b"\xd7", _uint(1)) + _element(b"\x73\xc5", _uint(1)) + _element(b"\x9c", _uint(0))
    if codec.name == "opus":
        # No pre-skip: a segment is cut out of a running stream, nothing in it is warm-up of an encoder.
        head = struct.pack("<8sBBHIhB", b"OpusHead", 1, 2, 0, 48_000, 0, 0)
        audio = _element(b"\xb5", struct.pack("!d", 48_000.0)) + _element(b"\x9f", _uint(2))
        specific = (
            _element(b"\x83", _uint(2)) + _element(b"\x86", b"A_OPUS") + _element(b"\x63\xa2", head)
            + _element(b"\x56\xaa", _uint(0)) + _element(b"\x56\xbb", _uint(80_000_000)) + _element(b"\xe1", audio)
        )  # fmt: skip
    else:
        size = _element(b"\xb0", struct.pack("!H", codec.width)) + _element(b"\xba", struct.pack("!H", codec.height))
        specific = _element(b"\x83", _uint(1)) + _element(b"\x86", b"V_VP8") + _element(b"\xe0", size)
    return _element(b"\xae", number + specific)


def _cue(t_ms: int, at: int) -> bytes:
    position = _element(b"\xf7", _uint(1)) + _element(b"\xf1", at.to_bytes(5, "big"))
    return _element(b"\xbb", _element(b"\xb3", _uint(t_ms)) + _element(b"\xb7", position))


def _element(name: bytes, body: bytes) -> bytes:
    size = len(body)
    if size < 127:
        return name + bytes((0x80 | size,)) + body
    return name + (0x1000_0000 | size).to_bytes(4, "big") + body


def _void(size: int) -> bytes:
    """An element of exactly `size` bytes that readers skip; `size` is at least 2 and at most 128."""
    return _VOID + bytes((0x80 | size - 2,)) + bytes(size - 2) if size else b""


def _uint(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
