"""A connection that belongs to no sitting: a person's own voice and picture come back to them, and both ways are measured.

P5 (self-test of a participant) and A13 (test of a site's paths). There is no forwarder, recorder or tap here, so nothing
can reach anybody else or a disk. Voice comes back after a pause, as a recording would, so that a person can listen
without speaking over themselves; pictures come back at once. Nothing lost is asked for again: the loss itself is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque

import structlog

from hearing.audience import Kind
from media import rtcp
from media.aiortc_bridge import Certificate, Endpoint, now_ms
from media.allowance import Allowance
from media.control import MediaError, SelfTestMeasured
from media.incoming import IncomingStream
from media.rtp_rewrite import build, payload_of, sequence_of, ssrc_of, timestamp_of, transport_sequence
from media.rtp_time import Unwrapper
from media.sdp import CLOCK_RATES_HZ, PAYLOAD_TYPES, Description, Direction, MediaLine, parse_answer, write
from media.settings import Network
from media.twcc import TwccRecorder

PLAYBACK_DELAY_MS = 3_000  # as long as the page lets a person speak: they have finished when they begin to hear
LASTS_AT_MOST_MS = 60_000.0
CONNECT_WITHIN_MS = 15_000.0
SILENCE_MS = 5_000.0
TESTS_AT_ONCE = 8
MAX_VIDEO_BPS = 2_500_000
MAX_TOTAL_BPS = 4_000_000  # what a test may send us before it is dropped unread
BURST_BYTES = 1 << 19
HEADERS_BYTES = 40
MAX_HELD_PACKETS = 400  # of voice on its way back; 20 ms each, with room for shorter ones
REPORT_MS = 1_000.0
FEEDBACK_MS = 50.0  # TWCC
KEYFRAME_INTERVAL_MS = 500.0
RATE_WINDOW_MS = 1_000.0
_KIND_OF = {PAYLOAD_TYPES[kind]: kind for kind in (Kind.AUDIO, Kind.VIDEO)}
_log = structlog.get_logger()


class ArrivalRate:
    """Bits per second over the last second, and the best second so far."""

    def __init__(self) -> None:
        self.best_bps = 0
        self._arrivals: deque[tuple[float, int]] = deque()
        self._bits = 0
        self._began_ms: float | None = None

    def add(self, size_bytes: int, now: float) -> None:
        if self._began_ms is None:
            self._began_ms = now
        self._arrivals.append((now, size_bytes * 8))
        self._bits += size_bytes * 8
        self._forget(now)
        if now - self._began_ms >= RATE_WINDOW_MS:
            self.best_bps = max(self.best_bps, self._bits)

    def bps(self, now: float) -> int:
        self._forget(now)
        return self._bits

    def _forget(self, now: float) -> None:
        while self._arrivals and self._arrivals[0][0] <= now - RATE_WINDOW_MS:
            self._bits -= self._arrivals.popleft()[1]


class Echo:
    """One incoming stream and the outgoing one it feeds, with sequence numbers of our own: losses of the way to us are
    not counted again on the way back.
    """

    def __init__(self, kind: Kind, ssrc: int, echo_ssrc: int) -> None:
        self.kind = kind
        self.incoming = IncomingStream(ssrc, CLOCK_RATES_HZ[kind])
        self._ssrc = echo_ssrc
        self._next_sequence = secrets.randbits(15)
        self._number = Unwrapper(16)
        self._first: int | None = None
        self.seen = 0

    def take(self, packet: bytes, arrival_ms: float) -> None:
        sequence = sequence_of(packet)
        number = self._number(sequence)
        if self._first is None:
            self._first = number
        self.seen += 1
        self.incoming.on_packet(sequence, timestamp_of(packet), arrival_ms)

    @property
    def lost(self) -> int:
        """Packets missing between the first and the newest one that came."""
        last = self._number.last
        return 0 if self._first is None or last is None else max(0, last - self._first + 1 - self.seen)

    def outgoing(self, packet: bytes) -> bytes | None:
        """The packet as it goes back; None for padding, which has nothing to show."""
        payload = payload_of(packet)
        if not payload:
            return None
        sequence, self._next_sequence = self._next_sequence, (self._next_sequence + 1) & 0xFFFF
        marker = bool(packet[1] & 0x80)
        return build(PAYLOAD_TYPES[self.kind], sequence, timestamp_of(packet), self._ssrc, payload, marker=marker)


class SelfTest:
    """One person's test."""

    def __init__(self, test_id: str, network: Network, certificate: Certificate) -> None:
        self.test_id = test_id
        self.endpoint = Endpoint(controlling=True, network=network, certificate=certificate)
        self.endpoint.on_rtp = self._on_rtp
        self.endpoint.on_rtcp = self._on_rtcp
        self._lines = tuple(
            # A stream id of its own for each: browsers would otherwise hold the picture back to match the late voice.
            MediaLine(
                str(n), kind, Direction.SENDRECV, secrets.randbits(31) | 1, f"echo-{kind}", f"echo-{kind}",
                transport_cc=True, max_bps=MAX_VIDEO_BPS if kind is Kind.VIDEO else None,
            )
            for n, kind in enumerate((Kind.AUDIO, Kind.VIDEO))
        )  # fmt: skip
        self._began_ms = now_ms()
        self._answered = False
        self._sending: frozenset[Kind] = frozenset()
        self._echoes: dict[Kind, Echo] = {}
        self._held = 0
        self._rate = ArrivalRate()
        self._allowance = Allowance(MAX_TOTAL_BPS / 8, burst=BURST_BYTES)
        self._twcc: TwccRecorder | None = None
        self._fed_back_ms = self._reported_ms = 0.0
        self._keyframe_ms = -KEYFRAME_INTERVAL_MS
        self._connecting: asyncio.Task[None] | None = None

    async def offer(self) -> str:
        """Open the sockets; returns the SDP offer. Raises OSError when none can be opened."""
        await self.endpoint.gather()
        return write(secrets.randbits(48), 1, Description(self.endpoint.local, self._lines))

    def answer(self, sdp: str) -> None:
        """Take the browser's answer; connecting goes on in the background. Raises MediaError."""
        if self._answered:
            raise MediaError("answer_stale", "检测连接已经应答过")
        answer = parse_answer(sdp, self._lines)
        self._answered = True
        self._sending = frozenset(line.kind for line in answer.lines if line.direction.sends)
        if any(line.transport_cc for line in answer.lines):
            self._twcc = TwccRecorder()
        role = "server" if answer.side.setup == "active" else "client"
        self._connecting = asyncio.create_task(self._connect(answer, role))

    async def _connect(self, answer: Description, role: str) -> None:
        """A failure shows as a test that never connects; addresses named by the browser are not used (as in link.py)."""
        with contextlib.suppress(ConnectionError):
            await self.endpoint.start(answer.side, role, use_candidates=False)

    # --- packets ---------------------------------------------------------------------------

    def _on_rtp(self, packet: bytes, arrival_ms: float) -> None:
        if not self._allowance.take(len(packet) + HEADERS_BYTES, arrival_ms):
            return
        self._rate.add(len(packet), arrival_ms)
        number = transport_sequence(packet) if self._twcc is not None else None
        if self._twcc is not None and number is not None:
            self._twcc.on_packet(number, arrival_ms)
        echo = self._echo_of(packet)
        if echo is None:
            return
        echo.take(packet, arrival_ms)
        back = echo.outgoing(packet)
        if back is None:
            return
        if echo.kind is Kind.VIDEO:
            self.endpoint.send_rtp(back)
        elif self._held < MAX_HELD_PACKETS:
            self._held += 1
            asyncio.get_running_loop().call_later(PLAYBACK_DELAY_MS / 1000, self._play, back)

    def _play(self, packet: bytes) -> None:
        self._held -= 1
        self.endpoint.send_rtp(packet)  # goes nowhere once the test is closed

    def _echo_of(self, packet: bytes) -> Echo | None:
        """One stream per kind: the first that comes."""
        kind = _KIND_OF.get(packet[1] & 0x7F)
        if kind is None or kind not in self._sending:
            return None
        echo = self._echoes.get(kind)
        if echo is None:
            line = next(line for line in self._lines if line.kind is kind)
            echo = self._echoes[kind] = Echo(kind, ssrc_of(packet), line.ssrc or 0)
            if self._twcc is not None:
                self._twcc.media_ssrc = ssrc_of(packet)
        return echo if echo.incoming.ssrc == ssrc_of(packet) else None

    def _on_rtcp(self, packet: bytes) -> None:
        arrival_ms = now_ms()
        for message in rtcp.read(packet):
            if isinstance(message, rtcp.SenderReport):
                for echo in self._echoes.values():
                    if echo.incoming.ssrc == message.ssrc:
                        echo.incoming.on_sender_report(message.ntp, arrival_ms)
            elif isinstance(message, rtcp.KeyframeRequest):
                self._ask_keyframe(arrival_ms)

    def _ask_keyframe(self, now: float) -> None:
        video = self._echoes.get(Kind.VIDEO)
        if video is not None and now - self._keyframe_ms >= KEYFRAME_INTERVAL_MS:
            self._keyframe_ms = now
            self.endpoint.send_rtcp(rtcp.write_pli(video.incoming.ssrc))

    # --- time ------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Feedback to the browser: the arrivals for its own estimate (TWCC), a report about once a second."""
        if self.endpoint.state != "connected":
            return
        if self._twcc is not None and now - self._fed_back_ms >= FEEDBACK_MS:
            self._fed_back_ms = now
            for feedback in self._twcc.feedback(now):
                self.endpoint.send_rtcp(feedback)
        if now - self._reported_ms >= REPORT_MS:
            self._reported_ms = now
            self.endpoint.send_rtcp(self._report(now))

    def _report(self, now: float) -> bytes:
        """A receiver report; for a browser without TWCC also how much its picture may grow (REMB)."""
        blocks = [block for echo in self._echoes.values() if (block := echo.incoming.report_block(now)) is not None]
        packet = rtcp.write_report_blocks(blocks)
        video = self._echoes.get(Kind.VIDEO)
        if video is not None and self._twcc is None:
            packet += rtcp.write_remb(MAX_VIDEO_BPS, [video.incoming.ssrc])
        return packet

    def is_over(self, now: float) -> bool:
        """True after its time, or when it never connected, or when nothing has come for a while."""
        age_ms = now - self._began_ms
        if age_ms > LASTS_AT_MOST_MS or self.endpoint.state in {"failed", "closed"}:
            return True
        if self.endpoint.state != "connected":
            return age_ms > CONNECT_WITHIN_MS
        return now - self.endpoint.heard_ms > SILENCE_MS

    def measured(self, now: float) -> SelfTestMeasured:
        """What this end has seen of what the browser sent."""
        stream = self._echoes.get(Kind.AUDIO) or self._echoes.get(Kind.VIDEO)
        return SelfTestMeasured(
            connected=self.endpoint.state == "connected",
            up_bps=self._rate.bps(now),
            up_best_bps=self._rate.best_bps,
            up_packets=sum(echo.seen for echo in self._echoes.values()),
            up_lost=sum(echo.lost for echo in self._echoes.values()),
            up_jitter_ms=round(stream.incoming.jitter_ms, 2) if stream is not None else 0.0,
            left_ms=max(0, round(LASTS_AT_MOST_MS - (now - self._began_ms))),
        )

    async def close(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self.endpoint.close()


class SelfTests:
    """The tests of one worker, by person: a new one takes an older one's place. TESTS_AT_ONCE in all."""

    def __init__(self, network: Network, certificate: Certificate) -> None:
        self._network = network
        self._certificate = certificate
        self._tests: dict[str, SelfTest] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def begin(self, owner_id: str, test_id: str) -> str:
        """The offer of a new test. Raises MediaError self_test_busy, network."""
        older = self._tests.pop(owner_id, None)
        if older is not None:
            self._close(older)
        if len(self._tests) >= TESTS_AT_ONCE:
            raise MediaError("self_test_busy", "正在检测的人较多，请一分钟后再试")
        test = self._tests[owner_id] = SelfTest(test_id, self._network, self._certificate)
        try:
            return await test.offer()
        except OSError as error:
            self.end(owner_id, test_id)
            raise MediaError("network", "服务器没有可用的媒体地址或端口") from error

    def answer(self, owner_id: str, test_id: str, sdp: str) -> None:
        self._test(owner_id, test_id).answer(sdp)

    def measured(self, owner_id: str, test_id: str) -> SelfTestMeasured:
        return self._test(owner_id, test_id).measured(now_ms())

    def _test(self, owner_id: str, test_id: str) -> SelfTest:
        test = self._tests.get(owner_id)
        if test is None or test.test_id != test_id:
            raise MediaError("self_test_unknown", "检测已经结束，请重新开始")
        return test

    def end(self, owner_id: str, test_id: str) -> None:
        """Idempotent: an unknown test is already over."""
        test = self._tests.get(owner_id)
        if test is not None and test.test_id == test_id:
            del self._tests[owner_id]
            self._close(test)

    def tick(self, now: float) -> None:
        """Called every few tens of milliseconds by the worker."""
        for owner_id, test in tuple(self._tests.items()):
            if test.is_over(now):
                _log.info("self_test_over", test_id=test.test_id, connected=test.endpoint.state == "connected")
                self.end(owner_id, test.test_id)
            else:
                test.tick(now)

    def _close(self, test: SelfTest) -> None:
        task = asyncio.create_task(test.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """All tests end with the worker."""
        for test in self._tests.values():
            self._close(test)
        self._tests.clear()
        await asyncio.gather(*self._closing, return_exceptions=True)
