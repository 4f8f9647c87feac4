"""The record's work in the jobs role: seal a closed sitting, draft its statements (record.heal verifies what is stored)."""

from __future__ import annotations

from collections.abc import Mapping

from hearing.timeline import Clock
from record.keys import CourtKey
from record.seal import Sealer, SealSettings
from record.stamping import Stamper
from record.statement_jobs import Drafter
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import Handler


def handlers(
    database: Database,
    objects: ObjectStore,
    key: CourtKey,
    clock: Clock,
    settings: SealSettings | None = None,
    stamper: Stamper | None = None,
) -> Mapping[str, Handler]:
    """The handlers of this package by job kind, for storage.queue.run_worker()."""
    sealer = Sealer(database, objects, key, clock, settings or SealSettings(), stamper)
    stamping = {"stamp": stamper.stamp} if stamper else {}
    return {"seal": sealer.seal, "statements": Drafter(database, clock).draft, **stamping}
