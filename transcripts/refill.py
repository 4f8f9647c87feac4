"""Speech that live recognition missed, read again from the recorded segments: the handler of `refill` jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import av
import structlog

from hearing.model import SittingId
from hearing.timeline import Clock
from storage.database import Database
from storage.objects import ObjectStore, StoreUnavailable
from storage.queue import RetryLater, Wake, run_worker
from transcripts.audio import Block, read_file
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.recognizer import EngineAway
from transcripts.signaling_client import SignalingClient
from transcripts.store import RecordedSegment, recorded_segments, recorded_until
from transcripts.tap_message import Span
from transcripts.vad import VoiceNetwork
from transcripts.windows import USUAL

log = structlog.get_logger(__name__)

KIND = "refill"
AGAIN_S = 10.0
AWAY_S = 30.0  # until a store or an engine that is away is asked again: the speech is not given up, however long it takes
PATIENCE = timedelta(hours=1)  # after the sitting closed; what the shipper has not brought by then needs a person
SEAM_MS = 60  # segments of one track that follow each other so closely are one sound


class RecordingMissing(Exception):
    """The recording of a span never reached the store (code "recording_missing")."""

    code = "recording_missing"


class Refill:
    """Reads a span of a track from its recording and posts its lines; doing it twice adds none (store.save_utterances)."""

    def __init__(
        self, database: Database, store: ObjectStore, maker: LineMaker, signaling: SignalingClient, clock: Clock
    ) -> None:
        self.database = database
        self._store = store
        self._maker = maker
        self._signaling = signaling
        self.clock = clock

    async def handle(self, payload: Mapping[str, Any]) -> None:
        """Job handler; raises RetryLater until the recording of the span is in the store, store and engine are there."""
        span = Span(str(payload["sitting_id"]), str(payload["track_id"]), int(payload["t0_ms"]), int(payload["t1_ms"]))
        where = {"sitting_id": span.sitting_id, "track_id": span.track_id, "t0_ms": span.t0_ms}
        ear, lines = _Ear(span), 0
        try:
            for segment in await self._segments(span):  # one at a time: a span may be hours long
                data = await self._store.get(segment.object_key)
                lines += await self._write(span, await asyncio.to_thread(ear.hear, segment, data))
            lines += await self._write(span, ear.finish())
        except StoreUnavailable as problem:
            log.warning("transcripts.refill_waits", reason=problem.code, retry_s=AWAY_S, **where)
            raise RetryLater(AWAY_S, "the store that holds the recording is away") from problem
        except EngineAway as problem:
            log.warning("transcripts.refill_waits", reason=problem.code, retry_s=AWAY_S, **where)
            raise RetryLater(AWAY_S, "the speech engine is away") from problem
        log.info("transcripts.refilled", lines=lines, **where)

    async def _write(self, span: Span, cuts: Iterable[Cut]) -> int:
        """Recognise and post; how many lines came of it."""
        posted = 0
        for cut in cuts:
            line = await asyncio.to_thread(self._maker.make, span.sitting_id, span.track_id, cut, "refill")
            if line is not None:
                await self._signaling.post_lines([line])
                posted += 1
        return posted

    async def _segments(self, span: Span) -> tuple[RecordedSegment, ...]:
        sitting_id = SittingId(span.sitting_id)
        async with self.database.read() as connection:
            recording = await recorded_until(connection, sitting_id, span.track_id)
            if recording.sealed:
                return ()  # the record is complete as it stands; no line can be added to it
            if recording.until_ms < span.t1_ms and not recording.whole:
                if recording.closed_at is not None and self.clock.now() - recording.closed_at > PATIENCE:
                    raise RecordingMissing(f"{span.track_id} is not recorded until {span.t1_ms} ms")
                raise RetryLater(AGAIN_S, "the recording of the span is not stored yet")
            return await recorded_segments(connection, sitting_id, span.track_id, span.t0_ms, span.t1_ms)


async def work_on_refills(refill: Refill, wake: Wake) -> None:
    """Take `refill` jobs for ever."""
    await run_worker(refill.database, {KIND: refill.handle}, refill.clock, wake)


class _Ear:
    """Listens to the segments of a span in their order; keeps no more of them than the words being said."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._listener = Listener(VoiceNetwork())
        self._end_ms: int | None = None

    def hear(self, segment: RecordedSegment, data: bytes) -> list[Cut]:
        """The stretches of speech that begin within the span and end in this segment; an unreadable segment is passed over."""
        try:
            samples = read_file(data)
        except av.FFmpegError:
            where = {"sitting_id": self._span.sitting_id, "track_id": self._span.track_id, "index": segment.index}
            log.exception("transcripts.segment_unreadable", **where)
            return []
        joined = self._end_ms is not None and abs(segment.t0_ms - self._end_ms) <= SEAM_MS
        self._end_ms = segment.t1_ms
        return self._inside(self._listener.hear(Block(segment.t0_ms, samples, joined=joined), USUAL))

    def finish(self) -> list[Cut]:
        """What was still being said when the sound ended."""
        return self._inside(self._listener.finish())

    def _inside(self, cuts: list[Cut]) -> list[Cut]:
        return [cut for cut in cuts if self._span.t0_ms <= cut.t0_ms < self._span.t1_ms]
