"""Speech that live recognition missed, read again from the recorded segments: the handler of `refill` jobs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import av
import structlog

from hearing.model import SittingId
from hearing.timeline import Clock
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import RetryLater, Wake, run_worker
from transcripts.audio import Block, read_file
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.model import Utterance
from transcripts.signaling_client import SignalingClient
from transcripts.store import RecordedSegment, recorded_segments, recorded_until
from transcripts.tap_message import Span
from transcripts.vad import VoiceNetwork
from transcripts.windows import USUAL

log = structlog.get_logger(__name__)

KIND = "refill"
AGAIN_S = 10.0
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
        """Job handler; raises RetryLater until the recording of the span is in the store."""
        span = Span(str(payload["sitting_id"]), str(payload["track_id"]), int(payload["t0_ms"]), int(payload["t1_ms"]))
        found = await self._segments(span)
        sound = [(segment, await self._store.get(segment.object_key)) for segment in found]
        lines = await asyncio.to_thread(lambda: list(self._read(span, sound)))
        for line in lines:
            await self._signaling.post_lines([line])
        log.info("transcripts.refilled", sitting_id=span.sitting_id, track_id=span.track_id, t0_ms=span.t0_ms, lines=len(lines))

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

    def _read(self, span: Span, sound: list[tuple[RecordedSegment, bytes]]) -> Iterator[Utterance]:
        for cut in _cuts(span, sound):
            line = self._maker.make(span.sitting_id, span.track_id, cut, "refill")
            if line is not None:
                yield line


async def work_on_refills(refill: Refill, wake: Wake) -> None:
    """Take `refill` jobs for ever."""
    await run_worker(refill.database, {KIND: refill.handle}, refill.clock, wake)


def _cuts(span: Span, sound: list[tuple[RecordedSegment, bytes]]) -> Iterator[Cut]:
    """Stretches of speech that begin within the span."""
    listener = Listener(VoiceNetwork())
    end_ms: int | None = None
    cuts: list[Cut] = []
    for segment, data in sound:
        try:
            samples = read_file(data)
        except av.FFmpegError:
            where = {"sitting_id": span.sitting_id, "track_id": span.track_id, "index": segment.index}
            log.exception("transcripts.segment_unreadable", **where)
            continue
        joined = end_ms is not None and abs(segment.t0_ms - end_ms) <= SEAM_MS
        cuts += listener.hear(Block(segment.t0_ms, samples, joined=joined), USUAL)
        end_ms = segment.t1_ms
    cuts += listener.finish()
    return (cut for cut in cuts if span.t0_ms <= cut.t0_ms < span.t1_ms)
