"""The record's work in the jobs role: seal a closed sitting, verify a sealed one where it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from hearing.timeline import Clock
from record import store
from record.check import check_sitting
from record.keys import CourtKey
from record.seal import Sealer, SealSettings
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import Handler

_log = structlog.get_logger(__name__)


class RecordDamaged(Exception):
    """A sealed record no longer matches its manifest; the message names the first problems."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """The job `verify`, payload {"sitting_id"}: reads and hashes every stored byte of a sealed sitting."""

    database: Database
    objects: ObjectStore

    async def verify(self, payload: dict[str, Any]) -> None:
        """Raises RecordDamaged, which stays readable on the job's row."""
        sitting_id = str(payload["sitting_id"])
        async with self.database.read() as connection:
            material = await store.material_of(connection, sitting_id)
        if material is None or material.sitting.sealed_manifest_sha256 is None:
            return
        checked = await check_sitting(material, self.objects, deep=True)
        if checked.problems:
            _log.error("record_damaged", sitting_id=sitting_id, problems=len(checked.problems))
            raise RecordDamaged("\n".join(checked.problems[:5]))
        _log.info("record_verified", sitting_id=sitting_id)


def handlers(
    database: Database, objects: ObjectStore, key: CourtKey, clock: Clock, settings: SealSettings | None = None
) -> Mapping[str, Handler]:
    """The handlers of this package by job kind, for storage.queue.run_worker()."""
    sealer = Sealer(database, objects, key, clock, settings or SealSettings())
    return {"seal": sealer.seal, "verify": Verifier(database, objects).verify}
