"""Attacks below the SDP: wrong keys, repeated and made-up datagrams, connections without end. The others must not notice."""

import asyncio
import contextlib
import random
import secrets
import struct
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aioice.stun
import psutil
import pytest

from hearing.audience import Kind
from hearing.model import ParticipantId
from media import peer
from media.aiortc_bridge import Certificate, Endpoint
from media.aiortc_ice import MOST_PAIRS
from media.control import MediaError
from media.sdp import TransportSide, parse
from tests.integration.endpoint_pairs import packet, pairs, sequences, until
from tests.integration.media_rig import SITTING, Client, Rig, WorkerProcess, all_to_all, opus_tone, rig, table

DELIVERED = 0.99


class Bystanders:
    """Bob speaks to Carol, whatever happens to the others."""

    def __init__(self, one: Rig, bob: Client, carol: Client) -> None:
        self._one, self.bob, self.carol = one, bob, carol
        self._sent = self._got = 0

    def begin(self) -> None:
        self._sent, self._got = self.bob.sent[Kind.AUDIO], len(self.carol.got["bob-audio"])

    async def delivered(self) -> float:
        """Share of Bob's packets since `begin` that Carol got: sequence numbers that came, of those that had to."""
        await self._one.until(lambda: self.bob.sent[Kind.AUDIO] - self._sent > 60)
        sent = self.bob.sent[Kind.AUDIO] - self._sent
        await self._one.until(lambda: len(self.carol.got["bob-audio"]) - self._got >= DELIVERED * sent)
        assert not [r for r in self._one.of("peer.state") if r["state"] == "lost" and r["participant_id"] in {"bob", "carol"}]
        numbers = sequences(self.carol.got["bob-audio"][self._got :])
        places = {(number - numbers[0] + 0x8000) & 0xFFFF for number in numbers}
        return len(places) / (max(places) - min(places) + 1)


@contextlib.asynccontextmanager
async def courtroom(tmp_path: Path, *others: str, own_process: bool = False) -> AsyncIterator[tuple[Rig, Bystanders]]:
    members = ["bob", "carol", *others]
    async with rig(tmp_path, own_worker=not own_process) as one:
        process = WorkerProcess(one.settings) if own_process else None
        if process is not None:
            await process.start()
        try:
            await one.control.apply_grants(table(1, members, all_to_all(members, recorded=False)))
            bob, carol = await one.join("bob"), await one.join("carol")
            talk = bob.talk(opus_tone(25.0))
            await one.until(lambda: carol.count("bob-audio") > 10)
            yield one, Bystanders(one, bob, carol)
            talk.cancel()
        finally:
            if process is not None:
                await process.kill()


def server_ports(client: Client) -> list[int]:
    return [client.up._remote_address[1], client.down._remote_address[1]]


# --- wrong keys -----------------------------------------------------------------------------------


class Liar(Client):
    """Answers with something else than its own transport."""

    def __init__(self, rig: Rig, name: str, **lies: str) -> None:
        super().__init__(rig, name)
        self._lies = lies
        for endpoint in (self.up, self.down):
            _lie(endpoint, lies)

    async def answer_only(self) -> None:
        await asyncio.gather(self.up.gather(), self.down.gather())
        self.rig.clients[self.peer_id] = self
        offers = await self.rig.control.connect(SITTING, ParticipantId(self.name), self.peer_id)
        for offer in offers:
            self._spawn(self.answer(offer.connection, offer.revision, offer.sdp))


def _lie(endpoint: Endpoint, lies: dict[str, str]) -> None:
    class Lying(Endpoint):
        @property
        def local(self) -> TransportSide:
            return replace(super().local, **lies)

    endpoint.__class__ = Lying


async def test_a_wrong_ice_password_never_connects_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_WITHIN_MS", 2_500.0)
    async with courtroom(tmp_path, "mallory") as (one, bystanders):
        mallory = Liar(one, "mallory", pwd=secrets.token_hex(12))
        bystanders.begin()
        await mallory.answer_only()
        await one.until(lambda: [r for r in one.of("peer.state") if r["state"] == "lost"], 6.0)
        states = [r["state"] for r in one.of("peer.state") if r["participant_id"] == "mallory"]
        assert states == ["lost"]
        assert mallory.up.state != "connected"
        assert await bystanders.delivered() >= DELIVERED


async def test_a_wrong_fingerprint_is_no_participant(tmp_path: Path) -> None:
    """Whoever answers the handshake with another certificate than the answer named is cut off, and nothing of it is forwarded."""
    async with courtroom(tmp_path, "mallory") as (one, bystanders):
        mallory = Liar(one, "mallory", fingerprint=Certificate().fingerprint)
        bystanders.begin()
        await mallory.answer_only()
        for _ in range(40):
            mallory.send(Kind.AUDIO, b"\xf8\xff\xfe", 960)
            await asyncio.sleep(0.05)
        states = [r["state"] for r in one.of("peer.state") if r["participant_id"] == "mallory"]
        assert states == ["lost"]
        assert bystanders.carol.count("mallory-audio") == 0
        assert await bystanders.delivered() >= DELIVERED


# --- datagrams ------------------------------------------------------------------------------------


async def test_repeated_srtp_is_forwarded_once(tmp_path: Path) -> None:
    async with courtroom(tmp_path, "mallory") as (one, bystanders):
        mallory = Client(one, "mallory")
        one.clients[mallory.peer_id] = mallory
        await mallory.join()
        sent: list[bytes] = []
        real = mallory.up._sendto
        mallory.up._sendto = lambda data, to: (sent.append(data), real(data, to))
        await one.until(lambda: "mallory-audio" in bystanders.carol.sources.values())
        await mallory.talk(opus_tone(1.0))
        await one.until(lambda: bystanders.carol.count("mallory-audio") == mallory.sent[Kind.AUDIO])
        bystanders.begin()
        before = len(bystanders.carol.got["mallory-audio"])
        for n in range(4_000):
            real(sent[n % len(sent)], mallory.up._remote_address)
            if n % 20 == 0:
                await asyncio.sleep(0.01)
        assert await bystanders.delivered() >= DELIVERED
        assert len(bystanders.carol.got["mallory-audio"]) == bystanders.carol.count("mallory-audio") == before


async def flood(kind: str, seconds: float, per_second: int, ports: list[int]) -> tuple[int, int]:
    """(datagrams sent, answers got) of a process of its own."""
    words = [sys.executable, "-m", "tests.net.flood", kind, str(seconds), str(per_second), *map(str, ports)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2])
    out, _ = await process.communicate()
    sent, answers = out.split()
    return int(sent), int(answers)


@pytest.mark.parametrize("kind", ["garbage", "stun"])
async def test_a_flood_from_a_stranger(tmp_path: Path, kind: str) -> None:
    """At every port of the two who are talking, and no reflector: few answers go to an address that nobody has proved."""
    async with courtroom(tmp_path, own_process=True) as (_, bystanders):
        bystanders.begin()
        ports = [*server_ports(bystanders.bob), *server_ports(bystanders.carol)]
        sent, answers = await flood(kind, 4.0, 8_000, ports)
        delivered = await bystanders.delivered()
        print(f"{kind}: {sent} datagrams, {answers} answers, delivered {delivered:.4f}")
        assert sent > 10_000
        assert delivered >= DELIVERED
        assert answers <= 4 * (100 + 4 * 100) + 50
        assert bystanders.bob.up.state == bystanders.carol.down.state == "connected"


async def test_a_stranger_cannot_break_a_handshake(tmp_path: Path) -> None:
    """DTLS is heard only from addresses that have shown that they know the ICE password."""
    async with courtroom(tmp_path, "dave") as (one, bystanders):
        dave = Client(one, "dave")
        one.clients[dave.peer_id] = dave
        await asyncio.gather(dave.up.gather(), dave.down.gather())
        offers = await one.control.connect(SITTING, ParticipantId("dave"), dave.peer_id)
        ports = [int(parse(offer.sdp).side.candidates[0].split()[5]) for offer in offers]
        alert = "15fefd000000000000000000020228"  # a plain fatal alert, handshake_failure
        flooding = asyncio.create_task(flood(alert, 2.5, 2_000, ports))
        await asyncio.sleep(0.8)
        await asyncio.gather(*(dave.answer(offer.connection, offer.revision, offer.sdp) for offer in offers))
        await until(lambda: dave.up.state == dave.down.state == "connected", seconds=8.0)
        await flooding
        dave.talk(opus_tone(1.0))
        await one.until(lambda: bystanders.carol.count("dave-audio") > 20)


def nonsense(noise: random.Random, username: str, password: bytes) -> bytes:
    """A STUN message of a participant: of any method and class, often authentic, and then often damaged."""
    method, its_class = noise.choice(list(aioice.stun.Method)), noise.choice(list(aioice.stun.Class))
    sane = noise.random() < 0.5
    message = aioice.stun.Message(*((aioice.stun.Method.BINDING, aioice.stun.Class.REQUEST) if sane else (method, its_class)))
    values = {"USERNAME": username, "PRIORITY": 1, "ICE-CONTROLLED": 1, "USE-CANDIDATE": None, "ICE-CONTROLLING": 1}
    for name in list(values)[:3] if sane else noise.sample(list(values), noise.randrange(6)):
        message.attributes[name] = values[name]
    message.add_message_integrity(password)
    data = bytearray(bytes(message))
    for _ in range(noise.choice((0, 0, 1, 3))):
        data[noise.randrange(len(data))] = noise.randrange(256)
    data = data[: noise.choice((len(data), len(data), noise.randrange(len(data))))]
    data[2:4] = struct.pack("!H", max(0, len(data) - 20))
    return bytes(data)


async def test_nonsense_of_a_participant_raises_nothing_and_fills_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(4)
    async with pairs(1) as (pair,):
        connection = pair.server._connection
        (socket,) = connection._protocols
        monkeypatch.setattr(connection, "admits_check", lambda _: True)
        monkeypatch.setattr(socket, "send_stun", lambda *_: None)
        username = f"{connection.local_username}:{connection.remote_username}"
        for n in range(4_000):
            data = nonsense(noise, username, connection.local_password.encode())
            socket.datagram_received(data, ("127.0.0.1", noise.randrange(1_024, 65_536)))
            if n % 100 == 0:
                await asyncio.sleep(0)
        assert len(connection._check_list) == MOST_PAIRS
        assert len(connection._remote_candidates) <= MOST_PAIRS
        assert connection._queue.qsize() == 0
        assert len(asyncio.all_tasks()) < 2 * MOST_PAIRS
        monkeypatch.undo()
        assert await pair.client.probe()
        assert pair.client.send_rtp(packet(1))
        await until(lambda: pair.at_server)


# --- connections without end ----------------------------------------------------------------------


async def test_a_person_that_connects_in_a_loop_is_held_up(tmp_path: Path) -> None:
    async with courtroom(tmp_path, "mallory") as (one, bystanders):
        bystanders.begin()
        before = udp_ports()
        refused, opened = [], 0
        for n in range(100):
            try:
                await one.control.connect(SITTING, ParticipantId("mallory"), f"peer_{n}")
                opened += 1
            except MediaError as error:
                refused.append(error.code)
            await asyncio.sleep(0.01)
        assert set(refused) == {"too_many_connects"}
        assert 10 <= opened <= 15
        assert len(udp_ports() - before) <= 2, "one live connection per person"
        assert await bystanders.delivered() >= DELIVERED


def udp_ports() -> set[int]:
    """Ports of this process's sockets; an earlier test's may close meanwhile, so that numbers alone say little."""
    return {connection.laddr.port for connection in psutil.Process().net_connections("udp") if connection.laddr}


async def test_connections_nobody_answers_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "CONNECT_WITHIN_MS", 5_000.0)
    crowd = [f"m{n}" for n in range(30)]
    async with courtroom(tmp_path, *crowd) as (one, bystanders):
        bystanders.begin()
        before = udp_ports()
        for name in crowd:
            await one.control.connect(SITTING, ParticipantId(name), f"peer_{name}")
        assert len(udp_ports() - before) == 2 * len(crowd)
        await one.until(lambda: udp_ports() <= before, 15.0)
        await one.until(lambda: {r["participant_id"] for r in one.of("peer.state") if r["state"] == "lost"} == set(crowd))
        assert await bystanders.delivered() >= DELIVERED


async def test_restarts_without_end_stay_the_askers_own_trouble(tmp_path: Path) -> None:
    async with courtroom(tmp_path, "mallory") as (one, bystanders):
        mallory = await one.join("mallory")
        bystanders.begin()
        for _ in range(150):
            await one.control.restart_ice(SITTING, mallory.peer_id, "up")
        offer = await one.control.restart_ice(SITTING, mallory.peer_id, "up")
        await mallory.answer(offer.connection, offer.revision, offer.sdp)
        assert await bystanders.delivered() >= DELIVERED
        await until(lambda: mallory.up.state == "connected")
        assert await mallory.up.probe()
