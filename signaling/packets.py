"""Socket.IO packets as this court takes them: text only, well formed; everything else ends the connection to the namespace.

The library would keep a binary packet's attachments in memory until the last has come (it may announce ten thousand million
of them), and log a traceback for every malformed packet, also of strangers.
"""

from __future__ import annotations

from socketio import packet

NAMESPACE = "/court"
TEXT_TYPES = frozenset({packet.CONNECT, packet.DISCONNECT, packet.EVENT, packet.ACK})


class TextPacket(packet.Packet):
    """A packet whose decoding never fails: what cannot be understood reads as a goodbye."""

    def decode(self, encoded_packet: str) -> int:
        """The number of attachments that follow: none."""
        try:
            attachments = super().decode(encoded_packet)
        except (ValueError, TypeError, RecursionError):
            return self._goodbye()
        return self._goodbye() if attachments or not self._is_sound() else 0

    def _is_sound(self) -> bool:
        data: object = self.data
        if self.packet_type == packet.EVENT:
            return isinstance(data, list) and len(data) > 0 and isinstance(data[0], str)
        if self.packet_type == packet.ACK:
            return isinstance(data, list) and isinstance(self.id, int)
        return self.packet_type in TEXT_TYPES

    def _goodbye(self) -> int:
        self.packet_type, self.namespace, self.id, self.data = packet.DISCONNECT, NAMESPACE, None, None
        return 0
