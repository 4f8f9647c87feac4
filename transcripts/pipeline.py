"""Audio in, utterances out: one thread listens to all tracks, others recognise. Nothing here runs on the event loop.

Overload never drops speech: cuts become longer (fewer, cheaper calls), then listening pauses and the tap's ring holds on.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from threading import Event, Thread
from typing import Protocol

import structlog

from hearing.timeline import Clock
from transcripts.audio import OpusTrack
from transcripts.lines import LineMaker
from transcripts.listening import Cut, Listener
from transcripts.model import Utterance
from transcripts.progress import Progress, progress
from transcripts.recognizer import EngineAway
from transcripts.tap_message import PACKET_MS, Span, TapPacket
from transcripts.vad import VoiceNetwork
from transcripts.waiting import Task, WaitingRoom
from transcripts.windows import USUAL, CutRule, rule_for

log = structlog.get_logger(__name__)

INBOX_PACKETS = 5_000  # 100 s of one track
QUIET_S = 0.8  # without packets for so long a track is muted or gone
GONE_S = 60.0  # then it is forgotten; should it come back, it begins anew
LOOK_S = 0.1
JOIN_S = 5.0
LATE_PACKETS = 250  # in the inbox: listening itself is late


class Outlet(Protocol):
    """Where results go; called from the pipeline's threads."""

    def line(self, utterance: Utterance) -> None: ...

    def lost(self, span: Span) -> None:
        """Speech that could not be recognised live and should be read again from the recording."""


@dataclass(frozen=True, slots=True)
class Load:
    """How far recognition is behind."""

    waiting_ms: int  # speech cut and not yet recognised
    inbox_packets: int
    rule: CutRule
    lengthened: int  # how often cuts had to be made longer


@dataclass(slots=True)
class _Track:
    decoder: OpusTrack
    listener: Listener
    last_packet_s: float = 0.0
    heard_until_ms: int = 0


class Pipeline:
    """The listening and recognising threads of one process. `start()` … `close()`."""

    def __init__(self, maker: LineMaker, network: VoiceNetwork, clock: Clock, outlet: Outlet, *, workers: int = 1) -> None:
        self._maker = maker
        self._network = network
        self._clock = clock
        self._outlet = outlet
        self._inbox: queue.Queue[TapPacket] = queue.Queue(INBOX_PACKETS)
        self._waiting = WaitingRoom()
        self._tracks: dict[tuple[str, str], _Track] = {}
        self._heads: dict[str, int] = {}
        self._talking: frozenset[tuple[str, str]] = frozenset()
        self._heard_until_ms: dict[str, int] = {}
        self._rule = USUAL
        self._lengthened = 0
        self._stop = Event()
        names = ["listen", *(f"recognise-{number}" for number in range(workers))]
        self._threads = [
            Thread(target=self._recognise if number else self._listen, name=f"transcripts-{name}", daemon=True)
            for number, name in enumerate(names)
        ]

    @property
    def load(self) -> Load:
        return Load(self._waiting.inside_ms, self._inbox.qsize(), self._rule, self._lengthened)

    def progress(self) -> dict[str, Progress]:
        """What is being said and not yet written, by sitting."""
        late = self._heard_until_ms if self._inbox.qsize() > LATE_PACKETS else {}
        return progress(self._talking, self._waiting.inside, late, lengthened=self._rule != USUAL)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; what is not yet recognised is read again after a restart, from the tap's ring or the recording."""
        self._stop.set()
        self._waiting.close()
        for thread in self._threads:
            thread.join(JOIN_S)

    def skip_before(self, heads: dict[str, int]) -> None:
        """Speech of a track before its head (t1_ms of its last stored line) has a line already: do not hear it again."""
        self._heads = dict(heads)

    def offer(self, packet: TapPacket) -> bool:
        """Hand over a packet without blocking; False when the inbox is full and the caller has to wait."""
        try:
            self._inbox.put_nowait(packet)
        except queue.Full:
            return False
        return True

    def _listen(self) -> None:
        looked_s = self._clock.monotonic()
        while not self._stop.is_set():
            try:
                packet = self._inbox.get(timeout=LOOK_S)
            except queue.Empty:
                packet = None
            if packet is not None:
                self._hear_safely(packet)
            if self._clock.monotonic() - looked_s >= LOOK_S:
                looked_s = self._clock.monotonic()
                self._choose_rule()
                self._note_talking()
                if packet is None or self._inbox.empty():
                    self._finish_quiet(looked_s)

    def _hear_safely(self, packet: TapPacket) -> None:
        """One track's trouble must not make the court deaf: its stretch is read again from the recording, the rest goes on."""
        try:
            self._hear(packet)
        except Exception:
            log.exception("transcripts.listening_failed", sitting_id=packet.sitting_id, track_id=packet.track_id)
            track = self._tracks.pop((packet.sitting_id, packet.track_id), None)
            needed_ms = None if track is None else track.listener.needed_from_ms
            begun_ms = packet.t_ms if needed_ms is None else min(packet.t_ms, needed_ms)
            self._outlet.lost(Span(packet.sitting_id, packet.track_id, begun_ms, packet.t_ms + PACKET_MS))

    def _hear(self, packet: TapPacket) -> None:
        if packet.t_ms < self._heads.get(packet.track_id, packet.t_ms):
            return
        key = packet.sitting_id, packet.track_id
        if packet.end:
            ended = self._tracks.get(key)
            if ended is not None:
                self._queue(key, ended.listener.finish())
                self._forget(key)
            return
        track = self._tracks.get(key)
        if track is None:
            track = self._tracks[key] = _Track(OpusTrack(), Listener(self._network))
        track.last_packet_s, track.heard_until_ms = self._clock.monotonic(), packet.t_ms
        for block in track.decoder.push(packet.t_ms, packet.opus, filler=packet.filler):
            self._queue(key, track.listener.hear(block, self._rule))

    def _note_talking(self) -> None:
        """What progress() says, for another thread to read: replaced as a whole, never changed."""
        self._talking = frozenset(key for key, track in self._tracks.items() if track.listener.surely_speaking)
        until_ms: dict[str, int] = {}
        for (sitting_id, _), track in self._tracks.items():
            until_ms[sitting_id] = max(until_ms.get(sitting_id, track.heard_until_ms), track.heard_until_ms)
        self._heard_until_ms = until_ms

    def _finish_quiet(self, now_s: float) -> None:
        """A muted microphone sends nothing, not even silence: its last words must not wait for the next packet."""
        for key, track in tuple(self._tracks.items()):
            quiet_s = now_s - track.last_packet_s
            if track.listener.speaking and quiet_s > QUIET_S:
                self._queue(key, track.listener.finish())
            if quiet_s > GONE_S:
                self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        bad = self._tracks.pop(key).decoder.undecodable
        if bad:
            log.warning("transcripts.packets_undecodable", sitting_id=key[0], track_id=key[1], packets=bad)

    def _queue(self, key: tuple[str, str], cuts: list[Cut]) -> None:
        for cut in cuts:
            self._waiting.put(Task(*key, cut))
            self._choose_rule()

    def _choose_rule(self) -> None:
        rule = rule_for(self._waiting.inside_ms, self._rule)
        if rule == self._rule:
            return
        if rule.longest_ms > self._rule.longest_ms:
            self._lengthened += 1
            log.warning("transcripts.overload", waiting_ms=self._waiting.inside_ms, longest_ms=rule.longest_ms)
        else:
            log.info("transcripts.load_eased", waiting_ms=self._waiting.inside_ms, longest_ms=rule.longest_ms)
        self._rule = rule

    def _recognise(self) -> None:
        while (task := self._waiting.take()) is not None:
            where = {"sitting_id": task.sitting_id, "track_id": task.track_id, "t0_ms": task.cut.t0_ms}
            try:
                line = self._maker.make(task.sitting_id, task.track_id, task.cut, "live")
            except EngineAway as problem:  # it will be read from the recording once the engine is back
                log.warning("transcripts.engine_away", code=problem.code, **where)
                self._lose(task)
            except Exception:  # whatever the engine raises: the recording still has the words
                log.exception("transcripts.recognition_failed", **where)
                self._lose(task)
            else:
                if line is not None:
                    self._outlet.line(line)
            finally:
                self._waiting.done(task)

    def _lose(self, task: Task) -> None:
        self._outlet.lost(Span(task.sitting_id, task.track_id, task.cut.t0_ms, task.cut.t1_ms))
