"""A client in a network of its own: `python -m tests.net.phone`, steered by JSON lines on its standard input.

It answers offers as a browser does (new sockets for new ICE credentials), sends audio, and says when packets came. The
monotonic clock is the machine's, so its times can be compared with those of other processes.
"""

import asyncio
import json
import secrets
import sys

from hearing.audience import Kind
from media.aiortc_bridge import Endpoint
from media.rtp_rewrite import build
from media.sdp import answer_to, parse, write
from media.settings import Network

SSRC = secrets.randbits(31)
NETWORK = Network(loopback=False)


class Phone:
    def __init__(self) -> None:
        self._endpoints: dict[str, Endpoint] = {}
        self._ufrags: dict[str, str] = {}
        self._arrivals: list[float] = []
        self._tasks: set[asyncio.Task] = set()

    async def answer(self, connection: str, revision: int, sdp: str) -> str:
        offer = parse(sdp)
        endpoint = self._endpoints.get(connection)
        if endpoint is None:
            endpoint = self._endpoints[connection] = Endpoint(controlling=False, network=NETWORK)
            endpoint.on_rtp = lambda _, at: self._arrivals.append(at)
            await endpoint.gather()
            self.spawn(endpoint.start(offer.side, "client"))
        elif self._ufrags[connection] != offer.side.ufrag:
            endpoint.restart_ice()
            await endpoint.regather()
            await endpoint.finish_restart(offer.side, use_candidates=True)
        self._ufrags[connection] = offer.side.ufrag
        sending = {Kind.AUDIO: SSRC} if connection == "up" else {}
        return write(SSRC, revision, answer_to(offer, endpoint.local, sending, "phone"))

    async def talk(self) -> None:
        for n in range(1 << 16):
            if "up" in self._endpoints:
                self._endpoints["up"].send_rtp(build(111, n, n * 960, SSRC, b"\xf8\xff\xfe"))
            await asyncio.sleep(0.02)

    def first_after(self, since_ms: float) -> float | None:
        return next((at for at in self._arrivals if at > since_ms), None)

    def spawn(self, work: object) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def main() -> None:
    phone, reader = Phone(), asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    phone.spawn(phone.talk())
    while line := await reader.readline():
        match json.loads(line):
            case {"offer": [connection, revision, sdp]}:
                said = await phone.answer(connection, revision, sdp)
            case {"states": _}:
                said = {name: endpoint.state for name, endpoint in phone._endpoints.items()}
            case {"first_after": since_ms}:
                said = phone.first_after(since_ms)
        print(json.dumps({"said": said}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
