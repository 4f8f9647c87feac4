"""Self-tests at a real media worker: own sound and picture come back, and nothing reaches anybody else or a disk."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hearing.audience import Kind
from media import self_test
from media.aiortc_bridge import Endpoint, now_ms
from media.control import MediaError
from media.rtp_rewrite import build, payload_of, sequence_of, ssrc_of
from media.sdp import answer_to, parse, write
from tests.integration.media_rig import LOOPBACK, Rig, all_to_all, opus_tone, rig, table

VOICE = opus_tone(1.0)


class Person:
    """A browser's end of one self-test, with real ICE, DTLS and SRTP."""

    def __init__(self, rig: Rig, owner: str) -> None:
        self.rig, self.owner, self.test_id = rig, owner, f"test_{secrets.token_hex(4)}"
        self.endpoint = Endpoint(controlling=False, network=LOOPBACK)
        self.endpoint.on_rtp = self._on_rtp
        self.ssrcs = {Kind.AUDIO: secrets.randbits(31), Kind.VIDEO: secrets.randbits(31)}
        self.kinds: dict[int, Kind] = {}
        self.got: dict[Kind, list[tuple[float, bytes]]] = {Kind.AUDIO: [], Kind.VIDEO: []}
        self._sequence = {Kind.AUDIO: 65_530, Kind.VIDEO: 7}  # one of them wraps

    async def connect(self) -> None:
        await self.endpoint.gather()
        offer = parse(await self.rig.control.begin_self_test(self.owner, self.test_id))
        self.kinds = {line.ssrc: line.kind for line in offer.lines if line.ssrc is not None}
        answer = write(1, 1, answer_to(offer, self.endpoint.local, self.ssrcs))
        await self.rig.control.answer_self_test(self.owner, self.test_id, answer)
        await self.endpoint.start(offer.side, "client")

    def send(self, kind: Kind, payload: bytes, *, lost: bool = False) -> None:
        """`lost`: the number is used, the packet is not sent."""
        sequence = self._sequence[kind]
        self._sequence[kind] = (sequence + 1) & 0xFFFF
        if not lost:
            payload_type = 111 if kind is Kind.AUDIO else 96
            self.endpoint.send_rtp(build(payload_type, sequence, sequence * 960, self.ssrcs[kind], payload))

    def _on_rtp(self, packet: bytes, arrival_ms: float) -> None:
        self.got[self.kinds[ssrc_of(packet)]].append((arrival_ms, packet))

    async def measured(self) -> self_test.SelfTestMeasured:
        return await self.rig.control.self_test(self.owner, self.test_id)


@contextlib.asynccontextmanager
async def someone(rig: Rig, owner: str = "p_1") -> AsyncIterator[Person]:
    one = Person(rig, owner)
    try:
        await one.connect()
        yield one
    finally:
        await one.endpoint.close()


async def test_voice_comes_back_after_a_pause_and_pictures_at_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, someone(one) as me:
        sent_ms = now_ms()
        for number, payload in enumerate(VOICE[:25]):
            me.send(Kind.AUDIO, payload)
            me.send(Kind.VIDEO, b"\x10" + bytes([number]) * 900)
            await asyncio.sleep(0.02)
        await one.until(lambda: len(me.got[Kind.VIDEO]) == 25, 2.0)
        assert me.got[Kind.AUDIO] == []
        await one.until(lambda: len(me.got[Kind.AUDIO]) == 25, 6.0)
        assert [payload_of(packet) for _, packet in me.got[Kind.AUDIO]] == VOICE[:25]
        assert me.got[Kind.AUDIO][0][0] - sent_ms >= self_test.PLAYBACK_DELAY_MS - 50
        assert [payload_of(packet)[1] for _, packet in me.got[Kind.VIDEO]] == list(range(25))


async def test_losses_on_the_way_there_are_counted_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, someone(one) as me:
        for number in range(60):
            me.send(Kind.VIDEO, b"\x10" * 500, lost=number % 6 == 3)
            await asyncio.sleep(0.01)
        await one.until(lambda: len(me.got[Kind.VIDEO]) == 50, 3.0)
        measured = await me.measured()
        assert (measured.connected, measured.up_packets) == (True, 50)
        assert measured.up_lost == 10
        numbers = [sequence_of(packet) for _, packet in me.got[Kind.VIDEO]]
        assert [(b - a) & 0xFFFF for a, b in itertools.pairwise(numbers)] == [1] * 49


async def test_the_rate_is_that_of_what_came(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, someone(one) as me:
        began = now_ms()
        for number in range(200):
            me.send(Kind.VIDEO, b"\x10" * 988)  # 1000 bytes with the header
            await asyncio.sleep(max(0.0, (began + 10 * (number + 1) - now_ms()) / 1000))
        measured = await me.measured()
        assert 400_000 < measured.up_best_bps < 1_000_000  # 800 kbit/s, on a machine that may be busy
        assert measured.up_lost == 0


async def test_a_flood_is_not_echoed(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, someone(one) as me:
        for _ in range(4):
            for _ in range(600):
                me.send(Kind.VIDEO, b"\x10" * 1_000)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert sum(len(packet) for _, packet in me.got[Kind.VIDEO]) < self_test.BURST_BYTES + self_test.MAX_TOTAL_BPS / 8


async def test_nobody_else_hears_a_test_and_nothing_is_written(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        now = table(1, ["a", "b"], all_to_all(["a", "b"], recorded=True), opened_at=None)
        await one.control.apply_grants(now)
        a, b = await one.join("a"), await one.join("b")
        before = one.spool.exists() and sorted(path for path in one.spool.rglob("*") if path.is_file())
        async with someone(one, "a") as me, someone(one, "p_9") as other:  # the person of a seat may test, too
            for payload in VOICE[:20]:
                me.send(Kind.AUDIO, payload)
                me.send(Kind.VIDEO, b"\x10" + payload)
                await asyncio.sleep(0.02)
            await one.until(lambda: len(me.got[Kind.AUDIO]) == 20, 6.0)
            assert len(me.got[Kind.VIDEO]) == 20
            assert other.got == {Kind.AUDIO: [], Kind.VIDEO: []}
            assert (a.datagrams, b.datagrams) == (0, 0)
            assert sorted(path for path in one.spool.rglob("*") if path.is_file()) == (before or [])


async def test_one_test_per_person_and_few_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "TESTS_AT_ONCE", 2)
    async with rig(tmp_path) as one, someone(one, "p_1") as first:
        await one.control.begin_self_test("p_2", "test_2")
        with pytest.raises(MediaError) as busy:
            await one.control.begin_self_test("p_3", "test_3")
        assert busy.value.code == "self_test_busy"
        await one.control.begin_self_test("p_1", "test_1b")  # a person's own older test makes room
        await one.until(lambda: first.endpoint.state == "closed")
        with pytest.raises(MediaError) as gone:
            await first.measured()
        assert gone.value.code == "self_test_unknown"
        await one.control.end_self_test("p_2", "test_2")
        await one.control.begin_self_test("p_3", "test_3")


async def test_another_persons_test_cannot_be_touched(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, someone(one, "p_1") as me:
        for call in (one.control.self_test("p_2", me.test_id), one.control.answer_self_test("p_2", me.test_id, "v=0")):
            with pytest.raises(MediaError) as refused:
                await call
            assert refused.value.code == "self_test_unknown"
        await one.control.end_self_test("p_2", me.test_id)
        assert (await me.measured()).connected


async def test_a_test_ends_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "LASTS_AT_MOST_MS", 1_500.0)
    async with rig(tmp_path) as one, someone(one) as me:
        assert (await me.measured()).left_ms <= 1_500
        keep_talking = asyncio.create_task(_talk(me))
        await one.until(lambda: me.endpoint.state == "closed", 5.0)
        keep_talking.cancel()
        with pytest.raises(MediaError, match="检测已经结束"):
            await me.measured()


async def _talk(me: Person) -> None:
    while True:
        me.send(Kind.AUDIO, VOICE[0])
        await asyncio.sleep(0.02)


async def test_who_never_comes_makes_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "CONNECT_WITHIN_MS", 300.0)
    async with rig(tmp_path) as one:
        await one.control.begin_self_test("p_1", "test_1")
        async with asyncio.timeout(5):
            with contextlib.suppress(MediaError):
                while await one.control.self_test("p_1", "test_1"):
                    await asyncio.sleep(0.1)


async def test_a_wrong_answer_is_refused_with_its_code(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.begin_self_test("p_1", "test_1")
        with pytest.raises(MediaError) as refused:
            await one.control.answer_self_test("p_1", "test_1", "v=0\r\nm=nonsense")
        assert refused.value.code == "sdp_malformed"
