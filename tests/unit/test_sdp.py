"""Offers and answers: our own both ways, and what a real Chromium answered."""

from pathlib import Path

import pytest

from hearing.audience import Kind
from media.control import MediaError
from media.sdp import (
    Description,
    Direction,
    MediaLine,
    Sending,
    TransportSide,
    answer_to,
    parse,
    parse_answer,
    up_lines,
    write,
)

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


def test_what_is_asked_of_a_client_can_be_read_back() -> None:
    offered = tuple(up_lines(2_500_000))
    read = parse(write(1, 1, Description(SIDE, offered))).lines
    assert read == offered
    assert [line.kind for line in read] == [Kind.AUDIO, Kind.VIDEO, Kind.SCREEN]
    assert read[1].rids == ("l", "m", "h")


def test_a_client_answers_with_layers_and_retransmission() -> None:
    offer = Description(SIDE, tuple(up_lines(1_000_000)))
    sending = Sending({Kind.AUDIO: 7, Kind.SCREEN: 9}, {Kind.SCREEN: 10}, rids=("l", "h"), rtx=True, transport_cc=True)
    audio, camera, screen = parse_answer(write(1, 1, answer_to(offer, SIDE, sending, "part_a")), offer.lines).lines
    assert (audio.ssrc, audio.transport_cc, audio.rtx) == (7, True, False)
    assert (camera.ssrc, camera.rids, camera.direction) == (None, ("l", "h"), Direction.SENDONLY)
    assert (screen.kind, screen.ssrc, screen.rtx_ssrc, screen.rids) == (Kind.SCREEN, 9, 10, ())


def test_a_simple_client_answers_with_neither() -> None:
    offer = Description(SIDE, tuple(up_lines(1_000_000)))
    text = write(1, 1, answer_to(offer, SIDE, {Kind.AUDIO: 7, Kind.VIDEO: 8}))
    _, camera, screen = parse_answer(text, offer.lines).lines
    assert (camera.ssrc, camera.rids, camera.rtx, camera.transport_cc) == (8, (), False, False)
    assert screen.direction is Direction.INACTIVE
    assert "a=simulcast" not in text
    assert " 97" not in text


def test_an_answer_gets_nothing_that_was_not_offered() -> None:
    plain = (MediaLine("0", Kind.VIDEO, Direction.RECVONLY),)
    wanting = Sending({Kind.VIDEO: 8}, rids=("h",), rtx=True, transport_cc=True)
    layered = (MediaLine("0", Kind.VIDEO, Direction.RECVONLY, rtx=True, transport_cc=True, rids=("h",)),)
    text = write(1, 1, answer_to(Description(SIDE, layered), SIDE, wanting))
    (line,) = parse_answer(text, plain).lines
    assert (line.rids, line.rtx, line.transport_cc) == ((), False, False)


@pytest.mark.parametrize(
    ("attribute", "rids"),
    [("h;~l,m", ("h", "l")), ("h;x", ("h",)), ("h;h;h", ("h",)), (" ", ()), ("h" * 300, ())],
)
def test_paused_and_alternative_layers_are_read(attribute: str, rids: tuple[str, ...]) -> None:
    layered = (MediaLine("0", Kind.VIDEO, Direction.RECVONLY, rids=("h", "l")),)
    text = write(1, 1, answer_to(Description(SIDE, layered), SIDE, Sending(rids=("h", "l"))))
    assert set(parse_answer(text.replace("send h;l", f"send {attribute}"), layered).lines[0].rids) == set(rids)


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


def test_chromium_answers_with_three_layers_retransmission_and_twcc() -> None:
    audio, camera, screen = parse_answer((FIXTURES / "chromium_layers_answer.sdp").read_text(), up_lines(2_500_000)).lines
    assert (camera.rids, camera.ssrc, camera.rtx, camera.transport_cc) == (("l", "m", "h"), None, True, True)
    assert (audio.direction, audio.transport_cc) == (Direction.SENDONLY, True)
    assert (screen.kind, screen.direction) == (Kind.SCREEN, Direction.INACTIVE)


def test_chromium_answers_down() -> None:
    offered = (
        MediaLine("0", Kind.AUDIO, Direction.SENDONLY, 1, "a", "a-audio"),
        MediaLine("1", Kind.VIDEO, Direction.SENDONLY, 2, "a", "a-video"),
    )
    answer = parse_answer((FIXTURES / "chromium_down_answer.sdp").read_text(), offered)
    assert [line.direction for line in answer.lines] == [Direction.RECVONLY, Direction.RECVONLY]
