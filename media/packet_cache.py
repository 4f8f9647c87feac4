"""History of one outgoing stream, from which lost packets are sent again (RFC 4585 generic NACK)."""

from __future__ import annotations

CACHE_PACKETS = 1024  # about 8 s of one video stream at 1 Mbit/s; must be a power of two


class PacketCache:
    """The last packets of a stream by sequence number; a slot is overwritten by the packet 1024 later."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: list[bytes | None] = [None] * CACHE_PACKETS

    def put(self, packet: bytes) -> None:
        self._slots[(packet[2] << 8 | packet[3]) & (CACHE_PACKETS - 1)] = packet

    def get(self, sequence: int) -> bytes | None:
        """The packet with this sequence number, or None when it never came or is too old."""
        packet = self._slots[sequence & (CACHE_PACKETS - 1)]
        if packet is None or (packet[2] << 8 | packet[3]) != sequence:
            return None
        return packet

    def copy(self) -> PacketCache:
        """Another history that begins with the same packets."""
        other = PacketCache()
        other._slots[:] = self._slots
        return other

    def clear(self) -> None:
        """Forget everything: what was sent under an earlier grant must not be asked for under a later one."""
        self._slots = [None] * CACHE_PACKETS
