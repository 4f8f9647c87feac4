"""The forwarding benchmark's own logic: streams that servers take for real, descriptions, and what counts as a valid run."""

import argparse

import pytest

from benchmarks.sfu import compare, sdp, streams
from media.keyframes import is_keyframe, picture_size, read_vp8
from media.opus import duration_ms
from media.rtp_rewrite import extension, payload_of, sequence_of, ssrc_of

ANSWER = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
t=0 0
a=fingerprint:sha-256 AA:BB
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=sendonly
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=setup:actpass
a=rtpmap:111 opus/48000/2
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=ssrc:5 cname:x
m=video 9 UDP/TLS/RTP/SAVPF 98 96
a=mid:1
a=recvonly
a=rtpmap:98 VP9/90000
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:98 transport-cc
a=extmap:7/recvonly urn:ietf:params:rtp-hdrext:sdes:mid
"""


@pytest.mark.parametrize("keyframe", [True, False])
def test_frames_are_vp8_to_whoever_reads_the_headers(keyframe: bool) -> None:
    parts = [read_vp8(payload) for payload in streams.vp8_payloads(7, keyframe=keyframe)]
    assert [part.starts_frame for part in parts if part] == [True] + [False] * (len(parts) - 1)
    frame = b"".join(part.data for part in parts if part)
    assert is_keyframe(frame) is keyframe
    assert picture_size(frame) == ((640, 360) if keyframe else None)


def test_the_streams_have_the_rate_that_the_readme_states() -> None:
    sizes = [len(payload) for payload in streams.vp8_payloads(1, keyframe=False)]
    packets_per_s = len(sizes) * streams.FRAMES_PER_S + 1000 / streams.OPUS_FRAME_MS
    bits_per_s = 8 * (sum(sizes) * streams.FRAMES_PER_S + streams.OPUS_BYTES * 1000 / streams.OPUS_FRAME_MS)
    assert packets_per_s == pytest.approx(139, abs=3)
    assert bits_per_s == pytest.approx(730_000, rel=0.03)


def test_audio_carries_its_sending_time_in_a_20_ms_opus_packet() -> None:
    payload = streams.opus_payload(12.5)
    assert duration_ms(payload) == streams.OPUS_FRAME_MS
    assert streams.sent_s(b"header" + payload) == 12.5


def test_packets_carry_the_agreed_extensions_and_are_kept_for_nacks() -> None:
    counter = streams.TransportCounter()
    counter.value = 0xFFFF
    stream = streams.OutgoingStream("audio", counter)
    ids = {sdp.MID: 4, sdp.AUDIO_LEVEL: 2, sdp.TRANSPORT_SEQUENCE: 5}
    stream.use(sdp.Line("17", "audio", "sendonly", 111, ("transport-cc",), ids))
    packet = stream.packet(b"\xf8payload", 1.0, marker=False)
    assert (packet[1], ssrc_of(packet), payload_of(packet)) == (111, stream.ssrc, b"\xf8payload")
    assert extension(packet, 4) == b"17"
    assert extension(packet, 5) == b"\0\0"  # the first after 0xFFFF
    assert extension(packet, 3) is None
    assert stream.cached(sequence_of(packet)) == packet


def test_an_answer_takes_numbers_from_the_offer_and_sends_only_where_asked() -> None:
    offer = sdp.parse(ANSWER)
    audio, video = sdp.answered_lines(offer, {"audio": 8, "video": 9}, "me")
    assert (audio.direction, audio.ssrc, audio.extensions) == ("recvonly", None, {sdp.MID: 4})
    assert (video.direction, video.ssrc, video.payload_type) == ("sendonly", 9, 96)
    assert video.feedback == ("nack", "nack pli")  # what belongs to VP9 is not VP8's
    again = sdp.parse(sdp.write(1, 1, offer.side, (audio, video)))
    assert [line.extensions for line in again.lines] == [{sdp.MID: 4}, {sdp.MID: 7}]
    assert again.lines[1].ssrc == 9


def run_of(server: str, round_number: int, cost: float, delivery: float = 1.0) -> compare.Run:
    return {"server": server, "round": round_number, "cpu_us_per_packet": cost, "delivery": delivery, "void": delivery < 0.99,
            "disturbed": False, **{key: 1.0 for key in compare.COLUMNS if key not in {"cpu_us_per_packet", "delivery"}}}  # fmt: skip


def test_ratios_are_taken_within_a_round_and_void_runs_count_for_nothing() -> None:
    runs = [
        run_of("court", 1, 5.0), run_of("janus-1", 1, 10.0), run_of("court", 2, 16.0), run_of("janus-1", 2, 20.0),
        run_of("court", 3, 1.0, delivery=0.5), run_of("janus-1", 3, 10.0),
    ]  # fmt: skip
    row = compare.summary("court", runs)
    assert (row["valid"], row["void"], row["cpu_us_range"]) == (2, 1, [5.0, 16.0])
    assert (row["ratio"], row["ratio_range"]) == (0.65, [0.5, 0.8])


def test_a_void_run_is_repeated_a_limited_number_of_times(monkeypatch: pytest.MonkeyPatch) -> None:
    deliveries = iter([0.5, 1.2, 0.995])
    monkeypatch.setattr(compare, "one_run", lambda server, _options: {"server": server, "delivery": next(deliveries)})
    limits = argparse.Namespace(repeats=2, min_delivery=0.99)
    assert [run["void"] for run in compare.valid_run("court", [], limits, 1)] == [True, True, False]


def test_slow_probes_and_busy_cores_are_marked() -> None:
    runs: list[compare.Run] = [
        {"probe_before_ms": 100.0, "probe_after_ms": 101.0, "others_on_core_percent": 0.0},
        {"probe_before_ms": 100.0, "probe_after_ms": 150.0, "others_on_core_percent": 0.0},
        {"probe_before_ms": 100.0, "probe_after_ms": 101.0, "others_on_core_percent": 30.0},
    ]
    compare.mark_disturbed(runs)
    assert [run["disturbed"] for run in runs] == [False, True, True]
