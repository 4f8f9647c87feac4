"""Who works on `final` jobs: the transcripts role beside its captions, or a process of its own on a machine with a GPU."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hearing.timeline import Clock
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import Wake, run_worker
from transcripts.case_data import words_of_sitting
from transcripts.engines import Engines
from transcripts.final_pass import Alone, FinalPass, FinalSettings, Reader, Turn
from transcripts.lines import LineMaker
from transcripts.pinyin import readings
from transcripts.pipeline import Pipeline
from transcripts.readiness import engines_when_usable
from transcripts.recognizer import Recognizer
from transcripts.script import Simplifier
from transcripts.second_opinion import SecondOpinion
from transcripts.settings import TranscriptSettings
from transcripts.vad import VoiceNetwork

log = structlog.get_logger(__name__)

LATE_PACKETS = 50  # in the inbox: a second of one voice


@dataclass(frozen=True, slots=True)
class CaptionsFirst:
    """Between two calls of the engine the final pass waits while any speech waits for its caption."""

    pipeline: Pipeline

    def busy(self) -> bool:
        load = self.pipeline.load
        return load.waiting_ms > 0 or load.inbox_packets > LATE_PACKETS


def final_pass(
    engines: Engines, database: Database, store: ObjectStore, clock: Clock, settings: FinalSettings, turn: Turn | None = None
) -> FinalPass:
    """The handler with the engines of this process."""
    readers = {"final": _reader(engines.final, engines.second)}
    if engines.second is not None:
        readers["second"] = _reader(engines.second)
    return FinalPass(
        database, store, readers, VoiceNetwork(), clock, settings, turn or Alone(), words_of=words_of_sitting, sound=sound_of
    )  # fmt: skip


async def work_on_finals(job: FinalPass, wake: Wake) -> None:
    """Take `final` jobs for ever. A database that is away or full never takes the captions of this process with it."""
    while True:
        try:
            await run_worker(job.database, job.handlers(), job.clock, wake)
        except SQLAlchemyError as error:
            log.warning("final_worker_waits", problem=type(error).__name__)
            await asyncio.sleep(job.settings.again_s)


async def serve_finals(settings: TranscriptSettings, clock: Clock, store: ObjectStore, database: Database, wake: Wake) -> None:
    """A process that makes final passes alone, also while sittings are in session. Without its engine it waits for it."""
    engines = await engines_when_usable(settings, lambda _problem: None, captions=False)
    log.info("final_worker_ready")
    await work_on_finals(final_pass(engines, database, store, clock, FinalSettings(during_sessions=True)), wake)


def sound_of(letter: str) -> str:
    """How a character sounds, without its tone; itself where it is not Chinese."""
    found = readings(letter)[0]
    return found[0] if found else letter


def _reader(recognizer: Recognizer, second: Recognizer | None = None) -> Reader:
    opinion = SecondOpinion(second) if second is not None else None
    return Reader(recognizer, LineMaker(recognizer, Simplifier()), opinion)
