"""The transcripts role: taps → pipeline → signaling. It remembers nothing: lines are rows, sound is in ring and recording."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import aiohttp
import structlog

from hearing.timeline import Clock
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import SleepingWake, Wake
from transcripts.case_book import CaseBook
from transcripts.final_pass import FinalSettings
from transcripts.final_worker import CaptionsFirst, final_pass, work_on_finals
from transcripts.lines import LineMaker
from transcripts.model import Utterance
from transcripts.pipeline import Pipeline
from transcripts.progress import Progress
from transcripts.readiness import HealthTeller, engines_when_usable, health_of, try_again
from transcripts.refill import Refill, work_on_refills
from transcripts.script import Simplifier
from transcripts.settings import TranscriptSettings
from transcripts.signaling_client import SignalingClient
from transcripts.tap_client import TapClient
from transcripts.tap_message import Hello, Overflow, Span, TapPacket
from transcripts.vad import VoiceNetwork

log = structlog.get_logger(__name__)

BATCH_LINES = 20
FULL_PAUSE_S = 0.05
SEAM_MS = 2_000  # a refill reads over so short a hole
LONGEST_REFILL_MS = 600_000
LOOK_S = 0.4  # how soon people learn that somebody's words are being written
REPEAT_S = 3.0


async def serve(
    settings: TranscriptSettings, clock: Clock, store: ObjectStore | None = None, database: Database | None = None, *,
    wake: Wake | None = None, ready: Callable[[], None] = lambda: None, finals: FinalSettings | None = None,
) -> None:  # fmt: skip
    """Run until cancelled. While no captions can be made it says so to signaling, and tries again.

    With a store and a database the role also works on `refill` jobs, with `finals` on `final` jobs, captions first.
    `ready` is called once captions can be made.
    """
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        signaling = SignalingClient(settings.signaling_url, settings.internal_token, session)
        teller = HealthTeller(signaling.tell_health)
        tasks.create_task(teller.run())
        engines = await engines_when_usable(settings, teller.failed)
        outbox = Outbox(signaling, asyncio.get_running_loop())
        maker = LineMaker(engines.live, Simplifier()).knowing(
            CaseBook(signaling.case_words, asyncio.get_running_loop(), clock).words_of
        )
        pipeline = Pipeline(maker, VoiceNetwork(), clock, outbox, workers=settings.workers)
        heads = await signaling.heads()
        pipeline.skip_before(heads)
        pipeline.start()
        log.info("transcripts.ready", taps=len(settings.tap_urls))
        teller.look = partial(health_of, engines)
        ready()
        taps = [TapClient(url, settings.internal_token, session) for url in settings.tap_urls]
        work = [outbox.run(), tell_progress(pipeline, signaling), try_again(engines)]
        work += [follow(tap, pipeline, Unheard(heads), outbox) for tap in taps]
        if store is not None and database is not None:
            work.append(work_on_refills(Refill(database, store, maker, signaling, clock), wake or SleepingWake()))
            if finals is not None:
                job = final_pass(engines, database, store, clock, finals, CaptionsFirst(pipeline))
                work.append(work_on_finals(job, wake or SleepingWake()))
        for one in work:
            tasks.create_task(one)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(pipeline.close)


class Outbox:
    """Carries results from the pipeline's threads to signaling, in order."""

    def __init__(self, signaling: SignalingClient, loop: asyncio.AbstractEventLoop) -> None:
        self._signaling = signaling
        self._loop = loop
        self._queue: asyncio.Queue[Utterance | Span] = asyncio.Queue()

    def line(self, utterance: Utterance) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, utterance)

    def lost(self, span: Span) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, span)

    async def run(self) -> None:
        """Post what comes, for ever."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < BATCH_LINES:
                batch.append(self._queue.get_nowait())
            for span in batch:  # before the lines: a restart goes on after a track's last line and would forget the span
                if isinstance(span, Span):
                    await self._signaling.request_refill(span)
            lines = [item for item in batch if isinstance(item, Utterance)]
            if lines:
                await self._signaling.post_lines(lines)


async def tell_progress(pipeline: Pipeline, signaling: SignalingClient) -> None:
    """Tell who is being written and how late captions are: when it changes, and again while it lasts. For ever."""
    loop = asyncio.get_running_loop()
    told: dict[str, Progress] = {}
    told_s = 0.0
    while True:
        await asyncio.sleep(LOOK_S)
        now = {sitting_id: _stepped(progress) for sitting_id, progress in pipeline.progress().items()}
        over = {sitting_id: Progress(sitting_id) for sitting_id in told.keys() - now.keys()}
        changed = [progress for sitting_id, progress in (now | over).items() if told.get(sitting_id) != progress]
        again = list(now.values()) if loop.time() - told_s >= REPEAT_S else []
        if changed or again:
            await signaling.tell_progress(again + [progress for progress in changed if progress not in again])
            told, told_s = now, loop.time() if again else told_s


def _stepped(progress: Progress) -> Progress:
    """In whole seconds, so that a moment that moves on a little is no news."""
    behind_ms = progress.behind_from_ms
    return progress if behind_ms is None else replace(progress, behind_from_ms=behind_ms // 1000 * 1000)


class Unheard:
    """What of the spans that left the tap's ring has no line yet, joined to as few readings as possible."""

    def __init__(self, heads: dict[str, int]) -> None:
        self._heads = heads

    def of(self, overflow: Overflow) -> list[Span]:
        """Spans to read from the recording. After a restart the tap tells all that it forgot, also what was heard in time."""
        wanted: list[Span] = []
        for span in sorted(overflow.spans, key=lambda span: (span.sitting_id, span.track_id, span.t0_ms)):
            from_ms = max(span.t0_ms, self._heads.get(span.track_id, span.t0_ms))
            if from_ms >= span.t1_ms:
                continue
            last = wanted[-1] if wanted else None
            if last is not None and _continues(last, span, from_ms):
                wanted[-1] = replace(last, t1_ms=max(last.t1_ms, span.t1_ms))
            else:
                wanted.append(replace(span, t0_ms=from_ms))
        return wanted


def _continues(last: Span, span: Span, from_ms: int) -> bool:
    same = (last.sitting_id, last.track_id) == (span.sitting_id, span.track_id)
    return same and from_ms - last.t1_ms <= SEAM_MS and span.t1_ms - last.t0_ms <= LONGEST_REFILL_MS


async def follow(tap: TapClient, pipeline: Pipeline, unheard: Unheard, outbox: Outbox) -> None:
    """Feed one tap into the pipeline, for ever."""
    async for message in tap.messages():
        match message:
            case Hello():
                log.info("transcripts.tap_connected", worker_id=message.worker_id, next_seq=message.next_seq)
            case Overflow():
                if message.spans:  # at start everything before the ring is told, mostly nothing
                    log.warning("transcripts.tap_overflow", from_seq=message.from_seq, to_seq=message.to_seq)
                for span in unheard.of(message):
                    outbox.lost(span)
            case TapPacket():
                while not pipeline.offer(message):
                    await asyncio.sleep(FULL_PAUSE_S)
