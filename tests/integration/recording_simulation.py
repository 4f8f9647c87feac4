"""Hours of recording in simulated time: people with wrong clocks on bad networks, before the real forwarder and recorder.

Only time, network and devices are simulated. Packets carry real Opus and VP8, go through the real forwarding, clocks,
depacketizers, recorder and segment writer, and end in real files of a spool.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hearing.audience import RECORDER, Grant, GrantTable, Kind
from hearing.model import ParticipantId, SittingId
from media import rtcp
from media.control import GapFound, Report
from media.incoming import IncomingStream
from media.layers import SINGLE, Layer
from media.recorder import Recorder
from media.rtp_rewrite import build, sequence_of, timestamp_of
from media.rtp_time import SenderClock, ms_to_ntp
from media.sdp import CLOCK_RATES_HZ, PAYLOAD_TYPES
from media.segment_writer import SegmentWriter
from media.sfu import Forwarder, Track
from media.spool import Spool
from tests.integration.claps import DARK, FLASH_MS, LUMAS, PITCHES_HZ, beep, hush, picture

SITTING = SittingId("sit_1")
OPENED_AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
ZERO_MS = 1_000_000.0  # of the server's arrival clock
PICTURE_MS = 100.0
PART_BYTES = 60
STEP_MS = 100.0
REPAIR_MS = (60.0, 250.0)
KEPT_MS = 3_000.0  # sound that comes later than this may have lost its place


class Now:
    """The server's arrival clock; stands in for aiortc_bridge.now_ms."""

    def __init__(self) -> None:
        self.ms = ZERO_MS

    def __call__(self) -> float:
        return self.ms


@dataclass
class AtOnce:
    """Stands in for the writer thread's queue: simulated hours pass faster than a thread could follow."""

    def put(self, step: Callable[[], None]) -> None:
        step()

    def qsize(self) -> int:
        return 0


@dataclass
class Network:
    """A way to the server. `holds`: spans in which nothing gets through, and then everything at once."""

    rng: random.Random
    delay_ms: float = 30.0
    jitter_ms: float = 8.0
    loss: float = 0.05
    repaired: float = 0.7  # of what is lost, by a NACK
    holds: list[tuple[float, float]] = field(default_factory=list)
    queues: list[tuple[float, float, float]] = field(default_factory=list)  # (from, to, largest delay): builds up, drains
    _in_order_ms: dict[Kind, float] = field(default_factory=dict)

    def arrival(self, kind: Kind, sent_ms: float, *, repairs: bool = True) -> float | None:
        """None: lost for good."""
        late = repair_ms = 0.0
        if self.rng.random() < self.loss:
            if not repairs or self.rng.random() > self.repaired:
                return None
            repair_ms = self.rng.uniform(*REPAIR_MS)
        for from_ms, to_ms, most_ms in self.queues:
            if from_ms < sent_ms < to_ms:
                late += most_ms * min(1.0, (sent_ms - from_ms) / 5_000, (to_ms - sent_ms) / 5_000)
        for from_ms, to_ms in self.holds:
            if from_ms <= sent_ms < to_ms:
                late = max(late, to_ms - sent_ms + (sent_ms - from_ms) * 0.05)
        self._in_order_ms[kind] = max(self._in_order_ms.get(kind, 0.0), sent_ms + late)
        return self._in_order_ms[kind] + self.delay_ms + self.rng.expovariate(1 / self.jitter_ms) + repair_ms


@dataclass
class Clap:
    """A beep and a flash at one moment; `heard`, `seen`: every packet of it arrived."""

    t_ms: float
    pitch: int
    luma: int
    heard: bool = False
    seen: bool = False


@dataclass
class Device:
    """A sender's stream of one kind, as one SSRC."""

    kind: Kind
    layer: Layer
    incoming: IncomingStream
    sequence: int
    first_ticks: int
    next_ms: float  # true time of the next packet's or picture's capture
    ticks: float = 0.0
    report_ms: float = 0.0
    want_keyframe: bool = True
    queue: list[bytes] = field(default_factory=list)
    claps: list[Clap] = field(default_factory=list)  # still to come, the last one first
    beeping: Clap | None = None  # the newest

    def clap_of(self, from_ms: float, to_ms: float) -> Clap | None:
        """The clap in this span; what lies before it has been missed."""
        while self.claps and self.claps[-1].t_ms < from_ms:
            self.claps.pop()
        return self.claps.pop() if self.claps and self.claps[-1].t_ms < to_ms else None


@dataclass
class Person:
    """`ppm`: how much faster their clock runs. Spans are (from, to) in true milliseconds."""

    name: str
    court: Court
    rng: random.Random
    path: Network
    ppm: float = 0.0
    slower_picture_ms: float = 0.0
    dtx: bool = False
    claps: list[Clap] = field(default_factory=list)
    away: list[tuple[float, float]] = field(default_factory=list)
    stalls: list[tuple[float, float]] = field(default_factory=list)  # the microphone stands still; so does the camera
    unreported: list[tuple[float, float]] = field(default_factory=list)
    set_clock: list[tuple[float, float]] = field(default_factory=list)  # (when, forward by)
    new_devices: list[float] = field(default_factory=list)
    muted: list[tuple[float, float]] = field(default_factory=list)
    _sender: SenderClock = field(default_factory=SenderClock)
    _devices: dict[Kind, Device] = field(default_factory=dict)
    _ntp_ms: float = 0.0
    _bright: float = -1e9
    _luma: int = DARK

    @property
    def rate(self) -> float:
        return 1 + self.ppm / 1e6

    def step(self, from_ms: float, to_ms: float) -> None:
        """Live from one moment to another."""
        for when, forward_ms in self.set_clock:
            if from_ms <= when < to_ms:
                self._ntp_ms += forward_ms
        if within(from_ms, self.away):
            if self._devices:
                self._devices.clear()
                self.court.forwarder.shut(ParticipantId(self.name))
            return
        if not self._devices:
            self._sender, self._ntp_ms = SenderClock(), 1.8e12 + self.rng.uniform(-1e7, 1e7)
            self._devices = {kind: self._open(kind, from_ms) for kind in (Kind.AUDIO, Kind.VIDEO)}
        if any(from_ms <= when < to_ms for when in self.new_devices):
            self._devices = {kind: self._open(kind, from_ms) for kind in (Kind.AUDIO, Kind.VIDEO)}
        self._speak(self._devices[Kind.AUDIO], to_ms)
        self._show(self._devices[Kind.VIDEO], to_ms)
        for device in self._devices.values():
            self._report(device, to_ms)

    def _open(self, kind: Kind, now_ms: float) -> Device:
        ssrc, track = self.rng.getrandbits(32), self.court.forwarder.track(ParticipantId(self.name), kind)
        layer = track.open(SINGLE, lambda: self.court.later(80.0, lambda: self._ask(kind)), self._sender)
        incoming = IncomingStream(ssrc, CLOCK_RATES_HZ[kind])
        near_a_wrap = 0xFFFFFFFF - CLOCK_RATES_HZ[kind] * 30
        start_ms = now_ms + self.rng.uniform(0, 60)
        return Device(
            kind, layer, incoming, 65_000, near_a_wrap, start_ms, report_ms=now_ms + 1_500,
            claps=[clap for clap in reversed(self.claps) if clap.t_ms >= start_ms],
        )  # fmt: skip

    def _ask(self, kind: Kind) -> None:
        if kind in self._devices:
            self._devices[kind].want_keyframe = True

    def _speak(self, device: Device, to_ms: float) -> None:
        while device.next_ms < to_ms:
            start_ms, length_ms = device.next_ms, 20 / self.rate
            stall = within(start_ms, self.stalls)
            if stall is not None:
                device.next_ms = stall[1]
                continue
            device.next_ms += length_ms
            clap = device.clap_of(start_ms, start_ms + length_ms)
            if clap is not None:
                device.queue = list(beep(clap.pitch, int((clap.t_ms - start_ms) * self.rate)))
                device.beeping, clap.heard = clap, within(clap.t_ms, self.muted, 700) is None
            silent = not device.queue
            payload = hush() if silent else device.queue.pop(0)
            if not (self.dtx and silent and round(device.ticks / 960) % 20):
                arrived = self._send(device, payload, device.next_ms, marker=False)
                if device.beeping is not None and not silent and not self._is_taken(start_ms, arrived):
                    device.beeping.heard = False
            device.ticks += 960

    def _show(self, device: Device, to_ms: float) -> None:
        while device.next_ms < to_ms:
            at_ms, stall = device.next_ms, within(device.next_ms, self.stalls)
            if stall is not None:
                device.next_ms = stall[1]
                continue
            clap = device.clap_of(at_ms, at_ms + 0.001)
            if clap is not None:
                self._luma, self._bright, device.want_keyframe = LUMAS[clap.luma], at_ms + FLASH_MS, True
            elif self._luma != DARK and at_ms >= self._bright:
                self._luma, device.want_keyframe = DARK, True
            frame = picture(self._luma, keyframe=device.want_keyframe)
            device.want_keyframe = False
            device.ticks = at_ms * self.rate * 90
            parts = [frame[n : n + PART_BYTES] for n in range(0, len(frame), PART_BYTES)]
            arrivals = [
                self._send(device, (b"\x00" if n else b"\x10") + part, at_ms + 15, marker=n == len(parts) - 1)
                for n, part in enumerate(parts)
            ]
            if clap is not None and all(self._is_taken(at_ms, one) for one in arrivals):
                clap.seen = within(clap.t_ms, self.muted, 700) is None
            device.next_ms = min(at_ms + PICTURE_MS, device.claps[-1].t_ms if device.claps else at_ms + PICTURE_MS)

    def _send(self, device: Device, payload: bytes, sent_ms: float, *, marker: bool) -> float | None:
        """When it will arrive; None: never."""
        timestamp = device.first_ticks + round(device.ticks)
        packet = build(PAYLOAD_TYPES[device.kind], device.sequence, timestamp, device.incoming.ssrc, payload, marker=marker)
        device.sequence += 1
        arrival_ms = self.path.arrival(device.kind, sent_ms)
        if arrival_ms is not None:
            arrival_ms += self.slower_picture_ms if device.kind is Kind.VIDEO else 0.0
            self.court.at(arrival_ms, functools.partial(self.court.receive, self, device, packet))
        return arrival_ms

    def _is_taken(self, since_ms: float, arrival_ms: float | None) -> bool:
        """It came, in time, and before the stream ended of which it was."""
        ends = [*(start for start, _ in self.away), *self.new_devices]
        return (
            arrival_ms is not None
            and arrival_ms - since_ms < KEPT_MS
            and not any(since_ms <= end < arrival_ms + STEP_MS for end in ends)
        )

    def _report(self, device: Device, to_ms: float) -> None:
        while device.report_ms < to_ms:
            at_ms = device.report_ms
            device.report_ms += self.rng.uniform(2_500, 7_500) if device.kind is Kind.AUDIO else self.rng.uniform(500, 1_500)
            if within(at_ms, self.unreported) or within(at_ms, self.stalls):
                continue
            ahead = (at_ms - device.next_ms) * self.rate * CLOCK_RATES_HZ[device.kind] / 1000
            ticks = device.ticks + ahead if device.kind is Kind.AUDIO else at_ms * self.rate * 90
            arrival_ms = self.path.arrival(device.kind, at_ms, repairs=False)
            if arrival_ms is not None:
                ntp = ms_to_ntp(self._ntp_ms + at_ms * self.rate)
                report = rtcp.SenderReport(device.incoming.ssrc, ntp, device.first_ticks + round(ticks) & 0xFFFFFFFF, 0, 0)
                self.court.at(arrival_ms, functools.partial(self.court.hear_report, self, device, report))


def within(t_ms: float, spans: list[tuple[float, float]], margin_ms: float = 0.0) -> tuple[float, float] | None:
    """The span that holds a moment."""
    return next((span for span in spans if span[0] - margin_ms <= t_ms < span[1] + margin_ms), None)


class Court:
    """The server's side: forwarder and recorder in simulated time. True time 0 is 宣布开庭."""

    def __init__(self, folder: Path, now: Now) -> None:
        self.now = now
        self.gaps: list[GapFound] = []
        self.spool = Spool(folder)
        writer = SegmentWriter(self.spool, lambda segment, error: None)
        writer._queue = AtOnce()  # type: ignore[assignment]
        self.recorder = Recorder(SITTING, writer, self._live, self._monotonic_of, self._report)
        self.forwarder = Forwarder({RECORDER: self.recorder})
        self.most_behind_ms = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._number = 0
        self._true_ms = 0.0

    def _live(self) -> list[Track]:
        return [track for track in self.forwarder.tracks.values() if track.live_since_ms is not None]

    def _monotonic_of(self, at: datetime) -> float:
        return ZERO_MS + (at - OPENED_AT) / timedelta(milliseconds=1)

    def _report(self, report: Report) -> None:
        if isinstance(report, GapFound):
            self.gaps.append(report)

    def at(self, true_ms: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._events, (true_ms, next(self._count), call))

    def later(self, ms: float, call: Callable[[], None]) -> None:
        self.at(self._true_ms + ms, call)

    def receive(self, person: Person, device: Device, packet: bytes) -> None:
        if not device.layer.closed and device.incoming.on_packet(sequence_of(packet), timestamp_of(packet), self.now.ms):
            self.forwarder.track(ParticipantId(person.name), device.kind).forward(device.layer, packet, self.now.ms)

    def hear_report(self, person: Person, device: Device, report: rtcp.SenderReport) -> None:
        if not device.layer.closed:
            self.forwarder.track(ParticipantId(person.name), device.kind).forward_report(device.layer, report, self.now.ms)

    def grant(self, people: list[Person], t_ms: float, effective_ms: float) -> None:
        """Everybody but the muted is recorded, from `effective_ms` on; the table comes at `t_ms`."""
        self._number += 1
        grants = tuple(
            Grant(ParticipantId(person.name), kind, frozenset({RECORDER}))
            for person in people
            for kind in (Kind.AUDIO, Kind.VIDEO)
            if not within(effective_ms, person.muted)
        )
        members = frozenset(ParticipantId(person.name) for person in people)
        effective_at = OPENED_AT + timedelta(milliseconds=effective_ms)
        table = GrantTable(SITTING, self._number, effective_at, OPENED_AT, members, grants)
        self.recorder.catch_up()
        self.forwarder.set_grants(grants)
        self.recorder.apply(table)
        self.forwarder.refresh()

    def run(self, people: list[Person], duration_ms: float) -> None:
        """The whole sitting; tables follow their events by 50 ms."""
        for moment in sorted({0.0, *(edge for person in people for span in person.muted for edge in span)}):
            self.at(moment + 50.0, lambda moment=moment: self.grant(people, moment + 50.0, moment))  # type: ignore[misc]
        t_ms = 0.0
        while t_ms < duration_ms:
            for person in people:
                person.step(t_ms, t_ms + STEP_MS)
            t_ms += STEP_MS
            self._reach(t_ms)
            self._look()
        self.recorder.stop(duration_ms)
        for _ in range(30):
            t_ms += STEP_MS
            self._reach(t_ms)

    def _reach(self, true_ms: float) -> None:
        while self._events and self._events[0][0] <= true_ms:
            self._true_ms, _, call = heapq.heappop(self._events)
            self.now.ms = ZERO_MS + self._true_ms
            call()
        self._true_ms, self.now.ms = true_ms, ZERO_MS + true_ms
        self.recorder.tick(self.now.ms)

    def _look(self) -> None:
        """Media duration against wall time, all the time."""
        behind = [recorder.behind_ms for recorder in self.recorder._tracks.values()]
        self.most_behind_ms = max([self.most_behind_ms, *behind])


def claps_until(duration_ms: float, rng: random.Random) -> list[Clap]:
    """At irregular intervals, so that a shifted recording matches nowhere."""
    claps, t_ms = [], 1_000.0
    while t_ms < duration_ms - 1_000:
        claps.append(Clap(t_ms, rng.randrange(len(PITCHES_HZ)), rng.randrange(len(LUMAS))))
        t_ms += rng.uniform(2_500, 8_000)
    return claps
