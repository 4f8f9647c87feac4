"""Layers of a track without a network: what each receiver sees when layers change, stop, come back and lose packets."""

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hearing.audience import Kind
from hearing.model import ParticipantId
from media import rtcp
from media.depacketizer import Depacketizer
from media.keyframes import read_descriptor, shift_ids, starts_keyframe
from media.layers import SILENT_MS, SINGLE, Layer
from media.rtp_rewrite import FORWARDED_HEADER_BYTES, build, sequence_of, ssrc_of, timestamp_of
from media.rtp_time import SenderClock, ms_to_ntp, signed_difference
from media.sfu import Track

SOURCE = ParticipantId("a")
FRAME_MS = 40.0
KEYFRAME = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 160, 120)
DELTA = b"\x11\x02\x00"


@dataclass
class Receiver:
    """A subscriber and, at once, its transport: what the fan-out sends ends here."""

    participant_id: ParticipantId
    got: list[bytes] = field(default_factory=list)
    reports: list[rtcp.SenderReport] = field(default_factory=list)

    @property
    def endpoint(self) -> "Receiver":
        return self

    def accepts(self, track_id: str) -> bool:
        return True

    def send_rtp(self, packet: bytes) -> bool:
        self.got.append(packet)
        return True

    def send_rtcp(self, packet: bytes) -> bool:
        self.reports += [message for message in rtcp.read(packet) if isinstance(message, rtcp.SenderReport)]
        return True

    def labels(self) -> list[str]:
        """Which layer each packet is of."""
        return [packet.rsplit(b"|", 1)[1].decode() for packet in self.got]


class Loop:
    """Sends to Receivers as FanOut does to endpoints."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers

    def send(self, packet: bytes) -> None:
        for receiver in self._receivers:
            receiver.send_rtp(packet)


@dataclass
class Listener:
    got: list[bytes] = field(default_factory=list)

    def on_packet(self, track: object, packet: bytes, arrival_ms: float) -> None:
        self.got.append(packet)


class Encoder:
    """One layer as a browser sends it: its own numbers, a keyframe when asked for, `parts` packets a frame."""

    def __init__(self, track: Track, name: str, sender: SenderClock, start: tuple[int, int, int, int], parts: int = 2) -> None:
        self.name, self.track, self.parts = name, track, parts
        self.sequence, self.timestamp, self.picture_id, self.tl0 = start
        self.asked = 0
        self.wants_keyframe = True
        self.layer: Layer = track.open(name, self._ask, sender)
        self.lost: list[bytes] = []

    def _ask(self) -> None:
        self.asked += 1
        self.wants_keyframe = True

    def packets(self) -> list[bytes]:
        """The next frame; `timestamp` is that of the sender's time 0."""
        body = KEYFRAME if self.wants_keyframe else DELTA
        self.wants_keyframe = False
        out = []
        for part in range(self.parts):
            descriptor = struct.pack(
                "!BBHBB", 0x90 if part == 0 else 0x80, 0xE0, 0x8000 | self.picture_id & 0x7FFF, self.tl0 & 0xFF, 0
            )
            label = b"|" + self.name.encode()
            last = part == self.parts - 1
            out.append(
                build(96, self.sequence, self.timestamp, 1, descriptor + (body if part == 0 else b"x") + label, marker=last)
            )
            self.sequence += 1
        self.picture_id += 1
        self.tl0 += 1
        return out

    def send(self, now_ms: float, lose: Sequence[int] = ()) -> None:
        for part, packet in enumerate(self.packets()):
            if part in lose:
                self.lost.append(packet)
            else:
                self.track.forward(self.layer, packet, now_ms)
        self.timestamp += round(FRAME_MS * 90)

    def repair(self, now_ms: float) -> None:
        for packet in self.lost:
            self.track.forward(self.layer, packet, now_ms)
        self.lost.clear()

    def report(self, now_ms: float) -> None:
        """What the sender's clock shows is its own affair; here it is five seconds ahead."""
        self.track.forward_report(self.layer, rtcp.SenderReport(1, ms_to_ntp(now_ms + 5_000), self.timestamp, 0, 0), now_ms)


class Stage:
    """A camera in three layers and its receivers; time goes in frames."""

    def __init__(self, names: Sequence[str] = ("l", "m", "h"), starts: Sequence[tuple[int, int, int, int]] = ()) -> None:
        self.track = Track(SOURCE, Kind.VIDEO, Loop)
        self.sender = SenderClock()
        wraps = [(65_500, 0xFFFFF000, 0x7FF0, 250), (7, 77, 3, 9), (40_000, 1 << 31, 0x4000, 100)]
        self.encoders = {
            name: Encoder(self.track, name, self.sender, start) for name, start in zip(names, starts or wraps, strict=False)
        }
        self.receivers: dict[ParticipantId, Receiver] = {}
        self.listener = Listener()
        self.track.set_audience({}, {ParticipantId("recorder"): self.listener})
        self.now_ms = 1_000.0

    def join(self, *names: str) -> list[Receiver]:
        self.receivers.update({ParticipantId(name): Receiver(ParticipantId(name)) for name in names})
        self.audience(*self.receivers)
        return [self.receivers[ParticipantId(name)] for name in names]

    def audience(self, *names: str) -> None:
        granted = {ParticipantId(name): self.receivers[ParticipantId(name)] for name in names}
        self.track.set_audience(granted, {ParticipantId("recorder"): self.listener})

    def run(self, frames: int, but: Sequence[str] = (), reports: bool = True) -> None:
        for n in range(frames):
            for name, encoder in self.encoders.items():
                if name not in but:
                    if reports and n % 10 == 0:
                        encoder.report(self.now_ms)
                    encoder.send(self.now_ms)
            self.now_ms += FRAME_MS

    def want(self, layer: str | None, *names: str) -> None:
        for name in names:
            self.track.want(ParticipantId(name), layer)


def pictures(got: Sequence[bytes]) -> list[tuple[int, int]]:
    """(picture id, TL0PICIDX) of each packet."""
    out = []
    for packet in got:
        payload = packet[FORWARDED_HEADER_BYTES:]
        descriptor = read_descriptor(payload)
        assert descriptor is not None
        out.append((descriptor.picture_id(payload) or 0, descriptor.tl0(payload) or 0))
    return out


def assert_continuous(got: Sequence[bytes]) -> None:
    """One stream: every number follows the one before, time goes forward, and no frame needs one of another layer."""
    assert len({ssrc_of(packet) for packet in got}) == 1
    for before, after in itertools.pairwise(got):
        assert (sequence_of(after) - sequence_of(before)) & 0xFFFF == 1
        assert signed_difference(timestamp_of(after), timestamp_of(before)) >= 0
    ids = pictures(got)
    for before_ids, after_ids, before, after in zip(ids, ids[1:], got, got[1:], strict=False):
        step = 0 if timestamp_of(after) == timestamp_of(before) else 1
        assert (after_ids[0] - before_ids[0]) & 0x7FFF == step
        assert (after_ids[1] - before_ids[1]) & 0xFF == step
        if before.rsplit(b"|", 1)[1] != after.rsplit(b"|", 1)[1]:
            assert starts_keyframe(after[FORWARDED_HEADER_BYTES:])


def test_a_receiver_changes_layers_and_sees_one_stream() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(5)
    for layer in ("l", "h", "m", "l", "h"):
        stage.want(layer, "b")
        stage.run(5)
        assert stage.track.layer_of(ParticipantId("b")) == layer
    assert [label for n, label in enumerate(bob.labels()) if n == 0 or bob.labels()[n - 1] != label][-5:] == list("lhmlh")
    assert_continuous(bob.got)
    assert_continuous(stage.listener.got)


def test_time_goes_on_by_the_senders_clock_over_a_change_of_layer() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(20)
    for layer in ("l", "h", "l"):
        stage.want(layer, "b")
        stage.run(20)
    times = sorted({n: timestamp_of(packet) for n, packet in enumerate(bob.got)}.values())
    first, last = timestamp_of(bob.got[0]), timestamp_of(bob.got[-1])
    assert len(set(times)) >= 80
    assert (last - first) & 0xFFFFFFFF == pytest.approx(79 * FRAME_MS * 90, abs=5)
    drift = {(report.timestamp - round(report.ntp * 90_000 / 2**32)) & 0xFFFFFFFF for report in bob.reports[2:]}
    assert len(bob.reports) >= 5
    assert max(abs(signed_difference(a, b)) for a in drift for b in drift) <= 10  # reports and packets tell the same time


@settings(max_examples=60, deadline=None)
@given(
    starts=st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0x7FFF), st.integers(0, 0xFF)),
        min_size=3, max_size=3,
    ),
    plan=st.lists(
        st.tuples(st.sampled_from(["b", "c", "d"]), st.sampled_from(["l", "m", "h", None]), st.integers(0, 4)), max_size=12
    ),
)  # fmt: skip
def test_whatever_is_wanted_everyone_sees_one_stream(
    starts: list[tuple[int, int, int, int]], plan: list[tuple[str, str | None, int]]
) -> None:
    stage = Stage(starts=starts)
    everyone = stage.join("b", "c", "d")
    stage.run(2)
    for name, layer, frames in plan:
        stage.want(layer, name)
        stage.run(frames)
    for name in "bcd":
        stage.want("h", name)
    stage.run(3)
    for receiver in everyone:
        assert_continuous(receiver.got)
        assert receiver.labels()[-1] == "h"
    assert_continuous(stage.listener.got)


def test_receivers_who_change_together_share_a_rendition() -> None:
    stage = Stage()
    everyone = stage.join(*(f"r{n}" for n in range(10)))
    stage.run(3)
    assert len(stage.track._selection.renditions()) == 1  # with the record
    stage.want("l", *(f"r{n}" for n in range(6)))
    stage.run(3)
    assert len(stage.track._selection.renditions()) == 2
    stage.want(None, *(f"r{n}" for n in range(6)))
    stage.run(3)
    stage.want("l", *(f"r{n}" for n in range(6)))
    stage.run(3)
    assert len(stage.track._selection.renditions()) == 2
    assert len({tuple(receiver.got) for receiver in everyone[:6]}) == 1


def test_while_waiting_for_a_keyframe_the_old_layer_goes_on() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(3)
    low = stage.encoders["l"]
    low._ask = lambda: None
    low.layer.ask_keyframe = lambda: None
    stage.want("l", "b")
    stage.run(5)
    assert set(bob.labels()[-10:]) == {"h"}
    low.wants_keyframe = True
    stage.run(2)
    assert bob.labels()[-1] == "l"
    assert_continuous(bob.got)


def test_a_layer_that_stops_is_replaced_by_the_nearest_and_taken_up_again() -> None:
    stage = Stage()
    changes: list[tuple[str, ...]] = []
    stage.track.on_layers_changed = lambda track: changes.append(track.live_layers)
    (bob,) = stage.join("b")
    stage.run(10, but=["l", "m"])  # the largest has shown more pictures than the others
    stage.run(10)
    stage.run(round(SILENT_MS / FRAME_MS) + 10, but=["h"])
    assert stage.track.layer_of(ParticipantId("b")) == "m"
    stage.run(round(SILENT_MS / FRAME_MS) + 10, but=["h", "m", "l"])  # a still camera: nothing comes, nothing is called stopped
    stage.run(2, but=["h"])
    assert stage.track.live_layers == ("l", "m")
    stage.run(20)
    assert stage.track.layer_of(ParticipantId("b")) == "m"  # it might stop again at once
    stage.run(40)
    assert stage.track.layer_of(ParticipantId("b")) == "h"
    assert changes[-2:] == [("l", "m"), ("l", "m", "h")]
    assert_continuous(bob.got)
    assert_continuous(stage.listener.got)


def test_old_packets_of_a_stopped_layer_do_not_revive_it() -> None:
    stage = Stage()
    stage.join("b")
    stage.run(5)
    probe = stage.encoders["h"].packets()[0]
    stage.track.forward(stage.encoders["h"].layer, probe, stage.now_ms)
    stage.run(20, but=["h"])
    assert "h" not in stage.track.live_layers
    for _ in range(100):
        stage.track.forward(stage.encoders["h"].layer, build(96, sequence_of(probe) - 1, 0, 1, b"\x80\x00x|h"), stage.now_ms)
        stage.run(1, but=["h"])
    assert "h" not in stage.track.live_layers


def test_a_pause_sends_nothing_and_ends_with_a_keyframe() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(5)
    stage.want(None, "b")
    before = len(bob.got)
    stage.run(30)
    assert len(bob.got) == before
    assert stage.track.layer_of(ParticipantId("b")) is None
    assert stage.track.sent(ParticipantId("b"), range(0x10000)) == []
    stage.want("l", "b")
    stage.run(3)
    assert starts_keyframe(bob.got[before][FORWARDED_HEADER_BYTES:])
    assert_continuous(bob.got)
    paused = signed_difference(timestamp_of(bob.got[before]), timestamp_of(bob.got[before - 1]))
    assert paused == pytest.approx(31 * FRAME_MS * 90, abs=100)


@pytest.mark.parametrize("first", [10, 0x8010, 65_530])
def test_nothing_from_before_a_grant_can_be_asked_for(first: int) -> None:
    stage = Stage(["single"], [(first, 0, 0, 0)])
    (bob,) = stage.join("b")
    stage.run(5)
    seen = [sequence_of(packet) for packet in bob.got]
    assert stage.track.sent(ParticipantId("b"), seen) == bob.got
    stage.audience()
    stage.run(10)
    stage.audience("b")
    stage.run(5)
    assert_continuous(bob.got)
    again = stage.track.sent(ParticipantId("b"), range(0x10000))
    assert again
    assert {sequence_of(packet) for packet in again} == {sequence_of(packet) for packet in bob.got[len(seen) :]}


def test_what_was_lost_before_a_change_is_still_repaired() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(5)
    stage.want("l", "b")
    high = stage.encoders["h"]
    high.send(stage.now_ms, lose=[0])
    stage.run(3)
    assert bob.labels()[-1] == "l"
    with pytest.raises(AssertionError):
        assert_continuous(bob.got)
    high.lost += high.packets()  # after the change: not this stream's any more
    high.repair(stage.now_ms)
    stage.run(2)
    assert_continuous(sorted(bob.got, key=lambda packet: signed_difference(sequence_of(packet), sequence_of(bob.got[0]), 16)))
    assert len(bob.got) == 2 * (2 + 6 + 5)  # l and m before h came, h, l
    assert stage.track.sent(ParticipantId("b"), map(sequence_of, bob.got)) == bob.got


def test_holes_of_two_changes_ago_are_repaired() -> None:
    stage = Stage()
    bob, carol = stage.join("b", "c")
    stage.run(5)
    for encoder in stage.encoders.values():
        encoder.parts = 6
    stage.want("l", "b")
    stage.encoders["l"].send(stage.now_ms, lose=[2, 3])
    stage.want("m", "b")
    stage.encoders["m"].send(stage.now_ms, lose=[1])
    stage.run(1)
    stage.want("h", "b")
    stage.run(1)
    for encoder in stage.encoders.values():
        encoder.repair(stage.now_ms)
    stage.run(1)
    for receiver in (bob, carol):
        got = sorted(receiver.got, key=lambda packet: signed_difference(sequence_of(packet), sequence_of(receiver.got[0]), 16))
        assert_continuous(got)
    assert {"l", "m", "h"} <= set(bob.labels()[10:])


def test_a_keyframe_whose_first_packet_comes_late_is_passed_on_whole() -> None:
    stage = Stage()
    stage.encoders["l"].parts = 6
    (bob,) = stage.join("b")
    stage.run(5)
    stage.want("l", "b")
    low = stage.encoders["l"]
    low.send(stage.now_ms, lose=[0])
    stage.encoders["h"].send(stage.now_ms)
    stage.now_ms += FRAME_MS
    low.send(stage.now_ms)
    assert set(bob.labels()) == {"h"} or bob.labels()[-1] == "h"
    low.repair(stage.now_ms)
    stage.run(2)
    assert bob.labels()[6:].count("l") == 4 * 6  # two frames while the first packet was away, and two more
    assert_continuous(bob.got)


def test_a_source_that_comes_back_goes_on_with_a_keyframe() -> None:
    stage = Stage()
    (bob,) = stage.join("b")
    stage.run(5)
    stage.track.shut()
    assert not stage.track.is_live
    stage.now_ms += 3_000
    assert list(stage.track.recent()) == []
    single = Encoder(stage.track, SINGLE, SenderClock(), (500, 9_000, 50, 3))
    stage.encoders = {SINGLE: single}
    stage.run(5)
    assert bob.labels()[-1] == SINGLE
    assert_continuous(bob.got)
    assert_continuous(stage.listener.got)
    assert timestamp_of(bob.got[-1]) - timestamp_of(bob.got[9]) & 0xFFFFFFFF == pytest.approx(7 * 40 * 90 + 270_000, abs=9_000)


def test_the_recorders_time_of_someone_who_is_back_needs_no_report() -> None:
    """Their picture is 150 ms longer on its way than their sound, as it was before."""
    stage = Stage([SINGLE])
    stage.sender.on_report(stage.now_ms + 5_150, stage.now_ms)  # of the sound
    stage.run(30)
    assert placed_ms(stage) == pytest.approx(-150.0, abs=1)
    stage.track.shut()
    stage.now_ms += 3_000
    stage.encoders = {SINGLE: Encoder(stage.track, SINGLE, SenderClock(), (500, 9_000, 50, 3))}
    stage.run(5, reports=False)
    assert placed_ms(stage) == pytest.approx(-150.0, abs=1)


def placed_ms(stage: Stage) -> float:
    """Where the recorder's newest packet stands, against its arrival."""
    arrival_ms = stage.now_ms - FRAME_MS
    return stage.track.clock.server_ms(timestamp_of(stage.listener.got[-1]), arrival_ms) - arrival_ms


def test_a_stranger_to_layers_is_sent_what_there_is() -> None:
    stage = Stage([SINGLE])
    (bob, carol) = stage.join("b", "c")
    stage.want("l", "b")
    stage.want("h", "c")
    stage.run(3)
    assert bob.got == carol.got != []


def test_the_recorders_time_does_not_jump_when_its_layer_changes() -> None:
    stage = Stage()
    times = []
    for _ in range(6):
        stage.run(10)
        times.append(stage.track.clock.server_ms(timestamp_of(stage.listener.got[-1]), stage.now_ms) - stage.now_ms)
        stage.run(20, but=["h"])
        times.append(stage.track.clock.server_ms(timestamp_of(stage.listener.got[-1]), stage.now_ms) - stage.now_ms)
        stage.run(55)
    assert max(times) - min(times) < 2


def test_rates_are_measured_per_layer() -> None:
    stage = Stage()
    stage.encoders["h"].parts = 20
    stage.run(60)
    rates = stage.track.layer_bps
    assert set(rates) == {"l", "m", "h"}
    assert rates["h"] == pytest.approx(10 * rates["l"], rel=0.2)
    size = len(stage.encoders["l"].packets()[0])
    assert rates["l"] == pytest.approx(2 * size * 25 * 8, rel=0.1)


def test_sound_pauses_and_goes_on_without_a_hole() -> None:
    track = Track(SOURCE, Kind.AUDIO, Loop)
    layer = track.open(SINGLE, lambda: None, SenderClock())
    bob = Receiver(ParticipantId("b"))
    track.set_audience({bob.participant_id: bob}, {})
    for n in range(60):
        track.want(bob.participant_id, None if 20 <= n < 40 else SINGLE)
        track.forward(layer, build(111, 65_520 + n & 0xFFFF, 960 * n, 1, b"\x90\x80opus"), 20.0 * n)
    assert len(bob.got) == 40
    numbers = [sequence_of(packet) for packet in bob.got]
    assert all((after - before) & 0xFFFF == 1 for before, after in itertools.pairwise(numbers))
    assert (timestamp_of(bob.got[-1]) - timestamp_of(bob.got[0])) & 0xFFFFFFFF == 960 * 59
    assert {packet[FORWARDED_HEADER_BYTES:] for packet in bob.got} == {b"\x90\x80opus"}  # an Opus payload has no picture id


def test_the_record_of_a_changing_layer_is_one_track() -> None:
    stage = Stage()
    depacketizer = Depacketizer(Kind.VIDEO, 400.0)
    for _ in range(4):
        stage.run(20)
        stage.run(20, but=["h"])
        stage.run(40)
    for n, packet in enumerate(stage.listener.got):
        depacketizer.push(packet, float(n))
    frames = list(depacketizer.pop(1e9))
    assert depacketizer.lost == 0
    assert len(frames) >= 260  # of 320; each time h stops, half a second is lost
    assert all(signed_difference(b.timestamp, a.timestamp) > 0 for a, b in itertools.pairwise(frames))


@given(st.binary(max_size=60), st.integers(0, 0x7FFF), st.integers(0, 0xFF))
def test_shifting_ids_changes_only_them(payload: bytes, pictures_ahead: int, tl0_ahead: int) -> None:
    shifted = shift_ids(payload, pictures_ahead, tl0_ahead)
    before, after = read_descriptor(payload), read_descriptor(shifted)
    assert len(shifted) == len(payload)
    if before is None or after is None:
        assert shifted == payload
        return
    assert (after.picture_id_at, after.long_picture_id, after.tl0_at, after.size) == (
        before.picture_id_at, before.long_picture_id, before.tl0_at, before.size
    )  # fmt: skip
    assert shifted[before.size :] == payload[before.size :]
    width = 0x7FFF if before.long_picture_id else 0x7F
    if before.picture_id_at >= 0:
        assert after.picture_id(shifted) == ((before.picture_id(payload) or 0) + pictures_ahead) & width
    if before.tl0_at >= 0:
        assert after.tl0(shifted) == ((before.tl0(payload) or 0) + tl0_ahead) & 0xFF
    assert shift_ids(shifted, -pictures_ahead, -tl0_ahead) == payload
