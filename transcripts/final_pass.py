"""The job `final`: every recorded voice of a closed sitting is read again with all care, which gives a version (终稿识别).

Track by track and stretch by stretch: the lines of a stretch and how far the track is read are written in one transaction,
so a pass that dies goes on where it was. Live captions come first: see Turn. What somebody corrected is not read again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import av
import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.model import SittingId
from hearing.timeline import Clock
from storage.database import Database
from storage.objects import ObjectStore, StorageError, StoreUnavailable
from storage.queue import Handler, RetryLater
from transcripts import store, versions
from transcripts.audio import read_file
from transcripts.bleed import Sound, bleed_in
from transcripts.composing import touched_spans
from transcripts.level import level_db
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Utterance
from transcripts.reading import read_track
from transcripts.recognizer import EngineAway, EngineProblem, Recognizer, Samples
from transcripts.second_opinion import SecondOpinion
from transcripts.sentences import ended
from transcripts.store import RecordedSegment, RecordedTrack
from transcripts.stretches import SPEECH_MS, Span, Stretch
from transcripts.vad import VoiceNetwork
from transcripts.versions import FINAL, Overtaken, Version
from transcripts.vocabulary import NO_WORDS, CaseWords

log = structlog.get_logger(__name__)

ENGINE_MISSING = "engine_missing"  # the worker has no such engine: no second one is set
ENGINE_CHANGED = "engine_changed"  # set anew while the pass was under way: a version is never made by two
AUDIO_UNREADABLE = "audio_unreadable"  # some of the recording cannot be read; the rest was
AWAY = "store_away"
DISK = "database_away"  # locked, full or away
ENGINE_AWAY = "engine_away"

_Answer = TypeVar("_Answer")
WordsOf = Callable[[AsyncConnection, SittingId], Awaitable[CaseWords]]


class Turn(Protocol):
    """Whether live captions need the machine now. Asked from a thread between two calls of the engine."""

    def busy(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Alone:
    """A worker of its own (a GPU): nobody to wait for."""

    def busy(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Reader:
    """One engine and how its lines are written, with a second opinion on them where there is one; blocking."""

    recognizer: Recognizer
    maker: LineMaker
    second: SecondOpinion | None = None

    def read(self, at: Place, cuts: Sequence[Cut], words: CaseWords, told: Callable[[int], None]) -> list[Utterance]:
        """The lines of these cuts. `told` is called between the engine's calls and may raise."""
        lines = []
        for cut, recognition in read_track(self.recognizer, cuts, words, told):
            line = self.maker.write(recognition, cut, at.sitting_id, at.track_id, FINAL, words, at.version)
            if line is not None:
                checked = line if self.second is None else self.second.on(line, cut, words)
                lines.append(replace(checked, level_db=level_db(cut.samples)))
        return ended(lines)


@dataclass(frozen=True, slots=True)
class Place:
    """Of which version of which track a line is."""

    sitting_id: str
    track_id: str
    version: int


@dataclass(frozen=True, slots=True)
class FinalSettings:
    """How a worker makes final passes."""

    during_sessions: bool = False  # also while a sitting is in session
    again_s: float = 30.0  # how long it waits for the end of a session, for a store, for an engine
    speech_ms: int = SPEECH_MS  # so much speech is written down at a time
    look_s: float = 0.2  # how often it looks whether live captions are through


class Stopped(Exception):
    """The worker is told to end; the job goes back to the queue."""


async def no_words(_connection: AsyncConnection, _sitting_id: SittingId) -> CaseWords:
    """No vocabulary of the case."""
    return NO_WORDS


@dataclass(frozen=True, slots=True)
class FinalPass:
    """Handler of FINAL. `readers` by the name that the job asks for: final, second."""

    database: Database
    objects: ObjectStore
    readers: Mapping[str, Reader]
    network: VoiceNetwork
    clock: Clock
    settings: FinalSettings = FinalSettings()
    turn: Turn = Alone()
    words_of: WordsOf = no_words
    sound: Sound = str

    def handlers(self) -> dict[str, Handler]:
        return {FINAL: self.make}

    async def make(self, payload: Mapping[str, Any]) -> None:
        """Raises RetryLater while a sitting is in session, or a store, the database or an engine is away."""
        sitting_id, number = str(payload["sitting_id"]), int(payload["version"])
        try:
            async with self.database.read() as connection:
                version = await versions.version_of(connection, sitting_id, number)
            if version is None or version.state in (versions.DONE, versions.FAILED):
                return
            await self._make(version, str(payload.get("engine", FINAL)))
        except StoreUnavailable as error:
            await self._later(sitting_id, number, AWAY, error)
        except EngineAway as error:
            await self._later(sitting_id, number, ENGINE_AWAY, error)
        except OperationalError as error:
            raise RetryLater(self.settings.again_s, DISK) from error
        except Overtaken:
            log.warning("final_overtaken", sitting_id=sitting_id, version=number)

    async def _later(self, sitting_id: str, number: int, problem: str, error: Exception) -> None:
        async with self.database.transaction() as connection:
            version = await versions.version_of(connection, sitting_id, number)
            if version is not None:
                await versions.note_problem(connection, version, problem)
        raise RetryLater(self.settings.again_s, problem) from error

    async def _make(self, version: Version, engine: str) -> None:
        await self._wait_for_sessions()
        try:
            run = await self._run(version, self._reader(version, engine))
            for track in run.tracks:
                await run.read(track)
        except EngineAway:
            raise
        except EngineProblem as error:
            await self._give_up(version, error.code, engine)
        else:
            await self._finish(run)

    def _reader(self, version: Version, engine: str) -> Reader:
        """Raises EngineProblem."""
        reader = self.readers.get(engine)
        if reader is None:
            raise EngineProblem(ENGINE_MISSING, "没有设置这个识别引擎")
        known, now = version.engine, reader.recognizer.engine
        if known is not None and (known.name, known.model_sha256) != (now.name, now.model_sha256):
            raise EngineProblem(ENGINE_CHANGED, "识别引擎已更换")
        return reader

    async def _give_up(self, version: Version, problem: str, engine: str) -> None:
        """The version stays as it is, failed; where only the engine was changed another one is asked for."""
        now = self.clock.now()
        async with self.database.transaction() as connection:
            await versions.fail(connection, version, problem, now)
            if problem == ENGINE_CHANGED:
                by = version.requested_by
                await versions.ask_for(connection, version.sitting_id, version.court_id, now, requested_by=by, engine=engine)
        log.warning("final_failed", sitting_id=version.sitting_id, version=version.number, problem=problem)

    async def _wait_for_sessions(self) -> None:
        if self.settings.during_sessions:
            return
        async with self.database.read() as connection:
            if await versions.in_session(connection):
                raise RetryLater(self.settings.again_s, "a sitting is in session")

    async def _run(self, version: Version, reader: Reader) -> _Run:
        sitting_id = SittingId(version.sitting_id)
        async with self.database.transaction() as connection:
            await versions.begin(connection, version, reader.recognizer.engine)
        async with self.database.read() as connection:
            said = await store.every_line(connection, sitting_id)
            left_out = touched_spans(said, await store.revisions_of(connection, sitting_id))
            tracks = await store.recorded_tracks(connection, sitting_id)
            words = await self.words_of(connection, sitting_id)
        known = version.problem if version.problem == AUDIO_UNREADABLE else ""
        return _Run(self, version, reader, tracks, left_out, words, problem=known)

    async def _finish(self, run: _Run) -> None:
        version, now = run.version, self.clock.now()
        async with self.database.read() as connection:
            lines = await store.machine_lines(connection, version.sitting_id, version.number)
        found = await asyncio.to_thread(bleed_in, lines, self.sound)
        async with self.database.transaction() as connection:
            await versions.finish(connection, version, found, run.problem, now)
        for one in found:
            log.info("final_bleed", sitting_id=version.sitting_id, id=one.id, kept_id=one.kept_id, lower_db=one.lower_db)
        log.info("final_made", sitting_id=version.sitting_id, version=version.number, lines=len(lines), bleed=len(found))


@dataclass
class _Run:
    """One working on a version."""

    job: FinalPass
    version: Version
    reader: Reader
    tracks: tuple[RecordedTrack, ...]
    left_out: Mapping[str, Sequence[Span]]
    words: CaseWords
    stop: threading.Event = field(default_factory=threading.Event)
    problem: str = ""

    async def read(self, track: RecordedTrack) -> None:
        """From where the track stands to its end."""
        while (from_ms := self._stands_at(track)) < track.t1_ms:
            await self.job._wait_for_sessions()  # noqa: SLF001  the two are one thing
            stretch = await self._hear(track, from_ms)
            at = Place(self.version.sitting_id, track.track_id, self.version.number)
            lines = await self._in_thread(partial(self.reader.read, at, stretch.cuts, self.words, self._told))
            done = {**self.version.done_to, track.track_id: stretch.to_ms}
            async with self.job.database.transaction() as connection:
                self.version = await versions.advance(
                    connection, self.version, track.track_id, (from_ms, stretch.to_ms), lines,
                    share_of(self.tracks, done), self.job.clock.now(), self.problem,
                )  # fmt: skip

    def _stands_at(self, track: RecordedTrack) -> int:
        return self.version.done_to.get(track.track_id, track.t0_ms)

    async def _hear(self, track: RecordedTrack, from_ms: int) -> Stretch:
        stretch = Stretch(self.job.network, from_ms, self.left_out.get(track.track_id, ()), self.job.settings.speech_ms)
        for segment in track.segments:
            if segment.t1_ms <= from_ms:
                continue
            samples = await self._sound(segment)
            if samples is None:
                continue
            if await self._in_thread(partial(stretch.take, segment.t0_ms, samples, segment.access)):
                return stretch
        await self._in_thread(partial(stretch.finish, track.t1_ms))
        return stretch

    async def _sound(self, segment: RecordedSegment) -> Samples | None:
        """None where it cannot be read: its key was destroyed by ruling, or both copies are damaged. The rest still counts."""
        try:
            data = await self.job.objects.get(segment.object_key)
            return await self._in_thread(partial(read_file, data))
        except StoreUnavailable:
            raise
        except (StorageError, av.FFmpegError) as error:
            self.problem = AUDIO_UNREADABLE
            where = {"sitting_id": self.version.sitting_id, "key": segment.object_key}
            log.warning("final_segment_unreadable", **where, problem=type(error).__name__)
            return None

    async def _in_thread(self, work: Callable[[], _Answer]) -> _Answer:
        """What blocks; when the job is cancelled the thread ends at the engine's next pause."""
        try:
            return await asyncio.to_thread(work)
        except asyncio.CancelledError:
            self.stop.set()
            raise

    def _told(self, _t_ms: int) -> None:
        """Between two calls of the engine: let live captions through. Raises Stopped."""
        while not self.stop.is_set() and self.job.turn.busy():
            self.stop.wait(self.job.settings.look_s)
        if self.stop.is_set():
            raise Stopped


def share_of(tracks: Sequence[RecordedTrack], done_to: Mapping[str, int]) -> float:
    """How much of what is recorded has been read, 0 … 1."""
    whole_ms = sum(segment.t1_ms - segment.t0_ms for track in tracks for segment in track.segments)
    read_ms = sum(
        max(0, min(segment.t1_ms, done_to.get(track.track_id, segment.t0_ms)) - segment.t0_ms)
        for track in tracks for segment in track.segments
    )  # fmt: skip
    return read_ms / whole_ms if whole_ms else 1.0
