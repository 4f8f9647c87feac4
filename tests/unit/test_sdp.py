"""Offers and answers: our own both ways, and what a real Chromium answered."""

from pathlib import Path

import pytest

from hearing.audience import Kind
from media.control import MediaError
from media.sdp import Description, Direction, MediaLine, TransportSide, answer_to, parse, parse_answer, write

SIDE = TransportSide("abcd1234", "p" * 24, "sha-256 " + ":".join(["AB"] * 32), ("1 1 udp 2130706431 127.0.0.1 4000 typ host",))
UP = (MediaLine("0", Kind.AUDIO, Direction.RECVONLY), MediaLine("1", Kind.VIDEO, Direction.RECVONLY))
FIXTURES = Path(__file__).parent / "fixtures"


def test_an_offer_can_be_read_back() -> None:
    lines = (
        MediaLine("0", Kind.AUDIO, Direction.SENDONLY, 5, "part_a", "part_a-audio"),
        MediaLine("1", Kind.VIDEO, Direction.INACTIVE),
    )
    assert parse(write(1, 2, Description(SIDE, lines))) == Description(SIDE, lines)


def test_a_client_answers_in_kind() -> None:
    answer = answer_to(Description(SIDE, UP), SIDE, {Kind.AUDIO: 7})
    assert [line.direction for line in answer.lines] == [Direction.SENDONLY, Direction.INACTIVE]
    read = parse_answer(write(1, 1, answer), UP)
    assert read.lines[0].ssrc == 7
    assert read.side.setup == "active"


def answer_text() -> str:
    return write(1, 1, answer_to(Description(SIDE, UP), SIDE, {Kind.AUDIO: 7, Kind.VIDEO: 8}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v=0", "v=1"),
        ("a=ice-ufrag:abcd1234", "a=ice-ufrag:a!"),
        ("a=ice-pwd:", "a=ice-pwdx:"),
        ("a=fingerprint:sha-256", "a=fingerprint:md5"),
        ("a=setup:active", "a=setup:actpass"),
        ("a=setup:active", "a=x"),
        ("a=mid:1", "a=mid:9"),
        ("m=video 9 UDP/TLS/RTP/SAVPF", "m=application 9 UDP/DTLS/SCTP"),
    ],
)
def test_a_malformed_answer_is_refused_by_name(old: str, new: str) -> None:
    with pytest.raises(MediaError) as refused:
        parse_answer(answer_text().replace(old, new), UP)
    assert refused.value.code == "sdp_malformed"


def test_a_client_without_our_codecs_is_told_so() -> None:
    with pytest.raises(MediaError) as refused:
        parse_answer(answer_text().replace("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video 9 UDP/TLS/RTP/SAVPF 100"), UP)
    assert refused.value.code == "sdp_codec_refused"


def test_a_rejected_line_is_inactive() -> None:
    answer = parse_answer(answer_text().replace("m=video 9 ", "m=video 0 "), UP)
    assert answer.lines[1].direction is Direction.INACTIVE


def test_nothing_but_text_of_reasonable_length() -> None:
    with pytest.raises(MediaError):
        parse("v=0\r\n" + "a=x\r\n" * 100_000)


def test_chromium_answers_up() -> None:
    answer = parse_answer((FIXTURES / "chromium_up_answer.sdp").read_text(), UP)
    assert [line.direction for line in answer.lines] == [Direction.SENDONLY, Direction.SENDONLY]
    assert all(line.ssrc for line in answer.lines)
    assert answer.side.setup == "active"
    assert answer.side.candidates


def test_chromium_uses_our_payload_types_and_extension_ids() -> None:
    text = (FIXTURES / "chromium_up_answer.sdp").read_text()
    assert "a=rtpmap:111 opus/48000/2" in text
    assert "a=rtpmap:96 VP8/90000" in text
    assert "a=rtcp-fb:96 nack pli" in text
    assert "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level" in text


def test_chromium_answers_down() -> None:
    offered = (
        MediaLine("0", Kind.AUDIO, Direction.SENDONLY, 1, "a", "a-audio"),
        MediaLine("1", Kind.VIDEO, Direction.SENDONLY, 2, "a", "a-video"),
    )
    answer = parse_answer((FIXTURES / "chromium_down_answer.sdp").read_text(), offered)
    assert [line.direction for line in answer.lines] == [Direction.RECVONLY, Direction.RECVONLY]
