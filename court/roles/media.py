"""The media role: connections, forwarding, recording to the spool, the tap. It opens no database.

Of several workers each has its own control port and its share of the UDP ports; the spool is common, so that a sitting can
go on at another worker.
"""

from __future__ import annotations

from ipaddress import ip_address

from court.keys import internal_token
from court.roles.places import internal_url, media_urls, spool_folder, worker_id
from court.settings import Settings
from media.settings import MediaSettings, Network
from media.worker import serve
from storage.clock import SystemClock

TABLE_LIFE_S = 60.0
"""Signaling is restarted within seconds; whoever has heard nothing of it for so long knows nothing of the law any more."""


async def main(settings: Settings, number: int = 1) -> None:
    """Run worker `number`, from 1."""
    await serve(
        MediaSettings(
            worker_id=worker_id(number),
            host="127.0.0.1",
            port=settings.media_port + number - 1,
            control_url=media_urls(settings)[number - 1],
            signaling_url=internal_url(settings),
            spool=spool_folder(settings),
            internal_token=internal_token(settings.keys_dir),
            network=network_of(settings, number),
            table_life_s=TABLE_LIFE_S,
            last_n=settings.media_last_n,
            crowd_above=settings.media_crowd_above,
        ),
        SystemClock(),
    )


def network_of(settings: Settings, number: int = 1) -> Network:
    """Where media sockets of a worker are opened."""
    public = {ip_address(address).version: address for address in settings.media_public_address}
    return Network(
        addresses=settings.media_addresses,
        loopback=settings.host in {"127.0.0.1", "localhost", "::1"},
        public_address=public.get(4),
        public_address_v6=public.get(6),
        ports=share(settings.media_port_range, number, settings.media_workers),
    )


def share(ports: tuple[int, int] | None, number: int, workers: int) -> tuple[int, int] | None:
    """The part of a port range (both ends included) that belongs to worker `number` of `workers`."""
    if ports is None:
        return None
    low, high = ports
    size = (high - low + 1) // workers
    first = low + (number - 1) * size
    return first, (high if number == workers else first + size - 1)
