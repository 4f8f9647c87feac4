"""A small sealed hearing for tests: synthetic rows, a real ledger chain, real tiny WebM segments, real exhibits."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from sqlalchemy import insert

from evidence.registry import ExhibitRegistry
from evidence.settings import EvidenceSettings
from hearing import events as law
from hearing.documents import to_document
from hearing.ledger import SealedEntry, entry_bytes, first_link, seal
from hearing.model import Actor, ExhibitId, HearingId, Participant, ParticipantId, Role, Sitting, SittingId, SittingState, Stage
from record.keys import CourtKey, court_key
from record.seal import Sealer, SealSettings
from storage import tables as t
from storage.database import Database
from storage.folder import FolderStore
from storage.objects import ObjectStore, segment_key

OPENED_AT = datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)
COURT, HEARING, SITTING = "court_1", HearingId("hear_1"), SittingId("sit_1")
JUDGE, CLERK, PLAINTIFF, DEFENDANT, AGENT, WITNESS = (
    ParticipantId(f"part_{name}") for name in ("judge", "clerk", "plaintiff", "defendant", "agent", "witness")
)
PEOPLE = (
    Participant(JUDGE, Role.PRESIDING_JUDGE, "陈静", "审"),
    Participant(CLERK, Role.CLERK, "赵琳", "书"),
    Participant(PLAINTIFF, Role.PLAINTIFF, "张伟", "原"),
    Participant(DEFENDANT, Role.DEFENDANT, "李强", "被"),
    Participant(AGENT, Role.AGENT, "孙晓梅", "原代", represents=PLAINTIFF),
    Participant(WITNESS, Role.WITNESS, "王芳", "证"),
)
ENGINE = {"name": "faster-whisper", "model": "whisper-base", "model_sha256": "905e5bf8" * 8, "parameters": "{}"}


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    at: datetime = OPENED_AT + timedelta(minutes=10)
    ticks: float = field(default=0.0)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.ticks


@dataclass
class Case:
    """An open database and store with the hearing in them."""

    database: Database
    objects: ObjectStore
    key: CourtKey
    clock: SetClock
    registry: ExhibitRegistry
    folder: Path
    chain: str = ""
    number: int = 0

    def sealer(self, **settings: float) -> Sealer:
        return Sealer(self.database, self.objects, self.key, self.clock, SealSettings(**settings))  # type: ignore[arg-type]

    async def tell(self, event: law.Event, who: Participant | None = None) -> None:
        """Append an event to the ledger."""
        self.number += 1
        actor = Actor(who.id, who.role) if who else Actor(None, None)
        opened_at = None if event.at < OPENED_AT else OPENED_AT
        data = entry_bytes(SITTING, self.number, event, actor, opened_at=opened_at, command_id=None)
        salt = hashlib.sha256(data).digest()[:16]
        sealed: SealedEntry = seal(self.number, self.chain or first_link(SITTING), data, salt)
        self.chain = sealed.chain_hash
        row = {"number": sealed.number, "entry": data, "salt": salt, "entry_hash": sealed.entry_hash, "chain_hash": self.chain}
        async with self.database.transaction() as connection:
            await connection.execute(insert(t.ledger).values(sitting_id=SITTING, court_id=COURT, **row))


def at(ms: int) -> datetime:
    return OPENED_AT + timedelta(milliseconds=ms)


@cache
def webm(kind: str, ms: int, seed: int) -> bytes:
    """A real WebM of one track: Opus noise or a VP8 picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="webm") as container:
        if kind == "audio":
            stream: Any = container.add_stream("libopus", rate=48000)
            noise = np.random.default_rng(seed).integers(-999, 999, (1, 48 * ms), dtype=np.int16)
            frame: Any = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
            frame.rate = 48000
            frames = [frame]
        else:
            stream = container.add_stream("libvpx", rate=5)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            frames = []
            for index in range(ms // 200):
                frame = av.VideoFrame.from_image(Image.new("RGB", (32, 32), (seed % 255, index * 9 % 255, 99)))
                frame.pts, frame.time_base = index, Fraction(1, 5)
                frames.append(frame)
        for frame in [*frames, None]:
            container.mux(stream.encode(frame))
    return buffer.getvalue()


TRACKS: dict[str, tuple[ParticipantId, str, tuple[tuple[int, int], ...]]] = {
    f"{JUDGE}-audio": (JUDGE, "audio", ((0, 2000), (2000, 4000), (6000, 8000))),
    f"{PLAINTIFF}-audio": (PLAINTIFF, "audio", ((0, 2000), (2000, 4000), (6000, 8000))),
    f"{PLAINTIFF}-video": (PLAINTIFF, "video", ((100, 4000), (6000, 8000))),
    f"{DEFENDANT}-audio": (DEFENDANT, "audio", ((0, 2000), (3000, 4000), (6000, 8000))),
}


async def add_rows(case: Case) -> None:
    """The court, the hearing, its people and the sitting."""
    sitting = Sitting(SITTING, HEARING, 1, SittingState.CLOSED, Stage.CLOSING, OPENED_AT, at(8000))
    async with case.database.transaction() as connection:
        await connection.run_sync(t.metadata.create_all)
        await connection.execute(insert(t.courts).values(id=COURT, name="上海市静安区人民法院", created_at=OPENED_AT))
        await connection.execute(
            insert(t.hearings).values(
                id=HEARING, court_id=COURT, case_number="（2026）沪0106民初1234号", cause="民间借贷纠纷", title="张伟诉李强民间借贷纠纷",
                procedure="ordinary", public=True, courtroom="第三在线法庭", scheduled_at=OPENED_AT, created_at=OPENED_AT,
            )
        )  # fmt: skip
        for position, person in enumerate(PEOPLE):
            await connection.execute(
                insert(t.participants).values(
                    id=person.id, court_id=COURT, hearing_id=HEARING, position=position, role=person.role.value,
                    name=person.name, label=person.label, represents=person.represents,
                )
            )  # fmt: skip
        await connection.execute(
            insert(t.sittings).values(
                id=SITTING, court_id=COURT, hearing_id=HEARING, number=1, state="closed", version=1,
                document=to_document(sitting), opened_at=OPENED_AT, closed_at=at(8000),
            )
        )  # fmt: skip


async def add_course(case: Case, exhibit_id: ExhibitId) -> None:
    """A whole sitting: eight seconds with a recess, an exhibit of two pages, a gap and a note."""
    judge, clerk, plaintiff = PEOPLE[0], PEOPLE[1], PEOPLE[2]
    await case.tell(law.LobbyOpened(at(-9000)), clerk)
    for index, person in enumerate(PEOPLE):
        await case.tell(law.ParticipantEntered(at(-8000 + index), person.id), person)
    await case.tell(law.SittingOpened(at(0)), judge)
    await case.tell(law.StageEntered(at(500), Stage.IDENTITY, Stage.OPENING), judge)
    await case.tell(law.StageEntered(at(1000), Stage.EVIDENCE, Stage.IDENTITY), judge)
    await case.tell(law.ExhibitShown(at(1500), exhibit_id, 1, PLAINTIFF), plaintiff)
    await case.tell(law.ExhibitShown(at(2500), exhibit_id, 2, PLAINTIFF), plaintiff)
    await case.tell(law.ExhibitWithdrawn(at(3500), exhibit_id, 2), plaintiff)
    await case.tell(law.GapRecorded(at(3600), DEFENDANT, "audio", 2000, 3000, "media_restart"))
    await case.tell(law.SittingAdjourned(at(4000), None), judge)
    await case.tell(law.SittingResumed(at(6000)), judge)
    await case.tell(law.NoteAdded(at(6500), "被告对真实性无异议。"), clerk)
    await case.tell(law.SittingClosed(at(8000)), judge)
    await case.tell(law.ParticipantLeft(at(9000), PLAINTIFF, "left"), plaintiff)


async def add_recording(case: Case) -> None:
    """Segments as the shipper leaves them, and each track's end."""
    for track_id, (participant_id, kind, spans) in TRACKS.items():
        previous = ""
        for index, (t0, t1) in enumerate(spans):
            data = webm(kind, t1 - t0, len(track_id) + index)
            key, sha256 = segment_key(COURT, SITTING, track_id, index), hashlib.sha256(data).hexdigest()
            await case.objects.put(key, data)
            async with case.database.transaction() as connection:
                await connection.execute(
                    insert(t.segments).values(
                        sitting_id=SITTING, court_id=COURT, track_id=track_id, index=index, participant_id=participant_id,
                        kind=kind, codec="opus" if kind == "audio" else "vp8", t0_ms=t0, t1_ms=t1, started_at=at(t0),
                        bytes=len(data), sha256=sha256, sm3=hashlib.new("sm3", data).hexdigest(), prev_sha256=previous,
                        object_key=key, packets=(t1 - t0) // 20, lost_packets=0, filled_ms=0, muted_ms=0,
                        closed_by="stop" if index == len(spans) - 1 else "rotate",
                    )
                )  # fmt: skip
            previous = sha256
        async with case.database.transaction() as connection:
            row = {"track_id": track_id, "segments": len(spans), "last_sha256": previous}
            await connection.execute(insert(t.track_ends).values(sitting_id=SITTING, court_id=COURT, **row))


async def add_speech(case: Case) -> None:
    """Two recognised lines, one of them while the exhibit was shown."""
    for who, t0, t1, text in ((JUDGE, 200, 1400, "现在开庭。"), (PLAINTIFF, 1600, 2400, "出示证据一，借条<原件>一份。")):
        track_id = f"{who}-audio"
        words = [{"text": text[:2], "t0_ms": t0, "t1_ms": t1, "p": 0.93}]
        async with case.database.transaction() as connection:
            await connection.execute(
                insert(t.utterances).values(
                    id=f"{track_id}@{t0}", court_id=COURT, sitting_id=SITTING, participant_id=who, track_id=track_id, t0_ms=t0,
                    t1_ms=t1, text=text, raw_text=text, confidence=0.91, words=words, engine=ENGINE, origin="live",
                    created_at=at(t1 + 900),
                )
            )  # fmt: skip


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    """An upload in small pieces."""
    for start in range(0, len(data), 4096):
        yield data[start : start + 4096]


def pdf(pages: int = 2) -> bytes:
    """A PDF of blank coloured pages."""
    buffer = io.BytesIO()
    sheets = [Image.new("RGB", (200, 280), (255 - 20 * page, 240, 230)) for page in range(pages)]
    sheets[0].save(buffer, "PDF", save_all=True, append_images=sheets[1:])
    return buffer.getvalue()


@asynccontextmanager
async def open_case(folder: Path) -> AsyncIterator[Case]:
    """An empty hearing with its people, in a temporary folder."""
    database = Database(f"sqlite:///{folder / 'court.db'}")
    clock, objects = SetClock(), FolderStore(folder / "objects")
    registry = ExhibitRegistry(database, objects, clock, EvidenceSettings(folder / "uploads", max_bytes=2_000_000))
    case = Case(database, objects, court_key(folder / "keys"), clock, registry, folder)
    try:
        await add_rows(case)
        yield case
    finally:
        await database.close()


@asynccontextmanager
async def open_full_case(folder: Path, *, sealed: bool = True) -> AsyncIterator[Case]:
    """The whole hearing, sealed unless told otherwise."""
    async with open_case(folder) as case:
        exhibit = await case.registry.submit(HEARING, PEOPLE[2], "借条.pdf", "借条", "证明借贷关系", chunks(pdf()))
        await add_course(case, exhibit.id)
        await add_recording(case)
        await add_speech(case)
        if sealed:
            await case.sealer().seal({"sitting_id": SITTING})
        yield case


def files_of(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in order."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
