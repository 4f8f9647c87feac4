"""Engine addresses: each form read, a wrong one refused in words."""

from __future__ import annotations

import pytest

from transcripts.engine_address import EngineAddress, WrongAddress, read_address

DIGEST = "0a" * 32


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", EngineAddress()),
        ("whisper:", EngineAddress()),
        ("whisper:?prompt=off&beam=1", EngineAddress(prompt=False, beam=1)),
        ("large-v3-zh", EngineAddress(place="large-v3-zh")),
        ("/models/v3?device=cuda&compute=int8_float16",
         EngineAddress(place="/models/v3", device="cuda", compute_type="int8_float16")),
        (f"whisper:/m?sha256={DIGEST.upper()}&threads=4", EngineAddress(place="/m", sha256=DIGEST, threads=4)),
        ("sensevoice:/m/sv", EngineAddress(kind="sensevoice", place="/m/sv")),
        ("paraformer:/m/pf?threads=2", EngineAddress(kind="paraformer", place="/m/pf", threads=2)),
        ("https://asr.court.cn/v1", EngineAddress(kind="http", place="https://asr.court.cn/v1", model="whisper-1")),
        ("http://[fd00::7]:9000/v1/?model=large-v3&timeout=5",
         EngineAddress(kind="http", place="http://[fd00::7]:9000/v1", model="large-v3", timeout_s=5)),
    ],
)  # fmt: skip
def test_an_address_is_read(text: str, address: EngineAddress) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "whisper:/m?device=tpu", "whisper:/m?beam=0", "whisper:/m?beam=x", "whisper:/m?speed=2", "whisper:/m?beam=1&beam=2",
        "whisper:/m?compute=int4", "whisper:/m?sha256=abc", "sensevoice:", "sensevoice:/m?beam=2", "ftp://asr/v1", "http:asr",
        "https://", "https://asr.court.cn:port/v1", "https://u:secret@asr.court.cn/v1", "https://asr.court.cn/v1#x",
        "https://asr.court.cn/v1?device=cuda", "https://asr.court.cn/v1?timeout=0", "https://asr.court.cn/v1?model=",
    ],
)  # fmt: skip
def test_a_wrong_address_is_refused_in_chinese(text: str) -> None:
    with pytest.raises(WrongAddress) as refused:
        read_address(text)
    assert any("一" <= letter <= "鿿" for letter in str(refused.value))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://asr.court.cn/v1", "asr.court.cn"), ("http://10.0.0.7:9000/v1", "10.0.0.7:9000"),
        ("http://[fd00::7]:9000/v1", "[fd00::7]:9000"), ("http://[fd00::7]/v1", "[fd00::7]"), ("whisper:/m", ""),
    ],
)  # fmt: skip
def test_the_host_says_where_speech_goes(text: str, host: str) -> None:
    assert read_address(text).host == host
