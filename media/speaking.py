"""Who is speaking, from the level each audio packet carries (RFC 6464), with hysteresis against flicker."""

from __future__ import annotations

LOUD_DBOV = -45  # speech at a usual distance is -40 to -15
QUIET_DBOV = -52
ON_AFTER_MS = 80.0
OFF_AFTER_MS = 700.0  # pauses between words are shorter
SPEECH_PACKET_BYTES = 60  # of 20 ms Opus: without a level, silence is what compresses well


class SpeechGate:
    """Turns levels into on and off; `speaking` is the present verdict."""

    __slots__ = ("_loud_since_ms", "_quiet_since_ms", "speaking")

    def __init__(self) -> None:
        self.speaking = False
        self._loud_since_ms: float | None = None
        self._quiet_since_ms: float | None = None

    def on_level(self, dbov: int, now_ms: float) -> bool:
        """Take one packet's level (0 loudest, -127 silence); True when `speaking` changed."""
        if dbov >= LOUD_DBOV:
            self._quiet_since_ms = None
            self._loud_since_ms = now_ms if self._loud_since_ms is None else self._loud_since_ms
            return not self.speaking and now_ms - self._loud_since_ms >= ON_AFTER_MS and self._turn(True)
        if dbov < QUIET_DBOV:
            self._loud_since_ms = None
            self._quiet_since_ms = now_ms if self._quiet_since_ms is None else self._quiet_since_ms
            return self.speaking and now_ms - self._quiet_since_ms >= OFF_AFTER_MS and self._turn(False)
        return False

    def silence(self) -> bool:
        """Nothing is forwarded any more; True when that is a change."""
        self._loud_since_ms = self._quiet_since_ms = None
        return self.speaking and self._turn(False)

    def _turn(self, speaking: bool) -> bool:
        self.speaking = speaking
        return True


def level_dbov(extension: bytes | None, payload_bytes: int) -> int:
    """The packet's level from the RFC 6464 extension, else a guess from the size of the Opus frame."""
    if extension:
        return -(extension[0] & 0x7F)
    return LOUD_DBOV if payload_bytes > SPEECH_PACKET_BYTES else -127
