"""What a client may send us: which packet belongs to which layer, and what is not taken at all."""

import random
import struct

import pytest

from court.rehearsal.rtp import retransmission, video_packets
from hearing.audience import RECORDER, Grant, Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate
from media.rtp_rewrite import FORWARDED_HEADER_BYTES, build, sequence_of, ssrc_of
from media.sdp import RIDS, Sending, answer_to, parse, write
from media.settings import Network
from media.sfu import Forwarder, Track
from media.tracks import UpTrack
from media.uplink import MAX_STREAMS, Uplink

SOURCE = ParticipantId("a")
LAYERED = Sending({Kind.AUDIO: 7, Kind.SCREEN: 9}, {Kind.SCREEN: 10}, rids=RIDS, rtx=True, transport_cc=True)
CERTIFICATE = Certificate()
FRAME = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 160, 120) + bytes(3_000)


class Listener:
    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []

    def on_packet(self, track: UpTrack, packet: bytes, arrival_ms: float) -> None:
        self.got.append((track.track_id, packet))


class Client:
    """Its packets and reports go straight into the uplink; what it would be sent is kept."""

    def __init__(self, sending: Sending) -> None:
        self.listener = Listener()
        self.forwarder = Forwarder({RECORDER: self.listener})
        self.forwarder.set_grants([Grant(SOURCE, kind, frozenset({RECORDER})) for kind in Kind])
        self.uplink = Uplink(SOURCE, Network(), CERTIFICATE, self.forwarder, 2_500_000)
        self.asked: list[rtcp.Message] = []
        self.feedback: list[bytes] = []
        self.uplink.endpoint.send_rtcp = self._take  # type: ignore[method-assign]
        self.now_ms = 1_000.0
        offer = self.uplink.make_offer()
        described = parse(offer.sdp)
        self.uplink.take_answer(offer.revision, write(1, 1, answer_to(described, described.side, sending, "a")))

    def _take(self, packet: bytes) -> bool:
        self.asked += rtcp.read(packet)
        self.feedback += [packet] if packet[0] & 0x1F == 15 and packet[1] == 205 else []  # TWCC
        return True

    def send(self, *packets: bytes) -> None:
        for packet in packets:
            self.uplink._on_rtp(packet, self.now_ms)
            self.now_ms += 1

    def track(self, kind: Kind) -> Track:
        return self.forwarder.track(SOURCE, kind)


def layer(rid: str, ssrc: int, sequence: int = 100, picture_id: int = 1) -> list[bytes]:
    return list(video_packets(sequence, 9_000 * picture_id, ssrc, "1", picture_id, FRAME, rid))


def test_layers_are_told_by_their_names_and_then_by_their_ssrc() -> None:
    client = Client(LAYERED)
    for n, rid in enumerate(RIDS):
        client.send(*layer(rid, 100 + n))
    assert client.track(Kind.VIDEO).live_layers == RIDS
    for n in range(3):
        client.send(*video_packets(103, 18_000, 100 + n, "", 2, FRAME))  # once reported on, browsers leave the names out
    assert len(client.listener.got) == 9 + 3  # each layer began with a keyframe; then the record followed the best
    assert len({ssrc_of(packet) for _, packet in client.listener.got}) == 1


def test_a_retransmission_of_a_layer_fills_its_hole() -> None:
    client = Client(LAYERED)
    first, lost, last = layer("h", 100)
    client.send(first, last)
    client.now_ms += 50
    client.uplink.ask_for_missing(client.now_ms)
    assert rtcp.Nack(100, (sequence_of(lost),)) in client.asked
    client.send(retransmission(lost, 1, 200, "1", "h"))
    assert [packet[FORWARDED_HEADER_BYTES + 4 :] for _, packet in client.listener.got] == [
        packet[16 + 4 * struct.unpack_from("!H", packet, 14)[0] + 4 :] for packet in (first, last, lost)
    ]
    client.send(retransmission(lost, 2, 200, "1"))  # once more, as a probe; the name is not needed any more
    assert len(client.listener.got) == 3
    assert client.uplink.loss == 0.0


def test_a_retransmission_named_in_the_answer_needs_no_names() -> None:
    client = Client(LAYERED)
    client.send(build(96, 5, 0, 9, b"\x10" + FRAME), build(96, 7, 0, 9, b"\x00x"))
    client.send(build(97, 1, 0, 10, struct.pack("!H", 6) + b"\x00y"))
    assert [(track, packet[-1:]) for track, packet in client.listener.got][-1] == ("a-screen", b"y")
    assert len(client.listener.got) == 3


def test_arrivals_are_told_to_who_numbers_its_packets_and_a_limit_to_who_does_not() -> None:
    modern = Client(LAYERED)
    head = struct.pack("!BBHLL", 0x90, 111, 1, 0, 7) + struct.pack("!HHB2sB", 0xBEDE, 1, 0x41, b"\x00\x05", 0)
    modern.send(head + b"opus")
    modern.uplink.ask_for_missing(modern.now_ms + 60)
    modern.uplink.report(modern.now_ms)
    assert len(modern.feedback) == 1
    assert not [message for message in modern.asked if isinstance(message, rtcp.BitrateEstimate)]
    simple = Client(Sending({Kind.AUDIO: 7, Kind.VIDEO: 8}))
    simple.send(head + b"opus", build(96, 5, 0, 8, b"\x10" + FRAME))
    simple.uplink.ask_for_missing(simple.now_ms + 60)
    simple.uplink.report(simple.now_ms)
    assert simple.feedback == []
    assert [message.bps for message in simple.asked if isinstance(message, rtcp.BitrateEstimate)] == [
        pytest.approx(2_500_000, rel=0.01)
    ]


def test_a_keyframe_is_asked_of_the_layer_that_lacks_it_and_not_more_often_than_twice_a_second() -> None:
    client = Client(LAYERED)
    for n, rid in enumerate(RIDS):
        client.send(*layer(rid, 100 + n))
    client.asked.clear()
    for _ in range(50):
        client.track(Kind.VIDEO).request_keyframe()
    assert client.asked in ([rtcp.KeyframeRequest(102)], [])


def test_what_was_not_agreed_is_not_taken() -> None:
    client = Client(Sending({Kind.AUDIO: 7}, rids=("l", "h")))
    client.send(*layer("m", 50), *layer("x", 51), *layer("", 52))
    client.send(*video_packets(1, 0, 53, "2", 1, FRAME), *video_packets(1, 0, 54, "0", 1, FRAME))
    client.send(build(97, 1, 0, 55, b"\x00\x01x"), build(111, 1, 0, 56, b"another voice")[:11])
    assert client.listener.got == []
    client.send(*layer("h", 57))
    assert len(client.listener.got) == 3


def test_new_streams_have_an_end() -> None:
    client = Client(LAYERED)
    for n in range(3 * MAX_STREAMS):
        client.send(*layer("h", 1_000 + n, picture_id=n))
        client.send(retransmission(layer("h", 1_000 + n)[0], 1, 5_000 + n, "1", "h"))
    uplink = client.uplink
    assert len(uplink._publications) + len(uplink._repairs) < 12
    assert uplink._adopted == MAX_STREAMS


def test_a_new_stream_of_a_layer_takes_it_over() -> None:
    client = Client(LAYERED)
    client.send(*layer("h", 100), *layer("h", 300, sequence=40_000, picture_id=900))
    numbers = [sequence_of(packet) for _, packet in client.listener.got]
    assert numbers == [100, 101, 102, 103, 104, 105]
    client.send(*layer("h", 100, sequence=103))
    assert len(client.listener.got) in {6, 9}  # the old one again would be a third stream


def test_mutated_packets_do_no_harm() -> None:
    client = Client(LAYERED)
    chance = random.Random(5)
    seeds = [
        *layer("h", 100),
        *layer("l", 101),
        retransmission(layer("h", 100)[1], 1, 200, "1", "h"),
        build(111, 1, 2, 7, b"o"),
    ]
    for _ in range(20_000):
        packet = bytearray(chance.choice(seeds)[: chance.randrange(12, 80)])
        for _ in range(chance.randrange(4)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        client.send(bytes(packet))
        client.now_ms += 5
    client.uplink.ask_for_missing(client.now_ms)
    client.uplink.report(client.now_ms)
    uplink = client.uplink
    assert len(uplink._publications) + len(uplink._repairs) <= 2 * MAX_STREAMS
    assert all(len(slot.layer.early) <= 512 for slot in uplink._slots.values())
    client.send(*layer("m", 900))
    assert uplink._adopted <= MAX_STREAMS
