"""What the composition root hands to signaling, and the ports through which signaling uses its neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from evidence.model import Exhibit
from hearing.access import AccessClass
from hearing.model import Participant
from hearing.service import HearingService
from hearing.timeline import Clock
from media.control import MediaControl
from signaling.settings import SignalingSettings
from storage.database import Database
from storage.objects import ObjectStore
from storage.queue import SleepingWake, Wake


class Exhibits(Protocol):
    """What signaling asks of evidence.registry.ExhibitRegistry."""

    async def submit(
        self, hearing_id: str, participant: Participant, file_name: str, title: str, purpose: str, chunks: AsyncIterator[bytes]
    ) -> Exhibit:
        """Store, hash and number a file; raises the evidence errors (type, size, duplicate)."""

    async def list(self, hearing_id: str) -> list[Exhibit]: ...

    async def get(self, exhibit_id: str) -> Exhibit:
        """Raises UnknownId."""

    async def page_picture(self, exhibit_id: str, page: int) -> bytes:
        """PNG of a page, from 1."""

    async def original(self, exhibit_id: str) -> tuple[Exhibit, AsyncIterator[bytes]]: ...


@dataclass(frozen=True, slots=True)
class Records:
    """What signaling asks of the record package; the composition root binds database, store and keys.

    `view(sitting_id, holder)` gives the body of protocol.RecordView without `viewer` and `view_id`, as far as who is cleared
    for the class `holder` may have it; `package(hearing_id, holder)` streams a zip for that class.
    """

    view: Callable[[str, AccessClass], Awaitable[dict[str, object]]]
    package: Callable[[str, AccessClass], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything build_app() needs; the caller opens and closes them."""

    settings: SignalingSettings
    clock: Clock
    database: Database
    hearings: HearingService
    exhibits: Exhibits
    store: ObjectStore
    records: Records
    media: Callable[[str], MediaControl]
    """The MediaControl of the worker at a control address (one HTTP session behind all)."""
    wake: Wake = field(default_factory=SleepingWake)
    """Tells job workers that a job was written."""
