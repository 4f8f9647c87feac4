"""One sitting in the media plane: its peers, the forwarder, the recorder and the tap.

Closing order (close): 1 the recorder is told the time at which every track ends; 2 the peers' connections are closed, so
that nothing more comes in; 3 the recorder writes what is certain and closes its segments; 4 the writer thread has put all
of it on the disk. Only then may the worker call the sitting finished. A peer that is lost goes through 1 and 2 alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from hearing.audience import RECORDER, TAP, GrantTable
from hearing.model import ParticipantId, SittingId
from media.aiortc_bridge import Certificate, now_ms
from media.allowance import Allowance
from media.control import (
    ClientStats,
    LayerChoice,
    LayersChosen,
    MediaError,
    Offer,
    OfferMade,
    PeerState,
    QualitySample,
    Report,
    Speaking,
)
from media.downlink import Downlink
from media.link import Link
from media.metrics import departed
from media.outlet import Outlet
from media.peer import Peer
from media.quality import QualityBook
from media.recorder import Recorder
from media.sdp import TransportSide
from media.segment_writer import SegmentWriter
from media.selector import Selector
from media.settings import MediaSettings
from media.sfu import Forwarder, Track
from media.tap import Tap, TapRing
from media.uplink import Uplink

REPORT_MS = 1_000.0
QUALITY_MS = 5_000.0
HEALTH_MS = 2_000.0
RECORDER_TICK_MS = 100.0
PATHS_MS = 250.0
CONNECTS_AT_ONCE, CONNECTS_PER_S = 10, 0.5  # of one person: each costs sockets, and everyone else an offer
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a courtroom shares with the worker's others."""

    settings: MediaSettings
    certificate: Certificate
    writer: SegmentWriter
    ring: TapRing
    monotonic_of: Callable[[datetime], float]
    report: Callable[[Report], None]


class Courtroom:
    """Steered by one grant table at a time; a lower number is ignored. Without a table nobody may connect."""

    def __init__(self, sitting_id: SittingId, around: Surroundings) -> None:
        self.sitting_id = sitting_id
        self.number = -1
        self._around = around
        self._members: frozenset[ParticipantId] = frozenset()
        self._peers: dict[str, Peer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connects: dict[ParticipantId, Allowance] = {}
        self._due_ms = {"paths": 0.0, "report": 0.0, "quality": 0.0, "health": 0.0, "recorder": 0.0}
        self.recorder = Recorder(sitting_id, around.writer, self._tracks_in_court, around.monotonic_of, around.report)
        self.recorder.segment_s = around.settings.segment_s
        self._tap = Tap(sitting_id, around.ring, self._tracks_in_court, around.monotonic_of)
        self.forwarder = Forwarder({RECORDER: self.recorder, TAP: self._tap}, undecided=None)
        self._selector = Selector(self.forwarder, around.settings.last_n, around.settings.crowd_above, self._say_layers)
        self.forwarder.on_layers_changed = lambda _: self._selector.decide_all(now_ms())
        self._quality = QualityBook(sitting_id, self.forwarder, around.monotonic_of)

    # --- control ---------------------------------------------------------------------------

    def apply(self, table: GrantTable) -> int:
        """Put a table in force at once; returns the number now in force."""
        if table.number > self.number:
            self.number = table.number
            self._members = table.members
            self._selector.prominent = table.prominent
            self.recorder.catch_up()
            self.forwarder.set_grants(table.grants)
            self.recorder.apply(table)
            self._tap.apply(table)
            self.forwarder.refresh()
            self._selector.decide_all(now_ms())
            for peer in tuple(self._peers.values()):
                if peer.participant_id not in self._members:
                    self._spawn(self._end(peer, "closed"))
            self._offer_changes()
        return self.number

    async def connect(self, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        """A new peer takes the place of this participant's older one.

        Raises MediaError not_a_member, too_many_connects, network.
        """
        if participant_id not in self._members:
            raise MediaError("not_a_member", "该参与人目前不得建立媒体连接")
        allowance = self._connects.setdefault(participant_id, Allowance(CONNECTS_PER_S, burst=CONNECTS_AT_ONCE))
        if not allowance.take(1, now_ms()):
            raise MediaError("too_many_connects", "音视频重新连接过于频繁，请稍等几秒")
        while (old := self._peer_of(participant_id)) is not None:
            await self._end(old, "closed")
        if peer_id in self._peers:
            raise MediaError("peer_exists", "连接编号已被使用")
        peer = self._make_peer(participant_id, peer_id)
        self._peers[peer_id] = peer
        peer.down.set_tracks(self.forwarder.wanted_by(participant_id))
        try:
            return await peer.gather()
        except OSError as error:
            await self._end(peer, "closed")
            raise MediaError("network", "服务器没有可用的媒体地址或端口") from error

    def _peer_of(self, participant_id: ParticipantId) -> Peer | None:
        return next((peer for peer in self._peers.values() if peer.participant_id == participant_id), None)

    def _make_peer(self, participant_id: ParticipantId, peer_id: str) -> Peer:
        around, network = self._around, self._around.settings.network
        up = Uplink(participant_id, network, around.certificate, self.forwarder, around.settings.max_video_bps)
        down = Downlink(participant_id, network, around.certificate, self.forwarder)
        peer = Peer(peer_id, up, down, around.settings.silence_s)
        up.on_speaking = lambda on: around.report(Speaking(self.sitting_id, participant_id, on))
        up.on_changed = self._offer_changes
        down.on_changed = lambda: self._down_ready(peer)
        for link in (up, down):
            link.endpoint.on_state = lambda state: self._link_changed(peer, state)
        return peer

    def answer(self, peer_id: str, connection: str, revision: int, sdp: str) -> None:
        """Take an SDP answer; connecting goes on in the background. Raises MediaError."""
        link = self._peer(peer_id).link(connection)
        side = link.take_answer(revision, sdp)
        self._spawn(self._connect(link, side))

    async def _connect(self, link: Link, side: TransportSide) -> None:
        """A failure is seen by is_lost(), which ends the peer."""
        with contextlib.suppress(ConnectionError):
            await link.connect(side)
            link.on_changed()

    def resume(self, participant_id: ParticipantId, peer_id: str) -> tuple[Offer, ...]:
        """The offers that wait for an answer: what was sent while the client had no socket is lost. Raises peer_unknown."""
        peer = self._peer(peer_id)
        if peer.participant_id != participant_id:
            raise MediaError("peer_unknown", "没有这个媒体连接")
        return tuple(link.make_offer() for link in (peer.up, peer.down) if link.awaits_answer)

    def restart_ice(self, peer_id: str, connection: str) -> Offer:
        return self._peer(peer_id).link(connection).restart_ice()

    def set_view(self, peer_id: str, tiles: Mapping[str, int]) -> None:
        """What the client's page shows: tile heights by track id. Raises MediaError peer_unknown."""
        self._selector.set_view(self._peer(peer_id), tiles, now_ms())

    def note_stats(self, peer_id: str, stats: ClientStats) -> None:
        """What the client's page measured. Raises MediaError peer_unknown."""
        self._quality.note_stats(self._peer(peer_id).peer_id, stats, now_ms())

    def quality(self) -> tuple[QualitySample, ...]:
        """How everybody's connection has done in the last 15 minutes."""
        return self._quality.history(now_ms())

    async def disconnect(self, peer_id: str) -> None:
        """Idempotent: an unknown peer is already gone."""
        peer = self._peers.get(peer_id)
        if peer is not None:
            await self._end(peer, "closed")

    def _peer(self, peer_id: str) -> Peer:
        peer = self._peers.get(peer_id)
        if peer is None:
            raise MediaError("peer_unknown", "没有这个媒体连接")
        return peer

    # --- life of peers ---------------------------------------------------------------------

    def _link_changed(self, peer: Peer, state: str) -> None:
        if state == "connected" and peer.is_connected and peer.state == "new":
            peer.state = "connected"
            self._say(peer, "connected")

    def _say(self, peer: Peer, state: str) -> None:
        self._around.report(PeerState(self.sitting_id, peer.participant_id, peer.peer_id, state))

    def _say_layers(self, peer: Peer, choices: tuple[LayerChoice, ...]) -> None:
        self._around.report(LayersChosen(self.sitting_id, peer.participant_id, peer.peer_id, choices))

    def _down_ready(self, peer: Peer) -> None:
        """The client agreed to more tracks, or its transport is up: it may get packets now."""
        if self._peers.get(peer.peer_id) is peer:
            self.forwarder.set_receiver(peer.participant_id, peer.down)
            self._selector.decide(peer, now_ms())
            self._offer_changes()

    async def _end(self, peer: Peer, state: str) -> None:
        """Remove a peer: no ghost stays behind. Order as in the head of this file."""
        if self._peers.pop(peer.peer_id, None) is None:
            return
        departed(peer.outlets)
        peer.state = state
        peer.up.hush()
        self.forwarder.set_receiver(peer.participant_id, None)
        self._selector.forget(peer)
        self._quality.forget(peer)
        self.forwarder.shut(peer.participant_id)
        self.recorder.source_left(peer.participant_id)
        self._offer_changes()
        self._say(peer, state)
        await peer.close()

    def _offer_changes(self) -> None:
        """Offer new descriptions to those whose set of tracks has changed and who stay."""
        for peer in self._peers.values():
            if (
                peer.participant_id in self._members
                and peer.down.revision
                and peer.down.set_tracks(self.forwarder.wanted_by(peer.participant_id))
                and peer.down.may_offer
            ):
                self._push(peer, peer.down.make_offer())

    def _push(self, peer: Peer, offer: Offer) -> None:
        """An offer that the client did not ask for."""
        self._around.report(
            OfferMade(self.sitting_id, peer.participant_id, peer.peer_id, offer.connection, offer.revision, offer.sdp)
        )

    def _tracks_in_court(self) -> list[Track]:
        return [t for t in self.forwarder.tracks.values() if t.is_live and self.forwarder.in_court(t.source)]

    # --- time ------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Called every few tens of milliseconds by the worker."""
        for peer in self._peers.values():
            peer.up.ask_for_missing(now)
        self._selector.tick(tuple(self._peers.values()), now)
        self._tap.tick(now)
        if self._is_due("recorder", now, RECORDER_TICK_MS):
            self.recorder.tick(now)
        if self._is_due("paths", now, PATHS_MS):
            self._look_after_paths(now)
        if self._is_due("report", now, REPORT_MS):
            self._look_after_peers(now)
        if self._is_due("quality", now, QUALITY_MS):
            for peer in self._peers.values():
                if peer.is_connected:
                    self._around.report(self._quality.measure(peer, now))
        if self.recorder.is_recording and self._is_due("health", now, HEALTH_MS):
            self._spawn(self._report_health())

    def _is_due(self, what: str, now: float, every_ms: float) -> bool:
        if now - self._due_ms[what] < every_ms:
            return False
        self._due_ms[what] = now
        return True

    def _look_after_paths(self, now: float) -> None:
        for peer in self._peers.values():
            peer.probe_if_quiet(now)
            for link in peer.restarts_due(now):
                _log.info("path_silent", sitting_id=self.sitting_id, peer_id=peer.peer_id, connection=link.name)
                self._push(peer, link.restart_ice())

    def _look_after_peers(self, now: float) -> None:
        for peer in tuple(self._peers.values()):
            if peer.is_lost(now):
                _log.info("peer_lost", sitting_id=self.sitting_id, participant_id=peer.participant_id, peer_id=peer.peer_id)
                self._spawn(self._end(peer, "lost"))
            else:
                peer.up.report(now)
        self._offer_changes()

    async def _report_health(self) -> None:
        self._around.report(await self.recorder.health())

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        """Background work of this courtroom; close() waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("courtroom_task_failed", sitting_id=self.sitting_id, exc_info=task.exception())

    @property
    def people(self) -> int:
        """How many have a running media connection."""
        return sum(peer.is_connected for peer in self._peers.values())

    @property
    def outlets(self) -> Iterator[Outlet]:
        for peer in self._peers.values():
            yield from peer.outlets

    def silence(self, closed_by: str) -> None:
        """From now on nobody gets a packet; the tracks are recorded up to now."""
        self.recorder.stop_now(closed_by)
        self._members = frozenset()
        self.forwarder.set_grants(())
        self.forwarder.refresh()

    async def close(self, closed_by: str) -> None:
        """Close everything in the written order; the last segments say `closed_by`."""
        self.silence(closed_by)
        await asyncio.gather(*(self._end(peer, "closed") for peer in tuple(self._peers.values())))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tap.tick(now_ms())
        await self.recorder.drain()
