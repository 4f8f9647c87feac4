"""Which segments pictures are written into: a still screen, a camera that pauses, a picture that changes its size."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hearing.access import AccessClass
from hearing.audience import Kind
from hearing.model import SittingId
from media.audio_line import Fill
from media.rtp_rewrite import build_forwarded
from media.segment_writer import Closing, OpenSegment
from media.spool import SegmentName
from media.track_recorder import COMMIT_MS, Place, TrackRecorder, recorder_for
from media.webm import Codec


@dataclass
class Clock:
    def server_ms(self, timestamp: int, arrival_ms: float) -> float:
        return timestamp / 90


@dataclass
class Source:
    kind: Kind
    source: str = "a"
    clock: Any = field(default_factory=Clock)
    live_since_ms: float | None = 0.0
    asked: int = 0

    @property
    def track_id(self) -> str:
        return f"{self.source}-{self.kind}"

    def request_keyframe(self) -> None:
        self.asked += 1

    def recent(self) -> tuple[()]:
        return ()


@dataclass
class Written:
    """Stands in for the writer thread."""

    is_full: bool = False
    segments: list[OpenSegment] = field(default_factory=list)
    blocks: list[tuple[int, bytes]] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def open(self, name: SegmentName, codec: Codec) -> OpenSegment:
        self.segments.append(OpenSegment(name, codec))
        return self.segments[-1]

    def add(self, segment: OpenSegment, t_ms: int, data: bytes, *, keyframe: bool, fill: Fill | None, length_ms: float) -> None:
        self.blocks.append((segment.name.t0_ms + t_ms, data))

    def reclass(self, segment: OpenSegment, access: AccessClass) -> None:
        segment.name = replace(segment.name, access=access)

    def close(self, segment: OpenSegment, closing: Closing) -> None:
        self.ends.append(closing.t1_ms)


class Play:
    def __init__(self, kind: Kind) -> None:
        self.written, self.source = Written(), Source(kind)
        place = Place(
            SittingId("s"), datetime(2026, 1, 1, tzinfo=UTC), 0.0, 60_000.0, self.written, lambda *_: None  # type: ignore[arg-type]
        )  # fmt: skip
        self.recorder: TrackRecorder = recorder_for(self.source, place, 0.0, granted=True)
        self.sequence = 0

    def show(self, t_ms: int, *, keyframe: bool = False, width: int = 160) -> None:
        head = b"\x10\x02\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + b"\x78\x00" if keyframe else b"\x11\x02\x00"
        packet = build_forwarded(0x80, 0x80 | 96, self.sequence, 90 * t_ms, 7, 0, b"\x10" + head + bytes(20))
        self.sequence += 1
        self.recorder.push(packet, float(t_ms))
        self.recorder.tick(float(t_ms))

    def wait(self, from_ms: int, to_ms: int) -> None:
        for t_ms in range(from_ms, to_ms, 100):
            self.recorder.tick(float(t_ms))

    def stop(self, t_ms: int) -> None:
        self.recorder.stop(t_ms, "stop")
        assert self.recorder.tick(t_ms + COMMIT_MS + 1)


def test_a_still_screen_stays_in_its_segment_to_the_end() -> None:
    play = Play(Kind.SCREEN)
    play.show(0, keyframe=True)
    play.wait(0, 6_000)
    play.show(6_000)
    play.wait(6_000, 8_000)
    play.stop(9_000)
    assert [segment.name.kind for segment in play.written.segments] == [Kind.SCREEN]
    assert play.written.segments[0].name.track_id == "a-screen"
    assert [t_ms for t_ms, _ in play.written.blocks] == [0, 6_000]
    assert play.written.ends == [9_000]  # it stood on the screen until then


def test_a_camera_that_pauses_ends_its_segment_at_its_last_picture() -> None:
    play = Play(Kind.VIDEO)
    for t_ms in range(0, 1_000, 100):
        play.show(t_ms, keyframe=t_ms == 0)
    play.wait(1_000, 6_000)
    assert play.written.ends == [933]
    play.show(6_000, keyframe=True)
    play.show(6_100)
    play.stop(7_000)
    assert [segment.name.t0_ms for segment in play.written.segments] == [0, 6_000]


def test_another_size_begins_a_segment_but_not_within_its_first_second() -> None:
    play = Play(Kind.VIDEO)
    for t_ms in range(0, 4_000, 100):
        play.show(t_ms, keyframe=t_ms in {0, 300, 2_000}, width=160 if t_ms < 300 else 320 if t_ms < 2_000 else 640)
    play.wait(4_000, 5_000)
    play.stop(4_500)
    assert [(segment.name.t0_ms, segment.codec.width) for segment in play.written.segments] == [(0, 160), (2_000, 640)]
    assert len(play.written.blocks) == 40
