"""Where the packets of one endpoint leave: the SRTP session, the socket and the address of its nominated pair."""

from __future__ import annotations

import ctypes
import socket
import struct

NO_SOCKET = -1
ADDRESS_BYTES = 28  # of a sockaddr_in6, the longest used


class Outlet(ctypes.Structure):
    """Shared with the compiled loop (struct outlet in fanout.c). Its endpoint alone opens, moves and shuts it.

    While it is open it keeps session and socket alive; `shut` comes before either is freed, so that no loop can use a
    dead session or a file descriptor that now belongs to someone else.
    """

    _fields_ = (
        ("session", ctypes.c_void_p),  # srtp_t
        ("dropped", ctypes.c_uint64),  # the socket did not take the packet: buffer full, network gone
        ("refused", ctypes.c_uint64),  # SRTP did not take it: too old, malformed, too long
        ("fd", ctypes.c_int32),
        ("address_bytes", ctypes.c_uint32),
        ("address", ctypes.c_ubyte * ADDRESS_BYTES),
    )

    session: int | None
    dropped: int
    refused: int
    fd: int
    address_bytes: int

    def __init__(self) -> None:
        super().__init__(fd=NO_SOCKET)
        self._held: tuple[object, ...] = ()

    def open(self, session: int, owner: object, udp: socket.socket, address: tuple[str, int]) -> None:
        """Packets leave from `udp` to `address`, encrypted by the session at that address, which `owner` keeps alive."""
        self.shut()
        where = sockaddr(udp.family, address)
        ctypes.memmove(self.address, where, len(where))
        self._held = (owner, udp)
        self.session, self.address_bytes, self.fd = session, len(where), udp.fileno()

    def shut(self) -> None:
        """Nothing leaves any more."""
        self.fd, self.session, self._held = NO_SOCKET, None, ()

    @property
    def is_open(self) -> bool:
        return self.fd != NO_SOCKET


def sockaddr(family: socket.AddressFamily | int, address: tuple[str, int]) -> bytes:
    """A struct sockaddr_in or sockaddr_in6 of this machine (Linux: the family stands first, in host order)."""
    host, port = address
    if family == socket.AF_INET6:
        return struct.pack("=H", family) + struct.pack("!HI16sI", port, 0, socket.inet_pton(socket.AF_INET6, host), 0)
    return struct.pack("=H", family) + struct.pack("!H4s8x", port, socket.inet_pton(socket.AF_INET, host))
