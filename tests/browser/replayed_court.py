"""A sitting that is over, to be replayed by real browsers: real ledger, rows and segments, made instead of recorded.

Sound is one continuous Opus stream per person cut into WebM segments as the recorder cuts it; everybody's holds the same
claps at the same moments of the record clock, so that what two tracks are apart as played can be measured.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image, ImageDraw
from sqlalchemy import insert, update

from hearing import events as law
from hearing.documents import to_document
from hearing.ledger import entry_bytes, first_link, seal
from hearing.model import Actor, Participant, ParticipantId, Role, Sitting, SittingState, Stage
from media.webm import Codec, WebmWriter
from record.keys import court_key
from record.seal import Sealer, SealSettings
from storage import tables as t
from storage.objects import ObjectStore, segment_key
from tests.courts import COURT
from tests.integration.signaling_bed import Bed, court_house
from tests.rehearsing import ROOT

OPENED_AT = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
RATE_HZ = 48_000
PACKET_MS = 20
FRAMES_PER_S = 5
SEGMENT_MS = 10_000
CLAPS_FROM_MS, CLAPS_EVERY_MS = 1500, 2000
TINTS = ((70, 92, 120), (120, 84, 60), (92, 110, 84), (96, 80, 110))


@dataclass
class Replayed:
    """The running court and the record in it."""

    bed: Bed
    people: list[Participant]
    duration_ms: int
    chain: str = ""
    number: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sitting_id(self) -> str:
        return self.bed.sitting_id

    def person(self, role: Role) -> Participant:
        return next(person for person in self.people if person.role is role)

    async def tell(self, events: Sequence[tuple[law.Event, Participant]]) -> None:
        """Append events to the ledger."""
        rows = []
        for event, who in events:
            self.number += 1
            opened_at = None if event.at < OPENED_AT else OPENED_AT
            data = entry_bytes(
                self.sitting_id,
                self.number,
                event,
                Actor(who.id, who.role),
                opened_at=opened_at,
                command_id=None,  # type: ignore[arg-type]
            )
            sealed = seal(self.number, self.chain or first_link(self.sitting_id), data, hashlib.sha256(data).digest()[:16])  # type: ignore[arg-type]
            self.chain = sealed.chain_hash
            rows.append(
                {
                    "sitting_id": self.sitting_id, "court_id": COURT, "number": sealed.number, "entry": data, "salt": sealed.salt,
                    "entry_hash": sealed.entry_hash, "chain_hash": sealed.chain_hash,
                }
            )  # fmt: skip
        async with self.bed.parts.database.transaction() as connection:
            await connection.execute(insert(t.ledger), rows)

    async def close_the_sitting(self) -> None:
        """The sitting's own row as it is after 闭庭."""
        everyone = frozenset(person.id for person in self.people)
        sitting = Sitting(
            self.sitting_id, self.bed.hearing_id, 1, SittingState.CLOSED, Stage.CLOSING, OPENED_AT, at(self.duration_ms),  # type: ignore[arg-type]
            attended=everyone,
        )  # fmt: skip
        row = {"state": "closed", "document": to_document(sitting), "opened_at": OPENED_AT, "closed_at": at(self.duration_ms)}
        async with self.bed.parts.database.transaction() as connection:
            await connection.execute(update(t.sittings).where(t.sittings.c.id == self.sitting_id).values(**row))

    def add_segment(self, track_id: str, kind: str, index: int, span: tuple[int, int], data: bytes, **changes: Any) -> None:
        """A row of a segment as the shipper reports it."""
        earlier = [row["sha256"] for row in self.rows[-1:] if row["track_id"] == track_id]
        self.rows.append(
            {
                "sitting_id": self.sitting_id, "court_id": COURT, "track_id": track_id, "index": index,
                "participant_id": track_id.rpartition("-")[0], "kind": kind, "codec": "opus" if kind == "audio" else "vp8",
                "t0_ms": span[0], "t1_ms": span[1], "started_at": at(span[0]), "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(), "sm3": "", "prev_sha256": earlier[0] if earlier else "",
                "object_key": segment_key(COURT, self.sitting_id, track_id, index), "packets": (span[1] - span[0]) // PACKET_MS,
                "lost_packets": 0, "filled_ms": 0, "muted_ms": 0, "closed_by": "rotate", "access": "parties", **changes,
            }
        )  # fmt: skip

    async def write_segments(self) -> None:
        """The rows of all segments, and each track's end."""
        ends = {row["track_id"]: row for row in self.rows}
        async with self.bed.parts.database.transaction() as connection:
            for start in range(0, len(self.rows), 1000):
                await connection.execute(insert(t.segments), self.rows[start : start + 1000])
            for track_id, last in ends.items():
                row = {"track_id": track_id, "segments": last["index"] + 1, "last_sha256": last["sha256"]}
                await connection.execute(insert(t.track_ends).values(sitting_id=self.sitting_id, court_id=COURT, **row))

    async def say(self, lines: Sequence[tuple[ParticipantId, int, int, str]]) -> None:
        """Recognised lines: who, from, to, words."""
        engine = {"name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8" * 8, "parameters": "{}"}
        rows = [
            {
                "id": f"{self.sitting_id}:{who}-audio@{t0}", "court_id": COURT, "sitting_id": self.sitting_id, "participant_id": who,
                "track_id": f"{who}-audio", "t0_ms": t0, "t1_ms": t1, "text": text, "raw_text": text, "confidence": 0.9,
                "words": [], "engine": engine, "origin": "live", "created_at": at(t1 + 900),
            }
            for who, t0, t1, text in lines
        ]  # fmt: skip
        async with self.bed.parts.database.transaction() as connection:
            for start in range(0, len(rows), 1000):
                await connection.execute(insert(t.utterances), rows[start : start + 1000])

    async def seal(self, store: ObjectStore | None = None) -> None:
        parts = self.bed.parts
        key = court_key(Path(parts.settings.web_root).parent / "keys")
        await Sealer(parts.database, store or parts.store, key, parts.clock, SealSettings()).seal(
            {"sitting_id": self.sitting_id}
        )


def at(t_ms: int) -> datetime:
    return OPENED_AT + timedelta(milliseconds=t_ms)


@asynccontextmanager
async def replayed_court(folder: Path, duration_ms: int, **changes: Any) -> AsyncIterator[Replayed]:
    """A court with the built web application and one hearing whose people are known; nothing is recorded yet."""
    async with court_house(folder, **changes) as bed:
        shutil.copytree(ROOT / "web" / "dist", folder / "dist", dirs_exist_ok=True)
        hearing, _ = await bed.parts.hearings.load(bed.sitting_id)  # type: ignore[arg-type]
        yield Replayed(bed, list(hearing.participants), duration_ms)


# --- media --------------------------------------------------------------------------------------------


def claps(duration_ms: int) -> list[int]:
    """When everybody's track has a clap, on the record clock."""
    return list(range(CLAPS_FROM_MS, duration_ms - 500, CLAPS_EVERY_MS))


def sound(duration_ms: int, pitch_hz: float, speaks: Sequence[tuple[int, int]]) -> np.ndarray:
    """A hum of one pitch while the person speaks, silence else, and the claps that all tracks have in common."""
    samples = np.zeros(duration_ms * RATE_HZ // 1000)
    for t0, t1 in speaks:
        clock = np.arange((t1 - t0) * RATE_HZ // 1000) / RATE_HZ
        hum = 0.05 * np.sin(2 * np.pi * pitch_hz * clock) * (1 + 0.5 * np.sin(2 * np.pi * 3 * clock))
        samples[t0 * RATE_HZ // 1000 :][: len(hum)] += hum
    burst = np.random.default_rng(7).normal(0, 0.5, RATE_HZ // 100) * np.linspace(1, 0, RATE_HZ // 100) ** 2
    for clap in claps(duration_ms):
        samples[clap * RATE_HZ // 1000 :][: len(burst)] += burst
    return samples


def opus_packets(samples: np.ndarray) -> Iterator[bytes]:
    """The stream as 20 ms packets; the encoder's own delay is cut off, so that packet n begins at n times 20 ms."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE_HZ, "mono", "s16", 32_000
    whole = np.clip(samples * 32_767, -32_768, 32_767).astype(np.int16)
    size = RATE_HZ * PACKET_MS // 1000
    for index, start in enumerate(range(0, len(whole) - size + 1, size)):
        frame: Any = av.AudioFrame.from_ndarray(whole[None, start : start + size], format="s16", layout="mono")
        frame.rate, frame.pts, frame.time_base = RATE_HZ, index * size, Fraction(1, RATE_HZ)
        yield from (bytes(packet) for packet in encoder.encode(frame))


def audio_segments(samples: np.ndarray, run: tuple[int, int], length_ms: int) -> Iterator[tuple[tuple[int, int], bytes]]:
    """(span, WebM) of a sound track recorded from `run[0]` to `run[1]`, in segments of `length_ms`."""
    begins_ms = run[0]
    packets = list(opus_packets(samples[begins_ms * RATE_HZ // 1000 : run[1] * RATE_HZ // 1000]))
    for start in range(0, len(packets), length_ms // PACKET_MS):
        part = packets[start : start + length_ms // PACKET_MS]
        t0 = begins_ms + start * PACKET_MS
        yield (
            (t0, t0 + len(part) * PACKET_MS),
            webm(Codec("opus"), ((i * PACKET_MS, p, True) for i, p in enumerate(part)), len(part) * PACKET_MS),
        )


def video_segments(
    run: tuple[int, int], sizes: Callable[[int], tuple[int, int]], tint: tuple[int, int, int]
) -> Iterator[tuple[tuple[int, int], bytes]]:
    """(span, WebM) of a picture track; each segment begins with a key frame and may have its own size."""
    for index, t0 in enumerate(range(run[0], run[1], SEGMENT_MS)):
        t1 = min(run[1], t0 + SEGMENT_MS)
        yield (t0, t1), picture_segment(t1 - t0, sizes(index), tint)


@cache
def picture_segment(length_ms: int, size: tuple[int, int], tint: tuple[int, int, int]) -> bytes:
    """A segment of somebody's picture; the same wherever it stands."""
    return webm(Codec("vp8", *size), vp8_frames(0, length_ms, size, tint), length_ms)


def vp8_frames(t0: int, t1: int, size: tuple[int, int], tint: tuple[int, int, int]) -> Iterator[tuple[int, bytes, bool]]:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.bit_rate = "yuv420p", Fraction(1, FRAMES_PER_S), 150_000
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    for index in range((t1 - t0) * FRAMES_PER_S // 1000):
        frame: Any = av.VideoFrame.from_image(person_picture(size, tint, t0 + index * 1000 // FRAMES_PER_S))
        frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_S)
        for packet in encoder.encode(frame):
            yield index * 1000 // FRAMES_PER_S, bytes(packet), bool(packet.is_keyframe)


def person_picture(size: tuple[int, int], tint: tuple[int, int, int], t_ms: int) -> Image.Image:
    """Nobody in particular before a wall; a bar tells the second."""
    width, height = size
    picture = Image.new("RGB", size, (206, 202, 190))
    draw = ImageDraw.Draw(picture)
    sway = width * 0.01 * np.sin(t_ms / 700)
    middle, head = width / 2 + sway, height * 0.17
    draw.ellipse((middle - head * 2.1, height * 0.62, middle + head * 2.1, height * 1.5), fill=tint)
    draw.ellipse((middle - head, height * 0.42 - head, middle + head, height * 0.42 + head * 1.1), fill=(222, 188, 160))
    draw.pieslice(
        (middle - head * 1.1, height * 0.34 - head, middle + head * 1.1, height * 0.34 + head), 180, 360, fill=(52, 44, 40)
    )
    draw.rectangle((0, height - 3, width * (t_ms % 10_000) / 10_000, height), fill=(40, 60, 96))
    return picture


def webm(codec: Codec, blocks: Iterator[tuple[int, bytes, bool]], duration_ms: int) -> bytes:
    """One finished segment, written by the recorder's own writer."""
    file = io.BytesIO()
    writer = WebmWriter(file, codec)  # type: ignore[arg-type]
    for t_ms, data, keyframe in blocks:
        writer.add(t_ms, data, keyframe)
    writer.close(duration_ms)
    return file.getvalue()
