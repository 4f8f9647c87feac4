"""A segment is cut where the access class changes: at the event's time, never a packet of a closed part in an open segment."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hearing.access import AccessClass, may_have
from hearing.audience import Kind
from media.class_changes import ClassChanges
from media.rtp_rewrite import build_forwarded
from tests.unit.test_picture_recording import Play

PARTIES, SEALED = AccessClass.PARTIES, AccessClass.SEALED
changes = st.lists(st.tuples(st.integers(0, 100), st.sampled_from(AccessClass)), max_size=6)


@given(changes, st.integers(-5, 105), st.integers(1, 30))
def test_a_stretch_is_as_strict_as_its_strictest_moment(told: list[tuple[int, AccessClass]], t0: int, length: int) -> None:
    line, truth = ClassChanges(), dict.fromkeys(range(-5, 140), PARTIES)
    for at, access in told:
        line.change(at, access)
        truth |= dict.fromkeys(range(at, 140), access)
    moments = [truth[t] for t in range(t0, t0 + length)]
    found = line.of(t0, t0 + length)
    assert found in moments
    assert all(may_have(found, moment) for moment in moments)
    assert line.of(t0, t0) is truth[t0]


def test_the_same_class_again_is_no_change() -> None:
    line = ClassChanges()
    assert not line.change(5, PARTIES)
    assert line.change(6, SEALED)
    assert not line.change(9, SEALED)


class Speech(Play):
    """Sound of one source, 20 ms a packet, as the recorder gets it."""

    def __init__(self) -> None:
        super().__init__(Kind.AUDIO)
        self.classes = self.recorder._place.classes

    def say(self, t_ms: int) -> None:
        packet = build_forwarded(0x80, 111, self.sequence, 90 * t_ms, 7, 0, b"\x78" + t_ms.to_bytes(4, "big"))
        self.sequence += 1
        self.recorder.push(packet, float(t_ms))
        self.recorder.tick(float(t_ms))


def recorded(play: Play) -> list[tuple[str, int, int]]:
    """(class, from, to) of each segment."""
    starts = [segment.name for segment in play.written.segments]
    return [(name.access.value, name.t0_ms, end) for name, end in zip(starts, play.written.ends, strict=True)]


def test_sound_is_cut_within_one_packet_and_what_reaches_into_the_closed_part_is_sealed() -> None:
    play = Speech()
    for t_ms in range(0, 4_000, 20):
        if t_ms == 1_060:  # the table arrives 50 ms after the event at 1010, which lies within the packet of 1000
            play.classes.change(1_010.0, SEALED)
            play.recorder.reclass(1_010.0, SEALED)
        if t_ms == 2_560:
            play.classes.change(2_510.0, PARTIES)
            play.recorder.reclass(2_510.0, PARTIES)
        play.say(t_ms)
    play.stop(4_000)
    assert recorded(play) == [("parties", 0, 1_000), ("sealed", 1_000, 2_520), ("parties", 2_520, 4_000)]
    assert [t_ms for t_ms, _ in play.written.blocks] == list(range(0, 4_000, 20)), "not a packet is lost at the cuts"


def test_a_change_that_is_learned_late_makes_the_open_segment_stricter_whole() -> None:
    play = Speech()
    for t_ms in range(0, 4_000, 20):
        if t_ms == 3_000:  # the table was held up for two seconds: 1.4 s of the closed part are written already
            play.classes.change(1_000.0, SEALED)
            play.recorder.reclass(1_000.0, SEALED)
        play.say(t_ms)
    play.stop(4_000)
    assert recorded(play) == [("sealed", 0, 4_000)]


def test_a_picture_goes_on_in_the_other_class_with_a_key_frame_that_is_asked_for() -> None:
    play = Play(Kind.VIDEO)
    classes = play.recorder._place.classes
    for t_ms in range(0, 3_000, 100):
        if t_ms == 1_100:
            asked = play.source.asked
            classes.change(1_050.0, SEALED)
            play.recorder.reclass(1_050.0, SEALED)
            assert play.source.asked == asked + 1
        play.show(t_ms, keyframe=t_ms in {0, 1_300})
    play.stop(3_000)
    assert recorded(play) == [("parties", 0, 1_033), ("sealed", 1_300, 2_933)]
    inside = [t_ms for t_ms, _ in play.written.blocks]
    assert not [t_ms for t_ms in inside if 1_050 <= t_ms < 1_300], "until its key frame comes nothing is written"
