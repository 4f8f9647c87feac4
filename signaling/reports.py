"""What media and shipper report: into rows, commands of the server, and events for the right people."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from hearing.audience import may_see
from hearing.commands import RecordGap
from hearing.errors import UnknownId
from hearing.model import SYSTEM
from media.control import (
    GapFound,
    LayersChosen,
    OfferMade,
    PeerState,
    Quality,
    RecorderHealth,
    RecordingFinished,
    Report,
    SegmentStored,
    Speaking,
    StoreHealth,
    WorkerAlive,
    WorkerStarted,
)
from signaling import protocol
from signaling.acts import Acts
from signaling.broadcast import Broadcast, insiders, quality_receivers
from signaling.media_watch import MediaWatch
from signaling.parts import Parts
from signaling.protocol import LayerView, MediaLost, MediaOffered, OfferView, QualityMeasured, SpeakingChanged
from signaling.recording_watch import RecordingWatch
from signaling.store_watch import StoreWatch
from storage.tables import segments, track_ends

log = structlog.get_logger("signaling.reports")

ADAPTERS: dict[str, TypeAdapter[Any]] = {
    report.type: TypeAdapter(report)
    for report in (
        WorkerStarted, WorkerAlive, PeerState, OfferMade, Speaking, Quality, LayersChosen, RecorderHealth,
        GapFound, RecordingFinished, SegmentStored, StoreHealth,
    )
}  # fmt: skip


def read_report(data: dict[str, Any]) -> Report:
    """One report of a batch; raises KeyError for an unknown type, ValidationError for a bad field."""
    report: Report = ADAPTERS[data["type"]].validate_python({key: value for key, value in data.items() if key != "type"})
    return report


class Reports:
    """One method per report. All may come twice."""

    def __init__(
        self, parts: Parts, acts: Acts, broadcast: Broadcast, watch: MediaWatch, recording: RecordingWatch, stores: StoreWatch
    ) -> None:
        self._parts = parts
        self._acts = acts
        self._broadcast = broadcast
        self._watch = watch
        self._recording = recording
        self._stores = stores

    async def take(self, report: Report) -> dict[str, object]:
        """Do what a report asks; returns what its sender must know.

        Raises UserError when it names what is not here: the sender need not repeat it.
        """
        match report:
            case WorkerStarted():
                await self._watch.restarted(report.control_url)
            case WorkerAlive():
                self._stores.heard_worker(report)
                return await self._watch.alive(report)
            case SegmentStored():
                await self._store_segment(report)
            case RecordingFinished():
                await self._store_ends(report)
            case GapFound():
                await self._record_gap(report)
            case StoreHealth():
                self._stores.heard(report)
            case RecorderHealth():
                self._recording.heard(report)
                if report.sitting_id in self._recording.stale():
                    await self._broadcast.refresh(report.sitting_id)
            case _:
                await self._tell_pages(report)
        return {}

    async def _tell_pages(self, report: PeerState | OfferMade | Speaking | Quality | LayersChosen) -> None:
        """What concerns the pages of the people there, and no row."""
        match report:
            case PeerState():
                await self._peer_state(report)
            case OfferMade():
                offer = OfferView.model_validate(
                    {"connection": report.connection, "revision": report.revision, "sdp": report.sdp}
                )
                await self._broadcast.send(
                    report.sitting_id, report.participant_id, MediaOffered(peer_id=report.peer_id, offer=offer)
                )
            case Speaking():
                await self._speaking(report)
            case Quality():
                await self._quality(report)
            case LayersChosen():
                await self._broadcast.send(report.sitting_id, report.participant_id, layers_view(report))

    async def _store_segment(self, report: SegmentStored) -> None:
        hearing, _ = await self._parts.hearings.load(report.sitting_id)
        if hearing.participant(report.participant_id) is None:
            raise UnknownId("本次庭审中没有此人。", field="participant_id")
        row = {**asdict(report), "kind": report.kind.value, "access": report.access.value, "court_id": hearing.court_id}
        async with self._parts.database.transaction() as connection:
            await insert_once(connection, segments, row)

    async def _store_ends(self, report: RecordingFinished) -> None:
        hearing, _ = await self._parts.hearings.load(report.sitting_id)
        async with self._parts.database.transaction() as connection:
            for end in report.tracks:
                await insert_once(
                    connection, track_ends, {**asdict(end), "court_id": hearing.court_id, "sitting_id": report.sitting_id}
                )
        log.info("recording finished", sitting_id=report.sitting_id, tracks=len(report.tracks))

    async def _record_gap(self, report: GapFound) -> None:
        """The same gap gives the same command id, so that a repeated report is no second ledger entry."""
        gap = RecordGap(report.participant_id, report.kind.value, report.t0_ms, report.t1_ms, report.cause)
        digest = hashlib.sha256(repr((report.sitting_id, gap)).encode()).hexdigest()[:40]
        await self._acts.give(report.sitting_id, gap, SYSTEM, f"gap_{digest}")

    async def _peer_state(self, report: PeerState) -> None:
        log.info(
            "peer",
            sitting_id=report.sitting_id,
            participant_id=report.participant_id,
            peer_id=report.peer_id,
            state=report.state,
        )
        if report.state == "lost":
            await self._broadcast.send(report.sitting_id, report.participant_id, MediaLost(reason="peer_lost"))

    async def _speaking(self, report: Speaking) -> None:
        """To those in the courtroom, if the speaker is there: nobody learns who speaks in isolation."""
        hearing, sitting = await self._parts.hearings.load(report.sitting_id)
        if may_see(hearing, sitting, report.participant_id):
            message = SpeakingChanged(participant_id=report.participant_id, speaking=report.speaking)
            await self._broadcast.send_to(sitting.id, [person.id for person in insiders(hearing, sitting)], message)

    async def _quality(self, report: Quality) -> None:
        hearing, sitting = await self._parts.hearings.load(report.sitting_id)
        measured = {key: value for key, value in asdict(report).items() if key != "sitting_id"}
        receivers = quality_receivers(hearing, sitting, report.participant_id)
        await self._broadcast.send_to(sitting.id, receivers, QualityMeasured.model_validate(measured))


def layers_view(report: LayersChosen) -> protocol.LayersChosen:
    """The wire form: a track id is "<participant>-<kind>"."""
    layers = []
    for choice in report.choices:
        participant_id, _, kind = choice.track_id.rpartition("-")
        fields = {"participant_id": participant_id, "kind": kind, "layer": choice.layer, "reason": choice.reason}
        layers.append(LayerView.model_validate(fields))
    return protocol.LayersChosen(layers=layers)


async def insert_once(connection: AsyncConnection, table: Table, row: dict[str, object]) -> None:
    """INSERT … ON CONFLICT DO NOTHING in the database's dialect: a report that comes again changes nothing."""
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    await connection.execute(module.insert(table).values(**row).on_conflict_do_nothing())
