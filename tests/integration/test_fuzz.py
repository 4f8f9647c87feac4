"""A hundred thousand mutated packets and descriptions against everything of ours that reads what clients send.

They go in where decrypted packets do, so that they reach the forwarder, the VP8 and Opus readers, the recorder and the tap;
STUN goes in at the socket. Nothing may raise, and what is kept must not grow with the number of packets.
"""

from __future__ import annotations

import contextlib
import random
import struct
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from aioice import stun

from hearing.audience import RECORDER, TAP, Kind
from hearing.model import ParticipantId
from media import rtcp
from media.aiortc_bridge import Certificate, Endpoint, now_ms
from media.control import MediaError
from media.courtroom import Courtroom, Surroundings
from media.peer import Peer
from media.sdp import Description, Direction, MediaLine, Sending, TransportSide, answer_to, parse, parse_answer, up_lines, write
from media.segment_writer import SegmentWriter
from media.settings import MediaSettings
from media.spool import Spool
from media.tap import TapRing
from media.twcc import TwccRecorder
from tests.integration.media_rig import CLOCK, LOOPBACK, SITTING, TOKEN, opus_tone, table, vp8_picture

RTP, RTCP, STUN, SDP = 40_000, 30_000, 15_000, 15_000
GROWTH_BYTES = 8 << 20  # between the middle and the end of a run; keeping one byte in ten of the packets would be more
AUDIO_SSRC, SCREEN_SSRC = 7, 9
SIDE = TransportSide("abcd1234", "p" * 24, "sha-256 " + ":".join(["AB"] * 32), ("1 1 udp 2130706431 127.0.0.1 4000 typ host",))
FIXTURES = Path(__file__).parents[1] / "unit" / "fixtures"


class Mutator:
    """Changes valid inputs as fuzzers do: bits, bytes, lengths, cuts, insertions, two halves of different inputs."""

    def __init__(self, seeds: Sequence[bytes], seed: int) -> None:
        self._seeds = seeds
        self._random = random.Random(seed)

    def next(self) -> bytes:
        r = self._random
        data = bytearray(r.choice(self._seeds))
        for _ in range(r.choice((0, 1, 1, 2, 3, 8))):
            if not data:
                break
            at = r.randrange(len(data))
            match r.randrange(7):
                case 0:
                    data[at] ^= 1 << r.randrange(8)
                case 1:
                    data[at] = r.choice((0, 1, 0x7F, 0x80, 0xFF, r.randrange(256)))
                case 2:
                    del data[at:]
                case 3:
                    data[at:at] = r.randbytes(r.choice((1, 2, 4, 40)))
                case 4:
                    del data[at : at + r.choice((1, 2, 4, 40))]
                case 5:
                    data[at : at + 2] = r.choice((b"\0\0", b"\xff\xff", b"\x00\x01", b"\x7f\xff"))
                case 6:
                    data[at:] = r.choice(self._seeds)[at:]
        return bytes(data[:1500])


@dataclass
class Room:
    courtroom: Courtroom
    peer: Peer


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    """A recorded sitting with one connected person, without a network."""
    settings = MediaSettings("media-1", "127.0.0.1", 0, "http://127.0.0.1:9", "http://127.0.0.1:9", tmp_path, TOKEN, LOOPBACK)
    writer = SegmentWriter(Spool(tmp_path), lambda segment, error: pytest.fail(str(error)))
    writer.start()
    around = Surroundings(settings, Certificate(), writer, TapRing(1), lambda at: now_ms(), lambda report: None)
    courtroom = Courtroom(SITTING, around)
    listeners = {("a", kind): ["b", RECORDER, *([TAP] if kind is Kind.AUDIO else [])] for kind in Kind}
    courtroom.apply(table(1, ["a", "b"], listeners, opened_at=CLOCK.now()))
    up, _ = await courtroom.connect(ParticipantId("a"), "peer_a")
    sending = Sending(
        {Kind.AUDIO: AUDIO_SSRC, Kind.SCREEN: SCREEN_SSRC}, {Kind.SCREEN: 10}, rids=("l", "m", "h"), rtx=True, transport_cc=True
    )
    courtroom.answer("peer_a", "up", up.revision, write(1, 1, answer_to(parse(up.sdp), SIDE, sending, "a")))
    yield Room(courtroom, courtroom._peer("peer_a"))
    await courtroom.close("stop")
    await writer.stop()


def with_extensions(payload_type: int, ssrc: int, number: int, payload: bytes, extensions: dict[int, bytes]) -> bytes:
    """An RTP packet with one-byte header extensions (RFC 8285)."""
    block = b"".join(bytes((name << 4 | len(value) - 1,)) + value for name, value in extensions.items())
    block += bytes(-len(block) % 4)
    header = struct.pack("!BBHLL", 0x90, payload_type, number & 0xFFFF, number * 960, ssrc)
    return header + struct.pack("!HH", 0xBEDE, len(block) // 4) + block + payload


def rtp_seeds() -> list[bytes]:
    seeds = [
        with_extensions(111, AUDIO_SSRC, n, packet, {1: b"0", 2: b"\x1e", 3: b"abc", 4: struct.pack("!H", n)})
        for n, packet in enumerate(opus_tone(0.1))
    ]
    for n, (frame, _) in enumerate(vp8_picture(6, keyframe_every=2)):
        for ssrc, rid in ((20, b"l"), (21, b"m"), (22, b"h")):
            payload = struct.pack("!BBHBB", 0x90, 0xE0, 0x8000 | n, n, 0) + frame[:1100]
            seeds.append(with_extensions(96, ssrc, n, payload, {1: b"1", 5: rid, 4: struct.pack("!H", n)}))
            seeds.append(with_extensions(97, ssrc + 10, n, struct.pack("!H", n) + payload, {1: b"1", 6: rid}))
        seeds.append(with_extensions(96, SCREEN_SSRC, n, b"\x10" + frame[:1100], {1: b"2"}))
    return [*seeds, seeds[0][:-1] + b"\xff", bytes([seeds[0][0] | 0x20]) + seeds[0][1:] + b"\0\0\3"]


def rtcp_seeds(ssrcs: Sequence[int]) -> list[bytes]:
    block = rtcp.write_report_block(ssrcs[0], fraction_lost=0.1, lost=3, highest=99, jitter_ticks=9, last_report=5, delay_s=0.1)
    seeds = [rtcp.write_report_blocks([block, block]), rtcp.write_remb(300_000, ssrcs)]
    for ssrc in ssrcs:
        seeds += [rtcp.write_nack(ssrc, [1, 2, 5, 40]), rtcp.write_pli(ssrc), rtcp.write_sender_report(ssrc, 1 << 60, 5, 6, 7)]
    feedback = TwccRecorder(ssrcs[0])
    for number in range(0, 90, 2):
        feedback.on_packet(number, 1000.0 + number)
    return [*seeds, *feedback.feedback(1200.0), b"".join(seeds[:4])]


def run(mutator: Mutator, count: int, take: Callable[[bytes], object]) -> None:
    """`count` inputs; memory after half of them is the measure for the rest."""
    tracemalloc.start()
    try:
        for _ in range(count // 2):
            take(mutator.next())
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(count - count // 2):
            take(mutator.next())
        assert tracemalloc.get_traced_memory()[0] - before < GROWTH_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", range(2))
async def test_rtp(room: Room, seed: int) -> None:
    up, at_ms, number = room.peer.up, now_ms(), 0

    def take(packet: bytes) -> None:
        nonlocal at_ms, number
        at_ms, number = at_ms + 1.0, number + 1
        if (
            number % 4 and len(packet) >= 4
        ):  # the other quarter repeats numbers of long ago, which ends before anything reads it
            packet = packet[:2] + struct.pack("!H", number & 0xFFFF) + packet[4:]
        up._on_rtp(packet, at_ms)
        if int(at_ms) % 40 == 0:
            room.courtroom.tick(at_ms)

    run(Mutator(rtp_seeds(), seed), RTP // 2, take)
    taken = sum(track.traffic.packets_in for track in room.courtroom.forwarder.tracks.values())
    assert taken > RTP // 20, "most of them must get past the first look, or nothing behind it is tried"


@pytest.mark.parametrize("seed", range(2))
async def test_rtcp(room: Room, seed: int) -> None:
    for n, packet in enumerate(rtp_seeds()):
        room.peer.up._on_rtp(packet, now_ms() + n)
    tracks = room.courtroom.forwarder.tracks.values()
    mutator = Mutator(rtcp_seeds([AUDIO_SSRC, 20, *(track.ssrc for track in tracks)]), seed)

    def take(packet: bytes) -> None:
        room.peer.up._on_rtcp(packet)
        room.peer.down._on_rtcp(packet)

    run(mutator, RTCP // 2, take)


async def test_stun() -> None:
    endpoint = Endpoint(controlling=True, network=LOOPBACK)
    await endpoint.gather()
    try:
        local, socket = endpoint.local, endpoint._connection._protocols[0]
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes |= {"USERNAME": f"{local.ufrag}:there", "PRIORITY": 1, "ICE-CONTROLLED": 7}
        request.add_message_integrity(local.pwd.encode())
        success = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
        success.attributes["XOR-MAPPED-ADDRESS"] = ("127.0.0.1", 9)
        seeds = [bytes(request), bytes(success), bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION))]
        socket.receiver.admits_check = lambda address: True  # type: ignore[method-assign]  the flood guard would hide the reader
        run(Mutator(seeds, 1), STUN, lambda data: socket.datagram_received(data, ("127.0.0.1", 9)))
    finally:
        await endpoint.close()


@pytest.mark.parametrize("seed", range(3))
def test_sdp(seed: int) -> None:
    offer = Description(SIDE, tuple(up_lines(900_000)))
    down = (
        MediaLine("0", Kind.AUDIO, Direction.SENDONLY, 5, "a", "a-audio"),
        MediaLine("1", Kind.VIDEO, Direction.SENDONLY, 6, "a", "a-video", rtx_ssrc=8),
    )
    texts = [write(1, 1, offer), write(1, 1, Description(SIDE, down)), write(1, 1, answer_to(offer, SIDE, {Kind.AUDIO: 7}))]
    texts += [(FIXTURES / f"chromium_{name}_answer.sdp").read_text() for name in ("up", "down")]

    def take(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        for read in (lambda: parse(text), lambda: parse_answer(text, offer.lines)):
            with contextlib.suppress(MediaError):
                read()

    run(Mutator([text.encode() for text in texts], seed), SDP // 3, take)
