"""One packet to many endpoints: encrypted for each and sent, by the compiled loop (fanout.c) or by one in Python.

Both loops use the endpoints' own SRTP sessions and sockets and count what is not sent in the endpoints' outlets.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence

from media.aiortc_bridge import Endpoint, protect_address
from media.fanout_build import library
from media.outlet import Outlet

FanOutFunction = Callable[[int, object, int, bytes, int], int]


def _load() -> FanOutFunction | None:
    """The compiled loop, if it was built from the source that lies here."""
    path = library()
    if sys.platform != "linux" or not path.exists():
        return None
    try:
        built = ctypes.CDLL(str(path))
    except OSError:
        return None
    if built.fan_out_record_bytes() != ctypes.sizeof(Outlet):
        return None
    fan_out = built.fan_out
    fan_out.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    fan_out.restype = ctypes.c_int
    return fan_out


_COMPILED = _load()
_PROTECT = protect_address()
compiled = _COMPILED is not None
"""Whether new FanOuts run the compiled loop."""


def use_compiled(wanted: bool) -> bool:
    """Choose the loop of FanOuts made from now on (tests and benchmarks do); tells whether it is the compiled one."""
    global compiled  # noqa: PLW0603
    compiled = wanted and _COMPILED is not None
    return compiled


class FanOut:
    """The endpoints one stream of packets goes to. Make a new one when they change.

    `send(packet)` encrypts and sends to every endpoint that is connected; one that is not yet, or no longer, is passed
    over, and what one refuses is lost for that one alone. Call it on the event loop's thread only.
    """

    __slots__ = ("_outlets", "_records", "_sends", "send")

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.send: Callable[[bytes], None] = self._send_each
        self._sends = tuple(endpoint.send_rtp for endpoint in endpoints)
        self._outlets = tuple(endpoint.outlet for endpoint in endpoints)  # the records live as long as this array
        if _COMPILED is not None and compiled:
            self._records = (ctypes.c_void_p * len(endpoints))(*map(ctypes.addressof, self._outlets))
            self.send = self._loop(_COMPILED)

    def _loop(self, fan_out: FanOutFunction) -> Callable[[bytes], None]:
        where, records, count = _PROTECT, self._records, len(self._outlets)

        def send(packet: bytes) -> None:
            fan_out(where, records, count, packet, len(packet))

        return send

    def _send_each(self, packet: bytes) -> None:
        for send in self._sends:
            send(packet)
