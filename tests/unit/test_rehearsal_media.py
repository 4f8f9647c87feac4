"""The robots' voices and pictures."""

from __future__ import annotations

import math
import wave
from array import array
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import pytest

from court.rehearsal.picture import HEIGHT, WIDTH, TestPicture
from court.rehearsal.voice import FRAME_MS, SILENCE, encode_speech


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """One second of 440 Hz at half of full scale, then half a second of silence; 16 kHz mono."""
    samples = array("h", [int(16_384 * math.sin(2 * math.pi * 440 * n / 16_000)) for n in range(16_000)] + [0] * 8_000)
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return path


def test_a_file_becomes_packets_of_its_length_and_loudness(tone: Path) -> None:
    speech = encode_speech(tone)
    assert abs(speech.duration_ms - 1500) <= 2 * FRAME_MS
    loud, silent = speech.packets[10:40], speech.packets[55:70]
    assert {packet.level_dbov for packet in loud} == {9}  # a sine at half scale is 9 dB below overload
    assert all(packet.level_dbov > 90 for packet in silent)


def test_packets_are_single_20_ms_opus_frames(tone: Path) -> None:
    decoder = av.CodecContext.create("libopus", "r")
    for packet in [*encode_speech(tone).packets[:20]]:
        frames = decoder.decode(av.Packet(packet.payload))
        assert sum(frame.samples for frame in frames) in {0, 648, 960}  # the decoder drops its own delay at the start
    assert [frame.samples for frame in decoder.decode(av.Packet(SILENCE))] == [960]


def test_what_is_no_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.opus").write_bytes(b"no audio at all")
    with pytest.raises(av.error.FFmpegError):
        encode_speech(tmp_path / "x.opus")


def test_the_picture_is_vp8_with_keyframes_when_asked() -> None:
    picture = TestPicture("clerk", ZoneInfo("Asia/Shanghai"))
    at = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
    frames = [picture.encode(at, keyframe=wanted) for wanted in (True, False, False, True)]
    assert [frame[0] & 1 == 0 for frame in frames] == [True, False, False, True]  # RFC 6386 9.1
    decoder = av.CodecContext.create("vp8", "r")
    decoded = [frame for data in frames for frame in decoder.decode(av.Packet(data))]
    assert [(frame.width, frame.height) for frame in decoded] == [(WIDTH, HEIGHT)] * 4
