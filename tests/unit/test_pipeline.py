"""The pipeline's own promises, with an engine whose speed the test sets: order, overload, failure, backpressure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from storage.clock import SystemClock
from tests.simulated_tap import SILENT_OPUS, by_turns, loan_lines, opus_packets
from transcripts.audio import OpusTrack
from transcripts.lines import LineMaker
from transcripts.listening import Cut
from transcripts.model import Engine, Utterance
from transcripts.pipeline import Pipeline
from transcripts.progress import Progress
from transcripts.recognizer import Recognition, Samples
from transcripts.tap_message import Span, TapPacket
from transcripts.vad import VoiceNetwork
from transcripts.waiting import Task, WaitingRoom
from transcripts.windows import USUAL

NETWORK = VoiceNetwork()


@dataclass
class PacedEngine:
    """Answers every stretch after a while; remembers how long the stretches were."""

    seconds: float = 0.0
    fails: int = 0
    lengths_s: list[float] = field(default_factory=list)
    engine = Engine("paced", "none", "0", "{}")
    prompt = "以下是"

    def recognise(self, samples: Samples, *, terms: tuple[str, ...] = (), words: bool = False) -> Recognition:
        time.sleep(self.seconds)
        self.lengths_s.append(len(samples) / 16_000)
        if self.fails > 0:
            self.fails -= 1
            raise RuntimeError("the engine broke")
        return Recognition("不申请回避。", -0.3, 0.0)


@dataclass
class Kept:
    """An outlet that keeps what it is given."""

    lines: list[Utterance] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def line(self, utterance: Utterance) -> None:
        self.lines.append(utterance)

    def lost(self, span: Span) -> None:
        self.spans.append(span)


@contextmanager
def pipeline(engine: PacedEngine, kept: Kept, workers: int = 1) -> Iterator[Pipeline]:
    pipe = Pipeline(LineMaker(engine, lambda text: text), NETWORK, SystemClock(), kept, workers=workers)
    pipe.start()
    try:
        yield pipe
    finally:
        pipe.close()


def offer_all(pipe: Pipeline, packets: list[TapPacket]) -> None:
    for packet in packets:
        until(lambda packet=packet: pipe.offer(packet))


def until(condition: Callable[[], bool], limit_s: float = 30) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


def repeated(times: int, pause_ms: int = 1240) -> list[TapPacket]:
    """One short answer said again and again on one track, with that much silence between."""
    once = opus_packets(loan_lines()[7].file)[18:82] + [SILENT_OPUS] * (pause_ms // 20)
    return [TapPacket(n + 1, n * 20, "sit_1", "part_a-audio", opus) for n, opus in enumerate(once * times)]


def test_the_last_words_before_a_microphone_falls_silent_do_not_wait() -> None:
    kept = Kept()
    packets = [
        TapPacket(n + 1, n * 20, "sit_1", "part_a-audio", opus)
        for n, opus in enumerate(opus_packets(loan_lines()[7].file)[:80])
    ]
    with pipeline(PacedEngine(), kept) as pipe:
        offer_all(pipe, packets)
        until(lambda: len(kept.lines) == 1, 3)
    assert kept.lines[0].participant_id == "part_a"


def test_the_end_of_a_track_completes_its_words_at_once() -> None:
    kept = Kept()
    spoken = [
        TapPacket(n + 1, n * 20, "sit_1", "part_a-audio", opus)
        for n, opus in enumerate(opus_packets(loan_lines()[7].file)[:80])
    ]
    with pipeline(PacedEngine(), kept) as pipe:
        offer_all(pipe, [*spoken, TapPacket(99, 1600, "sit_1", "part_a-audio", b"", end=True)])
        until(lambda: len(kept.lines) == 1, 0.7)


def test_overload_lengthens_cuts_is_counted_and_drops_no_speech() -> None:
    calm, busy, kept = PacedEngine(), PacedEngine(seconds=0.4), Kept()
    packets = repeated(24, pause_ms=640)
    with pipeline(calm, Kept()) as pipe:
        for start in range(0, len(packets), 96):
            offer_all(pipe, packets[start : start + 96])
            until(lambda pipe=pipe: pipe.load.inbox_packets == 0 and pipe.load.waiting_ms < 4000)
        until(lambda: len(calm.lengths_s) >= 24)
        assert pipe.load.lengthened == 0
    with pipeline(busy, kept) as pipe:
        offer_all(pipe, packets)
        until(lambda: pipe.load.inbox_packets == 0 and pipe.load.waiting_ms == 0 and busy.lengths_s != [])
        time.sleep(1.2)
        until(lambda: pipe.load.waiting_ms == 0)
        assert pipe.load.lengthened >= 1
        assert pipe.load.rule == USUAL
    assert len(busy.lengths_s) < len(calm.lengths_s) * 0.75
    assert max(busy.lengths_s) > max(calm.lengths_s) * 1.5
    assert sum(busy.lengths_s) >= sum(calm.lengths_s) * 0.95
    assert kept.spans == []


def test_a_tracks_lines_leave_in_their_order_with_several_recognisers() -> None:
    kept = Kept()
    packets, _ = by_turns(loan_lines()[6:12], pause_ms=700)
    with pipeline(PacedEngine(seconds=0.02), kept, workers=3) as pipe:
        offer_all(pipe, packets)
        until(lambda: pipe.load.inbox_packets == 0 and pipe.load.waiting_ms == 0)
    for track in {line.track_id for line in kept.lines}:
        times = [line.t0_ms for line in kept.lines if line.track_id == track]
        assert times == sorted(times)
        assert times


def test_a_stretch_the_engine_fails_on_is_asked_for_again_and_the_next_goes_on() -> None:
    kept = Kept()
    with pipeline(PacedEngine(fails=1), kept) as pipe:
        offer_all(pipe, repeated(3))
        until(lambda: len(kept.lines) == 2)
    (span,) = kept.spans
    assert (span.sitting_id, span.track_id) == ("sit_1", "part_a-audio")
    assert span.t1_ms <= kept.lines[0].t0_ms


def test_one_track_that_cannot_be_heard_does_not_make_the_court_deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, push = Kept(), OpusTrack.push

    def fails(self: OpusTrack, t_ms: int, opus: bytes, *, filler: bool) -> object:
        if opus == b"poison":
            raise MemoryError
        return push(self, t_ms, opus, filler=filler)

    monkeypatch.setattr(OpusTrack, "push", fails)
    packets = repeated(2)
    poison = TapPacket(0, packets[100].t_ms, "sit_1", "part_b-audio", b"poison")
    with pipeline(PacedEngine(), kept) as pipe:
        offer_all(pipe, [*packets[:100], poison, *packets[100:]])
        until(lambda: len(kept.lines) == 2)
    assert kept.spans == [Span("sit_1", "part_b-audio", poison.t_ms, poison.t_ms + 20)]


def test_who_speaks_is_told_from_the_first_words_until_the_line_is_written() -> None:
    kept = Kept()
    once = repeated(1)
    with pipeline(PacedEngine(seconds=0.5), kept) as pipe:
        assert pipe.progress() == {}
        offer_all(pipe, once[:50])
        until(lambda: pipe.progress() == {"sit_1": Progress("sit_1", ("part_a-audio",))})
        offer_all(pipe, once[50:])
        until(lambda: pipe.progress().get("sit_1", Progress("")).behind_from_ms is not None)
        assert pipe.progress()["sit_1"].writing == ("part_a-audio",)
        until(lambda: pipe.progress() == {})
    assert len(kept.lines) == 1


def test_speech_before_a_head_is_not_heard_again() -> None:
    kept = Kept()
    with pipeline(PacedEngine(), kept) as pipe:
        pipe.skip_before({"part_a-audio": 2400})
        offer_all(pipe, repeated(3))
        until(lambda: len(kept.lines) == 2)
    assert all(line.t0_ms >= 2400 for line in kept.lines)


def test_a_full_room_holds_the_listener_back_and_forgets_nothing() -> None:
    room = WaitingRoom(room_ms=3000)
    cut = Cut(0, 2000, 1500, np.zeros(0, dtype=np.float32))
    tasks = [Task("sit_1", f"part_{n}-audio", cut) for n in range(3)]
    room.put(tasks[0])
    room.put(tasks[1])
    third = threading.Thread(target=room.put, args=(tasks[2],), daemon=True)
    third.start()
    third.join(0.1)
    assert third.is_alive()
    assert room.take() == tasks[0]
    room.done(tasks[0])
    third.join(1)
    assert not third.is_alive()
    assert [room.take(), room.take()] == tasks[1:]
    room.close()
    assert room.take() is None


@pytest.mark.parametrize("second_track", ["part_a-audio", "part_b-audio"])
def test_a_tracks_second_stretch_waits_for_its_first(second_track: str) -> None:
    room = WaitingRoom()
    cut = Cut(0, 2000, 1500, np.zeros(0, dtype=np.float32))
    room.put(Task("sit_1", "part_a-audio", cut))
    room.put(Task("sit_1", second_track, cut))
    room.put(Task("sit_1", "part_c-audio", cut))
    taken = [room.take(), room.take()]
    expected = "part_c-audio" if second_track == "part_a-audio" else "part_b-audio"
    assert [task.track_id for task in taken if task is not None] == ["part_a-audio", expected]
