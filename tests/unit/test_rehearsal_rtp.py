"""What the robots put on the wire and read from it, checked against byte layouts of the RFCs and the server's own reader."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from court.rehearsal.rtp import (
    MAX_PAYLOAD_BYTES,
    KeyframeWanted,
    Nack,
    Reception,
    audio_packet,
    feedback,
    receiver_report,
    retransmission,
    sender_report,
    video_packets,
)
from media.rtp_rewrite import extension, payload_of, restored
from media.sdp import REPAIRED_RID_EXTENSION, RID_EXTENSION


def test_an_audio_packet_carries_mid_and_level() -> None:
    packet = audio_packet(0x1_0001, 960, 0xDEADBEEF, "0", 42, b"opus")
    assert packet[0] == 0x90  # version 2, with extension
    assert packet[1] == 111
    assert struct.unpack_from("!HII", packet, 2) == (1, 960, 0xDEADBEEF)  # the sequence number wraps
    profile, words = struct.unpack_from("!HH", packet, 12)
    elements = packet[16 : 16 + 4 * words]
    assert profile == 0xBEDE
    assert elements[:2] == bytes([0x10]) + b"0"  # id 1, one byte
    assert elements[2:4] == bytes([0x20, 0x80 | 42])  # id 2, voice activity, 42 dB below overload
    assert packet[16 + 4 * words :] == b"opus"


def test_silence_has_no_voice_activity() -> None:
    assert audio_packet(0, 0, 1, "0", 127, b"")[16:20] == bytes([0x10]) + b"0" + bytes([0x20, 127])


def test_a_large_frame_is_cut_and_marked_at_its_end() -> None:
    frame = bytes(range(256)) * 10
    packets = list(video_packets(65_535, 3000, 7, "1", 5, frame))
    assert [struct.unpack_from("!H", packet, 2)[0] for packet in packets] == [65_535, 0, 1]
    assert [bool(packet[1] & 0x80) for packet in packets] == [False, False, True]
    bodies = [packet[16 + 4 * struct.unpack_from("!H", packet, 14)[0] :] for packet in packets]
    assert [bool(body[0] & 0x10) for body in bodies] == [True, False, False]  # start of partition, RFC 7741 4.2
    assert all(struct.unpack_from("!H", body, 2)[0] == 0x8005 for body in bodies)
    assert b"".join(body[4:] for body in bodies) == frame
    assert max(len(body) for body in bodies) <= MAX_PAYLOAD_BYTES + 4


def test_a_retransmission_holds_the_packet_and_names_its_layer() -> None:
    *_, lost = video_packets(65_534, 3000, 7, "1", 5, bytes(2_000), "h")
    again = retransmission(lost, 9, 8, "1", "h")
    assert (extension(lost, RID_EXTENSION), extension(again, REPAIRED_RID_EXTENSION)) == (b"h", b"h")
    assert (again[1], struct.unpack_from("!H", again, 2)[0], extension(again, RID_EXTENSION)) == (0x80 | 97, 9, None)
    original = restored(again, 96, 7)
    assert original is not None
    assert (original[1:12], payload_of(original)) == (lost[1:12], payload_of(lost))


def test_a_sender_report_tells_the_wall_time_of_an_rtp_time() -> None:
    report = sender_report(9, "robot", datetime(1970, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC), 48_000, 10, 1000)
    assert struct.unpack_from("!BBHI", report) == (0x80, 200, 6, 9)
    assert struct.unpack_from("!IIIII", report, 8) == (2_208_988_800, 1 << 31, 48_000, 10, 1000)
    assert report[28] == 0x81
    assert report[29] == 202
    assert len(report) % 4 == 0


def test_requests_are_read_out_of_a_compound_packet() -> None:
    nack = struct.pack("!BBHIIHH", 0x81, 205, 3, 1, 77, 65_535, 0b101)
    pli = struct.pack("!BBHII", 0x81, 206, 2, 1, 78)
    fir = struct.pack("!BBHIIII", 0x84, 206, 4, 1, 0, 79, 1 << 24)
    receiver = receiver_report(1, "x", [])
    requests = list(feedback(receiver + nack + pli + fir))
    assert requests == [Nack(77, (65_535, 0, 2)), KeyframeWanted(78), KeyframeWanted(79)]


def test_a_truncated_request_is_passed_over() -> None:
    assert list(feedback(struct.pack("!BBHI", 0x81, 205, 3, 1))) == []
    assert list(feedback(b"\x81")) == []


def test_reception_counts_losses_over_the_wrap() -> None:
    reception = Reception(5)
    for sequence in (65_534, 65_535, 1, 2):  # 0 is lost
        reception.take(sequence)
    block = struct.unpack("!IIIIII", reception.report_block())
    assert block[0] == 5
    assert block[1] >> 24 == 256 // 5
    assert block[1] & 0xFFFFFF == 1
    assert block[2] == 65_538
    assert struct.unpack("!IIIIII", reception.report_block())[1] >> 24 == 0  # nothing new was lost since
