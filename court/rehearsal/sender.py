"""What a robot sends: Opus every 20 ms (speech or silence), a test picture, sender reports, and answers to NACK and PLI."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from dataclasses import dataclass

from court.rehearsal.picture import FRAMES_PER_S, TICKS_HZ, TestPicture
from court.rehearsal.rtp import KeyframeWanted, Nack, audio_packet, feedback, sender_report, video_packets
from court.rehearsal.voice import FRAME_MS, FRAME_TICKS, SILENCE, SILENCE_DBOV, Speech, VoicePacket
from hearing.audience import Kind
from hearing.timeline import Clock
from media.aiortc_bridge import Endpoint
from media.sdp import Description

CACHED_PACKETS = 512
REPORT_EVERY_S = 1.0
VOICE_HZ = FRAME_TICKS * 1000 // FRAME_MS
LATE_S = 0.2  # a robot whose machine stood still this long goes on from now, as a sound card would


class Stream:
    """One outgoing RTP stream: numbers, counts, and a cache for retransmission."""

    def __init__(self, cname: str) -> None:
        self.ssrc = secrets.randbits(32) or 1
        self.mid = ""
        self.sequence = secrets.randbits(15)
        self.timestamp = secrets.randbits(31)  # of the next packet
        self.due = 0.0  # loop time at which the sound or picture of `timestamp` happens
        self.packets = 0
        self._cname = cname
        self._octets = 0
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
        for sequence in sequences:
            if sequence in self._cache:
                endpoint.send_rtp(self._cache[sequence])

    def report(self, endpoint: Endpoint, clock: Clock, rate_hz: int) -> None:
        """A sender report: which timestamp is now (RFC 3550 6.4.1), also where the next packet is late or not due yet."""
        timestamp = self.timestamp + int((asyncio.get_running_loop().time() - self.due) * rate_hz)
        endpoint.send_rtcp(sender_report(self.ssrc, self._cname, clock.now(), timestamp, self.packets, self._octets))


@dataclass(slots=True)
class _Line:
    """A line being spoken."""

    packets: deque[VoicePacket]
    done: asyncio.Event
    began_s: float | None = None  # loop time of its first sound


class MediaSender:
    """Sends over whatever connection the robot has at the moment; without one, time goes on all the same."""

    def __init__(self, key: str, clock: Clock, picture: TestPicture | None) -> None:
        self._clock = clock
        self._picture = picture
        self._endpoint: Endpoint | None = None
        self._audio, self._video = Stream(key), Stream(key)
        self._line: _Line | None = None
        self._keyframe_wanted = True
        self._picture_id = secrets.randbits(14)
        self.stood_still_ms = 0  # sound that was never sent because this machine was too busy

    @property
    def ssrcs(self) -> dict[Kind, int]:
        """What is sent, for the answer to the server's offer."""
        return {Kind.AUDIO: self._audio.ssrc} | ({Kind.VIDEO: self._video.ssrc} if self._picture else {})

    def use(self, endpoint: Endpoint, offer: Description) -> None:
        """Send over this connection from now on, on the m-lines of the server's offer."""
        for line in offer.lines:
            (self._audio if line.kind is Kind.AUDIO else self._video).mid = line.mid
        endpoint.on_rtcp = lambda packet: self._requests(endpoint, packet)
        self._endpoint = endpoint
        self._keyframe_wanted = True

    def stop_using(self) -> None:
        self._endpoint = None

    def _requests(self, endpoint: Endpoint, packet: bytes) -> None:
        for request in feedback(packet):
            match request:
                case Nack(ssrc, sequences):
                    (self._audio if ssrc == self._audio.ssrc else self._video).resend(endpoint, sequences)
                case KeyframeWanted():
                    self._keyframe_wanted = True

    async def say(self, speech: Speech) -> float:
        """Speak; returns when the last packet has been sent, with the loop time of the first sound."""
        self._line = line = _Line(deque(speech.packets), asyncio.Event())
        await line.done.wait()
        return line.began_s or asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_audio())
            tasks.create_task(self._send_reports())
            if self._picture is not None:
                tasks.create_task(self._send_video(self._picture))

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
            await asyncio.sleep(stream.due - loop.time())

    def _next_voice(self) -> VoicePacket:
        line = self._line
        if line is None:
            return _SILENCE
        if line.began_s is None:
            line.began_s = self._audio.due
        packet = line.packets.popleft() if line.packets else _SILENCE
        if not line.packets:
            self._line = None
            line.done.set()
        return packet

    async def _send_video(self, picture: TestPicture) -> None:
        loop = asyncio.get_running_loop()
        first_timestamp, began = self._video.timestamp, loop.time()
        while True:
            stream = self._video
            stream.due = loop.time()
            stream.timestamp = first_timestamp + int((stream.due - began) * TICKS_HZ)
            if self._endpoint is not None and self._endpoint.state == "connected":
                frame = picture.encode(self._clock.now(), keyframe=self._keyframe_wanted)
                self._keyframe_wanted = False
                self._picture_id += 1
                packets = video_packets(stream.sequence, stream.timestamp, stream.ssrc, stream.mid, self._picture_id, frame)
                for packet in packets:
                    stream.send(self._endpoint, packet)
            await asyncio.sleep(1 / FRAMES_PER_S)

    async def _send_reports(self) -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            if self._endpoint is not None:
                for stream, rate_hz in ((self._audio, VOICE_HZ), (self._video, TICKS_HZ)):
                    if stream.packets:
                        stream.report(self._endpoint, self._clock, rate_hz)


_SILENCE = VoicePacket(SILENCE, SILENCE_DBOV)
