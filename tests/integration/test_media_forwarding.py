"""Two and three real clients through a real worker: who gets which packet."""

import asyncio
from pathlib import Path

import pytest

from hearing.audience import Kind
from hearing.model import ParticipantId
from media.control import MediaError
from media.control_client import HttpMediaControl
from media.rtp_rewrite import extension
from media.sdp import SEND_TIME_EXTENSION
from tests.integration.media_rig import SITTING, all_to_all, opus_tone, rig, table, vp8_picture, wire_loss

TONE = opus_tone(1.0)


async def test_audio_and_video_are_forwarded_unchanged(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: {"a-audio", "a-video"} <= set(bob.sources.values()))
        frames = vp8_picture(10)
        await asyncio.gather(alice.talk(TONE), alice.show(frames))
        await one.until(lambda: bob.payloads("a-audio")[-1:] == [TONE[-1]])
        await one.until(lambda: bob.count("a-video") >= 10)
        assert all(
            packet[0] == 0x90 and len(extension(packet, SEND_TIME_EXTENSION) or b"") == 3 for packet in bob.got["a-audio"]
        )
        assert alice.keyframe_requests >= 1  # asked for when bob started to receive
        assert alice.datagrams == 0
        states = [(r["participant_id"], r["state"]) for r in one.of("peer.state")]
        assert ("a", "connected") in states
        assert ("b", "connected") in states


async def test_an_isolated_witness_receives_not_one_packet(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b", "w"], all_to_all(["a", "b"], recorded=True)))
        alice, bob, witness = await one.join("a"), await one.join("b"), await one.join("w")
        await one.until(lambda: "a-audio" in bob.sources.values())
        witness.talk(TONE)
        await alice.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > 40)
        assert witness.datagrams == 0
        assert witness.sources == {}
        assert not [track for track in bob.got if track.startswith("w-")]
        await one.control.apply_grants(table(2, ["a", "b", "w"], all_to_all(["a", "b", "w"], recorded=True)))
        await one.until(lambda: "a-audio" in witness.sources.values())
        await alice.talk(TONE)
        await one.until(lambda: witness.count("a-audio") > 40)


async def test_muting_stops_packets_at_the_server(tmp_path: Path) -> None:
    everyone = all_to_all(["a", "b"], recorded=False)
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], everyone))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: "a-audio" in bob.sources.values())
        talk = alice.talk(opus_tone(3.0))
        await one.until(lambda: bob.count("a-audio") > 10)
        await one.control.apply_grants(table(2, ["a", "b"], {k: v for k, v in everyone.items() if k != ("a", Kind.AUDIO)}))
        await asyncio.sleep(0.1)
        before, offers = bob.datagrams, len(one.of("offer.made"))
        await asyncio.sleep(0.6)
        assert bob.datagrams == before
        assert not talk.done()
        await one.control.apply_grants(table(3, ["a", "b"], everyone))
        await one.until(lambda: bob.datagrams > before + 10)
        assert len(one.of("offer.made")) == offers  # muting needs no renegotiation


async def test_a_lower_table_number_changes_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(5, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        assert await one.control.apply_grants(table(4, [], {})) == 5
        await one.join("a")  # still a member


async def test_a_person_returns_without_a_ghost_and_the_stream_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: "a-audio" in bob.sources.values())
        await alice.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > 40)
        streams = {ssrc for ssrc, track in bob.sources.items() if track == "a-audio"}
        again = await one.join("a")
        await one.until(lambda: alice.up.state == "closed" or alice.down.state == "closed")
        before = bob.count("a-audio")
        await one.until(lambda: "a-audio" in bob.sources.values())
        await again.talk(TONE)
        await one.until(lambda: bob.count("a-audio") > before + 40)
        assert {ssrc for ssrc, track in bob.sources.items() if track == "a-audio"} == streams
        assert [r["state"] for r in one.of("peer.state") if r["peer_id"] == alice.peer_id][-1] == "closed"
        with pytest.raises(MediaError) as refused:
            await one.control.restart_ice(SITTING, alice.peer_id, "up")
        assert refused.value.code == "peer_unknown"


async def test_loss_before_decryption_is_repaired(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice = await one.join("a")
        bob = await one.join("b", drop=wire_loss(12))  # 8 % on the way down; this client does not ask again
        from tests.integration.media_nack import ask_again, lose_upstream

        lose_upstream(alice, every=14)  # 7 % on the way up
        await one.until(lambda: "a-audio" in bob.sources.values())
        asking = ask_again(bob)
        tone = opus_tone(3.0)
        await asyncio.gather(alice.talk(tone), alice.show(vp8_picture(40)))
        await asyncio.sleep(0.6)
        asking.cancel()
        assert alice.resent > 0
        assert bob.count("a-audio") >= len(tone) - 6
        assert bob.count("a-video") >= alice.sent[Kind.VIDEO] - 1  # that the last one was lost nobody can see


async def test_nobody_is_asked_anything_while_the_sitting_ends(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        members = ["a", "b", "c"]
        await one.control.apply_grants(table(1, members, all_to_all(members, recorded=False)))
        for client in [await one.join(name) for name in members]:
            client.talk(opus_tone(4.0))
        await one.until(lambda: len(one.of("offer.made")) >= 2)
        await asyncio.sleep(0.5)
        offers = len(one.of("offer.made"))
        await one.control.apply_grants(table(2, [], {}))
        await one.control.close_sitting(SITTING)
        await one.until(lambda: one.of("recording.finished"))
        assert len(one.of("offer.made")) == offers


async def test_a_silent_peer_is_lost_within_seconds(tmp_path: Path) -> None:
    async with rig(tmp_path, silence_s=3.5) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await asyncio.sleep(5.0)  # quiet, but answering: consent keeps both alive
        assert not [r for r in one.of("peer.state") if r["state"] == "lost"]
        for endpoint in (alice.up, alice.down):
            for protocol in endpoint._connection._protocols:
                protocol.transport.sendto = lambda *_: None  # the cable is out: nothing leaves and nothing arrives
                protocol.datagram_received = lambda *_: None
        await one.until(lambda: [r for r in one.of("peer.state") if r["state"] == "lost"], 8.0)
        assert [r["participant_id"] for r in one.of("peer.state") if r["state"] == "lost"] == ["a"]
        assert bob.up.state == "connected"


async def test_ice_restart_keeps_media_flowing(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, ["a", "b"], all_to_all(["a", "b"], recorded=False)))
        alice, bob = await one.join("a"), await one.join("b")
        await one.until(lambda: "a-audio" in bob.sources.values())
        talk = alice.talk(opus_tone(2.0))
        offer = await one.control.restart_ice(SITTING, alice.peer_id, "up")
        await alice.answer(offer.connection, offer.revision, offer.sdp)
        before = bob.count("a-audio")
        await talk
        await one.until(lambda: bob.count("a-audio") > before + 40)
        assert await alice.up.probe()


async def test_the_control_server_wants_its_token_and_says_why_it_refuses(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        stranger = HttpMediaControl(one.settings.control_url, "wrong", one.control._session)
        for call in (stranger.close_sitting(SITTING), stranger.apply_grants(table(1, [], {}))):
            with pytest.raises(MediaError) as refused:
                await call
            assert refused.value.code == "unauthenticated"
        with pytest.raises(MediaError) as refused:
            await one.control.connect(SITTING, ParticipantId("a"), "peer_1")
        assert refused.value.code == "sitting_unknown"
        await one.control.apply_grants(table(1, ["a"], {}))
        with pytest.raises(MediaError) as refused:
            await one.control.connect(SITTING, ParticipantId("b"), "peer_1")
        assert refused.value.code == "not_a_member"
        offers = await one.control.connect(SITTING, ParticipantId("a"), "peer_1")
        with pytest.raises(MediaError) as refused:
            await one.control.answer(SITTING, "peer_1", "up", offers[0].revision, "v=0\r\nnonsense")
        assert refused.value.code == "sdp_malformed"
        with pytest.raises(MediaError) as refused:
            await one.control.answer(SITTING, "peer_1", "up", 99, offers[0].sdp)
        assert refused.value.code == "answer_stale"
        gone = HttpMediaControl("http://127.0.0.1:1", "t", one.control._session)
        with pytest.raises(MediaError) as refused:
            await gone.close_sitting(SITTING)
        assert refused.value.code == "media_unreachable"
