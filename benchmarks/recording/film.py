"""How fast a film is made: six people, 640×360 at 25 pictures a second, two talking by turns. Run on a quiet machine.

    python benchmarks/recording/film.py [seconds]

Prints seconds of film per second of wall clock and of CPU.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import av
import numpy as np

from hearing import events as law
from hearing.ledger import Recorded
from hearing.model import CourtId, Hearing, HearingId, Participant, ParticipantId, Procedure, Role, SittingId, SittingState
from media.webm import Codec, WebmWriter
from record.composite import Source, compose
from record.course import course_of
from record.film_plan import plan_of
from record.model import Material, Segment, SittingInfo

ZERO = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
SEGMENT_MS, RATE, FPS, WIDTH, HEIGHT = 10_000, 48_000, 25, 640, 360
ROLES = (Role.PRESIDING_JUDGE, Role.ASSESSOR, Role.CLERK, Role.PLAINTIFF, Role.AGENT, Role.DEFENDANT)


def camera() -> bytes:
    """Ten seconds of VP8: a noisy room in which something moves."""
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = WIDTH, HEIGHT, "yuv420p", Fraction(1, FPS)
    encoder.bit_rate, encoder.gop_size, encoder.options = 700_000, 1000, {"deadline": "realtime", "cpu-used": "8"}
    random, blocks = np.random.default_rng(1), []
    room = random.integers(60, 200, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    for n in range(SEGMENT_MS * FPS // 1000):
        picture = room.copy()
        picture[100:300, 100 + n : 260 + n] = 210
        picture = picture + random.integers(0, 12, picture.shape, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = n, Fraction(1, FPS)
        blocks += [(n * 1000 // FPS, bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    return written(Codec("vp8", WIDTH, HEIGHT), blocks)


def voice() -> bytes:
    """Ten seconds of Opus: noise."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "s16", 32_000
    samples = np.random.default_rng(2).integers(-3000, 3000, (1, RATE * SEGMENT_MS // 1000), dtype=np.int16)
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return written(Codec("opus"), [(n * 20, bytes(p), True) for n, p in enumerate(packets) if n * 20 < SEGMENT_MS])


def written(codec: Codec, blocks: list[tuple[int, bytes, bool]]) -> bytes:
    file = io.BytesIO()
    writer = WebmWriter(file, codec)
    for block in blocks:
        writer.add(*block)
    writer.close(SEGMENT_MS)
    return file.getvalue()


def segments(who: ParticipantId, kind: str, data: bytes, count: int) -> list[Segment]:
    sha256 = hashlib.sha256(data).hexdigest()
    return [
        Segment(
            f"{who}-{kind}", who, kind, "opus" if kind == "audio" else "vp8", n, n * SEGMENT_MS, (n + 1) * SEGMENT_MS, ZERO, len(data),
            sha256, "", "", kind, 500, 0, 0, 0, "rotate",
        )
        for n in range(count)
    ]  # fmt: skip


def material(count: int, files: dict[str, bytes]) -> Material:
    people = tuple(Participant(ParticipantId(f"p{n}"), role, "张伟", "") for n, role in enumerate(ROLES))
    hearing = Hearing(
        HearingId("h"), CourtId("c"), "（2026）沪0106民初1号", "民间借贷纠纷", "", Procedure.ORDINARY, True, "", ZERO, people
    )
    end = ZERO + timedelta(milliseconds=count * SEGMENT_MS)
    events: list[law.Event] = [law.ParticipantEntered(ZERO, person.id) for person in people]
    events += [law.SittingOpened(ZERO), law.FloorGiven(ZERO, people[3].id), law.SittingClosed(end)]
    entries = tuple(Recorded(n, SittingId("s"), e.at, None, None, None, e, None) for n, e in enumerate(events, 1))
    info = SittingInfo(SittingId("s"), CourtId("c"), "上海市静安区人民法院", 1, SittingState.CLOSED, ZERO, end, "0" * 64, end)
    made = [one for person in people for kind in files for one in segments(person.id, kind, files[kind], count)]
    return Material(info, hearing, (), entries, tuple(made), {one.track_id: (count, "") for one in made}, (), ())


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    files = {"video": camera(), "audio": voice()}
    whole = material(-(-seconds * 1000 // SEGMENT_MS), files)
    course = course_of(whole.entries, ZERO)
    if course is None:
        raise SystemExit("the sitting was never opened")
    plan = plan_of(whole, course, 12)
    zone = ZoneInfo("Asia/Shanghai")
    with tempfile.TemporaryFile() as file:
        began, used = time.monotonic(), time.process_time()
        compose(
            Source(whole, course, plan, zone, lambda s: files[s.object_key], lambda *_: None, lambda _: None, 0),
            f"/proc/self/fd/{file.fileno()}",
        )
        took, cpu = time.monotonic() - began, time.process_time() - used
        size = os.fstat(file.fileno()).st_size
    film_s = plan.duration_ms / 1000
    print(f"{film_s:.0f} s of film, {len(ROLES)} people: {took:.1f} s wall, {cpu:.1f} s CPU on {os.cpu_count()} cores")
    print(
        f"{film_s / took:.1f} × real time; {cpu / film_s:.2f} cores while it lasts; {size / film_s * 3600 / 1e6:.0f} MB an hour"
    )


if __name__ == "__main__":
    main()
