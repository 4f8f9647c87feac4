"""The media role: connections, forwarding, recording to the spool, the tap. It opens no database."""

from __future__ import annotations

from court.keys import internal_token
from court.roles.shared import WORKER_ID, internal_url, media_url, spool_folder
from court.settings import Settings
from media.settings import MediaSettings, Network
from media.worker import serve
from storage.clock import SystemClock


async def main(settings: Settings) -> None:
    await serve(
        MediaSettings(
            worker_id=WORKER_ID,
            host="127.0.0.1",
            port=settings.media_port,
            control_url=media_url(settings),
            signaling_url=internal_url(settings),
            spool=spool_folder(settings),
            internal_token=internal_token(settings.keys_dir),
            network=network_of(settings),
        ),
        SystemClock(),
    )


def network_of(settings: Settings) -> Network:
    """Where media sockets are opened."""
    return Network(
        addresses=settings.media_addresses,
        loopback=settings.host in {"127.0.0.1", "localhost", "::1"},
        public_address=settings.media_public_address or None,
        ports=settings.media_port_range,
    )
