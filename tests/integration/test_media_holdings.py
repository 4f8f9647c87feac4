"""Which process holds a sitting, for how long its table holds, and that a recording goes on whole at another worker."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from hearing.audience import GrantTable, Kind
from hearing.model import ParticipantId
from media.control import MediaError
from media.control_client import HttpMediaControl
from media.settings import MediaSettings
from media.spool import Spool
from tests.integration.media_rig import (
    CLOCK,
    SITTING,
    TOKEN,
    Client,
    Rig,
    WorkerProcess,
    all_to_all,
    opus_tone,
    rig,
    table,
    worker_in_process,
)

BOTH = ("a", "b")
MILLISECOND = timedelta(milliseconds=1)


def beside(settings: MediaSettings) -> MediaSettings:
    """Settings of a second worker of the same host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return replace(settings, worker_id="media-2", port=port, control_url=f"http://127.0.0.1:{port}")


@contextlib.asynccontextmanager
async def control_of(settings: MediaSettings) -> AsyncIterator[HttpMediaControl]:
    async with aiohttp.ClientSession() as session:
        yield HttpMediaControl(settings.control_url, TOKEN, session)


async def listening(one: Rig) -> tuple[Client, Client]:
    """a talks, b hears it."""
    alice, bob = await one.join("a"), await one.join("b")
    alice.talk(opus_tone(20.0))
    await one.until(lambda: len(bob.got.get("a-audio", ())) > 10)
    return alice, bob


async def test_one_worker_at_a_time_holds_a_sitting(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        second = beside(one.settings)
        async with worker_in_process(second), control_of(second) as other:
            with pytest.raises(MediaError) as refused:
                await other.apply_grants(table(1, BOTH, {}))
            assert refused.value.code == "sitting_held"
            with pytest.raises(MediaError) as refused:
                await other.close_sitting(SITTING)
            assert refused.value.code == "sitting_held"
            await one.control.release(SITTING)
            assert await other.apply_grants(table(1, BOTH, {})) == 1
            with pytest.raises(MediaError) as refused:
                await one.control.apply_grants(table(2, BOTH, {}))
            assert refused.value.code == "sitting_held"


async def test_a_recording_goes_on_whole_at_another_worker(tmp_path: Path) -> None:
    async with rig(tmp_path, own_worker=False, segment_s=4.0) as one:
        dying, second = WorkerProcess(one.settings), beside(one.settings)
        await dying.start()
        opened = CLOCK.now()
        session = table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened)
        await one.control.apply_grants(session)
        alice = await one.join("a")
        alice.talk(opus_tone(20.0))
        await asyncio.sleep(6.5)
        async with worker_in_process(second), control_of(second) as other:
            await dying.kill()
            killed_ms = (CLOCK.now() - opened) / MILLISECOND
            await alice.vanish()
            one.control = other
            await other.apply_grants(session)
            again = await one.join("a")
            again.talk(opus_tone(20.0))
            await asyncio.sleep(3.0)
            ended = CLOCK.now()
            await other.apply_grants(table(2, BOTH, {}, opened_at=opened, effective_at=ended))
            await other.close_sitting(SITTING)
            await one.until(lambda: one.of("recording.finished") and one.of("gap.found"))

        segments = [segment for segment, _ in Spool(one.spool).closed() if segment.track_id == "a-audio"]
        assert [segment.index for segment in segments] == list(range(len(segments)))
        assert [segment.prev_sha256 for segment in segments] == ["", *(s.sha256 for s in segments[:-1])]
        [mended] = [segment for segment in segments if segment.closed_by == "repair"]
        assert mended.t1_ms >= killed_ms - 4_000, "what the dead worker had open is kept"
        after = segments[segments.index(mended) + 1]
        [gap] = one.of("gap.found")
        assert (gap["cause"], gap["t0_ms"], gap["t1_ms"]) == ("media_restart", mended.t1_ms, after.t0_ms)
        [end] = one.of("recording.finished")[0]["tracks"]
        assert (end["segments"], end["last_sha256"]) == (len(segments), segments[-1].sha256)


async def apply_when_ended(one: Rig, grants: GrantTable) -> None:
    """A sitting that is being let go is held until its last segment is on the disk; signaling asks again, as here."""
    async with asyncio.timeout(10):
        while True:
            try:
                await one.control.apply_grants(grants)
            except MediaError as held:
                if held.code != "sitting_held":
                    raise
                await asyncio.sleep(0.1)
            else:
                return


async def test_a_table_that_nobody_vouches_for_holds_no_longer(tmp_path: Path) -> None:
    async with rig(tmp_path, table_life_s=2.5) as one:
        opened = CLOCK.now()
        session = table(7, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened)
        one.word = {"newest": {SITTING: 7}, "elsewhere": []}
        await one.control.apply_grants(session)
        _, bob = await listening(one)
        await asyncio.sleep(3.5)
        before = len(bob.got["a-audio"])
        await one.until(lambda: len(bob.got["a-audio"]) > before)  # vouched for: it lives on

        one.word = {"newest": {SITTING: 8}, "elsewhere": []}  # a newer one that does not come
        await one.until(lambda: one.of("worker.alive")[-1]["sittings"] == [], seconds=15)
        at_the_end = bob.datagrams
        await asyncio.sleep(0.5)
        assert bob.datagrams == at_the_end
        with pytest.raises(MediaError) as refused:
            await one.control.connect(SITTING, ParticipantId("a"), "peer_late")
        assert refused.value.code == "sitting_unknown"

        one.word = {"newest": {SITTING: 8}, "elsewhere": []}
        await apply_when_ended(one, table(8, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened))
        again, third = await one.join("a"), await one.join("b")
        again.talk(opus_tone(5.0))
        await one.until(lambda: third.got.get("a-audio"))
        await one.until(lambda: one.of("gap.found"))
        assert one.of("gap.found")[0]["cause"] == "media_restart"


async def test_without_signaling_media_flows_on_for_a_while(tmp_path: Path) -> None:
    async with rig(tmp_path, table_life_s=6.0) as one:
        one.word = {"newest": {SITTING: 1}, "elsewhere": []}
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        _, bob = await listening(one)
        one.accept_reports = False
        await asyncio.sleep(2.0)
        before = len(bob.got["a-audio"])
        await one.until(lambda: len(bob.got["a-audio"]) > before + 10)
        one.accept_reports = True
        await asyncio.sleep(5.0)
        before = len(bob.got["a-audio"])
        await one.until(lambda: len(bob.got["a-audio"]) > before + 10)


async def test_a_sitting_that_is_elsewhere_is_let_go(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        one.word = {"newest": {SITTING: 1}, "elsewhere": []}
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        await one.join("a")
        await one.until(lambda: one.of("worker.alive")[-1]["people"] == 1)
        assert one.of("worker.alive")[-1]["in_force"] == {SITTING: 1}
        one.word = {"newest": {}, "elsewhere": [SITTING]}
        await one.until(lambda: one.of("worker.alive")[-1]["sittings"] == [])
        assert one.of("peer.state")[-1]["state"] == "closed"
        claim = Spool(one.spool).claim(SITTING)
        assert claim is not None, "another worker may have it"


async def test_a_peer_outlives_the_socket_that_made_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        alice = await one.join("a")
        assert await one.control.resume(SITTING, ParticipantId("a"), alice.peer_id) == ()
        del one.clients[alice.peer_id]  # no socket: what is offered now is lost
        bob = await one.join("b")
        bob.talk(opus_tone(10.0))
        await one.until(lambda: any(offer["peer_id"] == alice.peer_id for offer in one.of("offer.made")))
        one.clients[alice.peer_id] = alice
        missed = await one.control.resume(SITTING, ParticipantId("a"), alice.peer_id)
        assert [offer.connection for offer in missed] == ["down"]
        await alice.answer("down", missed[0].revision, missed[0].sdp)
        await one.until(lambda: alice.got.get("b-audio"))
        for stranger, peer_id in (("b", alice.peer_id), ("a", "peer_none")):
            with pytest.raises(MediaError) as refused:
                await one.control.resume(SITTING, ParticipantId(stranger), peer_id)
            assert refused.value.code == "peer_unknown"


def samples_of(text: str) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


async def test_a_worker_counts_what_it_does(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=False)))
        before = samples_of(await one.control.metrics())  # the counts are of the process, that is of other tests too
        await listening(one)
        await one.until(lambda: one.of("quality"))
        text = await one.control.metrics()
        samples = samples_of(text)
        label = f'kind="{Kind.AUDIO.value}",worker="media-1"'
        names = [f"court_media_packets_{what}_total{{{label}}}" for what in ("received", "forwarded")]
        received, forwarded = (float(samples[name]) - float(before[name]) for name in names)
        assert received >= forwarded > 10
        assert float(samples['court_media_peers{worker="media-1"}']) == 2
        assert float(samples['court_media_sittings{worker="media-1"}']) == 1
        assert float(samples['court_media_spool_free_bytes{worker="media-1"}']) > 0
        assert float(samples['court_media_loop_lag_seconds_count{worker="media-1"}']) > 10
        assert float(samples['court_media_loss_count{direction="up",worker="media-1"}']) >= 1
        assert float(samples['process_resident_memory_bytes{worker="media-1"}']) > 1_000_000
        assert "a-audio" not in text
        assert SITTING not in text
