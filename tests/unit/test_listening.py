"""From Opus packets to stretches of speech on the record clock, with the real decoder and the real voice detector."""

from __future__ import annotations

import numpy as np

from tests.simulated_tap import SILENT_OPUS, loan_lines, opus_packets
from transcripts.audio import Block, OpusTrack, read_file, silence
from transcripts.listening import Cut, Listener
from transcripts.recognizer import SAMPLES_PER_MS
from transcripts.vad import VoiceNetwork
from transcripts.windows import USUAL

SHORT = loan_lines()[7]  # 不申请回避。 2.1 s
NETWORK = VoiceNetwork()
ONSET_MS = 180  # the detector may find the same onset so much later; padding covers it


def hear(packets: list[tuple[int, bytes, bool]]) -> list[Cut]:
    track, listener, cuts = OpusTrack(), Listener(NETWORK), []
    for t_ms, opus, filler in packets:
        for block in track.push(t_ms, opus, filler=filler):
            cuts += listener.hear(block, USUAL)
    return cuts + listener.finish()


def spoken_at(t_ms: int) -> list[tuple[int, bytes, bool]]:
    return [(t_ms + number * 20, opus, False) for number, opus in enumerate(opus_packets(SHORT.file))]


def still(t_ms: int, length_ms: int) -> list[tuple[int, bytes, bool]]:
    return [(at_ms, SILENT_OPUS, False) for at_ms in range(t_ms, t_ms + length_ms, 20)]


def test_speech_has_its_place_on_the_record_clock() -> None:
    (cut,) = hear(still(60_000, 2000) + spoken_at(62_000) + still(64_120, 1000))
    assert 61_700 <= cut.t0_ms <= 62_500
    assert cut.t1_ms <= 64_400
    assert abs(len(cut.samples) / SAMPLES_PER_MS - (cut.t1_ms - cut.t0_ms)) <= 2
    assert cut.voiced_ms > 800


def test_an_onset_after_long_silence_is_found_as_early_as_at_the_start() -> None:
    (one,), (other,) = hear(spoken_at(0)), hear(still(0, 30_720) + spoken_at(30_720))
    assert abs((other.t0_ms - one.t0_ms) - 30_720) <= ONSET_MS


def test_a_lost_stretch_becomes_silence_of_its_length() -> None:
    whole = spoken_at(1000)
    (cut,) = hear(whole[:40] + whole[50:])
    assert abs(len(cut.samples) / SAMPLES_PER_MS - (cut.t1_ms - cut.t0_ms)) <= 2
    assert np.any(np.all(cut.samples[: len(cut.samples) // 160 * 160].reshape(-1, 160) == 0, axis=1))


def test_a_filler_is_silence_and_keeps_the_clock() -> None:
    packets = spoken_at(1000) + [(t_ms, b"", True) for t_ms in range(3120, 8120, 20)] + spoken_at(8120)
    first, second = hear(packets)
    assert abs((second.t0_ms - first.t0_ms) - 7120) <= ONSET_MS


def test_a_long_hole_ends_the_stretch_and_the_next_has_its_own_time() -> None:
    first, second = hear(spoken_at(0)[:60] + spoken_at(600_000))
    assert first.t1_ms <= 1400
    assert 599_800 <= second.t0_ms <= 600_500


def test_a_small_step_of_the_senders_clock_does_not_cut() -> None:
    whole = spoken_at(0)
    stepped = whole[:50] + [(t_ms - 18, opus, filler) for t_ms, opus, filler in whole[50:]]
    assert len(hear(stepped + still(2100, 1000))) == len(hear(whole + still(2120, 1000))) == 1


def test_a_packet_that_cannot_be_decoded_is_silence_and_counted() -> None:
    track = OpusTrack()
    (block,) = track.push(0, b"\xff\xff\xff", filler=False)
    assert len(block.samples) == 320
    assert not block.samples.any()
    assert track.undecodable == 1


def test_hours_of_silence_keep_no_sound() -> None:
    listener = Listener(NETWORK)
    for minute in range(3):
        assert listener.hear(Block(minute * 60_000, silence(60_000), joined=minute > 0), USUAL) == []
    assert len(listener._sound) < 2 * 16_000
    assert len(listener._anchors) <= 2


def test_a_recorded_file_reads_at_its_length() -> None:
    samples = read_file(SHORT.file.read_bytes())
    assert abs(len(samples) / 16_000 - SHORT.seconds) < 0.05
    assert np.abs(samples).max() > 0.05
