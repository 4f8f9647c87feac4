"""A sealed sitting of eight seconds for the film: three speakers who clap together, a closed part, a broken segment."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import av
import numpy as np
from sqlalchemy import insert

from hearing import events as law
from hearing.model import Keeping, Part, ParticipantId, Stage
from media.webm import Codec, WebmWriter
from record.film import FilmMaker, FilmSettings
from storage import tables as t
from storage.objects import segment_key
from tests.integration.record_case import (
    COURT,
    DEFENDANT,
    HEARING,
    JUDGE,
    PEOPLE,
    PLAINTIFF,
    SITTING,
    Case,
    at,
    chunks,
    open_case,
    pdf,
)

RATE = 48_000
CLAPS_MS = (1500, 7000)  # on the record clock, in every track, with a white picture of the judge
CLOSED = (4000, 6000)
SPANS = ((0, 4000), CLOSED, (6000, 8000))
SIZES = ((320, 240), (320, 240), (160, 120))  # a camera that comes back smaller


@cache
def sound(t0_ms: int, t1_ms: int) -> bytes:
    """Opus: silence with claps; in the closed part a loud tone all the time."""
    times = np.arange(t0_ms * RATE // 1000, t1_ms * RATE // 1000) / RATE
    samples = np.zeros(len(times))
    if (t0_ms, t1_ms) == CLOSED:
        samples = 0.5 * np.sin(2 * np.pi * 1000 * times)
    for clap_ms in CLAPS_MS:
        inside = (times >= clap_ms / 1000) & (times < clap_ms / 1000 + 0.03)
        samples[inside] = 0.4 * np.sign(np.sin(2 * np.pi * 2000 * times[inside]))
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "s16", 64_000
    encoder.options = {"application": "lowdelay", "frame_duration": "20"}
    frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16).reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    return written(
        Codec("opus"),
        [(n * 20, bytes(packet), True) for n, packet in enumerate(packets) if n * 20 < t1_ms - t0_ms],
        t1_ms - t0_ms,
    )


@cache
def picture(t0_ms: int, t1_ms: int, size: tuple[int, int]) -> bytes:
    """VP8 at 20 pictures a second: dark, white for 200 ms from each clap; a keyframe at the beginning alone."""
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "yuv420p", Fraction(1, 20)
    encoder.bit_rate, encoder.gop_size, encoder.options = (
        300_000,
        1000,
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
    )
    blocks = []
    for n, t_ms in enumerate(range(t0_ms, t1_ms, 50)):
        white = any(clap <= t_ms < clap + 200 for clap in CLAPS_MS)
        frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 240 if white else 40, np.uint8), format="rgb24")
        frame = frame.reformat(format="yuv420p")
        frame.pts, frame.time_base = n, Fraction(1, 20)
        blocks += [(n * 50, bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    return written(Codec("vp8", *size), blocks, t1_ms - t0_ms)


def written(codec: Codec, blocks: list[tuple[int, bytes, bool]], length_ms: int) -> bytes:
    """A segment as the recorder writes it."""
    file = io.BytesIO()
    writer = WebmWriter(file, codec)
    for block in blocks:
        writer.add(*block)
    writer.close(length_ms)
    return file.getvalue()


async def add_track(case: Case, who: ParticipantId, kind: str, files: list[bytes]) -> None:
    track_id, previous = f"{who}-{kind}", ""
    for index, (data, (t0, t1)) in enumerate(zip(files, SPANS, strict=True)):
        key, sha256 = segment_key(COURT, SITTING, track_id, index), hashlib.sha256(data).hexdigest()
        await case.objects.put(key, data)
        async with case.database.transaction() as connection:
            await connection.execute(
                insert(t.segments).values(
                    sitting_id=SITTING, court_id=COURT, track_id=track_id, index=index, participant_id=who, kind=kind,
                    codec="opus" if kind == "audio" else "vp8", t0_ms=t0, t1_ms=t1, started_at=at(t0), bytes=len(data), sha256=sha256,
                    sm3=hashlib.new("sm3", data).hexdigest(), prev_sha256=previous, object_key=key, packets=9, lost_packets=0,
                    filled_ms=0, muted_ms=0, closed_by="stop" if index == len(files) - 1 else "rotate",
                    access="sealed" if (t0, t1) == CLOSED else "parties",
                )
            )  # fmt: skip
        previous = sha256
    async with case.database.transaction() as connection:
        row = {"track_id": track_id, "segments": len(files), "last_sha256": previous}
        await connection.execute(insert(t.track_ends).values(sitting_id=SITTING, court_id=COURT, **row))


async def add_course(case: Case) -> None:
    judge, clerk, plaintiff = PEOPLE[0], PEOPLE[1], PEOPLE[2]
    exhibit = await case.registry.submit(HEARING, plaintiff, "借条.pdf", "借条", "证明借贷关系", chunks(pdf()))
    await case.tell(law.LobbyOpened(at(-9000)), clerk)
    for index, person in enumerate(PEOPLE):
        await case.tell(law.ParticipantEntered(at(-8000 + index), person.id), person)
    await case.tell(law.SittingOpened(at(0)), judge)
    await case.tell(law.StageEntered(at(0), Stage.EVIDENCE, Stage.OPENING), judge)
    await case.tell(law.ExhibitShown(at(2000), exhibit.id, 1, PLAINTIFF), plaintiff)
    await case.tell(law.ExhibitWithdrawn(at(3000), exhibit.id, 1), plaintiff)
    await case.tell(law.PartBegan(at(CLOSED[0]), Part.CLOSED, Keeping.SEALED, "涉及个人隐私"), judge)
    await case.tell(law.PartEnded(at(CLOSED[1]), Part.CLOSED), judge)
    await case.tell(law.FloorGiven(at(6200), DEFENDANT), judge)
    await case.tell(law.SittingClosed(at(8000)), judge)


@asynccontextmanager
async def open_film_case(folder: Path) -> AsyncIterator[Case]:
    """Sealed; the defendant's last picture is broken in the store after the seal."""
    async with open_case(folder) as case:
        await add_course(case)
        voices = [sound(t0, t1) for t0, t1 in SPANS]
        for who in (JUDGE, PLAINTIFF, DEFENDANT):
            await add_track(case, who, "audio", voices)
            await add_track(case, who, "video", [picture(*span, size) for span, size in zip(SPANS, SIZES, strict=True)])
        await case.sealer(settle_s=0.0).seal({"sitting_id": SITTING})
        broken = folder / "objects" / segment_key(COURT, SITTING, f"{DEFENDANT}-video", 2)
        broken.chmod(0o600)
        broken.write_bytes(b"\0" * 500)
        yield case


def maker_of(case: Case, **settings: Any) -> FilmMaker:
    how = FilmSettings(case.folder / "films", ZoneInfo("Asia/Shanghai"), nice=0, **settings)
    return FilmMaker(case.database, case.objects, case.registry, case.key, case.clock, how)
