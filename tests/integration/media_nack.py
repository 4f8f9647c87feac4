"""Loss on both ways, and a receiver that asks again: the client half of RFC 4585."""

import asyncio
import contextlib

from media import rtcp
from media.incoming import IncomingStream
from media.rtp_rewrite import sequence_of, timestamp_of
from tests.integration.media_rig import Client


def lose_upstream(client: Client, every: int) -> None:
    """Lose one in `every` encrypted media datagrams on the way up, retransmissions included."""
    sendto, seen = client.up._sendto, 0

    def lossy(data: bytes, address: tuple[str, int]) -> None:
        nonlocal seen
        if 127 < data[0] < 192 and not 192 <= data[1] <= 223:
            seen += 1
            if seen % every == 0:
                return
        sendto(data, address)

    client.up._sendto = lossy


def ask_again(client: Client) -> asyncio.Task:
    """Send NACKs for what is missing on the way down, as a browser does."""
    streams: dict[int, IncomingStream] = {}
    seen: dict[str, int] = {}

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                for ssrc, track in client.sources.items():
                    packets = client.got.get(track, [])
                    stream = streams.setdefault(ssrc, IncomingStream(ssrc, 90_000))
                    for packet in packets[seen.get(track, 0) :]:
                        stream.on_packet(sequence_of(packet), timestamp_of(packet), asyncio.get_running_loop().time() * 1000)
                    seen[track] = len(packets)
                    due = stream.due_nacks(asyncio.get_running_loop().time() * 1000)
                    if due:
                        client.down.send_rtcp(rtcp.write_nack(ssrc, due))
                await asyncio.sleep(0.02)

    return client._spawn(run())
