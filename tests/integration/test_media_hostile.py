"""Clients that ignore what a browser would respect, through a real worker: the others and the record must not pay for it."""

import asyncio
from pathlib import Path

from hearing.audience import Kind
from media import rtcp
from media.rtp_rewrite import sequence_of, ssrc_of
from tests.integration.media_rig import CLOCK, SITTING, all_to_all, opus_tone, rig, table, vp8_picture

TONE = opus_tone(1.0)


async def test_a_flood_of_packets_is_not_passed_on(tmp_path: Path) -> None:
    """REMB only asks: whoever sends twenty times as much reaches the others with what is allowed, and no more."""
    async with rig(tmp_path, max_video_bps=400_000) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: "a-video" in bob.sources.values())
        for n in range(3_000):
            alice.send(Kind.VIDEO, b"\x10" + bytes(1_000), 0)
            if n % 20 == 19:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert 100 < bob.count("a-video") < 2_300
        await alice.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > 40)


async def test_one_small_request_does_not_bring_thousands_of_packets(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: "a-audio" in bob.sources.values())
        await alice.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > 40)
        packet = bob.got["a-audio"][-1]
        before = bob.datagrams
        for _ in range(40):
            bob.down.send_rtcp(rtcp.write_nack(ssrc_of(packet), [sequence_of(packet)] * 100))
        await asyncio.sleep(0.5)
        assert 100 <= bob.datagrams - before <= 1_300


async def test_a_flood_of_keyframe_requests_costs_the_sender_a_few_and_the_others_nothing(tmp_path: Path) -> None:
    """Every PLI that reached a camera would be a full picture for everyone: ten a second would take the room's bandwidth."""
    async with rig(tmp_path) as one:
        names = ["a", "b", "c"]
        await one.control.apply_grants(table(1, names, all_to_all(names, recorded=False)))
        alice, bob, carol = await one.join("a"), await one.join("b"), await one.join("c")
        await one.until(lambda: all({"a-video", "a-audio"} <= set(client.sources.values()) for client in (bob, carol)))
        showing, talking = alice.show(vp8_picture(45)), alice.talk(TONE * 3)
        await one.until(lambda: bob.count("a-video") > 5 and carol.count("a-video") > 5)
        before, flooded_s = alice.keyframe_requests, 1.5
        for n in range(1_500):
            bob.down.send_rtcp(rtcp.write_pli(ssrc_of(bob.got["a-video"][-1])))
            if n % 10 == 9:
                await asyncio.sleep(flooded_s / 150)
        assert 1 <= alice.keyframe_requests - before <= 8
        await asyncio.gather(showing, talking)
        await asyncio.sleep(0.3)
        assert carol.count("a-audio") >= 0.99 * alice.sent[Kind.AUDIO]
        numbers = [sequence_of(packet) for packet in carol.got["a-video"]]
        assert len(set(numbers)) >= 0.99 * (((numbers[-1] - numbers[0]) & 0xFFFF) + 1)


async def test_a_picture_that_changes_its_size_all_the_time_makes_no_flood_of_files(tmp_path: Path) -> None:
    def keyframe(n: int) -> bytes:
        width = 160 + 16 * (n % 2)
        return b"\x10" + b"\x10\x02\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + b"\x78\x00" + bytes(60)

    async with rig(tmp_path) as one:
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, ["a"], all_to_all(["a"], recorded=True), opened_at=opened))
        alice = await one.join("a")
        for n in range(90):
            alice.send(Kind.VIDEO, keyframe(n), 3_000, marker=True)
            await asyncio.sleep(0.033)
        await asyncio.sleep(1.0)
        await one.control.close_sitting(SITTING)
        await one.until(lambda: one.of("recording.finished"))
        (finished,) = one.of("recording.finished")
        segments = {end["track_id"]: end["segments"] for end in finished["tracks"]}
        assert 1 <= segments["a-video"] <= 5
