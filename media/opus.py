"""Opus packets (RFC 6716): how long one lasts, and packets of silence."""

from __future__ import annotations

# 20 ms of CELT silence, written by the recorder. Padding (RFC 6716 3.2.5) makes it differ from the silence that senders
# themselves encode, so that the file alone tells, also after a crash, what was lost, what was muted and what was sent.
LOST_SILENCE = b"\xfb\x41\x02\xff\xfe\x00\x00"  # where packets were lost
MUTED_SILENCE = b"\xfb\x41\x03\xff\xfe\x00\x00\x00"  # while a person is muted
UNSENT_SILENCE = b"\xfb\x41\x04\xff\xfe\x00\x00\x00\x00"  # where nothing was lost: the sender sent nothing (DTX, RFC 7587)
SILENCE_MS = 20.0

_SILK_MS = (10.0, 20.0, 40.0, 60.0)
_HYBRID_MS = (10.0, 20.0)
_CELT_MS = (2.5, 5.0, 10.0, 20.0)


def duration_ms(packet: bytes) -> float:
    """Duration of an Opus packet from its table-of-contents byte (RFC 6716 3.1); 0 when it is not one."""
    if not packet:
        return 0.0
    config, code = packet[0] >> 3, packet[0] & 0x03
    if config < 12:
        frame = _SILK_MS[config & 3]
    elif config < 16:
        frame = _HYBRID_MS[config & 1]
    else:
        frame = _CELT_MS[config & 3]
    frames = (1, 2, 2, packet[1] & 0x3F if len(packet) > 1 else 0)[code]
    total = frame * frames
    return total if total <= 120.0 else 0.0
