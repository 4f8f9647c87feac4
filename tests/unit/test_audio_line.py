"""Media duration equals wall time: holes, mutes, drift, late packets."""

from media.audio_line import AudioLine, Block, Fill, Permission
from media.opus import LOST_SILENCE, MUTED_SILENCE, duration_ms
from media.speaking import SpeechGate, level_dbov

SPEECH = b"\xf8" + b"s" * 50


def line_of(start_ms: float = 0.0) -> AudioLine:
    return AudioLine(start_ms, Permission(start_ms, granted=True))


def total_ms(blocks: list[Block]) -> float:
    return sum(block.duration_ms for block in blocks)


def test_durations_of_opus_packets() -> None:
    assert duration_ms(SPEECH) == duration_ms(LOST_SILENCE) == duration_ms(MUTED_SILENCE) == 20
    assert duration_ms(b"\x18x") == 60
    assert duration_ms(b"\xf9xx") == 40
    assert duration_ms(b"\xfb\x03xx") == 60
    assert duration_ms(b"") == 0
    assert duration_ms(b"\xfb\x3fx") == 0  # longer than Opus allows


def test_lost_packets_become_silence_of_their_length() -> None:
    line, blocks = line_of(), []
    for n in (0, 1, 2, 5, 6):
        blocks += line.add(n * 20.0, SPEECH, after_loss=n == 5)
    assert [block.t_ms for block in blocks] == [0, 20, 40, 60, 80, 100, 120]
    assert [block.fill for block in blocks[3:5]] == [Fill.LOST, Fill.LOST]


def test_a_muted_span_is_muted_silence_cut_at_the_time_of_the_event() -> None:
    permission = Permission(0.0, granted=True)
    line, blocks = AudioLine(0.0, permission), []
    permission.change(200.0, granted=False)
    for n in range(30):  # packets captured after the event are not written although they are there
        blocks += line.add(n * 20.0, SPEECH, after_loss=False)
    permission.change(1_000.0, granted=True)
    blocks += line.fill_until(1_040.0)
    blocks += line.add(1_040.0, SPEECH, after_loss=False)
    assert total_ms([b for b in blocks if b.fill is None]) == 200 + 20
    assert total_ms([b for b in blocks if b.fill is Fill.MUTED]) == 800
    assert total_ms([b for b in blocks if b.fill is Fill.LOST]) == 40
    assert line.position_ms == 1_060


def test_a_fast_or_slow_crystal_is_held_to_the_record_clock() -> None:
    for factor in (1.0005, 0.9995):
        line, blocks = line_of(), []
        for n in range(50 * 600):
            blocks += line.add(n * 20.0 * factor, SPEECH, after_loss=False)
        assert abs(total_ms(blocks) - 50 * 600 * 20 * factor) <= 80


def test_late_and_broken_packets_do_not_move_the_line() -> None:
    line = line_of()
    assert len(list(line.fill_until(1_000.0))) == 50
    assert list(line.add(500.0, SPEECH, after_loss=False)) == []
    assert list(line.add(1_000.0, b"", after_loss=False)) == []
    assert line.position_ms == 1_000


def test_speaking_needs_a_moment_and_survives_pauses_between_words() -> None:
    gate = SpeechGate()
    changes = []
    for n in range(200):
        loud = n < 3 or 20 <= n < 60 or 70 <= n < 100  # a click, speech, a short pause, speech
        if gate.on_level(-25 if loud else -80, n * 20.0):
            changes.append((n, gate.speaking))
    assert changes == [(24, True), (135, False)]
    assert level_dbov(b"\x9e", 10) == -30
    assert level_dbov(None, 10) < -60 < level_dbov(None, 120)
