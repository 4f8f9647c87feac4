"""Utterances and corrections as rows, and refill jobs that read the recording again (fast engine, real store and database)."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import av
import pytest
from sqlalchemy import insert, select, update

from hearing.model import SittingId
from storage import tables as t
from storage.database import Database
from storage.folder import FolderStore
from storage.migrate import migrate
from storage.objects import StoreUnavailable, segment_key
from storage.queue import RetryLater
from tests.courts import COURT, NINE, SetClock, found_court, pid
from tests.simulated_tap import loan_lines
from transcripts import store
from transcripts.lines import LineMaker
from transcripts.model import Engine, ReplaceText, Revision, Utterance, Word, utterance_id
from transcripts.recognizer import EngineAway, Recognition, Samples
from transcripts.refill import RecordingMissing, Refill

SITTING = SittingId("sit_test")
ENGINE = Engine("faster-whisper", "whisper-base", "905e5bf8", '{"beam":1}')
TRACK = "plaintiff-audio"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite:///{tmp_path}/court.db"
    await migrate(url)
    database = Database(url)
    await found_court(database)
    async with database.transaction() as c:
        await c.execute(insert(t.hearings).values(
            id="hear_test", court_id=COURT, case_number="1", cause="-", title="-", procedure="ordinary", public=True, courtroom="-",
            scheduled_at=NINE, created_at=NINE, created_by="clerk_1",
        ))  # fmt: skip
        for number, word in enumerate(("plaintiff", "clerk")):
            await c.execute(insert(t.participants).values(
                id=pid(word), court_id=COURT, hearing_id="hear_test", position=number, role=word, name="某", label="某"
            ))  # fmt: skip
        await c.execute(insert(t.sittings).values(
            id=SITTING, court_id=COURT, hearing_id="hear_test", number=1, state="in_session", version=1, document={}, opened_at=NINE
        ))  # fmt: skip
    yield database
    await database.close()


def said(t0_ms: int, t1_ms: int, text: str, track_id: str = TRACK) -> Utterance:
    return Utterance(
        utterance_id(SITTING, track_id, t0_ms), SITTING, pid("plaintiff"), track_id, t0_ms, t1_ms, text, text + "?", 0.7,
        (Word("没有", t0_ms, t0_ms + 400, 0.9),), ENGINE, "live",
    )  # fmt: skip


async def save(database: Database, *new: Utterance) -> tuple[Utterance, ...]:
    async with database.transaction() as connection:
        return await store.save_utterances(connection, COURT, new, NINE)


async def test_what_is_saved_is_read_back_whole_and_in_order(database: Database) -> None:
    one, two = said(5000, 7000, "没有异议。"), said(1000, 2500, "现在开庭。")
    assert await save(database, one, two) == (one, two)
    async with database.read() as connection:
        assert await store.machine_lines(connection, SITTING) == (two, one)
        assert await store.heads(connection, [SITTING]) == {TRACK: 7000}
        assert await store.heads(connection, []) == {}


async def test_posting_again_adds_nothing_even_when_times_moved_by_milliseconds(database: Database) -> None:
    line = said(5000, 7000, "没有异议。")
    assert await save(database, line, line) == (line,)
    assert await save(database, line) == ()
    assert await save(database, said(5012, 7010, "没有意义。"), said(5500, 6500, "没有。")) == ()
    beside, other = said(6900, 9000, "还有一点。"), said(5000, 7000, "我方没有。", "clerk-audio")
    assert await save(database, beside, other) == (beside, other)
    async with database.read() as connection:
        assert len(await store.machine_lines(connection, SITTING)) == 3


async def test_a_correction_is_shown_and_the_machine_line_stays(database: Database) -> None:
    line = said(5000, 7000, "没有意义。")
    await save(database, line)
    for number, text in enumerate(("没有异议", "没有异议。")):
        revision = Revision(f"rev_{number}", line.id, ReplaceText(text), pid("clerk"), NINE + timedelta(seconds=number))
        async with database.transaction() as connection:
            await store.add_revision(connection, COURT, SITTING, revision)
    async with database.read() as connection:
        (shown,) = await store.lines(connection, SITTING)
        assert await store.machine_lines(connection, SITTING) == (line,)
    assert (shown.text, shown.edited_by, shown.edited_at) == ("没有异议。", "clerk", NINE + timedelta(seconds=1))


async def test_an_unknown_kind_of_correction_is_an_error_and_not_overlooked(database: Database) -> None:
    line = said(5000, 7000, "没有意义。")
    await save(database, line)
    async with database.transaction() as c:
        await c.execute(insert(t.revisions).values(
            id="rev_1", court_id=COURT, utterance_id=line.id, sitting_id=SITTING, operation={"type": "split"}, author_id="clerk", at=NINE
        ))  # fmt: skip
    async with database.read() as connection:
        with pytest.raises(store.UnknownOperation):
            await store.lines(connection, SITTING)


class LengthEngine:
    """Says how long each stretch was, in words."""

    engine = ENGINE
    prompt = "以下是"

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        return Recognition("不申请回避。", -0.3, 0.0)


class Posted:
    """Signaling's side of the refill."""

    def __init__(self) -> None:
        self.lines: list[Utterance] = []

    async def post_lines(self, lines: list[Utterance]) -> None:
        self.lines += lines


def webm(path: Path, file: Path) -> bytes:
    """The file's Opus packets in a WebM segment whose times start at 0, as the recorder writes it."""
    with av.open(str(file)) as source, av.open(str(path), "w", format="webm") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return path.read_bytes()


async def record(database: Database, objects: FolderStore, tmp_path: Path, starts_ms: list[int]) -> None:
    line = loan_lines()[7]
    data = webm(tmp_path / "segment.webm", line.file)
    async with database.transaction() as c:
        for index, t0_ms in enumerate(starts_ms):
            key = segment_key(COURT, SITTING, TRACK, index)
            await objects.put(key, data)
            await c.execute(insert(t.segments).values(
                court_id=COURT, sitting_id=SITTING, participant_id="plaintiff", track_id=TRACK, kind="audio", codec="opus", index=index,
                t0_ms=t0_ms, t1_ms=t0_ms + 2120, started_at=NINE, bytes=len(data), sha256="0" * 64, sm3="0" * 64, prev_sha256="",
                object_key=key, packets=106, lost_packets=0, filled_ms=0, muted_ms=0, closed_by="rotate",
            ))  # fmt: skip


@pytest.fixture
def refill(database: Database, tmp_path: Path) -> tuple[Refill, Posted, FolderStore, SetClock]:
    objects, posted, clock = FolderStore(tmp_path / "objects"), Posted(), SetClock()
    return Refill(database, objects, LineMaker(LengthEngine(), lambda text: text), posted, clock), posted, objects, clock


async def test_a_missed_span_is_read_from_the_recording_and_no_more_than_it(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, _ = refill
    await record(database, objects, tmp_path, [10_000, 12_120, 20_000, 30_000])
    await handler.handle({"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 12_000, "t1_ms": 22_000})
    assert [line.origin for line in posted.lines] == ["refill", "refill"]
    first, second = posted.lines
    assert 12_200 <= first.t0_ms <= 12_700
    assert 20_100 <= second.t0_ms <= 20_600
    assert (second.sitting_id, second.track_id, second.participant_id) == (SITTING, TRACK, "plaintiff")


async def test_a_refill_waits_for_the_recording_and_says_when_it_never_came(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, clock = refill
    await record(database, objects, tmp_path, [10_000])
    payload = {"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 10_000, "t1_ms": 40_000}
    with pytest.raises(RetryLater):
        await handler.handle(payload)
    async with database.transaction() as c:
        await c.execute(update(t.sittings).where(t.sittings.c.id == SITTING).values(closed_at=NINE))
    clock.advance(3700)
    with pytest.raises(RecordingMissing):
        await handler.handle(payload)
    async with database.transaction() as c:
        await c.execute(
            insert(t.track_ends).values(court_id=COURT, sitting_id=SITTING, track_id=TRACK, segments=1, last_sha256="0" * 64)
        )
    await handler.handle(payload)
    assert len(posted.lines) == 1


async def test_nothing_is_read_again_for_a_sealed_sitting(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, _ = refill
    await record(database, objects, tmp_path, [10_000])
    async with database.transaction() as c:
        await c.execute(update(t.sittings).where(t.sittings.c.id == SITTING).values(closed_at=NINE, sealed_at=NINE))
    await handler.handle({"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 10_000, "t1_ms": 12_000})
    assert posted.lines == []


class AwayStore:
    """A store that cannot be reached."""

    async def get(self, _key: str) -> bytes:
        raise StoreUnavailable("the store is away")


class AwayEngine(LengthEngine):
    """An endpoint that does not answer."""

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        raise EngineAway("endpoint_away", "语音识别服务没有应答；稍后自动重试")


async def test_speech_is_not_given_up_while_store_or_engine_are_away(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, clock = refill
    await record(database, objects, tmp_path, [10_000])
    payload = {"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 10_000, "t1_ms": 12_000}
    for store_now, engine in ((AwayStore(), LengthEngine()), (objects, AwayEngine())):
        away = Refill(database, store_now, LineMaker(engine, lambda text: text), posted, clock)
        with pytest.raises(RetryLater, match="is away"):  # the attempt is not counted, so it is tried for ever
            await away.handle(payload)
    assert posted.lines == []
    await handler.handle(payload)
    assert len(posted.lines) == 1


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_a_span_of_five_hours_is_read_in_bounded_memory(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, _ = refill
    starts_ms = list(range(0, 5 * 3_600_000, 10_000))
    await record(database, objects, tmp_path, starts_ms)
    before_bytes = resident_bytes()
    payload = {"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 0, "t1_ms": starts_ms[-1] + 2_120}
    await handler.handle(payload)
    assert len(posted.lines) == len(starts_ms)
    assert all(0 <= line.t0_ms - t0_ms <= 600 for line, t0_ms in zip(posted.lines, starts_ms, strict=True))
    assert resident_bytes() - before_bytes < 100e6  # its sound alone is 244 MB


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def test_lines_read_again_do_not_double_those_that_live_gave(
    database: Database, tmp_path: Path, refill: tuple[Refill, Posted, FolderStore, SetClock]
) -> None:
    handler, posted, objects, _ = refill
    await record(database, objects, tmp_path, [10_000, 20_000])
    await handler.handle({"sitting_id": SITTING, "track_id": TRACK, "t0_ms": 10_000, "t1_ms": 22_000})
    live = replace(posted.lines[0], t0_ms=posted.lines[0].t0_ms + 30, id="live", origin="live")
    await save(database, live)
    saved = await save(database, *posted.lines)
    assert saved == (posted.lines[1],)
    async with database.read() as connection:
        origins = (await connection.execute(select(t.utterances.c.origin).order_by(t.utterances.c.t0_ms))).scalars().all()
    assert origins == ["live", "refill"]
