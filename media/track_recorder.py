"""Recording one track: frames onto the record clock, into segments.

Nothing is written younger than COMMIT_MS: by then holes have been repaired, and the grant table of the moment is known, so
muting and stopping cut at the time of the deciding event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hearing.access import AccessClass, strictest
from hearing.audience import Kind
from hearing.model import SittingId
from media.audio_line import AudioLine, Block, Fill, Permission
from media.class_changes import ClassChanges
from media.depacketizer import Depacketizer, Frame, is_again
from media.keyframes import picture_size
from media.rtp_time import TrackClock
from media.segment_writer import Closing, OpenSegment, SegmentWriter
from media.spool import SegmentName
from media.tracks import UpTrack
from media.webm import Codec

HOLD_MS = 400.0  # how long a hole may wait for its repair
COMMIT_MS = 600.0
LATE_MS = 300.0  # beyond COMMIT_MS; after that a stream that may not be heard is filled up
PATIENCE_MS = 3_400.0  # the same for one that may: a network that stood still delivers late what was said (TURN over TCP)
SMALLEST_SEGMENT_MS = 1_000  # a picture that changes its size all the time must not make a flood of files
VIDEO_PAUSE_MS = 2_000.0  # a camera that stops for longer ends its segment
SCREEN_PAUSE_MS = 8_000.0  # a still screen needs no new pictures
LOST_SOUND_MS = 2_000.0  # lost sound is filled with silence; a longer stretch is declared as a gap as well
FRAME_MS = 33
RETRY_MS = 2_000.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a track's segments go. `zero_ms`: the server's monotonic time of t_ms 0, which is `opened_at`."""

    sitting_id: SittingId
    opened_at: datetime
    zero_ms: float
    segment_ms: float
    writer: SegmentWriter
    on_gap: Callable[[UpTrack, float, float, str], None]  # track, t0, t1, cause
    classes: ClassChanges = field(default_factory=ClassChanges)


class TrackRecorder:
    """Common to sound and picture; `position_ms` is the record time up to which the track is written."""

    def __init__(self, track: UpTrack, place: Place, start_ms: float, granted: bool) -> None:
        self.track = track
        self.stop_ms: float | None = None
        self.closed_by = "stop"
        self.position_ms = start_ms
        self.segment: OpenSegment | None = None
        self._place = place
        self._access = AccessClass.PARTIES  # of the open segment
        self._permission = Permission(start_ms, granted)
        self._start_ms = start_ms
        self._depacketizer = Depacketizer(track.kind, HOLD_MS)
        self._pending: deque[Frame] = deque()
        self._newest: Frame | None = None
        self._clock: TrackClock | None = None
        self._lost = 0
        self._gap: tuple[float, str] | None = None
        self._blocked_until_ms = 0.0
        self._now_ms = 0.0

    def permit(self, t_ms: float, granted: bool) -> None:
        """The grant changed at `t_ms`. What is not sent to us while it is withdrawn is not loss."""
        if granted and not self._permission.at(t_ms):
            self._depacketizer = Depacketizer(self.track.kind, HOLD_MS)
        self._permission.change(t_ms, granted)

    def reclass(self, from_ms: float, access: AccessClass) -> None:
        """The class changed. Where that is learned late, the open segment becomes as strict as what it already holds."""
        access = strictest([self._access, access])
        if self.segment is not None and self.position_ms > from_ms and access is not self._access:
            self._access = access
            self._place.writer.reclass(self.segment, access)
        if self.track.kind is not Kind.AUDIO:
            self.track.request_keyframe()

    def push(self, packet: bytes, arrival_ms: float) -> None:
        self._depacketizer.push(packet, arrival_ms)

    def stop(self, t_ms: float, closed_by: str) -> None:
        """Record up to `t_ms` and no further; tick() closes the segment once that is certain. The earliest stop counts."""
        if self.stop_ms is None or t_ms < self.stop_ms:
            self.stop_ms, self.closed_by = max(t_ms, self._start_ms), closed_by
            self._clock = self.track.clock  # a source that comes back brings another one

    @property
    def behind_ms(self) -> float:
        """Media duration against wall time, at the last tick; 0 for pictures, which may rightly pause."""
        return 0.0

    def tick(self, now_ms: float) -> bool:
        """Write what is certain; True when the track is stopped and closed."""
        self._now_ms = now_ms
        self._take_frames(now_ms)
        certain_ms = now_ms - self._place.zero_ms - COMMIT_MS
        until_ms = certain_ms if self.stop_ms is None else min(certain_ms, self.stop_ms)
        ended = self.stop_ms is not None and certain_ms >= self.stop_ms
        while self._pending and (ended or self._record_ms(self._pending[0].arrival_ms) < certain_ms):
            t_ms = self._time_of(self._pending[0])
            if t_ms >= until_ms:
                break
            self._write_frame(t_ms, self._pending.popleft())
        if ended and self.stop_ms is not None:
            self._end(self.stop_ms)
            return True
        self._idle(until_ms - LATE_MS)
        return False

    def _take_frames(self, now_ms: float) -> None:
        """Frames in order and once: what a listener gets again after a change of grants is older than the last one."""
        for frame in self._depacketizer.pop(now_ms):
            if self._newest is None or not is_again(frame, self._newest):
                self._newest = frame
                self._pending.append(frame)

    def _record_ms(self, server_ms: float) -> float:
        return server_ms - self._place.zero_ms

    def _time_of(self, frame: Frame) -> float:
        """Asked late: what came since has told whether the source stood still before this frame."""
        return self._record_ms((self._clock or self.track.clock).server_ms(frame.timestamp, frame.arrival_ms))

    def _write_frame(self, t_ms: float, frame: Frame) -> None:
        raise NotImplementedError

    def _idle(self, t_ms: float) -> None:
        """Nothing has come for the time up to `t_ms`, and nothing is expected for it any more."""
        raise NotImplementedError

    def _end(self, t_ms: float) -> None:
        raise NotImplementedError

    # --- segments --------------------------------------------------------------------------

    def fail(self, saved_until_ms: float, now_ms: float) -> None:
        """The open segment could not be written on: what came after `saved_until_ms` is a gap; try again soon."""
        self.segment = None
        self._gap = self._gap or (saved_until_ms, "disk_full")
        self._blocked_until_ms = now_ms + RETRY_MS

    def _may_write(self, t_ms: float) -> bool:
        """False while the disk does not keep up or fails; the span is declared as a gap when writing goes on."""
        if self._place.writer.is_full:
            self._close_segment(t_ms, "rotate")
            self._gap = self._gap or (t_ms, "overflow")
            return False
        if self._now_ms < self._blocked_until_ms:
            return False
        self._declare_gap(t_ms)
        return True

    def _declare_gap(self, t_ms: float) -> None:
        if self._gap is not None:
            since_ms, cause = self._gap
            self._gap = None
            if t_ms > since_ms:
                self._place.on_gap(self.track, since_ms, t_ms, cause)

    def _open_segment(self, t_ms: int, codec: Codec, access: AccessClass) -> OpenSegment:
        self._access = access
        name = SegmentName(
            sitting_id=self._place.sitting_id,
            participant_id=self.track.source,
            track_id=self.track.track_id,
            kind=self.track.kind,
            codec=codec.name,
            index=0,
            t0_ms=t_ms,
            started_at=self._place.opened_at + timedelta(milliseconds=t_ms),
            access=access,
        )
        self.segment = self._place.writer.open(name, codec)
        return self.segment

    def _close_segment(self, t_ms: float, closed_by: str) -> None:
        if self.segment is not None:
            self._place.writer.close(self.segment, Closing(round(t_ms), self._lost, closed_by))
            self.segment, self._lost = None, 0


class AudioRecorder(TrackRecorder):
    """Opus: an unbroken line of packets and silence."""

    def __init__(self, track: UpTrack, place: Place, start_ms: float, granted: bool) -> None:
        super().__init__(track, place, round(start_ms), granted)
        self._line = AudioLine(round(start_ms), self._permission)
        self._lost_since_ms: float | None = None

    def _write_frame(self, t_ms: float, frame: Frame) -> None:
        if t_ms < self._start_ms - 10:  # half a packet: the one that is mostly before the start is not recorded
            return
        self._lost += frame.lost_before
        dropped = self._line.dropped
        for block in self._line.add(t_ms, frame.data, after_loss=frame.lost_before > 0):
            self._write_block(block, block.t_ms if block.fill else t_ms)
        self._lost += self._line.dropped - dropped

    def _idle(self, t_ms: float) -> None:
        if self._permission.at(self._line.position_ms):
            t_ms += LATE_MS - PATIENCE_MS
        if self._pending:
            t_ms = min(t_ms, self._time_of(self._pending[0]))
        self._fill_until(t_ms)

    def _fill_until(self, t_ms: float) -> None:
        for block in self._line.fill_until(t_ms):
            self._write_block(block, block.t_ms)

    @property
    def behind_ms(self) -> float:
        """How much shorter the recorded sound is than the time that has passed since it began."""
        return self._record_ms(self._now_ms) - self._line.position_ms

    def _end(self, t_ms: float) -> None:
        self._fill_until(t_ms)
        self._note_lost_sound(self._line.position_ms, None)
        self._declare_gap(t_ms)
        self._close_segment(self._line.position_ms, self.closed_by)

    def _write_block(self, block: Block, heard_ms: float) -> None:
        """`heard_ms` is when it was said, which may differ a little from its place on the line: it decides the class."""
        t_ms, length_ms = block.t_ms, block.duration_ms
        self.position_ms = t_ms + length_ms
        self._note_lost_sound(t_ms, block.fill)
        access = self._place.classes.of(heard_ms, heard_ms + length_ms)
        if self.segment is not None and access is not self._access:
            self._close_segment(t_ms, "class")
        if self.segment is not None and t_ms - self.segment.name.t0_ms >= self._place.segment_ms:
            self._close_segment(t_ms, "rotate")
        if not self._may_write(t_ms):
            return
        segment = self.segment or self._open_segment(round(t_ms), Codec("opus"), access)
        t_ms = round(t_ms) - segment.name.t0_ms
        self._place.writer.add(segment, t_ms, block.payload, keyframe=True, fill=block.fill, length_ms=length_ms)

    def _note_lost_sound(self, t_ms: float, fill: Fill | None) -> None:
        """Where much was lost is said with its place: the segment itself states only a sum."""
        if fill is Fill.LOST:
            self._lost_since_ms = t_ms if self._lost_since_ms is None else self._lost_since_ms
        elif self._lost_since_ms is not None:
            since_ms, self._lost_since_ms = self._lost_since_ms, None
            if t_ms - since_ms >= LOST_SOUND_MS:
                self._place.on_gap(self.track, since_ms, t_ms, "no_media")


class VideoRecorder(TrackRecorder):
    """VP8: each segment begins with a keyframe; a broken picture is never written."""

    def __init__(self, track: UpTrack, place: Place, start_ms: float, granted: bool) -> None:
        super().__init__(track, place, start_ms, granted)
        self._last_ms = start_ms - 1
        self._picture = (0, 0)
        self._pause_ms = SCREEN_PAUSE_MS if track.kind is Kind.SCREEN else VIDEO_PAUSE_MS

    def push(self, packet: bytes, arrival_ms: float) -> None:
        super().push(packet, arrival_ms)
        if self._depacketizer.wants_keyframe:
            self.track.request_keyframe()

    def _write_frame(self, t_ms: float, frame: Frame) -> None:
        self._lost += frame.lost_before
        if t_ms < self._start_ms or not self._permission.at(t_ms):
            return
        t = max(round(t_ms), round(self._last_ms) + 1)
        access = self._place.classes.of(t_ms, t_ms)
        if self.segment is not None and access is not self._access:
            self._close_segment(min(t, self._last_ms + FRAME_MS), "class")
        if self.segment is not None and frame.keyframe:
            self._rotate_at_keyframe(t, frame)
        if self.segment is not None and t - self.segment.name.t0_ms >= self._place.segment_ms:
            self.track.request_keyframe()
        if self.segment is None and not frame.keyframe:
            self.track.request_keyframe()
            return
        if not self._may_write(t):
            return
        if self.segment is None:
            self._picture = picture_size(frame.data) or self._picture
            self._open_segment(t, Codec("vp8", *self._picture), access)
        if self.segment is not None:
            self._last_ms = self.position_ms = t
            t -= self.segment.name.t0_ms
            self._place.writer.add(self.segment, t, frame.data, keyframe=frame.keyframe, fill=None, length_ms=0)

    def _rotate_at_keyframe(self, t: int, frame: Frame) -> None:
        """A segment ends where a keyframe lets the next one begin, or (after a second) where the picture changes its size."""
        assert self.segment is not None
        length_ms = t - self.segment.name.t0_ms
        resized = picture_size(frame.data) != self._picture and length_ms >= SMALLEST_SEGMENT_MS
        if resized or length_ms >= self._place.segment_ms:
            self._close_segment(t, "rotate")

    def _idle(self, t_ms: float) -> None:
        if self.segment is not None and t_ms - self._last_ms > self._pause_ms:
            self._close_segment(self._last_ms + self._stands_ms(t_ms), "rotate")

    def _end(self, t_ms: float) -> None:
        self._declare_gap(t_ms)
        self._close_segment(min(t_ms, self._last_ms + self._stands_ms(t_ms)), self.closed_by)

    def _stands_ms(self, t_ms: float) -> float:
        """How long the last picture is shown: a camera's for a moment, a screen's until `t_ms`, for it is still on it."""
        return max(FRAME_MS, t_ms - self._last_ms) if self.track.kind is Kind.SCREEN else FRAME_MS


def recorder_for(track: UpTrack, place: Place, start_ms: float, granted: bool) -> TrackRecorder:
    """The recorder of the track's kind."""
    maker = AudioRecorder if track.kind is Kind.AUDIO else VideoRecorder
    return maker(track, place, start_ms, granted)
