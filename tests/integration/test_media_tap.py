"""The tap: granted sound on the record clock, resumable, honest about what it no longer has."""

import asyncio
import contextlib
import itertools
import json
from pathlib import Path

import aiohttp
import pytest

from hearing.audience import Kind
from media import tap as tap_module
from media.tap import END_FLAG, HEADER, SILENCE_FLAG
from tests.integration.media_rig import CLOCK, SITTING, TOKEN, Rig, all_to_all, opus_tone, rig, table
from tests.integration.test_media_recording import BOTH, end_session

TONE = opus_tone(4.0)


def read(message: bytes) -> tuple[int, int, str, str, int, bytes]:
    seq, t_ms, sitting, track, flags = HEADER.unpack_from(message)
    at = HEADER.size
    return (
        seq,
        t_ms,
        message[at : at + sitting].decode(),
        message[at + sitting : at + sitting + track].decode(),
        flags,
        (message[at + sitting + track :]),
    )


async def listen(one: Rig, got: list, after: int | None = None, limit: int | None = None) -> None:
    query = "" if after is None else f"?after={after}"
    async with aiohttp.ClientSession() as session:
        url = f"{one.settings.control_url}/tap{query}"
        async with session.ws_connect(url, headers={"Authorization": f"Bearer {TOKEN}"}) as socket:
            async for message in socket:
                got.append(json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else read(message.data))
                if limit is not None and len(got) >= limit:
                    return


async def test_the_tap_gives_granted_audio_in_session_only(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await one.control.apply_grants(table(1, [*BOTH, "w"], all_to_all(BOTH, recorded=False)))
        got: list = []
        listening = asyncio.create_task(listen(one, got))
        alice, witness = await one.join("a"), await one.join("w")
        alice.talk(TONE)
        witness.talk(TONE)
        await asyncio.sleep(0.5)
        assert [entry["type"] for entry in got] == ["hello"]
        opened = CLOCK.now()
        recorded = all_to_all(BOTH, recorded=True)
        await one.control.apply_grants(table(2, [*BOTH, "w"], recorded, opened_at=opened, effective_at=opened))
        await asyncio.sleep(1.0)
        muted = {k: v for k, v in recorded.items() if k != ("a", Kind.AUDIO)}
        now = CLOCK.now()
        await one.control.apply_grants(table(3, [*BOTH, "w"], muted, opened_at=opened, effective_at=now))
        await asyncio.sleep(1.2)
        await end_session(one, opened, 4)
        await one.until(lambda: got[-1][4] == END_FLAG)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        frames = got[1:]
        assert {frame[2:4] for frame in frames} == {(SITTING, "a-audio")}
        assert [frame[0] for frame in frames] == list(range(frames[0][0], frames[0][0] + len(frames)))
        times = [frame[1] for frame in frames]
        assert times[0] == pytest.approx(0, abs=40)
        assert {after - before for before, after in itertools.pairwise(times)} == {20}
        assert all(frame[5] in TONE for frame in frames if frame[4] == 0)
        assert sum(frame[4] == 0 for frame in frames) >= 45
        assert sum(frame[4] == SILENCE_FLAG for frame in frames) >= 25
        again: list = []
        await listen(one, again, after=frames[9][0], limit=4)
        assert [entry[0] for entry in again[1:]] == [frame[0] for frame in frames[10:13]]


async def test_what_left_the_ring_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap_module, "RING_MS", 300.0)
    async with rig(tmp_path) as one:
        opened = CLOCK.now()
        await one.control.apply_grants(table(1, BOTH, all_to_all(BOTH, recorded=True), opened_at=opened, effective_at=opened))
        got: list = []
        await listen_to_hello(one, got)
        alice = await one.join("a")
        await alice.talk(TONE[:100])
        await asyncio.sleep(0.3)
        late: list = []
        await listen(one, late, after=got[0]["next_seq"] - 1, limit=3)
        hello, overflow, first = late
        assert hello["type"] == "hello"
        assert overflow["type"] == "overflow"
        assert overflow["from_seq"] == got[0]["next_seq"]
        assert overflow["to_seq"] == first[0] - 1
        spans = overflow["spans"]
        assert {(span["sitting_id"], span["track_id"]) for span in spans} == {(SITTING, "a-audio")}
        assert spans[-1]["t1_ms"] == first[1]


async def listen_to_hello(one: Rig, got: list) -> None:
    await listen(one, got, limit=1)


async def test_the_tap_wants_the_token(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{one.settings.control_url}/tap")
        assert refused.value.status == 401
