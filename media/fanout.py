"""One packet to many endpoints: encrypted for each and sent."""

from __future__ import annotations

from collections.abc import Sequence

from media.aiortc_bridge import MAX_PACKET_BYTES, Endpoint

compiled = False
"""Whether the C loop runs; else the Python loop."""


def use_compiled(wanted: bool) -> bool:
    """Choose the loop (tests and benchmarks do); tells whether the compiled one now runs."""
    del wanted
    return compiled


class FanOut:
    """The endpoints one stream of packets goes to. Make a new one when they change; closed ones are passed over."""

    __slots__ = ("_sends",)

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._sends = tuple(endpoint.send_rtp for endpoint in endpoints)

    def send(self, packet: bytes) -> None:
        """Encrypt and send to every endpoint that is connected; what one refuses is lost for that one alone."""
        if len(packet) > MAX_PACKET_BYTES:
            return
        for send in self._sends:
            send(packet)
