"""What a robot sends: Opus every 20 ms (speech or silence), a test picture, sender reports, and answers to NACK and PLI."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from court.rehearsal.picture import FRAMES_PER_S, TICKS_HZ, TestPicture
from court.rehearsal.rtp import (
    KeyframeWanted,
    Nack,
    audio_packet,
    feedback,
    retransmission,
    sender_report,
    video_packets,
)
from court.rehearsal.voice import AUDIBLE_DBOV, FRAME_MS, FRAME_TICKS, SILENCE, SILENCE_DBOV, Speech, VoicePacket
from hearing.audience import Kind
from hearing.timeline import Clock
from media.aiortc_bridge import Endpoint
from media.sdp import Description, Sending

CACHED_PACKETS = 512
REPORT_EVERY_S = 1.0
VOICE_HZ = FRAME_TICKS * 1000 // FRAME_MS
LATE_S = 0.2  # a robot whose machine stood still this long goes on from now, as a sound card would


class Stream:
    """One outgoing RTP stream: numbers, counts, and a cache for retransmission."""

    def __init__(self, cname: str, rid: str = "", *, with_rtx: bool = False) -> None:
        self.ssrc = secrets.randbits(32) or 1
        self.rtx_ssrc = secrets.randbits(32) or 1 if with_rtx else None  # without: repairs are the lost packet itself
        self.rid = rid  # of a camera's layer
        self.mid = ""
        self.sequence = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)  # of the next packet
        self.due = 0.0  # loop time at which the sound or picture of `timestamp` happens
        self.packets = 0
        self._cname = cname
        self._octets = 0
        self._rtx_sequence = secrets.randbits(15)
        self._cache: dict[int, bytes] = {}

    def send(self, endpoint: Endpoint, packet: bytes) -> None:
        """Send the packet numbered `sequence`, keep it for a while, and move on."""
        if endpoint.send_rtp(packet):
            self.packets += 1
            self._octets += len(packet)
        self._cache[self.sequence & 0xFFFF] = packet
        if len(self._cache) > CACHED_PACKETS:
            del self._cache[next(iter(self._cache))]
        self.sequence += 1

    def resend(self, endpoint: Endpoint, sequences: tuple[int, ...]) -> None:
        for packet in (self._cache[sequence] for sequence in sequences if sequence in self._cache):
            if self.rtx_ssrc is None:
                endpoint.send_rtp(packet)
            else:
                endpoint.send_rtp(retransmission(packet, self._rtx_sequence, self.rtx_ssrc, self.mid, self.rid))
                self._rtx_sequence += 1

    def report(self, endpoint: Endpoint, clock: Clock, rate_hz: int) -> None:
        """A sender report: which timestamp is now (RFC 3550 6.4.1), also where the next packet is late or not due yet."""
        timestamp = self.timestamp + int((asyncio.get_running_loop().time() - self.due) * rate_hz)
        endpoint.send_rtcp(sender_report(self.ssrc, self._cname, clock.now(), timestamp, self.packets, self._octets))


class Layer(Stream):
    """The camera in one size; `rid` empty: its only one."""

    def __init__(self, cname: str, rid: str, picture: TestPicture) -> None:
        super().__init__(cname, rid, with_rtx=bool(rid))
        self.keyframe_wanted = True
        self._picture = picture
        self._picture_id = secrets.randbits(14)

    def show(self, endpoint: Endpoint, at: datetime) -> None:
        """Send the picture of the moment `at`."""
        frame = self._picture.encode(at, keyframe=self.keyframe_wanted)
        self.keyframe_wanted = False
        self._picture_id += 1
        packets = video_packets(self.sequence, self.timestamp, self.ssrc, self.mid, self._picture_id, frame, self.rid)
        for packet in packets:
            self.send(endpoint, packet)


@dataclass(slots=True)
class _Line:
    """A line being spoken."""

    packets: deque[VoicePacket]
    done: asyncio.Event
    began_s: float | None = None  # loop time at which its first sound was due
    words_s: float | None = None  # loop time at which the packet with its first word really left
    moved_ms: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """When a line was said, in loop time: its sound was due from `began_s`, its first word left at `words_s`.

    `moved_ms`: sound within the line came so much later than its place in the file, because the machine stood still.
    """

    began_s: float
    words_s: float
    moved_ms: int


class MediaSender:
    """Sends over whatever connection the robot has at the moment; without one, time goes on all the same."""

    def __init__(self, key: str, clock: Clock, pictures: Mapping[str, TestPicture]) -> None:
        """`pictures`: the camera's layers by RID, or a single one named ""; none: no camera."""
        self._clock = clock
        self._endpoint: Endpoint | None = None
        self._audio = Stream(key)
        self._layers = [Layer(key, rid, picture) for rid, picture in pictures.items()]
        self._line: _Line | None = None
        self.stood_still_ms = 0  # sound that was never sent because this machine was too busy

    @property
    def sending(self) -> Sending:
        """What is sent, for the answer to the server's offer."""
        ssrcs = {Kind.AUDIO: self._audio.ssrc}
        ssrcs.update((Kind.VIDEO, layer.ssrc) for layer in self._layers if not layer.rid)
        rids = tuple(layer.rid for layer in self._layers if layer.rid)
        return Sending(ssrcs, rids=rids, rtx=bool(rids))

    def use(self, endpoint: Endpoint, offer: Description) -> None:
        """Send over this connection from now on, on the m-lines of the server's offer."""
        mids = {line.kind: line.mid for line in offer.lines}
        self._audio.mid = mids[Kind.AUDIO]
        for layer in self._layers:
            layer.mid, layer.keyframe_wanted = mids[Kind.VIDEO], True
        endpoint.on_rtcp = lambda packet: self._requests(endpoint, packet)
        self._endpoint = endpoint

    def stop_using(self) -> None:
        self._endpoint = None

    def _requests(self, endpoint: Endpoint, packet: bytes) -> None:
        streams = {stream.ssrc: stream for stream in (self._audio, *self._layers)}
        for request in feedback(packet):
            stream = streams.get(request.ssrc)
            if isinstance(request, Nack) and stream is not None:
                stream.resend(endpoint, request.sequences)
            elif isinstance(request, KeyframeWanted) and isinstance(stream, Layer):
                stream.keyframe_wanted = True

    async def say(self, speech: Speech) -> Spoken:
        """Speak; returns when the last packet has been sent."""
        self._line = line = _Line(deque(speech.packets), asyncio.Event())
        await line.done.wait()
        began_s = line.began_s or asyncio.get_running_loop().time()
        return Spoken(began_s, line.words_s or began_s, line.moved_ms)

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_audio())
            tasks.create_task(self._send_reports())
            tasks.create_task(self._send_video())

    async def _send_audio(self) -> None:
        loop = asyncio.get_running_loop()
        stream = self._audio
        stream.due = loop.time()
        while True:
            packet = self._next_voice()
            if self._endpoint is not None:
                data = audio_packet(
                    stream.sequence, stream.timestamp, stream.ssrc, stream.mid, packet.level_dbov, packet.payload
                )
                stream.send(self._endpoint, data)
            stream.timestamp += FRAME_TICKS
            stream.due += FRAME_MS / 1000
            if loop.time() - stream.due > LATE_S:
                missed = int((loop.time() - stream.due) * 1000 / FRAME_MS)
                stream.timestamp += FRAME_TICKS * missed
                stream.due += FRAME_MS / 1000 * missed
                self.stood_still_ms += FRAME_MS * missed
                if self._line is not None and self._line.began_s is not None:
                    self._line.moved_ms += FRAME_MS * missed
            await asyncio.sleep(stream.due - loop.time())

    def _next_voice(self) -> VoicePacket:
        line = self._line
        if line is None:
            return _SILENCE
        if line.began_s is None:
            line.began_s = self._audio.due
        packet = line.packets.popleft() if line.packets else _SILENCE
        if line.words_s is None and packet.level_dbov <= AUDIBLE_DBOV:
            line.words_s = asyncio.get_running_loop().time()
        if not line.packets:
            self._line = None
            line.done.set()
        return packet

    async def _send_video(self) -> None:
        loop = asyncio.get_running_loop()
        first, began = [layer.timestamp for layer in self._layers], loop.time()
        while self._layers:
            now = loop.time()
            for layer, timestamp in zip(self._layers, first, strict=True):
                layer.due, layer.timestamp = now, timestamp + int((now - began) * TICKS_HZ)
                if self._endpoint is not None and self._endpoint.state == "connected":
                    layer.show(self._endpoint, self._clock.now())
            await asyncio.sleep(1 / FRAMES_PER_S)

    async def _send_reports(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            if self._endpoint is not None:
                for stream in (self._audio, *self._layers):
                    if stream.packets:
                        stream.report(self._endpoint, self._clock, TICKS_HZ if isinstance(stream, Layer) else VOICE_HZ)


_SILENCE = VoicePacket(SILENCE, SILENCE_DBOV)
