"""What is stored stays whole (A10): every copy of every object of a sitting is read again on schedule, and made good.

Job kinds: `verify` {"sitting_id", "origin"} reads both copies of everything of a sitting and compares a sealed one with its
manifest; `heal` {} makes good what readers and verifications found; `rotate` {"key_class"} brings data keys under the newest
wrapping key. All are idempotent and go on where a killed worker stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from record import checks, store
from record.check import check_sitting, stored_keys
from record.checks import Outcome, Problem
from storage.clock import SystemClock
from storage.copies import Copies, NotHealed, Pace
from storage.data_keys import Destroyed, KeptObject, KeyDestroyed, Unopened
from storage.database import Database
from storage.envelope import Damaged
from storage.faults import OpenFault, close_fault, note_fault, open_faults, record_fault, want_healing
from storage.key_ring import UnknownKey
from storage.objects import ObjectMissing, StoreUnavailable
from storage.queue import Handler, RetryLater
from storage.stores import Stores
from storage.watch import Fault

_log = structlog.get_logger(__name__)

BATCH, NOTE_S = 50, 5.0  # how far a check has come is noted after so many objects, or so long
AWAY_AGAIN_S = 60.0
LOOK_S = 1800.0
UNCONFIRMED = timedelta(hours=1)  # an object that is being put has its fault before its row
_FAULTS = {Fault.MISSING: "缺失", Fault.DAMAGED: "内容被改动", Fault.UNREADABLE: "无法读取"}


@dataclass(frozen=True, slots=True)
class HealSettings:
    """How gently stored objects are read again."""

    bytes_per_s: float = 0.0  # 0: as fast as the stores give
    every: timedelta = timedelta(days=7)  # each sitting is checked again; 0: only after sealing and on demand


@dataclass
class _Run:
    """One check in progress; what a later worker needs to go on is in the row `id`."""

    id: str
    sitting_id: str
    objects: int = 0
    healed: int = 0
    problems: list[Problem] = field(default_factory=list)
    done_to: str = ""


class Healer:
    """Reads, compares, heals. `fill` allows filling a store that holds nothing (a new disk); else that is reported."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        clock: SystemClock,
        settings: HealSettings | None = None,
        *,
        fill: bool = False,
    ) -> None:
        self._database = database
        self._stores = stores
        self._clock = clock
        self._settings = settings or HealSettings()
        self._fill = fill

    def handlers(self) -> Mapping[str, Handler]:
        return {"verify": self.verify, "heal": self.heal, "rotate": self.rotate}

    async def verify(self, payload: dict[str, Any]) -> None:
        """Raises RetryLater while one of the stores is away: then nothing can be said about the copies in it."""
        try:
            await self.check(str(payload["sitting_id"]), str(payload.get("origin", "sealing")))
        except StoreUnavailable as error:
            raise RetryLater(AWAY_AGAIN_S, f"store away: {error}") from error

    async def check(self, sitting_id: str, origin: str) -> Outcome | None:
        """Check a sitting, from where an interrupted check of this origin stopped; None when there is no such sitting.

        Raises StoreUnavailable (its row then tells how far it came).
        """
        async with self._database.read() as connection:
            scopes = await checks.scopes_of(connection, sitting_id)
        if scopes is None:
            return None
        run = _Run(*await self._begin(sitting_id, origin))
        copies = self._stores.each(Pace(self._settings.bytes_per_s))
        total = sum([await self._stores.keys.count(scope) for scope in scopes])
        noted_s = self._clock.monotonic()
        try:
            async for item in self._objects(scopes, run.done_to):
                await self._one(run, copies, item)
                if run.objects % BATCH == 0 or self._clock.monotonic() - noted_s > NOTE_S:
                    await self._note(run, run.objects / max(1, total))
                    noted_s = self._clock.monotonic()
        finally:
            await self._note_at_end(run, total)
        return await self._finish(run, scopes)

    async def _begin(self, sitting_id: str, origin: str) -> tuple[str, str, int, int, list[Problem], str]:
        async with self._database.transaction() as connection:
            row = await checks.unfinished(connection, sitting_id, origin)
            if row is None:
                row = await checks.begin(connection, sitting_id, origin, self._clock.now())
        return row.id, sitting_id, row.objects, row.healed, list(row.problems), row.done_to

    async def _objects(self, scopes: list[str], done_to: str = "") -> AsyncIterator[KeptObject | Destroyed | Unopened]:
        for scope in scopes:
            after = done_to
            while batch := await self._stores.keys.under(scope, after, BATCH):
                for item in batch:
                    yield item
                after = batch[-1].object_key

    async def _one(self, run: _Run, copies: Copies, item: KeptObject | Destroyed | Unopened) -> None:
        if isinstance(item, KeptObject):
            notes, problems = await self._examine(copies, item)
            run.healed += len(notes)
            run.problems += problems
        elif isinstance(item, Unopened):
            run.problems.append(Problem(item.object_key, lost=True, text=f"密钥无法打开（{item.reason}）"))
        run.objects += 1
        run.done_to = item.object_key

    async def _examine(self, copies: Copies, kept: KeptObject) -> tuple[dict[str, str], list[Problem]]:
        """(healed store → where its damaged copy lies now, what could not be healed)."""
        faults = await copies.faults(kept)
        if not faults:
            return {}, []
        async with self._database.transaction() as connection:
            for name, fault in faults.items():
                await record_fault(connection, self._clock, kept.object_key, name, fault)
        _log.error("copy_faulty", key=kept.object_key, faults={name: fault.value for name, fault in faults.items()})
        try:
            notes = await copies.heal(kept, faults, fill=self._fill)
        except NotHealed as error:
            async with self._database.transaction() as connection:
                for name in faults:
                    await note_fault(connection, kept.object_key, name, str(error))
            lost = len(faults) > 1
            words = "、".join(f"{name} 库副本{_FAULTS[fault]}" for name, fault in faults.items())
            return {}, [Problem(kept.object_key, lost=lost, text=f"{words}：{error}")]
        async with self._database.transaction() as connection:
            for name, note in notes.items():
                await close_fault(connection, self._clock, kept.object_key, name, note)
        _log.warning("copy_healed", key=kept.object_key, set_aside=notes)
        return notes, []

    async def _note_at_end(self, run: _Run, total: int) -> None:
        await self._note(run, run.objects / max(1, total))

    async def _note(self, run: _Run, progress: float) -> None:
        async with self._database.transaction() as connection:
            await checks.note(connection, run.id, run.objects, run.healed, run.problems, run.done_to)
            await checks.progress(connection, run.sitting_id, min(1.0, progress))

    async def _finish(self, run: _Run, scopes: list[str]) -> Outcome:
        problems = run.problems + await self._against_manifest(run, scopes)
        lost = any(problem.lost for problem in problems)
        state = "damaged" if lost else "one_copy" if problems else "healed" if run.healed else "whole"
        async with self._database.transaction() as connection:
            await checks.note(connection, run.id, run.objects, run.healed, problems, run.done_to)
            await checks.finish(connection, run.id, state, self._clock.now())
        level = _log.info if state in {"whole", "healed"} else _log.error
        level("record_checked", sitting_id=run.sitting_id, state=state, objects=run.objects, healed=run.healed)
        return Outcome(state, run.objects, run.healed, tuple(problem.words() for problem in problems))

    async def _against_manifest(self, run: _Run, scopes: list[str]) -> list[Problem]:
        """A sealed sitting's rows and objects against what was signed, with the hashes that were just found."""
        async with self._database.read() as connection:
            material = await store.material_of(connection, run.sitting_id)
        if material is None or material.sitting.sealed_manifest_sha256 is None:
            return []
        lost = {problem.object_key for problem in run.problems if problem.lost}
        contents = {
            item.object_key: item.content_sha256
            async for item in self._objects(scopes)
            if isinstance(item, KeptObject) and item.object_key not in lost
        }
        checked = await check_sitting(material, self._stores.objects(), contents=contents)
        known = {path for path, key, _ in stored_keys(material, checked.manifest) if key in lost} if checked.manifest else set()
        return [Problem("", lost=True, text=text) for text in checked.problems if not any(path in text for path in known)]

    async def watch(self) -> None:
        """Ask for what is due, until cancelled: checks of sittings, and healing that had to wait."""
        while True:
            try:
                await self.want_due()
            except (SQLAlchemyError, TimeoutError, OSError) as error:  # a database that is away: next time
                _log.warning("checks_not_scheduled", reason=type(error).__name__)
            await asyncio.sleep(LOOK_S)

    async def want_due(self) -> int:
        """How many checks were asked for."""
        every, now = self._settings.every, self._clock.now()
        async with self._database.transaction() as connection:
            if waiting := await open_faults(connection, limit=1):
                await want_healing(connection, self._clock, waiting[0].court_id)
            return await checks.want_due(connection, every, now) if every else 0

    async def heal(self, _payload: dict[str, Any]) -> None:
        """Every open fault once, oldest first; what cannot be healed stays open, with the reason, and stays an alarm."""
        after, unconfirmed = "", False
        copies = self._stores.each()
        while batch := await self._faults(after):
            for fault in batch:
                unconfirmed |= not await self._heal_one(copies, fault)
            after = batch[-1].id
        if unconfirmed:
            raise RetryLater(AWAY_AGAIN_S, "an object is still being put")

    async def _faults(self, after: str) -> list[OpenFault]:
        async with self._database.read() as connection:
            return await open_faults(connection, after)

    async def _heal_one(self, copies: Copies, fault: OpenFault) -> bool:
        """False: the object is not confirmed yet. Raises RetryLater while a store is away."""
        problems: list[Problem] = []
        reason = ""
        try:
            _, problems = await self._examine(copies, await self._stores.keys.find(fault.object_key))
        except KeyDestroyed:
            reason = "密钥已依法销毁"
        except ObjectMissing:  # reserved and not confirmed: being put now, or given up
            if self._clock.now() - fault.noticed_at < UNCONFIRMED:
                return False
            reason = "没有存成"
        except (UnknownKey, Damaged) as error:
            problems = [Problem(fault.object_key, lost=True, text=f"密钥无法打开（{error.code}）")]
        except StoreUnavailable as error:
            raise RetryLater(AWAY_AGAIN_S, f"store away: {error}") from error
        async with self._database.transaction() as connection:
            if problems:
                await note_fault(connection, fault.object_key, fault.store, problems[0].text)
            else:  # where the copy was healed just now the row is closed already, with its note
                await close_fault(connection, self._clock, fault.object_key, fault.store, reason)
            await checks.want_after_fault(connection, fault.object_key, self._clock.now())
        return True

    async def rotate(self, payload: dict[str, Any]) -> None:
        """Bring every data key of a class under its newest wrapping key; short transactions, so that nobody waits."""
        key_class, done = str(payload["key_class"]), 0
        while count := await self._stores.keys.rewrap(key_class):
            done += count
        _log.info("keys_rewrapped", key_class=key_class, keys=done)
