"""The spool: the recorder's durable queue to the shipper, one folder per sitting and track.

    <spool>/<sitting_id>/<track_id>/000000.webm.part   being written (with 000000.open.json: what it will be)
                                   /000000.webm        closed, with its sidecar 000000.json: ready for the shipper
                                   /head.json          the last closed segment: the chain goes on from it after a restart
                                   /head.copy.json     the same once more
    <spool>/<sitting_id>/finished.json                 nothing more will come; reported.json once signaling has been told

All media workers of a host share one spool, so that a sitting can go on at another worker with its chains whole. One
process at a time writes a sitting: it holds a lock on the sitting's folder, which the kernel takes back when it dies.

Closing is atomic: the sidecar appears last and by renaming, so a segment without sidecar does not exist for the shipper.

What is on the disk when: an open segment's bytes are handed to the kernel every half second (a killed process loses no more)
and forced to the disk every second (SYNC_MS; a power cut loses no more), its folder entry and its note before its first
byte; a closed segment, its sidecar and the chain's head are forced to the disk before the sidecar has its name. Should any of
these files be torn all the same, repair() makes the rest good: every small file is told by another one, and each segment
also tells itself what it is (its title).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import ParticipantId, SittingId
from media.control import TrackEnd
from media.mending import counts_of, kept_of, length_ms
from media.webm import StoredBlock, WebmWriter, is_finished, read_title
from storage.durable import sync_folder

HEADS = ("head.json", "head.copy.json")
SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True, slots=True)
class SegmentName:
    """What a segment is, known when it is opened. `started_at` is the wall time of `t0_ms`."""

    sitting_id: SittingId
    participant_id: ParticipantId
    track_id: str
    kind: Kind
    codec: str
    index: int
    t0_ms: int
    started_at: datetime
    access: AccessClass = AccessClass.PARTIES


@dataclass(frozen=True, slots=True)
class SegmentContent:
    """What a segment holds, known when it is closed."""

    t1_ms: int
    packets: int
    lost_packets: int
    filled_ms: int
    muted_ms: int
    closed_by: str


@dataclass(frozen=True, slots=True)
class SpooledSegment:
    """The sidecar: everything of control.SegmentStored but what the shipper adds."""

    sitting_id: SittingId
    participant_id: ParticipantId
    track_id: str
    kind: Kind
    codec: str
    index: int
    t0_ms: int
    t1_ms: int
    started_at: datetime
    bytes: int
    sha256: str
    prev_sha256: str
    packets: int
    lost_packets: int
    filled_ms: int
    muted_ms: int
    closed_by: str
    access: AccessClass = AccessClass.PARTIES


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last closed segment of a track."""

    index: int
    sha256: str
    t1_ms: int
    closed_by: str
    prev_sha256: str = ""


@dataclass(frozen=True, slots=True)
class FinishedSitting:
    tracks: tuple[TrackEnd, ...]


T = TypeVar("T")
_NAME = TypeAdapter(SegmentName)
_SEGMENT = TypeAdapter(SpooledSegment)
_HEAD = TypeAdapter(ChainHead)
_FINISHED = TypeAdapter(FinishedSitting)


class Spool:
    """File names and durable steps. All methods block; the media loop calls them through threads."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def track_folder(self, sitting_id: str, track_id: str) -> Path:
        """Raises ValueError for anything that is not an id."""
        if not SAFE_ID.fullmatch(sitting_id) or not SAFE_ID.fullmatch(track_id):
            raise ValueError("not an id")
        return self.root / sitting_id / track_id

    def claim(self, sitting_id: str) -> int | None:
        """Become the one process that writes this sitting; None while another one is. Closing the descriptor gives it up.

        Raises FileNotFoundError when the sitting has no folder (`make_room` makes it).
        """
        descriptor = os.open(self.root / sitting_id, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def make_room(self, sitting_id: str) -> None:
        """Raises ValueError for anything that is not an id."""
        if not SAFE_ID.fullmatch(sitting_id):
            raise ValueError("not an id")
        (self.root / sitting_id).mkdir(parents=True, exist_ok=True)

    def free_bytes(self) -> int:
        folder = self.root if self.root.exists() else self.root.parent
        return shutil.disk_usage(folder).free if folder.exists() else 0

    # --- writing ---------------------------------------------------------------------------

    def begin(self, name: SegmentName) -> Path:
        """Make room for an open segment and note what it will be; returns the path of its .part file."""
        folder = self.track_folder(name.sitting_id, name.track_id)
        folder.mkdir(parents=True, exist_ok=True)
        _write_durably(folder / f"{name.index:06d}.open.json", _NAME.dump_json(name))
        return folder / f"{name.index:06d}.webm.part"

    def show(self, part: Path) -> None:
        """Make the new file's place in its folders durable: its bytes alone would not be found after a power cut."""
        for folder in (part.parent, part.parent.parent, self.root):
            sync_folder(folder)

    def commit(self, name: SegmentName, content: SegmentContent, part: Path) -> SpooledSegment:
        """Close a complete .part file: chain it, and let its sidecar appear."""
        digest, size = _sync_and_hash(part)
        segment = SpooledSegment(
            sitting_id=name.sitting_id, participant_id=name.participant_id, track_id=name.track_id, kind=name.kind,
            codec=name.codec, index=name.index, t0_ms=name.t0_ms, t1_ms=content.t1_ms, started_at=name.started_at,
            bytes=size, sha256=digest, prev_sha256=self._before(name), packets=content.packets,
            lost_packets=content.lost_packets, filled_ms=content.filled_ms, muted_ms=content.muted_ms,
            closed_by=content.closed_by, access=name.access,
        )  # fmt: skip
        folder = part.parent
        pending = folder / f"{name.index:06d}.json.tmp"
        _write_durably(pending, _SEGMENT.dump_json(segment))
        part.replace(folder / f"{name.index:06d}.webm")
        self._publish(segment, pending)
        return segment

    def _publish(self, segment: SpooledSegment, pending: Path) -> None:
        """Move the chain's head, then show the sidecar: in this order a restart finds either or both, never a fork."""
        folder = pending.parent
        head = ChainHead(segment.index, segment.sha256, segment.t1_ms, segment.closed_by, segment.prev_sha256)
        last = self.head(segment.sitting_id, segment.track_id)
        if last is None or last.index <= head.index:
            for name in HEADS:
                _write_durably(folder / name, _HEAD.dump_json(head))
        pending.replace(folder / f"{segment.index:06d}.json")
        (folder / f"{segment.index:06d}.open.json").unlink(missing_ok=True)
        sync_folder(folder)

    def discard(self, part: Path) -> None:
        """Throw an open segment away that holds nothing readable. The sitting's folder stays: it may be claimed."""
        part.unlink(missing_ok=True)
        part.with_name(part.name.replace(".webm.part", ".open.json")).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            part.parent.rmdir()

    # --- reading ---------------------------------------------------------------------------

    def head(self, sitting_id: str, track_id: str) -> ChainHead | None:
        """The newest that can be read: from its own file, else from its copy or from the sidecars that still stand here."""
        folder = self.track_folder(sitting_id, track_id)
        head = _read(_HEAD, folder / HEADS[0])
        if head is not None:
            return head
        sidecars = [_read(_SEGMENT, path) for path in folder.glob("[0-9]*.json") if _is_sidecar(path)]
        told = [ChainHead(s.index, s.sha256, s.t1_ms, s.closed_by, s.prev_sha256) for s in sidecars if s is not None]
        copy = _read(_HEAD, folder / HEADS[1])
        return max([*told, *([copy] if copy is not None else [])], key=lambda one: one.index, default=None)

    def _before(self, name: SegmentName) -> str:
        """SHA-256 of the segment before this one; "" for the first."""
        head = self.head(name.sitting_id, name.track_id)
        if head is not None and head.index == name.index:
            return head.prev_sha256
        if head is None or head.index < name.index:
            return head.sha256 if head is not None else ""
        folder = self.track_folder(name.sitting_id, name.track_id)
        before = _read(_SEGMENT, folder / f"{name.index - 1:06d}.json")
        return before.sha256 if before is not None else ""

    def sittings(self) -> list[SittingId]:
        return [SittingId(path.name) for path in sorted(self.root.glob("*")) if path.is_dir()]

    def closed(self, sitting_id: str | None = None) -> Iterator[tuple[SpooledSegment, Path]]:
        """Closed segments (sidecar, media file), oldest index of each track first."""
        for sidecar in sorted(self.root.glob(f"{sitting_id or '*'}/*/[0-9]*.json")):
            if _is_sidecar(sidecar) and (segment := _read(_SEGMENT, sidecar)) is not None:
                yield segment, sidecar.with_suffix(".webm")

    def track_ends(self, sitting_id: str) -> tuple[TrackEnd, ...]:
        tracks = sorted(path.name for path in (self.root / sitting_id).glob("*") if path.is_dir())
        heads = [(track_id, self.head(sitting_id, track_id)) for track_id in tracks]
        return tuple(TrackEnd(track_id, head.index + 1, head.sha256) for track_id, head in heads if head is not None)

    # --- finishing -------------------------------------------------------------------------

    def finish(self, sitting_id: SittingId) -> FinishedSitting:
        """Say durably that nothing more will come; a sitting without a folder leaves none."""
        self.repair_parts(sitting_id, "*")  # of a track that did not go on after the disk was full
        finished = FinishedSitting(self.track_ends(sitting_id))
        folder = self.root / sitting_id
        if folder.is_dir() and not (folder / "reported.json").exists():
            _write_durably(folder / "finished.json", _FINISHED.dump_json(finished))
        return finished

    def unreported(self, sitting_id: str = "*") -> list[tuple[SittingId, FinishedSitting]]:
        """Finished sittings of which signaling has not yet been told."""
        return [
            (SittingId(path.parent.name), _FINISHED.validate_json(path.read_bytes()))
            for path in sorted(self.root.glob(f"{sitting_id}/finished.json"))
        ]

    def mark_reported(self, sitting_id: SittingId) -> None:
        """The shipper may now remove the sitting's folder once it is empty of segments."""
        path = self.root / sitting_id / "finished.json"
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name("reported.json"))

    # --- repair ----------------------------------------------------------------------------

    def repair(self, sitting_id: str = "*") -> list[SpooledSegment]:
        """After a crash: complete what was being closed, cut open segments to their last whole block and close them."""
        for stray in (*self.root.glob(f"{sitting_id}/*/*.new"), *self.root.glob(f"{sitting_id}/*/*.mended")):
            stray.unlink(missing_ok=True)
        for pending in sorted(self.root.glob(f"{sitting_id}/*/*.json.tmp")):
            self._complete(pending)
        for media in sorted(self.root.glob(f"{sitting_id}/*/[0-9]*.webm")):
            self._reopen_without_sidecar(media)
        return self.repair_parts(sitting_id, "*")

    def repair_parts(self, sitting_id: str, track_id: str) -> list[SpooledSegment]:
        """Close what was left open of a track ("*" for all) that nobody writes any more."""
        found = [self.repair_part(part) for part in sorted(self.root.glob(f"{sitting_id}/{track_id}/*.webm.part"))]
        return [segment for segment in found if segment is not None]

    def readable_until_ms(self, name: SegmentName, part: Path) -> int:
        """Record time up to which a repair of this open segment will reach."""
        blocks, codec = kept_of(part.read_bytes() if part.exists() else b"")
        return name.t0_ms + (length_ms(blocks, codec) if blocks and codec is not None else 0)

    def _complete(self, pending: Path) -> None:
        """A sidecar that had not appeared yet: show it when its media file is in place."""
        segment = _read(_SEGMENT, pending)
        if segment is not None and pending.with_suffix("").with_suffix(".webm").exists():
            self._publish(segment, pending)
        else:
            pending.unlink()

    def _reopen_without_sidecar(self, media: Path) -> None:
        """A closed segment whose sidecar is torn or was never seen: to be closed again."""
        sidecar = media.with_suffix(".json")
        if _read(_SEGMENT, sidecar) is None:
            with contextlib.suppress(FileNotFoundError):  # the shipper has freed it just now
                media.rename(media.with_name(media.name + ".part"))
            sidecar.unlink(missing_ok=True)

    def repair_part(self, part: Path) -> SpooledSegment | None:
        """Close an open segment with its whole blocks; None (and nothing left) when it holds none."""
        data = part.read_bytes()
        blocks, codec = kept_of(data)
        name = self._name_of(part, data)
        if not blocks or codec is None or name is None:
            self.discard(part)
            return None
        if not is_finished(data):
            mended = part.with_suffix(".mended")
            with _gone_on_failure(mended):
                with mended.open("wb", buffering=0) as file:
                    writer = WebmWriter(file, codec, title_of(name))
                    for block in blocks:
                        writer.add(block.t_ms, block.data, block.keyframe)
                    writer.close(length_ms(blocks, codec))
                mended.replace(part)
        return self.commit(name, _repaired_content(name, blocks, length_ms(blocks, codec)), part)

    def _name_of(self, part: Path, data: bytes) -> SegmentName | None:
        """From the note beside it, else from the file itself; then nobody knows what was ruled since: it is sealed."""
        name = _read(_NAME, part.with_name(part.name.replace(".webm.part", ".open.json")))
        if name is not None:
            return name
        with contextlib.suppress(ValidationError):
            return replace(_NAME.validate_json(read_title(data)), access=AccessClass.SEALED)
        return None


def title_of(name: SegmentName) -> str:
    """What a segment tells of itself, so that it can be told from its bytes alone."""
    return _NAME.dump_json(name).decode()


def _repaired_content(name: SegmentName, blocks: list[StoredBlock], lasts_ms: int) -> SegmentContent:
    packets, filled_ms, muted_ms = counts_of(blocks)
    return SegmentContent(name.t0_ms + lasts_ms, packets, 0, filled_ms, muted_ms, "repair")


def _is_sidecar(path: Path) -> bool:
    return not path.name.endswith(".open.json")


def _read(form: TypeAdapter[T], path: Path) -> T | None:
    """None when the file is not there or torn."""
    try:
        return form.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _sync_and_hash(path: Path) -> tuple[str, int]:
    """Force the file to the disk; SHA-256 and size of what can be read back."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, file.tell()


def _write_durably(path: Path, data: bytes) -> None:
    """Replace a small file so that after a power cut it is either the old or the new one."""
    temporary = path.with_name(path.name + ".new")
    with _gone_on_failure(temporary):
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


@contextlib.contextmanager
def _gone_on_failure(path: Path) -> Iterator[None]:
    """A file that could not be finished takes no room on a full disk."""
    try:
        yield
    except OSError:
        path.unlink(missing_ok=True)
        raise
