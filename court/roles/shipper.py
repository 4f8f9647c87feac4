"""The shipper role: from the spool to the object store, read back, repaired after a crash."""

from __future__ import annotations

import asyncio

from court.roles.places import internal_url, spool_folder
from court.roles.shared import Shared, only_court, shared
from court.settings import Settings
from media.settings import ShipperSettings
from media.shipper import ship_forever

LOOK_AGAIN_S = 1.0


async def main(settings: Settings) -> None:
    async with shared(settings) as parts:
        ship = ShipperSettings(
            spool=spool_folder(settings),
            signaling_url=internal_url(settings),
            court_id=await _court(parts),
            worker_id="shipper",
            internal_token=parts.token,
        )
        await ship_forever(ship, parts.stores, parts.clock)


async def _court(parts: Shared) -> str:
    """The court whose keys the segments get; a fresh installation has none until its administrator makes one."""
    while (court_id := await only_court(parts.database)) is None:
        await asyncio.sleep(LOOK_AGAIN_S)
    return court_id
