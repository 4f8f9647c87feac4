"""Sound as odd devices send it: it lies where it was said, or nothing comes of it; never an error, never another's loss."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from tests.odd_sounds import LEAD_MS, ODD, opus_of, sound_of
from tests.simulated_tap import loan_lines
from transcripts.audio import Block, OpusTrack, one_channel, read_file, silence
from transcripts.listening import Cut, Listener
from transcripts.tap_message import PACKET_MS
from transcripts.vad import VoiceNetwork
from transcripts.windows import USUAL

LINE = loan_lines()[7]  # 不申请回避。
AUDIBLE_MS = 380  # of its file, see benchmarks/speech/README.md
NETWORK = VoiceNetwork()


def hear(packets: list[bytes]) -> tuple[list[Cut], OpusTrack]:
    track, listener, cuts = OpusTrack(), Listener(NETWORK), list[Cut]()
    for number, opus in enumerate(packets):
        for block in track.push(number * PACKET_MS, opus, filler=False):
            assert np.isfinite(block.samples).all()
            cuts += listener.hear(block, USUAL)
    return cuts + listener.finish(), track


@pytest.mark.parametrize("name", ODD)
def test_a_line_lies_where_it_was_said_however_it_was_sent(name: str) -> None:
    cuts, track = hear(ODD[name](LINE))
    first, onset_ms = cuts[0], LEAD_MS + AUDIBLE_MS
    assert abs(first.t0_ms - onset_ms) <= 300
    assert abs(len(first.samples) / 16 - first.length_ms) <= 2
    assert float(np.abs(first.samples).max()) > 0.001
    assert (track.undecodable > 0) is (name == "damaged")


def test_sound_whose_channels_cancel_is_heard_as_loud_as_one_of_them() -> None:
    voice = sound_of(LINE)
    (one, *_), _ = hear(opus_of(voice[None]))
    (other, *_), _ = hear(opus_of(np.stack([voice, -voice])))
    loudness = [float(np.sqrt(np.mean(cut.samples**2))) for cut in (one, other)]
    assert loudness[1] == pytest.approx(loudness[0], rel=0.3)


def test_two_different_channels_are_mixed() -> None:
    rng = np.random.default_rng(7)
    channels = rng.normal(0, 0.1, (2, 960)).astype(np.float32)
    assert one_channel(channels) == pytest.approx(channels.mean(axis=0), abs=1e-6)


def webm(channels: np.ndarray) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono" if len(channels) == 1 else "stereo")
        for at in range(0, channels.shape[1], 960):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(channels[:, at : at + 960].T.reshape(1, -1)), format="flt", layout=stream.layout.name
            )
            frame.sample_rate, frame.pts = 48_000, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def test_a_recorded_segment_with_a_turned_pole_is_read_as_loud_as_it_is() -> None:
    voice = sound_of(LINE)[: 48_000 * 2]
    one, other = read_file(webm(voice[None])), read_file(webm(np.stack([voice, -voice])))
    assert abs(len(one) - len(other)) <= 320
    assert float(np.std(other)) == pytest.approx(float(np.std(one)), rel=0.3)


def test_a_recording_of_one_packet_is_read_and_no_bytes_are_no_recording() -> None:
    assert len(read_file(webm(np.zeros((1, 960), dtype=np.float32)))) <= 320 * 4  # with what the encoder adds at its end
    for nothing in (b"", b"\x1a\x45\xdf\xa3", b"no recording at all"):
        with pytest.raises(av.FFmpegError):
            read_file(nothing)


def test_a_track_without_sound_gives_nothing() -> None:
    listener = Listener(NETWORK)
    assert listener.hear(Block(0, silence(0), joined=False), USUAL) == []
    assert listener.finish() == []
