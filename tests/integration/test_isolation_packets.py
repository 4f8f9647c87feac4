"""An isolated witness gets not one packet of the hearing: counted at the sockets, from the lobby to the end (W1, S1, EV-72).

The law decides (its own service), a worker process forwards and is killed twice; sound, camera and shared screen.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hearing import commands as c
from hearing.audience import GrantTable, Kind
from hearing.model import Actor, ParticipantId, Role
from hearing.service import Created, HearingService
from media.aiortc_bridge import Endpoint
from media.aiortc_ice import MediaSocket
from media.control import MediaError
from storage.database import Database
from tests.integration.media_rig import CLOCK, SITTING, Client, Rig, WorkerProcess, opus_tone, rig, vp8_picture
from tests.integration.test_law_to_record import set_down

IN_FLIGHT_S = 0.5
LOOK_S = 1.5
ROLES = {"j": Role.PRESIDING_JUDGE, "c": Role.CLERK, "p": Role.PLAINTIFF, "w": Role.WITNESS}
SCREEN_PARTS = [b"\x10" + bytes([n]) * 200 for n in range(1, 40)]  # what is in them does not matter: it must not arrive


@dataclass
class SocketCounter:
    """Datagrams as they come out of the kernel, before any other code sees them."""

    media: Counter[int] = field(default_factory=Counter)  # RTP, by ICE connection
    control: Counter[int] = field(default_factory=Counter)  # RTCP (RFC 5761 section 4)

    def take(self, connection: object, data: bytes) -> None:
        if 127 < data[0] < 192:
            (self.control if 192 <= data[1] <= 223 else self.media)[id(connection)] += 1

    def of(self, endpoint: Endpoint) -> tuple[int, int]:
        key = id(endpoint._connection)
        return self.media[key], self.control[key]


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> SocketCounter:
    counter, genuine = SocketCounter(), MediaSocket.datagram_received

    def counted(self: MediaSocket, data: bytes, addr: tuple[object, ...]) -> None:
        counter.take(self.receiver, data)
        genuine(self, data, addr)

    monkeypatch.setattr(MediaSocket, "datagram_received", counted)
    return counter


class Court:
    """The law with a worker that follows it, and the people's clients."""

    def __init__(self, one: Rig, service: HearingService, created: Created) -> None:
        self.one = one
        self.ids = created.ids
        self._service = service
        self._sitting_id = created.sitting.id
        self.table: GrantTable | None = None

    async def act(self, who: str, command: c.Command) -> None:
        outcome = await self._service.execute(self._sitting_id, command, Actor(self.ids[who], ROLES[who]))
        self.table = replace(outcome.grants, sitting_id=SITTING)
        await self.apply()

    async def apply(self) -> None:
        assert self.table is not None
        await self.one.control.apply_grants(self.table)

    async def client(self, who: str) -> Client:
        client = Client(self.one, self.ids[who])
        client.ssrcs[Kind.SCREEN] = 7_000 + ord(who)
        self.one.clients[client.peer_id] = client
        await client.join()
        return client


async def show_screen(client: Client) -> None:
    while True:
        for part in SCREEN_PARTS:
            client.send(Kind.SCREEN, part, 9_000, marker=True)
            await asyncio.sleep(0.1)


async def speakers(court: Court) -> tuple[Client, Client]:
    """Judge and plaintiff, sending all they can; both hear one another; the judge shares a screen."""
    sound, picture = await asyncio.to_thread(opus_tone, 60.0), await asyncio.to_thread(vp8_picture, 120)
    judge, plaintiff = await court.client("j"), await court.client("p")
    for client in (judge, plaintiff):
        client.talk(sound)
        client.show(picture * 3, per_second=8)
    judge._spawn(show_screen(judge))
    source = court.ids["p"]
    await court.one.until(lambda: all(judge.got.get(f"{source}-{kind}") for kind in ("audio", "video")), 20)
    await court.one.until(lambda: plaintiff.got.get(f"{court.ids['j']}-audio"), 20)
    return judge, plaintiff


async def nothing_comes(sockets: SocketCounter, judge: Client, witness: Client) -> None:
    """For a while, in which the judge gets a lot."""
    before = judge.datagrams
    await asyncio.sleep(LOOK_S)
    assert judge.datagrams > before + 20, "there is something to be isolated from"
    assert sockets.of(witness.down) == (0, 0), "neither packets nor reports about them"
    assert sockets.of(witness.up)[0] == 0


@pytest.mark.timeout(240)
async def test_a_witness_gets_not_one_packet_before_and_after_the_testimony(tmp_path: Path, sockets: SocketCounter) -> None:
    database = Database(f"sqlite:///{tmp_path / 'court.db'}")
    try:
        service = HearingService(database, CLOCK)
        async with rig(tmp_path, own_worker=False) as one:
            worker, court = WorkerProcess(one.settings), Court(one, service, await set_down(database, service))
            await worker.start()
            try:
                await whole_life(court, worker, sockets)
            finally:
                await worker.kill()
    finally:
        await database.close()


async def whole_life(court: Court, worker: WorkerProcess, sockets: SocketCounter) -> None:
    await court.act("c", c.OpenLobby())
    for who in ROLES:
        await court.act(who, c.Enter())
    early = await court.client("w")  # in the lobby already
    await court.act("j", c.OpenSitting())
    judge, plaintiff = await speakers(court)
    await court.act("j", c.StartScreen())
    screen = f"{court.ids['j']}-screen"
    await court.one.until(lambda: plaintiff.got.get(screen), 20)
    await nothing_comes(sockets, judge, early)

    again = await court.client("w")  # a reload: the new connection takes the old one's place
    await nothing_comes(sockets, judge, again)

    await worker.kill()
    for client in (judge, plaintiff, again):
        await client.vanish()
    await worker.start()
    await court.apply()
    judge, plaintiff = await speakers(court)
    after_restart = await court.client("w")
    await court.one.until(lambda: plaintiff.got.get(screen), 20)
    await nothing_comes(sockets, judge, after_restart)

    await court.act("j", c.CallWitness(ParticipantId(court.ids["w"])))
    await court.one.until(lambda: all(after_restart.got.get(f"{court.ids['j']}-{kind}") for kind in Kind), 20)
    assert sockets.of(after_restart.down)[0] > 0, "the counter counts"

    await court.act("j", c.DismissWitness(ParticipantId(court.ids["w"])))
    await asyncio.sleep(IN_FLIGHT_S)
    heard, before = sockets.of(after_restart.down), judge.datagrams
    await asyncio.sleep(LOOK_S)
    assert judge.datagrams > before + 20
    assert sockets.of(after_restart.down) == heard
    with pytest.raises(MediaError) as refused:
        await court.client("w")
    assert refused.value.code == "not_a_member"
    await worker.kill()
    await worker.start()
    await court.apply()
    with pytest.raises(MediaError) as refused:
        await court.client("w")
    assert refused.value.code == "not_a_member"
