"""Which local addresses media uses, on which ports, and what the other side is told of them."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Sequence

from media.settings import Network

SOCKET_BUFFER_BYTES = 1 << 20  # a keyframe to many subscribers leaves in one burst
LOOPBACK = "127.0.0.1"


def usable_addresses(network: Network, of_machine: Sequence[str]) -> list[str]:
    """The addresses to bind: the configured ones, else the machine's.

    Link-local ones are left out: they mean nothing without the zone of the machine that reads them (RFC 4007), and
    a candidate cannot carry one.
    """
    wanted = list(network.addresses or of_machine)
    if network.loopback and LOOPBACK not in wanted:
        wanted.append(LOOPBACK)
    return [address for address in dict.fromkeys(wanted) if not ipaddress.ip_address(address).is_link_local]


def candidate_address(network: Network, address: str) -> str:
    """What the other side is told: the public address of the same family behind 1:1 NAT, else the address itself."""
    ip = ipaddress.ip_address(address)
    if ip.is_loopback:
        return address
    return (network.public_address_v6 if ip.version == 6 else network.public_address) or str(ip)


def bind(address: str, ports: tuple[int, int] | None, spread: int) -> socket.socket | None:
    """A socket on a free port of the range, or None when the address cannot be used or no port is left.

    `spread` moves the place where the search begins, so that few attempts fail when many ports are taken.
    """
    ip_version_6 = ":" in address
    udp = socket.socket(socket.AF_INET6 if ip_version_6 else socket.AF_INET, socket.SOCK_DGRAM)
    udp.setblocking(False)
    try:
        if ip_version_6:
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _bind_in(udp, address, ports, spread)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
    except OSError:
        udp.close()
        return None
    return udp


def _bind_in(udp: socket.socket, address: str, ports: tuple[int, int] | None, spread: int) -> None:
    if ports is None:
        udp.bind((address, 0))
        return
    low, high = ports
    first = low + spread % (high - low + 1)
    for port in (*range(first, high + 1), *range(low, first)):
        try:
            udp.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return
    raise OSError(errno.EADDRINUSE, "no port of the range is free")
