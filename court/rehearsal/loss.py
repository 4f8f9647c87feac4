"""A bad network between a robot and the server: datagrams lost at random, both ways, before anyone has decrypted them."""

from __future__ import annotations

import random
from collections.abc import Callable

from media.aiortc_bridge import Endpoint


def lose(endpoint: Endpoint, share: float, seed: str) -> None:
    """From now on lose this share of what the endpoint receives and of what it sends (RTP and RTCP, not ICE and DTLS)."""
    luck = random.Random(seed)  # noqa: S311  the same losses in every run, for comparison
    seen = endpoint.drop

    def lost() -> bool:
        return luck.random() < share

    def drop(data: bytes) -> bool:
        return (seen is not None and seen(data)) or lost()

    def losing(send: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
        return lambda packet: True if lost() else send(packet)

    endpoint.drop = drop
    endpoint.send_rtp = losing(endpoint.send_rtp)  # type: ignore[method-assign, assignment]
    endpoint.send_rtcp = losing(endpoint.send_rtcp)  # type: ignore[method-assign, assignment]
